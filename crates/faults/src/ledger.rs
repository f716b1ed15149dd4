//! What the ledger says. The truth of every row is read here, as the server's administrator sees it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use jobs::JobId;
use serde_json::Value;
use store::testing::TestDatabase;

use crate::tally::Ended;

/// Jobs read at once.
const PAGE: usize = 20_000;

/// Every job that ended, of those whose final rows are `which`, page by page.
pub(crate) async fn ended(database: &TestDatabase, which: &str) -> anyhow::Result<Vec<Ended>> {
    let mut all = Vec::new();
    let mut after = "00000000-0000-0000-0000-000000000000".to_owned();
    loop {
        let page = database
            .json(&format!(
                "select coalesce(json_agg(json_build_array(job_id, mark, state, finals) order by job_id), '[]') from (
                     select job_id, min(metadata ->> 'mark') as mark, min(final_state) as state, count(*) as finals
                     from attempt where final_state is not null and job_id > '{after}' and {which}
                     group by job_id order by job_id limit {PAGE}) page"
            ))
            .await?;
        let rows = page.as_array().map(Vec::as_slice).unwrap_or_default();
        for row in rows {
            all.push(read(row)?);
        }
        match rows.last().and_then(|row| row[0].as_str()) {
            Some(last) if rows.len() == PAGE => last.clone_into(&mut after),
            _ => return Ok(all),
        }
    }
}

fn read(row: &Value) -> anyhow::Result<Ended> {
    let job = format!("{}_{}", JobId::PREFIX, row[0].as_str().unwrap_or_default().replace('-', ""));
    Ok(Ended {
        job: job.parse()?,
        mark: row[1].as_str().map(str::to_owned),
        state: row[2].as_str().unwrap_or_default().to_owned(),
        rows: row[3].as_u64().unwrap_or_default() as usize,
    })
}

/// A count.
pub(crate) async fn number(database: &TestDatabase, sql: &str) -> anyhow::Result<usize> {
    Ok(usize::try_from(database.number(sql).await?)?)
}

/// Times in milliseconds, as `select <milliseconds>` gives them.
pub(crate) async fn times(database: &TestDatabase, select_ms: &str) -> anyhow::Result<Vec<Duration>> {
    let all =
        database.json(&format!("select coalesce(json_agg(ms), '[]') from ({select_ms}) t (ms)")).await?;
    let ms = all.as_array().into_iter().flatten().filter_map(Value::as_f64);
    Ok(ms.map(|ms| Duration::from_secs_f64((ms / 1e3).max(0.0))).collect())
}

/// How long jobs waited for their first run, from the moment they could begin.
pub(crate) async fn waits(database: &TestDatabase, which: &str) -> anyhow::Result<Vec<Duration>> {
    times(
        database,
        &format!(
            "select extract(epoch from min(a.started_at) - min(a.scheduled_at)) * 1000 from attempt a
             where a.started_at is not null and {which} group by a.job_id"
        ),
    )
    .await
}

/// A job that was rescued: whose, and when it ran again.
pub(crate) struct Rerun {
    /// The worker that was lost.
    pub(crate) worker: String,
    /// When another had the job.
    pub(crate) at: DateTime<Utc>,
}

/// Every run that followed a crash.
pub(crate) async fn reruns(database: &TestDatabase) -> anyhow::Result<Vec<Rerun>> {
    let all = database
        .json(
            "select coalesce(json_agg(json_build_array(lost.worker, (extract(epoch from again.at) * 1000)::bigint)), '[]')
             from attempt lost cross join lateral (
                 select min(next.started_at) as at from attempt next
                 where next.tenant_id = lost.tenant_id and next.job_id = lost.job_id and next.fence > lost.fence) again
             where lost.outcome = 'crashed' and again.at is not null",
        )
        .await?;
    let read = |row: &Value| {
        let at = DateTime::from_timestamp_millis(row[1].as_i64()?)?;
        Some(Rerun { worker: row[0].as_str()?.to_owned(), at })
    };
    Ok(all.as_array().into_iter().flatten().filter_map(read).collect())
}

/// Runs of one job that the ledger has overlapping: two workers held it at once.
pub(crate) const OVERLAPS: &str = "select count(*) from (
    select started_at, lag(finished_at) over (partition by job_id order by fence) as before from attempt
    where started_at is not null) runs
    where started_at < before";

/// Verdicts accepted beyond the one that each claim may have.
pub(crate) const SECOND_VERDICTS: &str = "select coalesce(sum(n - 1), 0)::bigint from (select count(*) as n from attempt group by job_id, fence) claims";

/// Runs whose number does not follow from the runs before: each run that used one up counts one.
pub(crate) const MISCOUNTED: &str = "select count(*) from (
    select attempt, outcome, 1 + count(*) filter (where outcome in ('retried', 'crashed'))
        over (partition by job_id order by fence rows between unbounded preceding and 1 preceding) as wanted
    from attempt where started_at is not null) runs
    where attempt <> wanted";

/// Jobs that two standing leases name at this moment.
pub(crate) const HELD_TWICE: &str = "select count(*) from (
    select held.id from lease cross join lateral unnest(job_ids, fences) as held (id, fence)
    join job on job.id = held.id and job.fence = held.fence
    where until > clock_timestamp() group by held.id having count(*) > 1) twice";

/// Statement that adds jobs to history that were discarded while they waited, all of them tagged `dead`. By hand: to
/// have a million of them otherwise takes hours.
pub(crate) fn given_up(tenant: &str, count: usize) -> String {
    by_hand(tenant, count, 1)
}

/// The same, but only one in ten was discarded; the others completed.
pub(crate) fn mixed_history(tenant: &str, count: usize) -> String {
    by_hand(tenant, count, 10)
}

fn by_hand(tenant: &str, count: usize, discarded_every: usize) -> String {
    format!(
        "insert into attempt (tenant_id, job_id, fence, attempt, kind_version, max_attempts, priority, created_at, scheduled_at,
             outcome, final_state, kind, queue, key, promise_s, args, error, tags)
         select tenant.id, (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7' ||
                            substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid,
             0, 0, 2, 3, 2, now(), now(), made.state, made.state, 'probe.work', 'default', '', 0, '{{}}',
             '{{\"code\": \"cancelled\", \"message\": \"before its time\"}}', array['dead']
         from tenant, generate_series(1, {count}) as number
         cross join lateral (
             select case when number % {discarded_every} = 0 then 'discarded' else 'completed' end as state) made
         where tenant.slug = '{tenant}'"
    )
}
