//! A ledger as a month of much work leaves it, made by statements: the same jobs over HTTP, and worked, would take hours.
//!
//! Three tenants share it. Of each hundred jobs of a tenant, forty wait, are not due yet or are to be tried again, and sixty ended
//! over the last thirty days, a few of them badly. Some few jobs are like no others, and are the oldest: what is rare is
//! looked for where it is hardest to find.

use crate::{sql::Sql, stage::Stage};

/// Days over which ended jobs are spread.
const DAYS: u64 = 30;
/// Live jobs that are put in by one statement.
const LIVE_AT_ONCE: u64 = 500_000;
/// Tenants, and which tenth of the jobs each has.
const TENANTS: [(&str, u64); 3] = [("bench", 8), ("second", 1), ("third", 1)];

/// What the statements below are made of. An id is a `UUIDv7`; `n` numbers the jobs of a tenant, live and ended each.
const BEGIN: &str = "
    create function pg_temp.id_at(at timestamptz, n bigint) returns uuid language sql stable
    return (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n & 4095), 3, '0')
        || '8' || lpad(to_hex(n), 15, '0'))::uuid;
    create function pg_temp.kind_of(n bigint) returns text language sql immutable
    return case when n <= 20 then 'delivery.zip' when n % 10 < 6 then 'notify.send' when n % 10 < 9 then 'media.rendition'
        else 'webhook.deliver' end;
    create function pg_temp.queue_of(kind text) returns text language sql immutable
    return case when kind = 'media.rendition' then 'media' else 'default' end;
    create function pg_temp.tags_of(n bigint) returns text[] language sql stable
    return case when n <= 5 then array['vip'] when n % 10 = 3 then array['listing', 'customer-' || n % 5000] end;
    create function pg_temp.error_of(n bigint) returns jsonb language sql stable
    return case when n <= 200 then jsonb_build_object('code', 'damaged', 'message', 'the archive is unreadable')
        else jsonb_build_object('code', 'timeout', 'message', 'connection to host-' || n % 1000 || ' timed out after 30 s') end;
    create temp table lanes (tenant_id uuid, kind text, lane_id integer);
    insert into lanes select t.id, k.kind,
        lane_for(t.id, pg_temp.queue_of(k.kind), 2::smallint, 0::smallint, k.kind, '', 0)
    from tenant t, unnest(array['delivery.zip', 'notify.send', 'media.rendition', 'webhook.deliver']) k (kind);
    insert into workflow (id, tenant_id, name, jobs_total, created_at)
    select pg_temp.id_at('2026-01-01Z', n), (select id from tenant where slug = 'bench'), 'publish', 4, now() - interval '1 day'
    from generate_series(0, 999) n;
    insert into workflow_step (tenant_id, workflow_id, ordinal, name, after, state, continues, tolerate, jobs_total)
    select tenant_id, id, s, 'step-' || s, case when s = 0 then '{}'::smallint[] else '{0}' end, 'running', false, 0, 2
    from workflow, generate_series(0, 1) s";

/// Live jobs of a tenant, from one number to another of so many, asked for in the last six hours.
fn live(slug: &str, from: u64, to: u64, of: u64) -> String {
    format!(
        "insert into job (tenant_id, id, pos, created_at, scheduled_at, lane_id, kind_version, attempt, max_attempts, kind, args,
             tags, last_error, workflow_id, step)
         select t.id, pg_temp.id_at(at, n), case when n % 20 <> 0 then n end, at,
             case when n % 20 <> 0 then at else now() + n % 86400 * interval '1 s' end, l.lane_id, 1,
             (n % 100 = 0)::int, 25, l.kind, jsonb_build_object('asset', 'ast_' || md5(n::text), 'preset', 'listing'),
             pg_temp.tags_of(n), case when n % 100 = 0 then pg_temp.error_of(n) end,
             case when n % 1000 < 4 and n < 1000000 and t.slug = 'bench' then pg_temp.id_at('2026-01-01Z', n / 1000) end,
             case when n % 1000 < 4 and n < 1000000 and t.slug = 'bench' then n % 2 end
         from tenant t cross join generate_series({from}::bigint, {to}) n
         cross join lateral (select now() - interval '6 hours' * (1 - n::float8 / {of}) as at) made
         join lanes l on l.tenant_id = t.id and l.kind = pg_temp.kind_of(n)
         where t.slug = '{slug}'"
    )
}

