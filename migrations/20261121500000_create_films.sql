-- Why: what is made of a film is one thing with many files that name one another; a picture's row fits neither.

create table film (
    tenant_id uuid not null references tenant (id) on delete cascade,
    asset_id uuid not null references asset (id) on delete cascade,
    -- name@version
    preset text not null,
    source_sha256 text not null,
    width integer not null,
    height integer not null,
    duration_ms bigint not null,
    -- The streams, largest first.
    rungs jsonb not null,
    -- What was learned of the source and its sound.
    details jsonb not null,
    degraded text,
    created_at timestamptz not null default now(),
    primary key (tenant_id, asset_id, preset)
);
create index film_by_content on film (tenant_id, source_sha256, preset);

create table film_file (
    tenant_id uuid not null references tenant (id) on delete cascade,
    asset_id uuid not null,
    preset text not null,
    -- Playlists name other files by it.
    name text not null,
    kind text not null,
    rung text,
    media_type text not null,
    bytes bigint not null,
    width integer,
    height integer,
    object_key text not null,
    primary key (tenant_id, asset_id, preset, name),
    foreign key (tenant_id, asset_id, preset) references film (tenant_id, asset_id, preset) on delete cascade
);

alter table film enable row level security;
alter table film_file enable row level security;

create policy tenant_only on film to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on film_file to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on film to crewline_worker using (true) with check (true);
create policy worker_sees_all on film_file to crewline_worker using (true) with check (true);

grant select on film, film_file to crewline_api;
grant select, insert on film, film_file to crewline_worker;
