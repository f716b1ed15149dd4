-- Why: what is in a file is learned once, from its bytes; where it was taken is personal and is kept apart from all that
-- is shown, listed or logged.

alter table asset add column probe jsonb;

create table asset_position (
    asset_id uuid primary key references asset (id) on delete cascade,
    tenant_id uuid not null references tenant (id) on delete cascade,
    latitude double precision not null check (latitude between -90 and 90),
    longitude double precision not null check (longitude between -180 and 180),
    altitude_m double precision
);

alter table asset_position enable row level security;
create policy tenant_only on asset_position to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on asset_position to crewline_worker using (true) with check (true);
grant select on asset_position to crewline_api;
grant select, insert, update, delete on asset_position to crewline_worker;
