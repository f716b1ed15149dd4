-- Why: some pictures carry the tenant's mark, and listing services refuse those that do; so both are made.

create table brand (
    tenant_id uuid primary key references tenant (id) on delete cascade,
    -- The mark. Whoever deletes it ends the brand.
    asset_id uuid not null references asset (id) on delete cascade,
    corner text not null check (corner in ('top_left', 'top_right', 'bottom_left', 'bottom_right', 'center')),
    width_percent smallint not null check (width_percent between 1 and 100),
    opacity_percent smallint not null check (opacity_percent between 1 and 100),
    updated_by text not null,
    updated_at timestamptz not null default clock_timestamp()
);
create index brand_by_asset on brand (asset_id);

alter table brand enable row level security;
create policy tenant_only on brand to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on brand to crewline_worker using (true) with check (true);
grant select, insert, update, delete on brand to crewline_api;
grant select on brand to crewline_worker;

alter table delivery_archive
    drop constraint delivery_archive_variant_check,
    add constraint delivery_archive_variant_check
        check (variant in ('mls', 'print', 'mls_branded', 'print_branded', 'original'));
