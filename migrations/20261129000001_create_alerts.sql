-- Why: people want to be told when work is late, fails, is given up or loses its workers, without watching for it. What they
-- want to be told of is data: rules that workers look at every few seconds.

-- Something that was so for long enough, and since when it is not so any more. What the rule said then is kept with it.
create table alert (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    rule text not null,
    measure text not null,
    queue text,
    kind text,
    threshold integer not null,
    -- What was measured when it fired, and the worst since.
    value bigint not null,
    worst bigint not null,
    -- Parties who are told.
    recipients uuid[] not null,
    fired_at timestamptz not null default clock_timestamp(),
    resolved_at timestamptz
);
create index alert_by_tenant on alert (tenant_id, id desc);
create index alert_by_end on alert (resolved_at) where resolved_at is not null;

create table alert_rule (
    tenant_id uuid not null references tenant (id) on delete cascade,
    name text not null check (length(name) between 1 and 63),
    measure text not null check (measure in ('queue_age', 'error_rate', 'dead_letters', 'silent_workers')),
    queue text,
    kind text,
    threshold integer not null check (threshold > 0),
    -- How far it is looked back, and how long it must be so, or not be so, before anybody is told.
    window_s integer not null check (window_s > 0),
    fire_after_s integer not null check (fire_after_s >= 0),
    resolve_after_s integer not null check (resolve_after_s >= 0),
    recipients uuid[] not null check (cardinality(recipients) <= 20),
    updated_by text not null,
    updated_at timestamptz not null default clock_timestamp(),
    -- What was measured last, and when.
    value bigint,
    looked_at timestamptz,
    -- Since when what is measured says something else than what was told last.
    turning_since timestamptz,
    -- The alert that is open; none when all is well.
    alert_id uuid references alert (id) on delete set null,
    primary key (tenant_id, name)
);
create unique index alert_rule_open on alert_rule (alert_id) where alert_id is not null;

-- What a rule looks at, as a number:
-- queue_age: for how many seconds the first in line has waited, or, where it was promised to be done by a time, for how many
--     that is past. What is paused is late on purpose.
-- error_rate: of a hundred attempts in the window, how many more went wrong than of a hundred in the day before it. Fewer than
--     `attempts_min` tell nothing.
-- dead_letters: jobs that were given up in the window.
-- silent_workers: worker processes that fell silent in the window, without having said that they go.
create function measure_alert(
    of_tenant uuid, measure text, of_queue text, of_kind text, window_s integer, attempts_min integer
) returns bigint
language plpgsql stable set search_path = pg_catalog, public as $$
declare
    at_present timestamptz := clock_timestamp();
    since timestamptz := at_present - make_interval(secs => window_s);
    found bigint;
begin
    case measure
    when 'queue_age' then
        select floor(max(extract(epoch from at_present - coalesce(front.due_at, front.scheduled_at)))) into found
        from public.lane l cross join lateral (
            select j.due_at, j.scheduled_at from public.job j
            where j.lane_id = l.id and j.pos > l.cursor order by j.pos limit 1) front
        where l.tenant_id = of_tenant and l.asleep_since is null
          and (of_queue is null or l.queue = of_queue) and (of_kind is null or l.kind = of_kind)
          and not exists (
              select from public.pause p
              where (p.tenant_id is null or p.tenant_id = of_tenant) and (p.queue is null or p.queue = l.queue)
                and (p.kind is null or p.kind = l.kind) and (p.expires_at is null or p.expires_at > at_present));
    when 'error_rate' then
        select case when lately.failed + lately.completed >= attempts_min then
                   floor(100.0 * lately.failed / (lately.failed + lately.completed)
                       - coalesce(100.0 * before.failed / nullif(before.failed + before.completed, 0), 0)) end into found
        from (select coalesce(sum(w.failed), 0) as failed, coalesce(sum(w.completed), 0) as completed
              from public.work_minute w
              where w.tenant_id = of_tenant and w.minute >= since
                and (of_queue is null or w.queue = of_queue) and (of_kind is null or w.kind = of_kind)) lately,
             (select coalesce(sum(w.failed), 0) as failed, coalesce(sum(w.completed), 0) as completed
              from public.work_minute w
              where w.tenant_id = of_tenant and w.minute >= since - interval '1 day' and w.minute < since
                and (of_queue is null or w.queue = of_queue) and (of_kind is null or w.kind = of_kind)) before;
    when 'dead_letters' then
        select sum(w.discarded) into found from public.work_minute w
        where w.tenant_id = of_tenant and w.minute >= since
          and (of_queue is null or w.queue = of_queue) and (of_kind is null or w.kind = of_kind);
    when 'silent_workers' then
        select count(*) into found from public.worker w
        where w.seen_at < at_present - interval '30 s' and w.seen_at >= since - interval '30 s'
          and (of_queue is null or of_queue = any (w.queues));
    end case;
    return greatest(coalesce(found, 0), 0);
end
$$;

revoke execute on function measure_alert from public;
grant execute on function measure_alert to crewline_worker;

alter table alert enable row level security;
alter table alert_rule enable row level security;
create policy tenant_only on alert to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on alert_rule to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on alert to crewline_worker using (true) with check (true);
create policy worker_sees_all on alert_rule to crewline_worker using (true) with check (true);
grant select on alert to crewline_api;
grant update (resolved_at) on alert to crewline_api;
grant select, insert, update, delete on alert_rule to crewline_api;
grant select, insert, update, delete on alert to crewline_worker;
grant select, update on alert_rule to crewline_worker;
