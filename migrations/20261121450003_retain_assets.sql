-- Why: originals have terms: a licence, a time for which they are kept whatever happens, and one after which they go, with
-- their objects.

alter table asset
    add column license text check (length(license) <= 500),
    -- Nobody may delete it before.
    add column retain_until timestamptz,
    -- It is deleted then, by itself.
    add column delete_at timestamptz;
create index asset_due on asset (delete_at) where delete_at is not null;
create index asset_by_content on asset (tenant_id, sha256);

-- Bytes that no asset may name any more. Several assets of a tenant may have the same bytes, which lie in S3 once: whoever
-- removes them locks this row and looks whether they are named again.
create table asset_grave (
    tenant_id uuid not null references tenant (id) on delete cascade,
    sha256 text not null,
    due_at timestamptz not null,
    primary key (tenant_id, sha256)
);
create index asset_grave_due on asset_grave (due_at);

alter table asset_grave enable row level security;
create policy tenant_only on asset_grave to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on asset_grave to crewline_worker using (true) with check (true);
grant select, insert, update, delete on asset_grave to crewline_api, crewline_worker;
grant delete on asset to crewline_api, crewline_worker;
