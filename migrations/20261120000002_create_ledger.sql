-- Why: the ledger. Every job, attempt, lease and log line, laid out so that claiming a job writes nothing to it.
--
-- A waiting job carries no state, worker or lease. It stands in a lane at a position. A lane holds the jobs of one
-- tenant, queue, priority, kind, key and promise, so that whatever may be held back or hurried along is a lane. A lane
-- has a cursor; claiming moves the cursor past a batch and inserts one lease that names the batch. Settling deletes the
-- live rows and appends history, only where lease and fence still match.
--
--   waiting, due        pos > cursor of its lane                  -> "available"
--   waiting, not due    pos is null                               -> "scheduled" (attempt 0) or "retryable"
--   running             named, with its current fence, by a lease -> "running"
--   done                no row here; the last row in attempt says how
--
-- docs/decisions/0002-ledger-layout.md has the reasons and what was given up.

create sequence job_pos;
create sequence lane_turn;

create table lane (
    id integer generated always as identity primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    queue text not null,
    priority smallint not null check (priority between 1 and 4),
    -- 0: regular. 1: jobs that were there when a worker died; they run together, in a process apart from regular jobs.
    -- 2: jobs that were there twice; each runs alone, so that the one to blame shows.
    quarantine smallint not null check (quarantine between 0 and 2),
    kind text not null,
    -- Jobs with one key share the limits on that key; '' is none.
    key text not null check (octet_length(key) <= 200),
    -- What its jobs were promised, rounded down to a step, in seconds; 0 is nothing. So the first in line is also the
    -- one whose promise breaks first.
    promise_s integer not null check (promise_s >= 0),
    cursor bigint not null default 0,
    -- Nothing at or before it is running. Limits count from here on, past the remains of jobs that are done.
    floor bigint not null default 0,
    -- When it was last served, as a number: among equals the lane served longest ago goes first.
    turn bigint not null default 0,
    -- Since when nothing has stood in it. Claims look only at lanes that are awake; whoever puts a job into a lane wakes
    -- it, and a sweep wakes those that were missed.
    asleep_since timestamptz,
    unique (tenant_id, queue, priority, quarantine, kind, key, promise_s)
) with (fillfactor = 50);
create index lane_awake on lane (queue, quarantine) where asleep_since is null;

create table job (
    tenant_id uuid not null,
    id uuid not null,
    -- Null while its time has not come.
    pos bigint,
    created_at timestamptz not null,
    scheduled_at timestamptz not null,
    cancel_requested_at timestamptz,
    -- Promised to be done by then.
    due_at timestamptz,
    -- When it changes over to another queue if it still waits, and to which.
    hop_at timestamptz,
    lane_id integer not null,
    -- How often the job went back to waiting. What a worker claimed under an older fence it may not settle.
    fence integer not null default 0,
    kind_version smallint not null,
    -- Attempts begun before now; a snooze does not count, a crash does.
    attempt smallint not null default 0,
    max_attempts smallint not null check (max_attempts between 1 and 32000),
    crashes smallint not null default 0,
    progress_percent smallint check (progress_percent between 0 and 100),
    kind text not null,
    args jsonb not null,
    unique_key text check (octet_length(unique_key) <= 200),
    traceparent text,
    progress_message text,
    hop_queue text check ((hop_queue is null) = (hop_at is null)),
    tags text[],
    metadata jsonb,
    last_error jsonb,
    -- No foreign keys: a lock on the tenant's row for every job would make that row the bottleneck.
    -- Tenant first, so that one index serves both the look-up and the tenant's list.
    primary key (tenant_id, id)
) with (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.1,
    autovacuum_vacuum_cost_delay = 0
);
create index job_waiting on job (lane_id, pos) where pos is not null;
create index job_due on job (scheduled_at) where pos is null;
create unique index job_unique on job (tenant_id, kind, unique_key) where unique_key is not null;
create index job_hopping on job (hop_at) where hop_at is not null;
create index job_promised on job (tenant_id, due_at) where due_at is not null;
create index job_cancelling on job (cancel_requested_at) where cancel_requested_at is not null;

