-- Why: a visit for which nobody is left to be asked waits for a person, and nobody looks at a list all day.

alter table alert_rule
    drop constraint alert_rule_measure_check,
    add constraint alert_rule_measure_check
        check (measure in ('queue_age', 'error_rate', 'dead_letters', 'silent_workers', 'needs_dispatch')) not valid;
alter table alert_rule validate constraint alert_rule_measure_check;

-- As before, and needs_dispatch: visits that are not over for which nobody is left to be asked.
create or replace function measure_alert(
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
    when 'needs_dispatch' then
        select count(*) into found from public.match_request q
        where q.tenant_id = of_tenant and q.state = 'needs_dispatch'
          and (q.visit -> 'during' ->> 'until')::timestamptz > at_present;
    end case;
    return greatest(coalesce(found, 0), 0);
end
$$;
