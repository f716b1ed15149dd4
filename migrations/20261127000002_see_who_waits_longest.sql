-- Why: the page of all tenants showed the first thousand shares by name and counted among them who starves. Whoever waits
-- longest comes first now, and all are counted.

-- As `shares_of_installation`, which programs of the version before call: those first whose first job waits longest, with how
-- many there are in all and how many of them wait for longer than `starving`.
create function waits_of_installation(of_user uuid, starving interval, most integer)
returns table (
    slug text, name text, queue text, weight real, per_s double precision, oldest_at timestamptz,
    shares_in_all bigint, starving_in_all bigint
)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select t.slug, t.name, s.queue, s.weight,
           s.per_s * exp(-least(extract(epoch from clock_timestamp() - s.rated_at), 3600) / 60),
           front.oldest_at, count(*) over (),
           count(*) filter (where front.oldest_at < clock_timestamp() - starving) over ()
    from public.share s
    join public.tenant t on t.id = s.tenant_id
    left join lateral (
        select min(first.scheduled_at) as oldest_at from public.lane cross join lateral (
            select job.scheduled_at from public.job
            where job.lane_id = lane.id and job.pos > lane.cursor order by job.pos limit 1) first
        where lane.tenant_id = s.tenant_id and lane.queue = s.queue and lane.asleep_since is null) front on true
    where exists (select from public.user_role r where r.user_id = of_user and r.tenant_id is null)
    order by front.oldest_at nulls last, t.slug, s.queue limit least(most, 1000);
end;

revoke execute on function waits_of_installation from public;
grant execute on function waits_of_installation to crewline_api;
