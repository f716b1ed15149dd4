-- Why: what is handed over: chosen files under chosen names, behind a link that ends and can be taken back.

create table delivery (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    title text not null check (length(title) between 1 and 200),
    -- Links are signed with it; another one takes every link back.
    link_secret bytea not null check (length(link_secret) = 32),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    -- What the link shows, as it was when it was published, and the SHA-256 of that.
    manifest jsonb,
    manifest_sha256 text check (manifest_sha256 ~ '^[0-9a-f]{64}$'),
    published_at timestamptz,
    created_by text not null,
    created_at timestamptz not null default now(),
    check ((published_at is null) = (manifest is null) and (manifest is null) = (manifest_sha256 is null))
);
create index delivery_by_tenant on delivery (tenant_id, id);

create table delivery_item (
    tenant_id uuid not null references tenant (id) on delete cascade,
    delivery_id uuid not null references delivery (id) on delete cascade,
    place smallint not null check (place > 0),
    asset_id uuid not null references asset (id) on delete cascade,
    name text not null check (length(name) between 1 and 255),
    primary key (delivery_id, place)
);
create index delivery_item_by_asset on delivery_item (asset_id);

-- One file with everything in it. Replaced when another manifest is published.
create table delivery_archive (
    tenant_id uuid not null references tenant (id) on delete cascade,
    delivery_id uuid not null references delivery (id) on delete cascade,
    variant text not null check (variant in ('mls', 'print', 'original')),
    manifest_sha256 text not null,
    object_key text not null,
    bytes bigint not null,
    files integer not null,
    sha256 text not null,
    created_at timestamptz not null default now(),
    primary key (delivery_id, variant)
);

-- The one look-up that has to happen before the tenant is known: a link names a delivery and nobody else.
create function find_delivery(wanted uuid)
returns table (tenant_id uuid, link_secret bytea, expires_at timestamptz, revoked_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select d.tenant_id, d.link_secret, d.expires_at, d.revoked_at from public.delivery d where d.id = wanted;
end;
revoke execute on function find_delivery from public;
grant execute on function find_delivery to crewline_api;

alter table delivery enable row level security;
alter table delivery_item enable row level security;
alter table delivery_archive enable row level security;

create policy tenant_only on delivery to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on delivery_item to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on delivery_archive to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on delivery to crewline_worker using (true) with check (true);
create policy worker_sees_all on delivery_item to crewline_worker using (true) with check (true);
create policy worker_sees_all on delivery_archive to crewline_worker using (true) with check (true);

grant select, insert, update, delete on delivery to crewline_api;
grant select, insert on delivery_item to crewline_api;
grant select on delivery_archive to crewline_api;
grant select, update on delivery to crewline_worker;
grant select on delivery_item to crewline_worker;
grant select, insert, update on delivery_archive to crewline_worker;
