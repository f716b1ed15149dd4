-- Why: the list of a large calendar comes in many parts. Whoever was stopped in the middle began anew, and in the end never came to
-- the last one.

-- Parts of a list that was not read to its end, so that the next reading goes on from there. None once it was taken.
create table calendar_part (
    tenant_id uuid not null references tenant (id) on delete cascade,
    link_id uuid not null references calendar_link (id) on delete cascade,
    number integer not null,
    -- Which reading it is of, and when that began: what it tells is as old.
    reading integer not null,
    begun_at timestamptz not null,
    -- Whether the list is one of everything.
    is_all boolean not null,
    -- Where the next part is, in the words of the provider; and when the entries of this one are.
    next text not null check (octet_length(next) <= 4000),
    told jsonb not null,
    primary key (link_id, number)
);
create index calendar_part_by_tenant on calendar_part (tenant_id);

alter table calendar_part enable row level security;
create policy tenant_only on calendar_part to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on calendar_part to crewline_worker using (true) with check (true);
grant select on calendar_part to crewline_api;
grant select, insert, delete on calendar_part to crewline_worker;