/// Ended jobs of a tenant: those of one day, so many each day. One in a hundred took two attempts.
fn ended(slug: &str, days_ago: u64, each_day: u64) -> String {
    let from = (DAYS - 1 - days_ago) * each_day + 1;
    let to = from + each_day - 1;
    format!(
        "insert into attempt (tenant_id, job_id, fence, attempt, kind_version, max_attempts, priority, created_at, scheduled_at,
             started_at, finished_at, outcome, final_state, kind, queue, key, promise_s, worker, args, result, error, tags)
         select t.id, pg_temp.id_at(at, n), r.fence, r.fence + 1, 1, 25, 2, at, at, at + r.fence * interval '100 ms',
             at + (r.fence + 1) * interval '100 ms', w.outcome, nullif(w.outcome, 'retried'), k.kind, pg_temp.queue_of(k.kind), '', 0,
             'worker-1', jsonb_build_object('asset', 'ast_' || md5(n::text), 'preset', 'listing'),
             case when w.outcome = 'completed' then jsonb_build_object('renditions', n % 7) end,
             case when w.outcome in ('discarded', 'retried') then pg_temp.error_of(n) end, pg_temp.tags_of(n)
         from tenant t cross join generate_series({from}::bigint, {to}) n
         cross join lateral (
             select least(date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - {days_ago} * interval '1 day'
                 + interval '23 hours' * (n - {from}) / {each_day}, now() - interval '1 min') as at) made
         cross join lateral (select pg_temp.kind_of(n) as kind) k
         cross join lateral generate_series(0, (n % 100 = 1)::int) r (fence)
         cross join lateral (select case when r.fence < (n % 100 = 1)::int then 'retried' when n % 50 = 0 or n <= 200 then 'discarded'
             when n % 331 = 0 then 'cancelled' else 'completed' end as outcome) w
         where t.slug = '{slug}'"
    )
}

/// The first in line run, under two leases of a worker that does not go away; and the last two hours are summed up.
const END: &str = "
    select setval('job_pos', coalesce((select max(pos) from job), 1));
    update lane set cursor = 400 where tenant_id = (select id from tenant where slug = 'bench');
    insert into worker (name, version, queues, slots, seen_at) values ('worker-1', 'bench', '{default,media}', '{512,8}', now() + interval '1 day');
    insert into lease (id, queue, worker, until, tenant_ids, job_ids, fences)
    select gen_random_uuid(), l.queue, 'worker-1', now() + interval '1 day', array_agg(j.tenant_id), array_agg(j.id), array_agg(j.fence)
    from lane l join job j on j.lane_id = l.id and j.pos <= l.cursor group by l.queue;
    insert into work_minute (tenant_id, minute, queue, kind, completed, failed, discarded, wait_ms, run_ms)
    select l.tenant_id, date_trunc('minute', now()) - m * interval '1 min', pg_temp.queue_of(l.kind), l.kind, 600, 6, 3,
        array_fill(40, array[16]), array_fill(40, array[16])
    from lanes l, generate_series(1, 120) m;
    insert into job_log (tenant_id, job_id, fence, attempt, level, message)
    select j.tenant_id, j.id, 0, 1, 'info', 'line ' || n from generate_series(1, 100) n,
        (select tenant_id, id from job where workflow_id is not null order by id desc limit 1) j";

/// Makes one of `jobs` jobs.
pub(crate) async fn fill(stage: &Stage, sql: &Sql, jobs: u64) -> anyhow::Result<()> {
    sql.run(BEGIN).await?;
    for day in 1..DAYS {
        sql.run(&partition(day)).await?;
    }
    for (slug, tenths) in TENANTS {
        let (waiting, each_day) = (jobs * tenths / 25, jobs * tenths * 3 / 50 / DAYS);
        for from in (1..=waiting).step_by(LIVE_AT_ONCE as usize) {
            sql.run(&live(slug, from, waiting.min(from + LIVE_AT_ONCE - 1), waiting)).await?;
            stage.say(&format!("dashboard: live jobs of {slug} from {from} on are in the ledger"));
        }
        for days_ago in (0..DAYS).rev() {
            sql.run(&ended(slug, days_ago, each_day)).await?;
        }
        stage.say(&format!("dashboard: {} jobs of {slug} have ended", each_day * DAYS));
    }
    sql.run(END).await
}

/// A place for history of a day that is over, as there would be.
fn partition(days_ago: u64) -> String {
    format!(
        "do $$
         declare
             day date := (now() at time zone 'UTC')::date - {days_ago};
         begin
             execute format('create table %I partition of attempt for values from (%L) to (%L)',
                 'attempt_' || to_char(day, 'YYYYMMDD'), day::timestamp at time zone 'UTC',
                 (day + 1)::timestamp at time zone 'UTC');
         end
         $$"
    )
}
