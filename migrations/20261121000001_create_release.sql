-- Why: which of the waiting jobs goes next. Tenants share by weight; among a tenant's own jobs promises at risk go first,
-- then priority, which grows with waiting; limits and pauses hold lanes back.
--
-- All of it is decided inside the claim, under the queue's lock, from the ledger itself. So no process has to be alive
-- for a limit to hold, and nothing is counted that could be counted wrong: what runs in a lane is what stands at or
-- before its cursor. docs/decisions/0008-release-inside-the-claim.md has the reasons.

-- How much of a queue a tenant has had, divided by its weight: start-time fair queueing (P. Goyal, H. Vin, H. Cheng, 1996).
create table share (
    tenant_id uuid not null references tenant (id) on delete cascade,
    queue text not null,
    weight real not null default 1 check (weight between 0.01 and 100),
    vtime double precision not null default 0,
    -- Jobs claimed per second, smoothed over a minute, as of rated_at. What is older than an hour fades no further: after
    -- half a day the factor would be too small a number for Postgres, which refuses such numbers instead of rounding.
    per_s double precision not null default 0,
    rated_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, queue)
) with (fillfactor = 50);

-- The virtual time of each queue. A tenant that comes back begins here, not with credit for its absence.
create table pace (
    queue text primary key,
    vtime double precision not null default 0,
    -- Claims so far. One in eight serves whoever has waited longest, so that nothing starves.
    claims bigint not null default 0,
    per_s double precision not null default 0,
    rated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- How much may run at once, or begin in a time. What is null is not asked about; no tenant means every tenant together.
create table limit_rule (
    id uuid primary key,
    tenant_id uuid references tenant (id) on delete cascade,
    name text not null check (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
    queue text,
    kind text,
    -- A key, or the beginning of keys and a *: then every key has the limit to itself.
    key text check (octet_length(key) between 1 and 200),
    concurrency integer check (concurrency between 1 and 100000),
    rate_algorithm text check (rate_algorithm in ('bucket', 'window')),
    rate_count integer check (rate_count between 1 and 1000000),
    rate_period_s real check (rate_period_s between 0.1 and 2678400),
    -- What a bucket holds at most.
    rate_burst integer check (rate_burst between 1 and 1000000),
    updated_by text not null check (length(updated_by) between 1 and 200),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (concurrency is not null or rate_count is not null),
    check ((rate_count is null) = (rate_period_s is null) and (rate_count is null) = (rate_algorithm is null)
        and (rate_count is null) = (rate_burst is null))
);
create unique index limit_rule_by_name on limit_rule (coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'), name);

-- What is left of a rate. No row: all of it.
create table bucket (
    rule_id uuid not null references limit_rule (id) on delete cascade,
    key text not null,
    tokens double precision not null,
    filled_at timestamptz not null,
    primary key (rule_id, key)
) with (fillfactor = 50);

-- What must not be claimed. What is null is not asked about; no tenant means every tenant.
create table pause (
    id uuid primary key,
    tenant_id uuid references tenant (id) on delete cascade,
    queue text,
    kind text,
    reason text not null check (length(reason) between 1 and 500),
    paused_by text not null check (length(paused_by) between 1 and 200),
    created_at timestamptz not null default now(),
    expires_at timestamptz
);
create unique index pause_by_scope on pause (
    coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'), coalesce(queue, ''), coalesce(kind, ''));

-- Worker processes that are there. A row that was not refreshed for a minute means nothing.
create table worker (
    name text primary key,
    version text not null,
    queues text[] not null,
    slots integer[] not null,
    started_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- The lane for such jobs, awake; made on first use, together with the tenant's share of the queue.
create function lane_for(
    of_tenant uuid, of_queue text, of_priority smallint, of_quarantine smallint, of_kind text, of_key text,
    of_promise_s integer
) returns integer
language plpgsql volatile as $$
begin
    insert into lane (tenant_id, queue, priority, quarantine, kind, key, promise_s)
    values (of_tenant, of_queue, of_priority, of_quarantine, of_kind, of_key, of_promise_s)
    on conflict (tenant_id, queue, priority, quarantine, kind, key, promise_s) do update set asleep_since = null
        where lane.asleep_since is not null;
    insert into share (tenant_id, queue) values (of_tenant, of_queue) on conflict do nothing;
    return (
        select id from lane where tenant_id = of_tenant and queue = of_queue and priority = of_priority
            and quarantine = of_quarantine and kind = of_kind and key = of_key and promise_s = of_promise_s);
end
$$;

-- Whether a rule's or a pause's pattern covers a lane's key.
create function covers_key(pattern text, key text) returns boolean
language sql immutable parallel safe
return pattern is null or pattern = key
    or (right(pattern, 1) = '*' and key <> '' and starts_with(key, left(pattern, -1)));

-- What is left of a rate now, and when there will be one more.
create function rate_left(rule limit_rule, of_key text, out tokens double precision, out next_at timestamptz)
language plpgsql stable as $$
declare
    found bucket;
    period interval := rule.rate_period_s * interval '1 s';
begin
    select * into found from bucket where bucket.rule_id = rule.id and bucket.key = of_key;
    if rule.rate_algorithm = 'window' then
        next_at := date_bin(period, clock_timestamp(), timestamptz '2000-01-01 00:00:00Z');
        tokens := case when found.filled_at >= next_at then found.tokens else rule.rate_count end;
        next_at := next_at + period;
    else
        tokens := least(rule.rate_burst, coalesce(found.tokens + rule.rate_count
            * extract(epoch from clock_timestamp() - found.filled_at) / rule.rate_period_s, rule.rate_burst));
        next_at := clock_timestamp() + greatest(0, 1 - tokens) * period / rule.rate_count;
    end if;
end
$$;

-- How many jobs that a rule counts together are running, at most `most`. A job that was passed by its cursor counts
-- too, for the moment that this lasts: rather one too few than one too many.
create function running_under(rule limit_rule, of_key text, most integer) returns integer
language sql stable
begin atomic
    select count(*)::integer from (
        select from public.lane
        cross join lateral (
            select from public.job
            where job.lane_id = lane.id and job.pos > lane.floor and job.pos <= lane.cursor limit most) held
        where lane.asleep_since is null
          and ((rule).tenant_id is null or lane.tenant_id = (rule).tenant_id)
          and ((rule).queue is null or lane.queue = (rule).queue)
          and ((rule).kind is null or lane.kind = (rule).kind)
          and ((rule).key is null or lane.key = of_key)
        limit most) counted;
end;

-- The lanes to claim from, in order, and how many jobs from each. A lane that a limit holds back is listed with none
-- and with the time when the limit may give way.
--
-- Tenants are put in order first, which needs no look at their jobs; then their lanes, a few tenants at a time, until
-- enough is found.
create function plan_claim(of_queue text, of_quarantine smallint, wanted integer)
returns table (
    lane_id integer, front bigint, allowed integer, start double precision, limited boolean, ready_at timestamptz
)
language plpgsql stable as $$
#variable_conflict use_column
declare
    -- A waiting job is one step more urgent for every five minutes it has waited.
    ageing_step_s constant double precision := 300;
    serve_the_oldest boolean;
    now_at double precision;
    candidates integer[];
    ranks bigint[];
    starts double precision[];
    seen bigint := 0;
    more bigint := 4;
    heads record;
    rule limit_rule;
    counted_key text;
    -- What this plan takes already, by rule and key.
    planned jsonb := '{}';
    planned_here integer;
    tokens record;
    total integer := 0;
    is_limited boolean;
begin
    select claims % 8 = 7, pace.vtime into serve_the_oldest, now_at from pace where pace.queue = of_queue;
    is_limited := exists (select from limit_rule where limit_rule.queue is null or limit_rule.queue = of_queue);
    select array_agg(c.id order by c.rank), array_agg(c.rank order by c.rank), array_agg(c.start order by c.rank)
    into candidates, ranks, starts
    from (
        select lane.id, greatest(share.vtime, now_at) as start,
               dense_rank() over (order by greatest(share.vtime, now_at), lane.tenant_id) as rank
        from lane
        join share on share.tenant_id = lane.tenant_id and share.queue = lane.queue
        where lane.queue = of_queue and lane.quarantine = of_quarantine and lane.asleep_since is null
          and not exists (
              select from pause where (pause.tenant_id is null or pause.tenant_id = lane.tenant_id)
                and (pause.queue is null or pause.queue = lane.queue) and (pause.kind is null or pause.kind = lane.kind)
                and (pause.expires_at is null or pause.expires_at > clock_timestamp()))) c;
    while total < wanted and seen < ranks[cardinality(ranks)] loop
        for heads in
            select lane.id, lane.tenant_id, lane.cursor, lane.key, lane.kind, c.start
            from unnest(candidates, ranks, starts) as c (id, rank, start)
            join lane on lane.id = c.id
            cross join lateral (
                select job.scheduled_at, job.due_at from job
                where job.lane_id = lane.id and job.pos > lane.cursor order by job.pos limit 1) head
            where c.rank > seen and c.rank <= seen + more
            order by
                c.rank,
                case when serve_the_oldest then head.scheduled_at end,
                -- 0: more than half of the time that was promised is gone.
                case when head.due_at - clock_timestamp() < (head.due_at - head.scheduled_at) / 2 then 0
                     else greatest(1, lane.priority - floor(
                         extract(epoch from clock_timestamp() - head.scheduled_at) / ageing_step_s)) end,
                head.due_at, lane.turn, lane.id
        loop
            lane_id := heads.id;
            front := heads.cursor;
            start := coalesce(heads.start, 0);
            limited := false;
            ready_at := null;
            allowed := wanted - total;
            if is_limited then
                for rule in
                    select * from limit_rule r
                    where (r.tenant_id is null or r.tenant_id = heads.tenant_id)
                      and (r.queue is null or r.queue = of_queue)
                      and (r.kind is null or r.kind = heads.kind) and covers_key(r.key, heads.key)
                loop
                    limited := true;
                    counted_key := case when rule.key is null then '' else heads.key end;
                    planned_here := coalesce((planned ->> (rule.id || counted_key))::integer, 0);
                    if rule.concurrency is not null then
                        allowed := least(allowed, rule.concurrency - planned_here
                            - running_under(rule, counted_key, rule.concurrency));
                    end if;
                    if rule.rate_count is not null then
                        tokens := rate_left(rule, counted_key);
                        allowed := least(allowed, floor(tokens.tokens)::integer - planned_here);
                        if allowed <= 0 then
                            ready_at := greatest(ready_at, tokens.next_at);
                        end if;
                    end if;
                end loop;
            end if;
            select count(*)::integer into allowed from (
                select from job where job.lane_id = heads.id and job.pos > heads.cursor
                limit greatest(allowed, 0)) counted;
            if limited and allowed > 0 then
                for rule in
                    select * from limit_rule r
                    where (r.tenant_id is null or r.tenant_id = heads.tenant_id)
                      and (r.queue is null or r.queue = of_queue)
                      and (r.kind is null or r.kind = heads.kind) and covers_key(r.key, heads.key)
                loop
                    counted_key := rule.id || case when rule.key is null then '' else heads.key end;
                    planned := jsonb_set(planned, array[counted_key],
                        to_jsonb(coalesce((planned ->> counted_key)::integer, 0) + allowed));
                end loop;
            end if;
            return next;
            total := total + allowed;
            exit when total >= wanted;
        end loop;
        seen := seen + more;
        more := more * 4;
    end loop;
end
$$;

-- Claims up to `wanted` jobs for one worker under a new lease.
--
-- A function, because the locks have to be held before the snapshot is taken that reads the cursors: each statement of
-- a volatile function sees what was committed when that statement began. The lock on the queue also orders claiming
-- against cancelling; a limit that spans queues needs one lock for all of them. The commit need not reach the disk: a
-- claim lost in a crash of the server never happened. A rate is the exception, because work that was begun was begun.
create function claim_jobs(of_queue text, of_quarantine smallint, wanted integer, as_lease uuid, by_worker text, ttl_ms integer)
returns table (
    -- Of the lanes that were claimed from.
    tenant_ids uuid[], kinds text[], are_limited boolean[],
    -- Of the jobs, and each one's place among the lanes.
    places integer[], ids uuid[], fences integer[], attempts smallint[], max_attempts smallint[], kind_versions smallint[],
    args jsonb[], created_at timestamptz[], scheduled_at timestamptz[], due_at timestamptz[], traceparents text[],
    are_cancelled boolean[]
)
language plpgsql volatile as $$
#variable_conflict use_column
declare
    lanes integer[];
    fronts bigint[];
    counts integer[];
    owners uuid[];
    planned record;
    total integer;
    now_at double precision;
    started double precision;
begin
    perform pg_advisory_xact_lock(1, hashtext(of_queue));
    if exists (select from limit_rule where limit_rule.queue is null) then
        perform pg_advisory_xact_lock(3, 0);
    end if;
    if not exists (select from limit_rule where rate_count is not null) then
        set local synchronous_commit = off;
    end if;
    select array_agg(p.lane_id), array_agg(p.front), array_agg(p.allowed), array_agg(p.limited), max(p.start)
    into lanes, fronts, counts, are_limited, started
    from plan_claim(of_queue, of_quarantine, wanted) p where p.allowed > 0;
    if lanes is null then
        return;
    end if;
    select pace.vtime into now_at from pace where pace.queue = of_queue;
    select array_agg(lane.tenant_id order by l.place), array_agg(lane.kind order by l.place) into tenant_ids, kinds
    from unnest(lanes) with ordinality as l (id, place) join lane on lane.id = l.id;
    -- Counted and picked by two statements: what was committed in between takes the place of what stands behind it, so
    -- only what is picked says how far the cursor goes. Answered as one row of arrays: that is cheaper on both sides.
    with picked as materialized (
        select j.*, l.id as lane_id, l.tenant_id, l.limited, l.place::integer
        from unnest(lanes, fronts, counts, are_limited, tenant_ids) with ordinality
            as l (id, front, allowed, limited, tenant_id, place)
        cross join lateral (
            select job.id, job.fence, job.attempt, job.max_attempts, job.kind_version, job.args, job.created_at,
                job.scheduled_at, job.due_at, job.traceparent, job.cancel_requested_at, job.pos
            from job where job.lane_id = l.id and job.pos > l.front
            order by job.pos limit l.allowed) j
    ),
    moved as (
        update lane set cursor = front.pos, turn = front.next_turn,
            floor = case when front.limited then coalesce((
                select job.pos - 1 from job
                where job.lane_id = lane.id and job.pos > lane.floor and job.pos <= lane.cursor
                order by job.pos limit 1), lane.cursor) else lane.floor end
        from (select served.*, nextval('lane_turn') as next_turn
              from (select picked.lane_id, max(picked.pos) as pos, bool_or(picked.limited) as limited
                    from picked group by 1 order by min(picked.place)) served) front
        where lane.id = front.lane_id
    )
    select array_agg(p.place), array_agg(p.id), array_agg(p.fence), array_agg(p.attempt), array_agg(p.max_attempts),
           array_agg(p.kind_version), array_agg(p.args), array_agg(p.created_at), array_agg(p.scheduled_at),
           array_agg(p.due_at), array_agg(p.traceparent), array_agg(p.cancel_requested_at is not null),
           array_agg(p.tenant_id)
    into places, ids, fences, attempts, max_attempts, kind_versions, args, created_at, scheduled_at, due_at,
         traceparents, are_cancelled, owners
    from picked p;
    total := cardinality(ids);
    if total > 0 then
        insert into lease (id, queue, worker, until, tenant_ids, job_ids, fences)
        values (as_lease, of_queue, by_worker, clock_timestamp() + ttl_ms * interval '1 ms', owners, ids, fences);
        return next;
    end if;
    for planned in
        select lane.tenant_id, lane.kind, lane.key, l.jobs, l.limited
        from unnest(lanes, counts, are_limited) with ordinality as l (id, jobs, limited, place)
        join lane on lane.id = l.id
        order by l.place
    loop
        update share set
            vtime = greatest(share.vtime, now_at) + planned.jobs / share.weight,
            per_s = share.per_s * exp(-least(extract(epoch from clock_timestamp() - share.rated_at), 3600) / 60)
                + planned.jobs / 60.0,
            rated_at = clock_timestamp()
        where share.tenant_id = planned.tenant_id and share.queue = of_queue;
        if planned.limited then
            insert into bucket (rule_id, key, tokens, filled_at)
            select r.id, counted.key, (rate_left(r, counted.key)).tokens - planned.jobs, clock_timestamp()
            from limit_rule r
            cross join lateral (select case when r.key is null then '' else planned.key end as key) counted
            where r.rate_count is not null
              and (r.tenant_id is null or r.tenant_id = planned.tenant_id) and (r.queue is null or r.queue = of_queue)
              and (r.kind is null or r.kind = planned.kind) and covers_key(r.key, planned.key)
            on conflict (rule_id, key) do update set tokens = excluded.tokens, filled_at = excluded.filled_at;
        end if;
    end loop;
    insert into pace (queue, vtime, claims, per_s) values (of_queue, started, 1, coalesce(total, 0) / 60.0)
    on conflict (queue) do update set
        vtime = greatest(pace.vtime, excluded.vtime), claims = pace.claims + 1, rated_at = clock_timestamp(),
        per_s = pace.per_s * exp(-least(extract(epoch from clock_timestamp() - pace.rated_at), 3600) / 60) + excluded.per_s;
end
$$;

revoke execute on function plan_claim, claim_jobs, running_under, rate_left from public;
grant execute on function plan_claim, claim_jobs, running_under, rate_left to crewline_worker;

alter table share enable row level security;
alter table limit_rule enable row level security;
alter table pause enable row level security;

create policy tenant_only on share to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on limit_rule to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on pause to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on share to crewline_worker using (true) with check (true);
create policy worker_sees_all on limit_rule to crewline_worker using (true);
create policy worker_sees_all on pause to crewline_worker using (true);

grant select, insert on share to crewline_api, crewline_worker;
grant update (vtime, per_s, rated_at) on share to crewline_worker;
grant select, insert, update on pace to crewline_worker;
grant select, insert, update, delete on limit_rule, pause to crewline_api;
grant select on limit_rule to crewline_worker;
grant select, delete on pause to crewline_worker;
grant select, insert, update, delete on bucket, worker to crewline_worker;

-- What a tenant may see of what holds its jobs back, although it comes from tables that are not its own.

-- Pauses that concern this tenant.
create function pauses_here()
returns table (
    id uuid, whole_installation boolean, queue text, kind text, reason text, paused_by text, created_at timestamptz,
    expires_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select p.id, p.tenant_id is null, p.queue, p.kind, p.reason, p.paused_by, p.created_at, p.expires_at
    from public.pause p
    where (p.tenant_id is null or p.tenant_id = public.current_tenant())
      and (p.expires_at is null or p.expires_at > clock_timestamp())
    order by p.created_at, p.id;
end;

-- How much of each of this tenant's limits is in use: for a limit by key, of the keys in use now, up to a hundred.
create function limit_usage()
returns table (rule_id uuid, key text, running integer, tokens double precision, next_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select r.id, used.key,
           case when r.concurrency is not null then public.running_under(r, used.key, r.concurrency) end,
           case when r.rate_count is not null then (public.rate_left(r, used.key)).tokens end,
           case when r.rate_count is not null then (public.rate_left(r, used.key)).next_at end
    from public.limit_rule r
    cross join lateral (
        select '' as key where r.key is null
        union
        (select distinct lane.key from public.lane
         where r.key is not null and lane.tenant_id = r.tenant_id and lane.asleep_since is null
           and public.covers_key(r.key, lane.key)
         limit 100)) used
    where r.tenant_id = public.current_tenant();
end;

-- Everything that decides when a waiting job of this tenant runs. Null when the tenant has no such live job.
create function waiting_facts(of_job uuid) returns jsonb
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select jsonb_build_object(
        'available', j.pos is not null,
        'passed', j.pos <= lane.cursor,
        'quarantine', lane.quarantine,
        'queue', lane.queue,
        'priority', lane.priority,
        'concurrency_key', nullif(lane.key, ''),
        'scheduled_at', case when j.scheduled_at < 'infinity' then j.scheduled_at end,
        'due_at', j.due_at,
        'pauses', (
            select coalesce(jsonb_agg(jsonb_build_object(
                'whole_installation', p.tenant_id is null, 'queue', p.queue, 'kind', p.kind, 'reason', p.reason,
                'paused_by', p.paused_by, 'since', p.created_at, 'expires_at', p.expires_at) order by p.created_at), '[]')
            from public.pause p
            where (p.tenant_id is null or p.tenant_id = lane.tenant_id) and (p.queue is null or p.queue = lane.queue)
              and (p.kind is null or p.kind = lane.kind) and (p.expires_at is null or p.expires_at > clock_timestamp())),
        'limits', (
            select coalesce(jsonb_agg(jsonb_build_object(
                'name', r.name, 'whole_installation', r.tenant_id is null, 'key', case when r.key is not null then lane.key end,
                'concurrency', r.concurrency,
                'running', case when r.concurrency is not null
                    then public.running_under(r, counted.key, r.concurrency) end,
                'rate_count', r.rate_count, 'rate_period_s', r.rate_period_s,
                'tokens', case when r.rate_count is not null then floor((public.rate_left(r, counted.key)).tokens) end,
                'next_at', case when r.rate_count is not null then (public.rate_left(r, counted.key)).next_at end,
                -- Only jobs of this tenant, whoever else is counted.
                'holders', case when r.concurrency is not null then (
                    select coalesce(jsonb_agg(holder.id), '[]') from (
                        select held.id from public.lane other
                        cross join lateral (
                            select h.id from public.job h
                            where h.lane_id = other.id and h.pos > other.floor and h.pos <= other.cursor limit 5) held
                        where other.asleep_since is null and other.tenant_id = lane.tenant_id
                          and (r.queue is null or other.queue = r.queue) and (r.kind is null or other.kind = r.kind)
                          and (r.key is null or other.key = lane.key)
                        limit 5) holder) end) order by r.name), '[]')
            from public.limit_rule r
            cross join lateral (select case when r.key is null then '' else lane.key end as key) counted
            where (r.tenant_id is null or r.tenant_id = lane.tenant_id) and (r.queue is null or r.queue = lane.queue)
              and (r.kind is null or r.kind = lane.kind) and public.covers_key(r.key, lane.key)),
        'ahead_in_line', (
            select count(*) from (
                select from public.job a where a.lane_id = lane.id and a.pos > lane.cursor and a.pos < j.pos limit 10001) c),
        'waiting_beside', (
            select count(*) from (
                select from public.lane other join public.job a on a.lane_id = other.id and a.pos > other.cursor
                where other.tenant_id = lane.tenant_id and other.queue = lane.queue and other.asleep_since is null
                  and other.quarantine = lane.quarantine and other.id <> lane.id limit 10001) c),
        'other_tenants', (
            select count(distinct other.tenant_id) from public.lane other
            where other.queue = lane.queue and other.asleep_since is null and other.tenant_id <> lane.tenant_id
              and other.quarantine = lane.quarantine
              and exists (select from public.job a where a.lane_id = other.id and a.pos > other.cursor)),
        'tenant_per_s', (
            select s.per_s * exp(-least(extract(epoch from clock_timestamp() - s.rated_at), 3600) / 60) from public.share s
            where s.tenant_id = lane.tenant_id and s.queue = lane.queue),
        'queue_per_s', (
            select p.per_s * exp(-least(extract(epoch from clock_timestamp() - p.rated_at), 3600) / 60) from public.pace p
            where p.queue = lane.queue),
        'workers', (
            select count(*) from public.worker w
            where lane.queue = any (w.queues) and w.seen_at > clock_timestamp() - interval '30 s'),
        'slots', (
            select coalesce(sum(w.slots[array_position(w.queues, lane.queue)]), 0) from public.worker w
            where lane.queue = any (w.queues) and w.seen_at > clock_timestamp() - interval '30 s'),
        'running', (
            select coalesce(sum(cardinality(l.job_ids)), 0) from public.lease l where l.queue = lane.queue))
    from public.job j join public.lane on lane.id = j.lane_id
    where j.tenant_id = public.current_tenant() and j.id = of_job;
end;

-- How this tenant's promises went since a time, by kind: kept, or broken by the end of the job.
create function promises_since(since timestamptz)
returns table (kind text, kept bigint, broken bigint)
language sql stable
begin atomic
    select a.kind, count(*) filter (where a.final_state = 'completed' and a.finished_at <= a.due_at),
           count(*) filter (where a.final_state = 'discarded' or (a.final_state = 'completed' and a.finished_at > a.due_at))
    from public.attempt a
    where a.tenant_id = public.current_tenant() and a.due_at is not null and a.final_state is not null
      and a.finished_at >= since
    group by 1 order by 1;
end;

revoke execute on function pauses_here, limit_usage, waiting_facts from public;
grant execute on function pauses_here, limit_usage, waiting_facts to crewline_api;
