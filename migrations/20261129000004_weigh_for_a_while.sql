-- Why: a tenant that has a bad day is given more of a queue, or one that floods it less, and nobody has to remember to take that
-- back: it ends by itself.

-- What the weight was before, and until when it is another.
alter table share
    add column usual_weight real check (usual_weight between 0.01 and 100),
    add column weight_until timestamptz,
    add constraint share_weight_ends check ((usual_weight is null) = (weight_until is null));
create index share_weighed_for_a_while on share (weight_until) where weight_until is not null;
grant update (weight, usual_weight, weight_until) on share to crewline_worker;

-- Gives a tenant another weight in a queue for a while, for those who operate the whole installation; false when it has had
-- nothing of that queue yet.
create function weigh_for_a_while(of_user uuid, of_slug text, of_queue text, new_weight real, for_s integer) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    update public.share s set usual_weight = coalesce(s.usual_weight, s.weight), weight = new_weight,
        weight_until = clock_timestamp() + make_interval(secs => for_s)
    from public.tenant t
    where t.slug = of_slug and s.tenant_id = t.id and s.queue = of_queue and exists (
        select from public.user_role r
        where r.user_id = of_user and r.tenant_id is null and r.role in ('operator', 'admin'));
    return found;
end
$$;

-- Ends that before its time; false when there is nothing to end.
create function weigh_as_usual(of_user uuid, of_slug text, of_queue text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    update public.share s set weight = s.usual_weight, usual_weight = null, weight_until = null
    from public.tenant t
    where t.slug = of_slug and s.tenant_id = t.id and s.queue = of_queue and s.weight_until is not null and exists (
        select from public.user_role r
        where r.user_id = of_user and r.tenant_id is null and r.role in ('operator', 'admin'));
    return found;
end
$$;

-- What is weighed for a while, for those who watch the whole installation.
create function weighed_for_a_while(of_user uuid)
returns table (slug text, name text, queue text, weight real, usual_weight real, weight_until timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select t.slug, t.name, s.queue, s.weight, s.usual_weight, s.weight_until
    from public.share s join public.tenant t on t.id = s.tenant_id
    where s.weight_until is not null
      and exists (select from public.user_role r where r.user_id = of_user and r.tenant_id is null)
    order by s.weight_until, t.slug, s.queue limit 1000;
end;

revoke execute on function weigh_for_a_while, weigh_as_usual, weighed_for_a_while from public;
grant execute on function weigh_for_a_while, weigh_as_usual, weighed_for_a_while to crewline_api;
