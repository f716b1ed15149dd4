-- Why: a house has rules of its own for who is asked first, and changes them. Each change is another version, and whoever is being
-- looked for meanwhile is looked for by the version that was asked for.

create table match_preset (
    tenant_id uuid not null references tenant (id) on delete cascade,
    name text not null check (length(name) between 1 and 63),
    -- Counts changes; a change names the one it saw.
    version integer not null default 1,
    terms jsonb not null,
    updated_by text not null,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, name)
);

alter table match_preset enable row level security;
create policy tenant_only on match_preset to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
grant select, insert, update, delete on match_preset to crewline_api;

-- Which preset its terms are a copy of, in which version.
alter table match_request
    add column preset text,
    add column preset_version integer;
