//! Pages of jobs, newest first. Live rows and history read alike.
//!
//! A page looks at a bounded number of rows however few of them fit, so no list grows with the ledger. Where that is not enough
//! to fill it, the page says how far it looked, and the next one goes on from there.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use jobs::{JobId, Queue, State, TenantId};
use sqlx::{AssertSqlSafe, FromRow, Row as _, postgres::PgRow};
use uuid::Uuid;

use crate::{
    db::{Db, Tx},
    error::{OrFailed, StoreError},
    reads::{ENDED, JobRecord, LIVE},
};

/// Rows that a page looks at, of live jobs and of history each.
const LOOKED_AT_MAX: i64 = 20_000;
/// Jobs that a page looks at where a tag is so rare that an index finds all that have it.
const TAGGED_MAX: usize = 500;

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<State>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In this queue.
    pub queue: Option<Queue>,
    /// With this tag.
    pub tag: Option<String>,
    /// Asked for then or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Asked for earlier.
    pub created_before: Option<DateTime<Utc>>,
    /// Ended then or later.
    pub finished_after: Option<DateTime<Utc>>,
    /// Ended earlier.
    pub finished_before: Option<DateTime<Utc>>,
    /// One of these; none for any.
    pub among: Option<Vec<JobId>>,
    /// Older than this one.
    pub before: Option<JobId>,
}

impl Filter {
    /// Jobs from this id on are too new. Nothing ends before it is asked for, and ids sort by when that was, so a list of days long
    /// ago begins there. An hour of slack covers clocks that disagree.
    fn too_new(&self) -> Option<JobId> {
        let until = [self.created_before, self.finished_before].into_iter().flatten().min();
        let until = until.map(|until| JobId::earliest(until + TimeDelta::hours(1)));
        [self.before, until].into_iter().flatten().min()
    }

    /// The oldest id that a job of this filter may have.
    fn oldest(&self) -> Option<JobId> {
        self.created_after.map(|since| JobId::earliest(since - TimeDelta::hours(1)))
    }

    /// The days in which its jobs ended, from and before midnights. History lies in a partition for each day: others are not read,
    /// and of these every row counts as looked at.
    fn days(&self) -> [Option<DateTime<Utc>>; 2] {
        let midnight = |at: DateTime<Utc>| at.date_naive().and_time(NaiveTime::MIN).and_utc();
        let after = self.finished_before.map(|at| midnight(at) + TimeDelta::days(1));
        [self.finished_after.map(midnight), after]
    }
}

/// Some of the jobs that fit, newest first.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The jobs; fewer than were asked for, or none, where few fit.
    pub jobs: Vec<JobRecord>,
    /// There may be more, older than this; none when there are no more.
    pub next: Option<JobId>,
}

/// Where nothing fits there is still a row, which says how far was looked.
struct PageRow {
    met_to: Option<Uuid>,
    job: Option<JobRecord>,
}

impl<'r> FromRow<'r, PgRow> for PageRow {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let is_one = row.try_get::<Option<Uuid>, _>("id")?.is_some();
        let job = if is_one { Some(JobRecord::from_row(row)?) } else { None };
        Ok(Self { met_to: row.try_get("met_to")?, job })
    }
}

/// Up to `limit` jobs of `tenant`, newest first.
pub async fn list(db: &Db, tenant: TenantId, filter: &Filter, limit: usize) -> Result<Page, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let page = look(&mut tx, tenant, filter, limit).await?;
    let is_cut = page.next.is_some() && page.jobs.len() < limit;
    match &filter.tag {
        // Hardly any of the newest has it: whoever has it is in an index.
        Some(tag) if is_cut && filter.among.is_none() => {
            let found = tagged(&mut tx, tenant, filter, tag, limit).await?;
            Ok(found.unwrap_or(page))
        }
        _ => Ok(page),
    }
}

