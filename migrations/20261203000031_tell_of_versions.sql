-- Why: people who operate all of it see on which machine a worker is, what it runs now, and whether a release is on its way: which
-- version does how much, and since when each of them has been there.

alter table worker add column host text;

-- Every version of the program that a worker ever was of.
create table version_seen (
    version text primary key check (length(version) between 1 and 200),
    first_at timestamptz not null default clock_timestamp(),
    last_at timestamptz not null default clock_timestamp()
);
grant select, insert, update on version_seen to crewline_worker;

-- As `workers_and_memory`, which programs of the version before call.
create function workers_and_hosts(of_user uuid)
returns table (
    name text, host text, version text, queues text[], slots integer[], started_at timestamptz, seen_at timestamptz,
    running bigint, memory_bytes bigint, drain_requested_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select w.name, w.host, w.version, w.queues, w.slots, w.started_at, w.seen_at,
           (select coalesce(sum(l.jobs), 0) from public.lease l where l.worker = w.name),
           w.memory_bytes, w.drain_requested_at
    from public.worker w
    where exists (select from public.user_role r where r.user_id = of_user and r.tenant_id is null)
    order by w.seen_at desc, w.name limit 1000;
end;

-- What a worker runs, those first that have run longest, for those who watch the whole installation.
create function jobs_of_worker(of_user uuid, called text, most integer)
returns table (slug text, name text, job_id uuid, kind text, queue text, attempt integer, claimed_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select t.slug, t.name, j.id, j.kind, l.queue, j.attempt + 1, l.claimed_at
    from public.lease l
    cross join lateral unnest(l.tenant_ids, l.job_ids, l.fences) as held (tenant_id, job_id, fence)
    join public.job j on j.tenant_id = held.tenant_id and j.id = held.job_id and j.fence = held.fence
    join public.tenant t on t.id = held.tenant_id
    where l.worker = called
      and exists (select from public.user_role r where r.user_id = of_user and r.tenant_id is null)
    order by l.claimed_at, j.id limit least(most, 1000);
end;

-- The latest versions, newest first, for those who watch the whole installation.
create function versions_of_installation(of_user uuid, most integer)
returns table (version text, first_at timestamptz, last_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select v.version, v.first_at, v.last_at from public.version_seen v
    where exists (select from public.user_role r where r.user_id = of_user and r.tenant_id is null)
    order by v.first_at desc, v.version limit least(most, 1000);
end;

revoke execute on function workers_and_hosts, jobs_of_worker, versions_of_installation from public;
grant execute on function workers_and_hosts, jobs_of_worker, versions_of_installation to crewline_api;
