-- Why: whoever looks at an error after a release asks whether it came with it, and whether it is still there. Which version failed is
-- known by the worker, and workers are forgotten soon after they are gone.

-- Which version each worker was of, for as long as what it ran may have to be summed up.
create table worker_seen (
    name text primary key,
    version text not null check (length(version) between 1 and 200),
    first_at timestamptz not null default clock_timestamp()
);
grant select, insert on worker_seen to crewline_worker;

-- Under which versions a group of failures was seen. Written when minutes are summed up.
create table error_version (
    tenant_id uuid not null references tenant (id) on delete cascade,
    kind text not null,
    code text not null,
    version text not null,
    failures bigint not null default 0,
    first_at timestamptz not null,
    last_at timestamptz not null,
    primary key (tenant_id, kind, code, version)
) with (fillfactor = 80);

alter table error_version enable row level security;
create policy tenant_only on error_version to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
grant select on error_version to crewline_api;

-- As before, and keeps under which versions each group failed.
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

-- Under which versions this tenant's failures of a kind and a code were seen, up to `most`, the latest seen first: as far as minutes
-- have been summed up, and the latest failures after that.
create function error_versions_here(of_kind text, of_code text, most integer)
returns table (version text, failures bigint, first_at timestamptz, last_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    with since_then as materialized (
        select a.worker, a.kind, a.error, a.finished_at from public.attempt a
        where a.tenant_id = public.current_tenant() and a.error is not null and a.outcome <> 'cancelled'
          and a.finished_at >= coalesce((select w.until from public.work_summed w), '-infinity'::timestamptz)
        order by a.finished_at desc limit 5000
    ),
    seen as (
        select v.version, v.failures, v.first_at, v.last_at from public.error_version v
        where v.tenant_id = public.current_tenant() and v.kind = of_kind and v.code = of_code
        union all
        select s.version, 1, f.finished_at, f.finished_at
        from since_then f join public.worker_seen s on s.name = f.worker
        where f.kind = of_kind and coalesce(f.error ->> 'code', 'error') = of_code
    )
    select seen.version, sum(seen.failures)::bigint, min(seen.first_at), max(seen.last_at) from seen
    group by seen.version order by max(seen.last_at) desc, seen.version limit least(most, 1000);
end;

revoke execute on function error_versions_here from public;
grant execute on function error_versions_here to crewline_api;
