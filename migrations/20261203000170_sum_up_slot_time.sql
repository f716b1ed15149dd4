-- Why: what a tenant costs is for how long its jobs hold slots of workers; that is summed up with the minutes, exactly, whatever
-- the steps of histograms.

-- Milliseconds in which attempts that ended in the minute held a slot.
alter table work_minute add column slot_ms bigint not null default 0;

create or replace function sum_up_minutes(most integer) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, public set enable_bitmapscan = on as $$
declare
    since timestamptz;
    until_then timestamptz := date_trunc('minute', clock_timestamp() - interval '15 s');
begin
    if not pg_try_advisory_xact_lock(8, 0) then
        return 0;
    end if;
    -- Before there was a tenant nothing ended.
    insert into public.work_summed (until)
    select date_trunc('minute', greatest(until_then - interval '1 hour', min(created_at))) from public.tenant
    on conflict do nothing;
    select until into since from public.work_summed;
    since := greatest(since, until_then - interval '1 day');
    until_then := least(until_then, since + most * interval '1 min');
    if since >= until_then then
        return 0;
    end if;
    insert into public.work_minute (tenant_id, minute, queue, kind, completed, failed, discarded, wait_ms, run_ms, slot_ms)
    select a.tenant_id, date_trunc('minute', a.finished_at), a.queue, a.kind,
           count(*) filter (where a.outcome = 'completed'),
           count(*) filter (where a.error is not null and a.outcome <> 'cancelled'),
           count(*) filter (where a.outcome = 'discarded'),
           public.tally(extract(epoch from a.started_at - a.scheduled_at) * 1000),
           public.tally(extract(epoch from a.finished_at - a.started_at) * 1000),
           coalesce(sum(extract(epoch from a.finished_at - a.started_at) * 1000), 0)::bigint
    from public.attempt a where a.finished_at >= since and a.finished_at < until_then
    group by 1, 2, 3, 4
    on conflict do nothing;
    insert into public.error_group as g (tenant_id, kind, code, failures, first_at, last_at)
    select a.tenant_id, a.kind, coalesce(a.error ->> 'code', 'error'), count(*), min(a.finished_at), max(a.finished_at)
    from public.attempt a
    where a.finished_at >= since and a.finished_at < until_then and a.error is not null and a.outcome <> 'cancelled'
      and exists (select from public.tenant t where t.id = a.tenant_id)
    group by 1, 2, 3
    on conflict (tenant_id, kind, code) do update set failures = g.failures + excluded.failures,
        first_at = least(g.first_at, excluded.first_at), last_at = greatest(g.last_at, excluded.last_at);
    insert into public.error_version as v (tenant_id, kind, code, version, failures, first_at, last_at)
    select a.tenant_id, a.kind, coalesce(a.error ->> 'code', 'error'), s.version, count(*), min(a.finished_at), max(a.finished_at)
    from public.attempt a join public.worker_seen s on s.name = a.worker
    where a.finished_at >= since and a.finished_at < until_then and a.error is not null and a.outcome <> 'cancelled'
      and exists (select from public.tenant t where t.id = a.tenant_id)
    group by 1, 2, 3, 4
    on conflict (tenant_id, kind, code, version) do update set failures = v.failures + excluded.failures,
        first_at = least(v.first_at, excluded.first_at), last_at = greatest(v.last_at, excluded.last_at);
    -- Nothing is summed up that is older.
    delete from public.worker_seen s where s.first_at < clock_timestamp() - interval '2 days'
        and not exists (select from public.worker w where w.name = s.name);
    update public.work_summed set until = until_then;
    return (extract(epoch from until_then - since) / 60)::integer;
end
$$;

drop function waited_in_installation;
create function waited_in_installation(of_user uuid, slugs text[], since timestamptz)
returns table (slug text, queue text, wait_ms bigint[], slot_ms bigint)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select t.slug, w.queue, array[
        sum(w.wait_ms[1]), sum(w.wait_ms[2]), sum(w.wait_ms[3]), sum(w.wait_ms[4]), sum(w.wait_ms[5]), sum(w.wait_ms[6]),
        sum(w.wait_ms[7]), sum(w.wait_ms[8]), sum(w.wait_ms[9]), sum(w.wait_ms[10]), sum(w.wait_ms[11]), sum(w.wait_ms[12]),
        sum(w.wait_ms[13]), sum(w.wait_ms[14]), sum(w.wait_ms[15]), sum(w.wait_ms[16])], sum(w.slot_ms)::bigint
    from public.tenant t
    join public.work_minute w on w.tenant_id = t.id and w.minute >= since
    where t.slug = any (slugs)
      and exists (select from public.user_role r where r.user_id = of_user and r.tenant_id is null)
    group by t.slug, w.queue;
end;

revoke execute on function waited_in_installation from public;
grant execute on function waited_in_installation to crewline_api;
