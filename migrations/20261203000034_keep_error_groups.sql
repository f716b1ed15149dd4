-- Why: whoever looks at errors wants to see what is new: since when something fails, and with which version that came. And to say of
-- what is known that it is, who looks after it, and when it is mended, so that it shows when it comes back.

-- Failures that look alike: of one kind, with one code. Written when minutes are summed up, and by what people say of them.
create table error_group (
    tenant_id uuid not null references tenant (id) on delete cascade,
    kind text not null,
    code text not null,
    -- Attempts that failed with it, as far as minutes have been summed up.
    failures bigint not null default 0,
    first_at timestamptz not null,
    last_at timestamptz not null,
    state text not null default 'open' check (state in ('open', 'ignored', 'resolved')),
    note text check (length(note) between 1 and 500),
    said_by text check (length(said_by) between 1 and 200),
    said_at timestamptz,
    -- Who looks after it.
    assignee uuid references user_account (id) on delete set null,
    primary key (tenant_id, kind, code),
    check ((said_at is null) = (said_by is null))
) with (fillfactor = 80);

alter table error_group enable row level security;
create policy tenant_only on error_group to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
grant select, insert on error_group to crewline_api;
grant update (state, note, said_by, said_at, assignee) on error_group to crewline_api;

-- As before, and keeps since when each group of failures is known.
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
    update public.work_summed set until = until_then;
    return (extract(epoch from until_then - since) / 60)::integer;
end
$$;

-- What of this tenant failed since a time, the latest first: what people said of it, and the version that had come last when it
-- first failed. Numbers of `lately` are among the latest `most` failures.
create function error_groups_here(since timestamptz, most integer)
returns table (
    kind text, code text, message text, failures bigint, lately bigint, given_up bigint, first_at timestamptz,
    last_at timestamptz, last_job uuid, state text, note text, said_by text, said_at timestamptz, assignee_id uuid,
    assignee text, came_with text
)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    with lately as materialized (
        select f.kind, coalesce(f.code, 'error') as code, f.message, f.failures, f.given_up, f.first_at, f.last_at, f.last_job
        from public.failures_by_fingerprint(since, most) f
    ),
    known as materialized (
        select g.* from public.error_group g where g.tenant_id = public.current_tenant()
    ),
    found as (
        select coalesce(l.kind, k.kind) as kind, coalesce(l.code, k.code) as code, l.message,
               greatest(k.failures, l.failures) as failures, coalesce(l.failures, 0) as lately,
               coalesce(l.given_up, 0) as given_up, least(k.first_at, l.first_at) as first_at,
               greatest(k.last_at, l.last_at) as last_at, l.last_job, coalesce(k.state, 'open') as state, k.note, k.said_by,
               k.said_at, k.assignee
        from lately l full join known k on k.kind = l.kind and k.code = l.code
        where l.kind is not null or k.last_at >= since
    )
    select found.kind, found.code, found.message, found.failures, found.lately, found.given_up, found.first_at, found.last_at,
           found.last_job, found.state, found.note, found.said_by, found.said_at, found.assignee, u.email,
           (select v.version from public.version_seen v where v.first_at <= found.first_at
            order by v.first_at desc, v.version limit 1)
    from found left join public.user_account u on u.id = found.assignee
    order by found.last_at desc, found.kind, found.code limit 200;
end;

-- Who steers this tenant's work and no other's: those who may be asked to look after something.
create function operators_here() returns table (id uuid, email text)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select u.id, u.email from public.user_role r join public.user_account u on u.id = r.user_id
    where r.tenant_id = public.current_tenant() and r.role = 'tenant_operator' and u.disabled_at is null
    order by u.email limit 200;
end;

revoke execute on function error_groups_here, operators_here from public;
grant execute on function error_groups_here, operators_here to crewline_api;
