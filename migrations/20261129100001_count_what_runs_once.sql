-- Why: a claim counted again for every line what runs under each limit, and counting looks at every line: a tenant with ten thousand
-- keys in line and a limit that was full held its queue up for as long as ten thousand times ten thousand lines take. It also
-- looked through the limits and pauses of all tenants for every line. Now what runs under a limit that looks at no key is counted
-- once, lines that it holds back are passed by, what runs with a key is found by the key, and limits and pauses are found by
-- their tenant. Who goes next is the same as before.

create index lane_awake_by_key on lane (key) where asleep_since is null and key <> '';

create or replace function running_under(rule limit_rule, of_key text, most integer) returns integer
language plpgsql stable as $$
begin
    return (
        select count(*)::integer from (
            select from (
                -- One of the three, by what the rule names first: a key, a tenant, or neither. The other two cost nothing.
                select * from public.lane
                where rule.key is not null and lane.key = of_key and lane.key <> '' and lane.asleep_since is null
                union all
                select * from public.lane
                where rule.key is null and lane.tenant_id = rule.tenant_id and lane.asleep_since is null
                union all
                select * from public.lane
                where rule.key is null and rule.tenant_id is null and lane.asleep_since is null) lane
            cross join lateral (
                select from public.job
                where job.lane_id = lane.id and job.pos > lane.floor and job.pos <= lane.cursor limit most) held
            where (rule.tenant_id is null or lane.tenant_id = rule.tenant_id)
              and (rule.queue is null or lane.queue = rule.queue)
              and (rule.kind is null or lane.kind = rule.kind)
            limit most) counted);
end
$$;

create or replace function plan_claim(of_queue text, of_quarantine smallint, wanted integer)
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
    -- What runs under limits that look at no key, by rule: the same for every lane.
    running jsonb := '{}';
    running_here integer;
    -- Limits that look at no key and let nothing more begin, and the one that this lane shows to be such.
    closed limit_rule[] := '{}';
    closing limit_rule;
    closing_until timestamptz;
    left_over integer;
    leased integer;
    tokens record;
    total integer := 0;
    is_limited boolean;
begin
    -- The place among eight moves on, so that tenants who take turns all come to it.
    select claims % 8 = 7 - claims / 8 % 8, pace.vtime into serve_the_oldest, now_at from pace where pace.queue = of_queue;
    is_limited := exists (select from limit_rule where limit_rule.queue is null or limit_rule.queue = of_queue);
    if is_limited then
        select coalesce(sum(lease.jobs), 0) into leased from lease;
    end if;
    select array_agg(c.id order by c.rank), array_agg(c.rank order by c.rank), array_agg(c.start order by c.rank)
    into candidates, ranks, starts
    from (
        select lane.id, greatest(share.vtime, now_at) as start,
               dense_rank() over (order by greatest(share.vtime, now_at), lane.tenant_id) as rank
        from lane
        join share on share.tenant_id = lane.tenant_id and share.queue = lane.queue
        where lane.queue = of_queue and lane.quarantine = of_quarantine and lane.asleep_since is null
          and not exists (
              select from pause
              where coalesce(pause.tenant_id, '00000000-0000-0000-0000-000000000000') in ('00000000-0000-0000-0000-000000000000', lane.tenant_id)
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
            if cardinality(closed) > 0 then
                continue when exists (
                    select from unnest(closed) c
                    where (c.tenant_id is null or c.tenant_id = heads.tenant_id) and (c.kind is null or c.kind = heads.kind));
            end if;
            lane_id := heads.id;
            front := heads.cursor;
            start := coalesce(heads.start, 0);
            limited := false;
            ready_at := null;
            allowed := wanted - total;
            closing := null;
            closing_until := null;
            if is_limited then
                for rule in
                    select * from limit_rule r
                    -- In the words of its index, which has no tenant for all of them.
                    where coalesce(r.tenant_id, '00000000-0000-0000-0000-000000000000') in ('00000000-0000-0000-0000-000000000000', heads.tenant_id)
                      and (r.queue is null or r.queue = of_queue)
                      and (r.kind is null or r.kind = heads.kind) and covers_key(r.key, heads.key)
                loop
                    limited := true;
                    counted_key := case when rule.key is null then '' else heads.key end;
                    planned_here := coalesce((planned ->> (rule.id || counted_key))::integer, 0);
                    -- No more run under a rule than stand under leases: where that is few enough, nobody counts.
                    if rule.concurrency - planned_here - leased < allowed then
                        running_here := (running ->> rule.id::text)::integer;
                        if running_here is null then
                            running_here := running_under(rule, counted_key, rule.concurrency);
                            if rule.key is null then
                                running := running || jsonb_build_object(rule.id, running_here);
                            end if;
                        end if;
                        left_over := rule.concurrency - planned_here - running_here;
                        allowed := least(allowed, left_over);
                        if left_over <= 0 and rule.key is null then
                            closing := rule;
                            closing_until := null;
                        end if;
                    end if;
                    if rule.rate_count is not null then
                        tokens := rate_left(rule, counted_key);
                        left_over := floor(tokens.tokens)::integer - planned_here;
                        allowed := least(allowed, left_over);
                        -- What another limit holds back comes with the end of a job; what this plan takes, with the next one.
                        if left_over <= 0 and planned_here = 0 then
                            ready_at := greatest(ready_at, tokens.next_at);
                        end if;
                        if left_over <= 0 and rule.key is null and closing.id is null then
                            closing := rule;
                            closing_until := case when planned_here = 0 then tokens.next_at end;
                        end if;
                    end if;
                end loop;
                -- Passing others by must not hide that one of them waits for less time than this.
                if closing.id is not null and (closing_until is null or closing_until = ready_at) then
                    closed := closed || closing;
                end if;
            end if;
            select count(*)::integer into allowed from (
                select from job where job.lane_id = heads.id and job.pos > heads.cursor
                limit greatest(allowed, 0)) counted;
            if limited and allowed > 0 then
                for rule in
                    select * from limit_rule r
                    where coalesce(r.tenant_id, '00000000-0000-0000-0000-000000000000') in ('00000000-0000-0000-0000-000000000000', heads.tenant_id)
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

-- As before, with the limits of a tenant by their index.
create or replace function claim_jobs(of_queue text, of_quarantine smallint, wanted integer, as_lease uuid, by_worker text, ttl_ms integer)
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
              and coalesce(r.tenant_id, '00000000-0000-0000-0000-000000000000') in ('00000000-0000-0000-0000-000000000000', planned.tenant_id)
              and (r.queue is null or r.queue = of_queue)
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
