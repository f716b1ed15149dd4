-- Why: every table that follows belongs to a tenant, and two roles that cannot bypass row-level security use them.
--
-- crewline_api     serves requests: sees one tenant at a time, the one named by the transaction-local setting
--                  crewline.tenant_id, and nothing at all when it is not set.
-- crewline_worker  does the work of all tenants: sees every row of the ledger, owns none.
--
-- Roles belong to the whole server, so another database may have made them already, or be making them right now.

do $$
declare
    name text;
begin
    foreach name in array array['crewline_api', 'crewline_worker'] loop
        begin
            execute format('create role %I nologin nosuperuser nobypassrls nocreatedb nocreaterole', name);
        exception when duplicate_object or unique_violation then
            null;
        end;
    end loop;
end
$$;

-- The tenant that this transaction acts for; null when none was named.
create function current_tenant() returns uuid
language sql stable parallel safe
return nullif(current_setting('crewline.tenant_id', true), '')::uuid;

create table tenant (
    id uuid primary key,
    slug text not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name text not null check (length(name) between 1 and 200),
    created_at timestamptz not null default now()
);

create table api_key (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    -- What is printed before the secret; finds the row without revealing anything.
    prefix text not null unique check (prefix ~ '^[a-z0-9]{12}$'),
    -- SHA-256 of the secret. The secret has 256 random bits, so a slow hash would protect nothing more.
    secret_sha256 bytea not null check (length(secret_sha256) = 32),
    name text not null check (length(name) between 1 and 200),
    scopes text[] not null check (scopes <@ array['jobs:write', 'jobs:read', 'queue:operate', 'admin']),
    created_at timestamptz not null default now(),
    revoked_at timestamptz,
    last_used_at timestamptz
);

-- The one look-up that has to happen before the tenant is known.
create function find_api_key(wanted text)
returns table (id uuid, tenant_id uuid, secret_sha256 bytea, scopes text[], revoked_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select k.id, k.tenant_id, k.secret_sha256, k.scopes, k.revoked_at from public.api_key k where k.prefix = wanted;
end;
revoke execute on function find_api_key from public;
grant execute on function find_api_key to crewline_api;

alter table tenant enable row level security;
create policy tenant_is_itself on tenant to crewline_api using (id = (select current_tenant()));
create policy worker_sees_all on tenant to crewline_worker using (true);

alter table api_key enable row level security;
create policy tenant_only on api_key to crewline_api
    using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));

grant usage on schema public to crewline_api, crewline_worker;
grant select on tenant to crewline_api, crewline_worker;
grant select on api_key to crewline_api;
grant update (last_used_at) on api_key to crewline_api;
