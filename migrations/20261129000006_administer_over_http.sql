-- Why: tenants and keys were made where the database is, and nowhere else. Keys of a tenant are made over HTTP by those of its keys that
-- may do everything, and tenants by keys that run the installation: a scope that only the command line gives.
--
-- The role of requests writes neither table. It calls the functions below, which look up themselves whether the key may.

alter table api_key drop constraint api_key_scopes_check;
alter table api_key add constraint api_key_scopes_check
    check (scopes <@ array['jobs:write', 'jobs:read', 'queue:operate', 'admin', 'installation']);

create function key_runs_installation(of_key uuid) returns boolean
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select exists (
        select from public.api_key k where k.id = of_key and k.revoked_at is null and 'installation' = any (k.scopes));
end;

-- Whether a key may make and revoke keys of this tenant that have these scopes.
create function key_administers(of_key uuid, given text[]) returns boolean
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select public.key_runs_installation(of_key) or 'installation' <> all (given) and exists (
        select from public.api_key k
        where k.id = of_key and k.revoked_at is null and k.tenant_id = public.current_tenant() and 'admin' = any (k.scopes));
end;

-- Tenants, the newest first, with the weights that they were given in queues.
create function tenants_of_installation(of_key uuid, only_slug text, before uuid, most bigint)
returns table (id uuid, slug text, name text, created_at timestamptz, weights jsonb)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select t.id, t.slug, t.name, t.created_at,
           (select coalesce(jsonb_object_agg(s.queue, s.weight), '{}') from public.share s
            where s.tenant_id = t.id and s.weight <> 1)
    from public.tenant t
    where public.key_runs_installation(of_key) and (only_slug is null or t.slug = only_slug) and (before is null or t.id < before)
    order by t.id desc limit least(most, 1000);
end;

-- Makes a tenant, or says something else of the one that has this short name. True: made; false: changed; null: the key may not.
create function put_tenant(of_key uuid, new_id uuid, of_slug text, new_name text, queues text[], new_weights real[])
returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
declare
    is_new boolean;
begin
    if not public.key_runs_installation(of_key) then
        return null;
    end if;
    insert into public.tenant (id, slug, name) values (new_id, of_slug, new_name) on conflict (slug) do nothing;
    is_new := found;
    if not is_new then
        update public.tenant set name = new_name where slug = of_slug;
    end if;
    insert into public.share (tenant_id, queue, weight)
    select t.id, w.queue, w.weight from public.tenant t, unnest(queues, new_weights) w (queue, weight) where t.slug = of_slug
    on conflict (tenant_id, queue) do update set weight = excluded.weight, usual_weight = null, weight_until = null;
    return is_new;
end
$$;

-- Makes a key of this tenant. False: it has `most` already; null: the key that asks may not, or there is no such tenant.
create function make_key(
    of_key uuid, new_id uuid, new_prefix text, new_sha256 bytea, new_name text, new_scopes text[], most bigint
) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    -- Counted one after the other, so that two requests cannot both make the last one.
    perform 1 from public.tenant where id = public.current_tenant() for no key update;
    if not found or not public.key_administers(of_key, new_scopes) then
        return null;
    end if;
    if (select count(*) from public.api_key where tenant_id = public.current_tenant() and revoked_at is null) >= most then
        return false;
    end if;
    insert into public.api_key (id, tenant_id, prefix, secret_sha256, name, scopes)
    values (new_id, public.current_tenant(), new_prefix, new_sha256, new_name, new_scopes);
    return true;
end
$$;

-- Revokes a key of this tenant, if it was not before. False: there is none; null: the key that asks may not.
create function revoke_key(of_key uuid, wanted uuid) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
declare
    given text[];
begin
    select scopes into given from public.api_key where id = wanted and tenant_id = public.current_tenant();
    if not found then
        return false;
    end if;
    if not public.key_administers(of_key, given) then
        return null;
    end if;
    update public.api_key set revoked_at = clock_timestamp() where id = wanted and revoked_at is null;
    return true;
end
$$;

revoke execute on function key_runs_installation, key_administers, tenants_of_installation, put_tenant, make_key, revoke_key
    from public;
grant execute on function tenants_of_installation, put_tenant, make_key, revoke_key to crewline_api;