-- The right of one worker to run a batch until a time. Its id is the fencing token.
create table lease (
    id uuid primary key,
    queue text not null,
    worker text not null,
    claimed_at timestamptz not null default clock_timestamp(),
    until timestamptz not null,
    tenant_ids uuid[] not null,
    job_ids uuid[] not null,
    fences integer[] not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
create index lease_by_worker on lease (worker);
-- A large batch outgrows its page and is compressed, for each claim: with lz4 that costs a tenth, where the server has it.
do $$
begin
    alter table lease alter tenant_ids set compression lz4, alter job_ids set compression lz4, alter fences set compression lz4;
exception when feature_not_supported then
    null;
end
$$;

-- One row per attempt, appended when it ends; the row that ends the job also keeps the job itself.
create table attempt (
    tenant_id uuid not null,
    job_id uuid not null,
    fence integer not null,
    attempt smallint not null,
    kind_version smallint not null,
    max_attempts smallint not null,
    priority smallint not null,
    created_at timestamptz not null,
    scheduled_at timestamptz not null,
    -- Null when the job was cancelled before a worker had it.
    started_at timestamptz,
    finished_at timestamptz not null default clock_timestamp(),
    due_at timestamptz,
    outcome text not null check (outcome in
        ('completed', 'retried', 'snoozed', 'returned', 'crashed', 'cancelled', 'discarded')),
    -- The state the job ended in; null when it went back to waiting.
    final_state text check (final_state in ('completed', 'cancelled', 'discarded')),
    kind text not null,
    queue text not null,
    -- The key and the promise of its lane.
    key text not null,
    promise_s integer not null,
    worker text,
    args jsonb,
    result jsonb,
    error jsonb,
    unique_key text,
    traceparent text,
    tags text[],
    metadata jsonb,
    primary key (tenant_id, job_id, fence, finished_at)
) partition by range (finished_at);
-- Failures are few and looked for; what completed is found by its id.
create index attempt_given_up on attempt (tenant_id, job_id) where final_state in ('cancelled', 'discarded');
create index attempt_promised on attempt (tenant_id, finished_at) where due_at is not null and final_state is not null;

create sequence job_log_seq;
create table job_log (
    tenant_id uuid not null,
    job_id uuid not null,
    seq bigint not null default nextval('job_log_seq'),
    fence integer not null,
    attempt smallint not null,
    logged_at timestamptz not null default clock_timestamp(),
    level text not null check (level in ('debug', 'info', 'warn', 'error')),
    message text not null,
    primary key (tenant_id, job_id, seq, logged_at)
) partition by range (logged_at);

-- Catches rows for which nobody made a partition in time: late maintenance must not stop the work.
create table attempt_default partition of attempt default;
create table job_log_default partition of job_log default;

-- A key of a client's, and the answer it got. Written with the job, in the same transaction.
create table idempotency (
    tenant_id uuid not null,
    -- Looked up, never sorted for people: compared by bytes.
    key text collate "C" not null check (octet_length(key) between 1 and 255),
    route text collate "C" not null,
    fingerprint bytea not null check (length(fingerprint) = 32),
    status smallint not null,
    location text,
    -- JSON that nobody looks into here; as jsonb it would be taken apart for nothing.
    body text not null,
    expires_at timestamptz not null,
    primary key (tenant_id, route, key)
);
create index idempotency_by_expiry on idempotency using brin (expires_at);

-- Uniqueness that lasts for a time rather than until the job is done.
create table unique_window (
    tenant_id uuid not null,
    kind text not null,
    key text not null check (octet_length(key) <= 200),
    job_id uuid not null,
    expires_at timestamptz not null,
    primary key (tenant_id, kind, key)
);

-- Which jobs of this tenant are running. Leases name jobs of many tenants, so nobody but workers may read them.
create function running_jobs(only_job uuid default null)
returns table (job_id uuid, fence integer, worker text, claimed_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select held.job_id, held.fence, l.worker, l.claimed_at
    from public.lease l
    cross join lateral unnest(l.tenant_ids, l.job_ids, l.fences) as held (tenant_id, job_id, fence)
    where held.tenant_id = public.current_tenant()
      and (only_job is null or (l.job_ids @> array[only_job] and held.job_id = only_job));
end;
revoke execute on function running_jobs from public;
grant execute on function running_jobs to crewline_api;

-- Makes the daily partitions from today up to `days_ahead` days ahead. Owned by the owner of the tables, because
-- workers may call for partitions but not alter tables.
create function ensure_partitions(days_ahead integer) returns void
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
declare
    parent text;
    day date;
begin
    perform pg_advisory_xact_lock(2, 0);
    foreach parent in array array['attempt', 'job_log'] loop
        for day in select generate_series((now() at time zone 'UTC')::date, (now() at time zone 'UTC')::date + least(days_ahead, 31), interval '1 day')::date loop
            if to_regclass(format('public.%I', parent || to_char(day, '_YYYYMMDD'))) is null then
                begin
                    execute format(
                        'create table public.%I partition of public.%I for values from (%L) to (%L)',
                        parent || to_char(day, '_YYYYMMDD'), parent, day::timestamp at time zone 'UTC',
                        (day + 1)::timestamp at time zone 'UTC');
                exception when check_violation then
                    -- Rows for that day already lie in the default partition; they stay there until they are pruned.
                    null;
                end;
            end if;
        end loop;
    end loop;
end
$$;
revoke execute on function ensure_partitions from public;
grant execute on function ensure_partitions to crewline_worker;

-- Drops the partitions of days before `keep_from`, and says how many.
create function drop_partitions(keep_from date) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
declare
    part record;
    dropped integer := 0;
begin
    perform pg_advisory_xact_lock(2, 0);
    for part in
        select c.relname from pg_catalog.pg_inherits i
        join pg_catalog.pg_class c on c.oid = i.inhrelid
        join pg_catalog.pg_class p on p.oid = i.inhparent
        where p.relname in ('attempt', 'job_log') and p.relnamespace = 'public'::regnamespace
          and c.relname ~ '_[0-9]{8}$' and to_date(right(c.relname, 8), 'YYYYMMDD') < keep_from
    loop
        execute format('drop table public.%I', part.relname);
        dropped := dropped + 1;
    end loop;
    delete from public.attempt_default where finished_at < keep_from;
    delete from public.job_log_default where logged_at < keep_from;
    return dropped;
end
$$;
revoke execute on function drop_partitions from public;
grant execute on function drop_partitions to crewline_worker;

select ensure_partitions(3);

alter table lane enable row level security;
alter table job enable row level security;
alter table attempt enable row level security;
alter table job_log enable row level security;
alter table idempotency enable row level security;
alter table unique_window enable row level security;

create policy tenant_only on lane to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on job to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on attempt to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on job_log to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on idempotency to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on unique_window to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));

create policy worker_sees_all on lane to crewline_worker using (true) with check (true);
create policy worker_sees_all on job to crewline_worker using (true) with check (true);
create policy worker_sees_all on attempt to crewline_worker using (true) with check (true);
create policy worker_sees_all on job_log to crewline_worker using (true) with check (true);
create policy worker_sees_all on idempotency to crewline_worker using (true) with check (true);
create policy worker_sees_all on unique_window to crewline_worker using (true) with check (true);

-- History is append-only for everybody but its owner.
grant select, insert on lane, attempt to crewline_api, crewline_worker;
grant select on job_log to crewline_api;
grant select, insert on job_log to crewline_worker;
grant update (cursor, floor, turn, asleep_since), delete on lane to crewline_worker;
grant update (asleep_since) on lane to crewline_api;
grant select, insert, update, delete on job to crewline_api, crewline_worker;
grant select, insert, update on idempotency to crewline_api;
grant select, delete on idempotency to crewline_worker;
grant select, insert, update on unique_window to crewline_api, crewline_worker;
grant delete on unique_window to crewline_worker;
grant select, insert, update, delete on lease to crewline_worker;
grant usage on sequence job_pos, lane_turn, job_log_seq to crewline_api, crewline_worker;
