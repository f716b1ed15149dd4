-- Why: whoever operates the installation gives a tenant more of a queue for a while, or less, at the dashboard. Programs that see a
-- flood coming do the same, with keys that run the installation.

-- Gives a tenant another weight in a queue for a while; false when it has had nothing of that queue yet.
create function weigh_share(of_slug text, of_queue text, new_weight real, for_s integer) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    update public.share s set usual_weight = coalesce(s.usual_weight, s.weight), weight = new_weight,
        weight_until = clock_timestamp() + make_interval(secs => for_s)
    from public.tenant t
    where t.slug = of_slug and s.tenant_id = t.id and s.queue = of_queue;
    return found;
end
$$;

-- Ends that before its time; false when there is nothing to end.
create function weigh_share_as_usual(of_slug text, of_queue text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    update public.share s set weight = s.usual_weight, usual_weight = null, weight_until = null
    from public.tenant t
    where t.slug = of_slug and s.tenant_id = t.id and s.queue = of_queue and s.weight_until is not null;
    return found;
end
$$;

-- What is weighed for a while: all of it, or one share.
create function shares_weighed(only_slug text, only_queue text)
returns table (slug text, name text, queue text, weight real, usual_weight real, weight_until timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select t.slug, t.name, s.queue, s.weight, s.usual_weight, s.weight_until
    from public.share s join public.tenant t on t.id = s.tenant_id
    where s.weight_until is not null and (only_slug is null or t.slug = only_slug) and (only_queue is null or s.queue = only_queue)
    order by s.weight_until, t.slug, s.queue limit 1000;
end;

-- As before, for people.
create or replace function weigh_for_a_while(of_user uuid, of_slug text, of_queue text, new_weight real, for_s integer)
returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    if not exists (
        select from public.user_role r
        where r.user_id = of_user and r.tenant_id is null and r.role in ('operator', 'admin')) then
        return false;
    end if;
    return public.weigh_share(of_slug, of_queue, new_weight, for_s);
end
$$;

create or replace function weigh_as_usual(of_user uuid, of_slug text, of_queue text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    if not exists (
        select from public.user_role r
        where r.user_id = of_user and r.tenant_id is null and r.role in ('operator', 'admin')) then
        return false;
    end if;
    return public.weigh_share_as_usual(of_slug, of_queue);
end
$$;

create or replace function weighed_for_a_while(of_user uuid)
returns table (slug text, name text, queue text, weight real, usual_weight real, weight_until timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select s.slug, s.name, s.queue, s.weight, s.usual_weight, s.weight_until from public.shares_weighed(null, null) s
    where exists (select from public.user_role r where r.user_id = of_user and r.tenant_id is null);
end;

-- The same for keys; false, and nothing, for one that does not run the installation.
create function key_weighs_for_a_while(of_key uuid, of_slug text, of_queue text, new_weight real, for_s integer) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    if not public.key_runs_installation(of_key) then
        return false;
    end if;
    return public.weigh_share(of_slug, of_queue, new_weight, for_s);
end
$$;

create function key_weighs_as_usual(of_key uuid, of_slug text, of_queue text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    if not public.key_runs_installation(of_key) then
        return false;
    end if;
    return public.weigh_share_as_usual(of_slug, of_queue);
end
$$;

create function key_sees_weighed(of_key uuid, only_slug text, only_queue text)
returns table (slug text, name text, queue text, weight real, usual_weight real, weight_until timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select s.slug, s.name, s.queue, s.weight, s.usual_weight, s.weight_until
    from public.shares_weighed(only_slug, only_queue) s where public.key_runs_installation(of_key);
end;

revoke execute on function weigh_share, weigh_share_as_usual, shares_weighed, key_weighs_for_a_while, key_weighs_as_usual,
    key_sees_weighed from public;
grant execute on function key_weighs_for_a_while, key_weighs_as_usual, key_sees_weighed to crewline_api;
