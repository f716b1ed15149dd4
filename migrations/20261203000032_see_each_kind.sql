-- Why: people see of each kind what they see of each queue: what waits and since when, and what runs. And of each tenant, how long
-- its jobs wait: the share alone does not tell whether it is enough.

-- How each kind stands that this tenant ever used: counted up to `most`.
create function kinds_here(most integer)
returns table (kind text, waiting bigint, running bigint, oldest_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    with awake as materialized (
        select lane.kind, lane.id, lane.cursor as passed from public.lane
        where lane.tenant_id = public.current_tenant() and lane.asleep_since is null
    ),
    busy as materialized (
        select j.kind, count(*) as jobs from public.running_jobs() r
        join public.job j on j.tenant_id = public.current_tenant() and j.id = r.job_id and j.fence = r.fence
        group by j.kind
    )
    select named.kind,
           (select count(*) from (
               select from awake cross join lateral (
                   select from public.job where job.lane_id = awake.id and job.pos > awake.passed order by job.pos limit most) w
               where awake.kind = named.kind limit most) counted),
           coalesce((select busy.jobs from busy where busy.kind = named.kind), 0),
           (select min(front.scheduled_at) from awake cross join lateral (
               select job.scheduled_at from public.job
               where job.lane_id = awake.id and job.pos > awake.passed order by job.pos limit 1) front
            where awake.kind = named.kind)
    from public.kind_used named where named.tenant_id = public.current_tenant()
    order by named.kind;
end;

-- How long the jobs of these tenants waited that ended since a time, by queue: histograms, for those who watch the whole
-- installation.
create function waited_in_installation(of_user uuid, slugs text[], since timestamptz)
returns table (slug text, queue text, wait_ms bigint[])
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select t.slug, w.queue, array[
        sum(w.wait_ms[1]), sum(w.wait_ms[2]), sum(w.wait_ms[3]), sum(w.wait_ms[4]), sum(w.wait_ms[5]), sum(w.wait_ms[6]),
        sum(w.wait_ms[7]), sum(w.wait_ms[8]), sum(w.wait_ms[9]), sum(w.wait_ms[10]), sum(w.wait_ms[11]), sum(w.wait_ms[12]),
        sum(w.wait_ms[13]), sum(w.wait_ms[14]), sum(w.wait_ms[15]), sum(w.wait_ms[16])]
    from public.tenant t
    join public.work_minute w on w.tenant_id = t.id and w.minute >= since
    where t.slug = any (slugs)
      and exists (select from public.user_role r where r.user_id = of_user and r.tenant_id is null)
    group by t.slug, w.queue;
end;

revoke execute on function kinds_here, waited_in_installation from public;
grant execute on function kinds_here, waited_in_installation to crewline_api;
