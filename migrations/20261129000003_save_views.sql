-- Why: whoever looks at the same jobs every morning wants one click for it. A view is a link, and a person keeps it under a name.

create table saved_view (
    tenant_id uuid not null references tenant (id) on delete cascade,
    user_id uuid not null references user_account (id) on delete cascade,
    name text not null check (length(name) between 1 and 63),
    -- What stands behind the ? of the list of jobs.
    query text not null check (octet_length(query) <= 4000),
    created_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, user_id, name)
);

alter table saved_view enable row level security;
create policy tenant_only on saved_view to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
grant select, insert, update, delete on saved_view to crewline_api;
