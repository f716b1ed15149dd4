-- Why: files on their way in, files that were verified, and the pictures made from them.

create table upload (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    state text not null default 'pending' check (state in ('pending', 'completed', 'rejected')),
    filename text check (length(filename) <= 255),
    content_type text not null,
    bytes bigint not null check (bytes > 0),
    -- What the client says the file's SHA-256 is, if it says so.
    sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
    object_key text not null,
    -- The multipart upload at the object store; null for a single PUT.
    multipart_id text,
    part_bytes bigint,
    asset_id uuid,
    rejection jsonb,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index upload_by_tenant on upload (tenant_id, id);

create table asset (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    bytes bigint not null,
    -- By magic bytes, never by name.
    media_type text not null,
    filename text,
    object_key text not null,
    -- Known once something has looked inside.
    width integer,
    height integer,
    thumbhash bytea,
    details jsonb,
    created_at timestamptz not null default now()
);
create index asset_by_tenant on asset (tenant_id, id);

create table rendition (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    asset_id uuid not null references asset (id) on delete cascade,
    source_sha256 text not null,
    -- name@version
    preset text not null,
    rung text not null,
    format text not null,
    width integer not null,
    height integer not null,
    bytes bigint not null,
    object_key text not null,
    created_at timestamptz not null default now(),
    unique (tenant_id, asset_id, preset, rung, format)
);
create index rendition_by_content on rendition (tenant_id, source_sha256, preset);

alter table upload enable row level security;
alter table asset enable row level security;
alter table rendition enable row level security;

create policy tenant_only on upload to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on asset to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on rendition to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on upload to crewline_worker using (true) with check (true);
create policy worker_sees_all on asset to crewline_worker using (true) with check (true);
create policy worker_sees_all on rendition to crewline_worker using (true) with check (true);

grant select, insert, update on upload, asset to crewline_api;
grant select on rendition to crewline_api;
grant select, update, delete on upload to crewline_worker;
grant select, update on asset to crewline_worker;
grant select, insert on rendition to crewline_worker;
