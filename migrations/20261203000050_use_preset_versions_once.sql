-- Why: receipts name rules by their name and version. Rules that were removed and made anew began at 1 again, so one version named
-- two things.

-- The highest version of any rules of a tenant that were removed; what is made anew begins above it.
create table match_preset_past (
    tenant_id uuid primary key references tenant (id) on delete cascade,
    version integer not null
);
insert into match_preset_past (tenant_id, version)
    select tenant_id, max(preset_version) from match_request where preset_version is not null group by tenant_id;

alter table match_preset_past enable row level security;
create policy tenant_only on match_preset_past to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
grant select, insert, update on match_preset_past to crewline_api;
