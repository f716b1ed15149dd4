-- Why: people ask how the last hour went, what fails and what waits, and get an answer in milliseconds however long the
-- ledger is: minutes are summed up once, failures are found by their words, and what waits is counted up to a bound.

-- How many milliseconds belong to each place of a histogram; the last place has everything longer.
create function histogram_steps() returns integer[]
language sql immutable parallel safe
return array[10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000, 300000, 900000, 3600000];

create function tally_step(counts integer[], ms double precision) returns integer[]
language plpgsql immutable parallel safe as $$
declare
    place integer := width_bucket(greatest(ms, 0), public.histogram_steps()::double precision[]) + 1;
begin
    if ms is not null then
        counts[place] := counts[place] + 1;
    end if;
    return counts;
end
$$;
create aggregate tally (double precision) (
    sfunc = tally_step, stype = integer[], initcond = '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}', parallel = unsafe);

-- What ended in a minute. Made by workers when the minute is over, once.
create table work_minute (
    tenant_id uuid not null,
    minute timestamptz not null,
    queue text not null,
    kind text not null,
    completed integer not null,
    -- Attempts that went wrong, and jobs that were given up.
    failed integer not null,
    discarded integer not null,
    wait_ms integer[] not null,
    run_ms integer[] not null,
    primary key (tenant_id, minute, queue, kind)
);
create index work_minute_by_age on work_minute using brin (minute);

-- Up to where minutes have been summed up.
create table work_summed (
    one boolean primary key default true check (one),
    until timestamptz not null
);

-- History is appended as time goes, so a block range index finds a minute of it and costs next to nothing to keep.
create index attempt_by_end on attempt using brin (finished_at) with (pages_per_range = 16);
create index attempt_failed on attempt (tenant_id, finished_at) where error is not null;
create index attempt_error_words on attempt using gin (to_tsvector('simple', coalesce(error ->> 'message', '')))
    where error is not null;

-- Sums up the minutes that are over, up to `most` of them, and says how many there were. A minute is over for us when
-- nothing that ended in it can still be on its way.
create function sum_up_minutes(most integer) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, public set enable_bitmapscan = on as $$
declare
    since timestamptz;
    until_then timestamptz := date_trunc('minute', clock_timestamp() - interval '15 s');
begin
    if not pg_try_advisory_xact_lock(8, 0) then
        return 0;
    end if;
    insert into public.work_summed (until) values (until_then - interval '1 hour') on conflict do nothing;
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

-- How each queue of this tenant stands: counted up to `most`.
create function queues_here(most integer)
returns table (queue text, waiting bigint, running bigint, oldest_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select named.queue,
           (select count(*) from (
               select from public.lane cross join lateral (
                   select from public.job where job.lane_id = lane.id and job.pos > lane.cursor order by job.pos limit most) w
               where lane.tenant_id = public.current_tenant() and lane.queue = named.queue and lane.asleep_since is null
               limit most) counted),
           (select count(*) from public.running_jobs() r
            join public.job j on j.tenant_id = public.current_tenant() and j.id = r.job_id and j.fence = r.fence
            join public.lane l on l.id = j.lane_id where l.queue = named.queue),
           (select min(front.scheduled_at) from public.lane cross join lateral (
               select job.scheduled_at from public.job
               where job.lane_id = lane.id and job.pos > lane.cursor order by job.pos limit 1) front
            where lane.tenant_id = public.current_tenant() and lane.queue = named.queue and lane.asleep_since is null)
    from public.share named where named.tenant_id = public.current_tenant()
    order by named.queue;
end;

-- Worker processes that listen to each queue, and their slots.
create function listeners_here() returns table (queue text, workers bigint, slots bigint)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select heard.queue, count(*), sum(heard.slots)
    from public.worker w cross join lateral unnest(w.queues, w.slots) heard (queue, slots)
    where w.seen_at > clock_timestamp() - interval '30 s'
    group by 1;
end;

-- Jobs of this tenant that failed with these words, newest first. A common word is found among the latest failures; a
-- rare one by the index of words.
create function failures_with(words text, before uuid, most integer) returns setof uuid
language plpgsql stable security definer set search_path = pg_catalog, public set enable_bitmapscan = on as $$
declare
    wanted tsquery := websearch_to_tsquery('simple', words);
    found uuid[];
begin
    select array_agg(distinct f.job_id) into found from (
        select l.job_id from (
            select a.job_id, a.error from public.attempt a
            where a.tenant_id = public.current_tenant() and a.error is not null
            order by a.finished_at desc limit 2000) l
        where to_tsvector('simple', coalesce(l.error ->> 'message', '')) @@ wanted
          and (before is null or l.job_id < before)) f;
    if coalesce(cardinality(found), 0) < most then
        select array_agg(distinct f.job_id) into found from (
            select a.job_id from public.attempt a
            where a.tenant_id = public.current_tenant() and a.error is not null
              and to_tsvector('simple', coalesce(a.error ->> 'message', '')) @@ wanted
              and (before is null or a.job_id < before)
            limit 20000) f;
    end if;
    return query select id from unnest(found) id order by id desc limit most;
end
$$;

-- What failed since a time, by kind and code of the error, among the latest `most` failures.
create function failures_by_fingerprint(since timestamptz, most integer)
returns table (
    kind text, code text, message text, failures bigint, given_up bigint, jobs bigint, first_at timestamptz,
    last_at timestamptz, last_job uuid
)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select f.kind, f.error ->> 'code', (array_agg(f.error ->> 'message' order by f.finished_at desc))[1], count(*),
           count(*) filter (where f.final_state = 'discarded'), count(distinct f.job_id), min(f.finished_at),
           max(f.finished_at), (array_agg(f.job_id order by f.finished_at desc))[1]
    from (
        select a.kind, a.error, a.final_state, a.job_id, a.finished_at from public.attempt a
        where a.tenant_id = public.current_tenant() and a.error is not null and a.finished_at >= since
          and a.outcome <> 'cancelled'
        order by a.finished_at desc limit most) f
    group by 1, 2
    order by max(f.finished_at) desc limit 200;
end;

revoke execute on function sum_up_minutes, queues_here, listeners_here, failures_with, failures_by_fingerprint from public;
grant execute on function sum_up_minutes to crewline_worker;
grant execute on function queues_here, listeners_here, failures_with, failures_by_fingerprint to crewline_api;

alter table work_minute enable row level security;
alter table work_summed enable row level security;
create policy tenant_only on work_minute to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on work_minute to crewline_worker using (true) with check (true);
grant select on work_minute to crewline_api;
grant select, delete on work_minute to crewline_worker;