/// The jobs among those that the index of tags finds; none when a tag is not rare enough for that.
async fn tagged(
    tx: &mut Tx,
    tenant: TenantId,
    filter: &Filter,
    tag: &str,
    limit: usize,
) -> Result<Option<Page>, StoreError> {
    let found: Option<Vec<Uuid>> = sqlx::query_scalar("select jobs_tagged($1, $2, $3)")
        .bind(tag)
        .bind(filter.too_new().map(|job| job.as_uuid()))
        .bind(TAGGED_MAX as i32)
        .fetch_one(&mut **tx)
        .await
        .or_failed("look for a tag")?;
    let Some(found) = found else { return Ok(None) };
    let among: Vec<JobId> = found.into_iter().map(JobId::from_uuid).collect();
    let met_to = among.last().copied().filter(|_| among.len() == TAGGED_MAX);
    let page = look(tx, tenant, &Filter { among: Some(among), ..filter.clone() }, limit).await?;
    Ok(Some(Page { next: page.next.or(met_to), ..page }))
}

async fn look(tx: &mut Tx, tenant: TenantId, filter: &Filter, limit: usize) -> Result<Page, StoreError> {
    let mut sources = Vec::with_capacity(2);
    if filter.state.is_none_or(|state| !state.is_final()) {
        sources.push(live(filter));
    }
    if filter.state.is_none_or(State::is_final) {
        sources.push(ended(filter));
    }
    let parts: Vec<&str> = sources.iter().map(|source| source.fitting.as_str()).collect();
    let ends: Vec<&str> = sources.iter().map(|source| source.end.as_str()).collect();
    // The newest that fit of the live and of the ended; then the newest of both. How far was looked matters where that is less
    // than was asked for, and is not looked up otherwise.
    let sql = format!(
        "with found as materialized (select * from ({}) f order by id desc limit $5),
            met as materialized (select greatest({}) as met_to where (select count(*) from found) < $5)
         select met.met_to, found.* from (select 1) one left join met on true
            left join found on met.met_to is null or found.id >= met.met_to
         order by found.id desc",
        parts.join(" union all "),
        ends.join(", ")
    );
    let [since_day, until_day] = filter.days();
    let rows: Vec<PageRow> = sqlx::query_as(AssertSqlSafe(sql))
        // Planned for this very filter: what is rare in one tenant's jobs is common in another's.
        .persistent(false)
        .bind(tenant.as_uuid())
        .bind(filter.too_new().map(|job| job.as_uuid()))
        .bind(&filter.kind)
        .bind(&filter.tag)
        // One more than is wanted tells whether there are more.
        .bind(limit as i64 + 1)
        .bind(filter.among.as_ref().map(|jobs| jobs.iter().map(JobId::as_uuid).collect::<Vec<_>>()))
        .bind(LOOKED_AT_MAX)
        .bind(filter.oldest().map(|job| job.as_uuid()))
        .bind(filter.created_after)
        .bind(filter.created_before)
        .bind(filter.finished_after)
        .bind(filter.finished_before)
        .bind(since_day)
        .bind(until_day)
        .fetch_all(&mut **tx)
        .await
        .or_failed("list jobs")?;
    let met_to = rows.first().and_then(|row| row.met_to).map(JobId::from_uuid);
    let mut jobs: Vec<JobRecord> = rows.into_iter().filter_map(|row| row.job).collect();
    if jobs.len() <= limit {
        return Ok(Page { jobs, next: met_to });
    }
    jobs.truncate(limit);
    let next = jobs.last().map(JobRecord::id);
    Ok(Page { jobs, next })
}

/// Statements about one sort of rows.
struct Source {
    /// The jobs that fit among the next rows, newest first.
    fitting: String,
    /// The last of those rows; null where they reach to the end.
    end: String,
}

/// Rows of neither sort are read where nobody ever asked for such jobs.
fn used(filter: &Filter) -> String {
    let queue = filter.queue.map(|queue| {
        format!(" and exists (select from share s where s.tenant_id = $1 and s.queue = '{queue}')")
    });
    let kind =
        "and ($3::text is null or exists (select from kind_used u where u.tenant_id = $1 and u.kind = $3))";
    format!("{kind}{}", queue.unwrap_or_default())
}

