-- Why: a limit that is full for another reason than its rate does not say that there is more in a moment, so nobody looks again
-- and again; a window is told from a bucket where it is said how long a job waits; a workflow that this process cannot move does
-- not hold others up; and what is left of rates is forgotten when it is whole again.

alter table workflow add column not_before timestamptz;

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
        select coalesce(sum(cardinality(lease.job_ids)), 0) into leased from lease;
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
                    -- No more run under a rule than stand under leases: where that is few enough, nobody counts.
                    if rule.concurrency - planned_here - leased < allowed then
                        allowed := least(allowed, rule.concurrency - planned_here
                            - running_under(rule, counted_key, rule.concurrency));
                    end if;
                    if rule.rate_count is not null then
                        tokens := rate_left(rule, counted_key);
                        left_over := floor(tokens.tokens)::integer - planned_here;
                        allowed := least(allowed, left_over);
                        -- What another limit holds back comes with the end of a job; what this plan takes, with the next one.
                        if left_over <= 0 and planned_here = 0 then
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

create or replace function waiting_facts(of_job uuid) returns jsonb
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
                'rate_count', r.rate_count, 'rate_period_s', r.rate_period_s, 'rate_algorithm', r.rate_algorithm,
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
