-- Why: whoever gets a delivery says whether it is right, and if not, what is wrong and where.

-- What was approved is a manifest: when another one is published, nobody has approved that yet.
alter table delivery
    add column approved_sha256 text,
    add column approved_at timestamptz,
    add check ((approved_sha256 is null) = (approved_at is null));

create table delivery_note (
    tenant_id uuid not null references tenant (id) on delete cascade,
    delivery_id uuid not null references delivery (id) on delete cascade,
    -- From 1, in the order in which they were written.
    number smallint not null check (number > 0),
    -- The file it is about, by its place in the manifest that was looked at.
    place smallint not null check (place > 0),
    manifest_sha256 text not null,
    -- Where on the picture, in thousandths of its width and height; none when it is about the whole.
    x smallint check (x between 0 and 1000),
    y smallint check (y between 0 and 1000),
    text text not null check (length(text) between 1 and 2000),
    created_at timestamptz not null default clock_timestamp(),
    primary key (delivery_id, number),
    check ((x is null) = (y is null))
);

alter table delivery_note enable row level security;
create policy tenant_only on delivery_note to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on delivery_note to crewline_worker using (true) with check (true);
grant select, insert on delivery_note to crewline_api;
grant select on delivery_note to crewline_worker;