/// The live jobs of a filter. What runs is known by the leases, and what is not due is found by an index.
fn live(filter: &Filter) -> Source {
    let is_running = filter.state == Some(State::Running);
    let from = if is_running {
        "running_jobs() r join job j on j.id = r.job_id and j.fence = r.fence"
    } else {
        "job j"
    };
    let state = match filter.state {
        Some(State::Running) => "and r.job_id is not null",
        Some(State::Available) => "and j.pos is not null and r.job_id is null",
        Some(State::Scheduled) => "and j.attempt = 0",
        Some(State::Retryable) => "and j.attempt > 0",
        _ => "",
    };
    let is_waiting = matches!(filter.state, Some(State::Scheduled | State::Retryable));
    // What has not ended did not end at any time.
    let walk = format!(
        "from {from} where j.tenant_id = $1 and ($2::uuid is null or j.id < $2) and ($8::uuid is null or j.id >= $8)
            and ($6::uuid[] is null or j.id = any ($6)) and $11::timestamptz is null and $12::timestamptz is null
            and $13::timestamptz is null and $14::timestamptz is null {} {} order by j.id desc",
        if is_waiting { "and j.pos is null" } else { "" },
        used(filter)
    );
    let queue = filter.queue.map(|queue| format!("and lane.queue = '{queue}'")).unwrap_or_default();
    Source {
        fitting: format!(
            "({LIVE} from (select j.* {walk} limit $7) j join lane on lane.id = j.lane_id
                left join running_jobs() r on r.job_id = j.id and r.fence = j.fence
              where ($3::text is null or j.kind = $3) and ($4::text is null or j.tags @> array[$4])
                and ($9::timestamptz is null or j.created_at >= $9) and ($10::timestamptz is null or j.created_at < $10)
                {state} {queue}
              order by j.id desc limit $5)"
        ),
        end: format!("(select j.id {walk} offset $7 - 1 limit 1)"),
    }
}

/// The ended jobs of a filter. Those that did not complete have an index of their own, found by its words.
fn ended(filter: &Filter) -> Source {
    let (state, given_up) = match filter.state {
        None => (String::new(), ""),
        Some(State::Completed) => ("and a.final_state = 'completed'".to_owned(), ""),
        Some(state) => {
            (format!("and a.final_state = '{state}'"), "and a.final_state in ('cancelled', 'discarded')")
        }
    };
    let walk = format!(
        "from attempt a where a.tenant_id = $1 and ($2::uuid is null or a.job_id < $2)
            and ($8::uuid is null or a.job_id >= $8) and ($6::uuid[] is null or a.job_id = any ($6))
            and ($13::timestamptz is null or a.finished_at >= $13) and ($14::timestamptz is null or a.finished_at < $14)
            and a.final_state is not null {given_up} {}
         order by a.job_id desc, a.fence desc",
        used(filter)
    );
    let queue = filter.queue.map(|queue| format!("and a.queue = '{queue}'")).unwrap_or_default();
    Source {
        fitting: format!(
            "({ENDED} from (select a.* {walk} limit $7) a
              where ($3::text is null or a.kind = $3) and ($4::text is null or a.tags @> array[$4])
                and ($9::timestamptz is null or a.created_at >= $9) and ($10::timestamptz is null or a.created_at < $10)
                and ($11::timestamptz is null or a.finished_at >= $11)
                and ($12::timestamptz is null or a.finished_at < $12) {state} {queue}
                and not exists (select from job j where j.tenant_id = a.tenant_id and j.id = a.job_id)
                and not exists (select from attempt later where later.tenant_id = a.tenant_id
                    and later.job_id = a.job_id and later.fence > a.fence)
              order by a.job_id desc limit $5)"
        ),
        end: format!("(select a.job_id {walk} offset $7 - 1 limit 1)"),
    }
}
