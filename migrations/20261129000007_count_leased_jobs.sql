-- Why: work that a claim or a worker's start did without need. How many jobs stand under leases is a number beside their lists,
-- so that nobody unpacks the lists to count them; minutes before the first tenant are not summed up; and the places of the first
-- days are made with the tables and not by the first worker.

alter table lease add column jobs integer not null generated always as (cardinality(job_ids)) stored;

-- As before, and begins with the first tenant.
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
    insert into public.work_minute (tenant_id, minute, queue, kind, completed, failed, discarded, wait_ms, run_ms)
    select a.tenant_id, date_trunc('minute', a.finished_at), a.queue, a.kind,
           count(*) filter (where a.outcome = 'completed'),
           count(*) filter (where a.error is not null and a.outcome <> 'cancelled'),
           count(*) filter (where a.outcome = 'discarded'),
           public.tally(extract(epoch from a.started_at - a.scheduled_at) * 1000),
           public.tally(extract(epoch from a.finished_at - a.started_at) * 1000)
    from public.attempt a where a.finished_at >= since and a.finished_at < until_then
    group by 1, 2, 3, 4
    on conflict do nothing;
    update public.work_summed set until = until_then;
    return (extract(epoch from until_then - since) / 60)::integer;
end
$$;

select ensure_partitions(7);
