//! Finding the jobs of a filter: a page at a time in the order of their ids, or all of them to be counted.
//!
//! A page reads a bounded number of rows however few of them fit, so no statement grows with the ledger. It may read the
//! rows of a job only in part; so a row of history only names a job, and how that job ended last is looked up.

use chrono::{DateTime, Utc};
use jobs::{JobId, Queue, State, TenantId};
use sqlx::{
    AssertSqlSafe, FromRow, Postgres, Row as _,
    postgres::{PgArguments, PgRow},
    query::QueryAs,
};
use uuid::Uuid;

use super::record::Filter;
use crate::{
    db::Tx,
    error::{OrFailed, StoreError},
    reads::JobRecord,
};

/// A job that fits.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Found {
    id: Uuid,
    state: String,
    pub(super) fence: i32,
    pub(super) finished_at: Option<DateTime<Utc>>,
    pub(super) queue: String,
    pub(super) priority: i16,
    pub(super) quarantine: i16,
    pub(super) kind: String,
    pub(super) key: String,
    pub(super) promise_s: i32,
    pub(super) workflow_id: Option<Uuid>,
    pub(super) step: Option<i16>,
}

impl Found {
    pub(super) fn id(&self) -> JobId {
        JobId::from_uuid(self.id)
    }

    /// Its state when it was found.
    pub(super) fn state(&self) -> Result<State, StoreError> {
        self.state.parse().map_err(|_| StoreError::Unreadable { table: "job", found: self.state.clone() })
    }
}

/// Jobs in the order of their ids, and where to go on.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) jobs: Vec<Found>,
    /// Every job up to here was met; none when there are no more.
    pub(super) met_to: Option<Uuid>,
}

/// From where to walk, and through what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) tenant: TenantId,
    pub(super) filter: &'a Filter,
    /// Only jobs that were there, or had ended, by then.
    pub(super) as_of: DateTime<Utc>,
    /// Only jobs after this one.
    pub(super) after: Option<Uuid>,
}

/// How many jobs of one state and kind there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// In this state.
    pub state: State,
    /// Of this kind.
    pub kind: String,
    /// So many.
    pub jobs: i64,
}

/// What an operation would meet.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Jobs that fit.
    pub count: i64,
    /// Whether they were counted to the end; else there are at least so many.
    pub is_exact: bool,
    /// The same, by state and kind.
    pub by: Vec<Counted>,
    /// A few of them: the newest, where they were counted to the end.
    pub sample: Vec<JobRecord>,
}

/// Jobs counted, in part or to the end.
#[derive(Debug, Clone, Default)]
pub(super) struct Count {
    pub(super) jobs: i64,
    pub(super) by: Vec<Counted>,
    pub(super) newest: Vec<JobId>,
    /// Where the count stopped; none when it came to the end.
    pub(super) counted_to: Option<Uuid>,
}

impl Count {
    /// Adds what was counted from where it stopped.
    pub(super) fn go_on(&mut self, step: Self, newest: i32) {
        self.jobs += step.jobs;
        for of in step.by {
            match self.by.iter_mut().find(|known| known.state == of.state && known.kind == of.kind) {
                Some(known) => known.jobs += of.jobs,
                None => self.by.push(of),
            }
        }
        // A walk goes up, so what comes later is newer.
        self.newest.splice(0..0, step.newest);
        self.newest.truncate(newest as usize);
        self.counted_to = step.counted_to;
    }
}

/// Where nothing fits there is still a row, which says how far the page reached.
struct PageRow {
    met_to: Option<Uuid>,
    found: Option<Found>,
}

impl<'r> FromRow<'r, PgRow> for PageRow {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let is_one = row.try_get::<Option<Uuid>, _>("id")?.is_some();
        let found = if is_one { Some(Found::from_row(row)?) } else { None };
        Ok(Self { met_to: row.try_get("met_to")?, found })
    }
}

#[derive(FromRow)]
struct CountRow {
    state: Option<String>,
    kind: Option<String>,
    jobs: i64,
    newest: Option<Vec<Uuid>>,
    counted_to: Option<Uuid>,
}

/// Live jobs as they stand: their state is spelled as in [`crate::reads`].
const LIVE: &str = "
    select l.id, case when r.job_id is not null then 'running' when l.pos is not null then 'available'
               when l.attempt > 0 then 'retryable' else 'scheduled' end as state,
        l.fence, null::timestamptz as finished_at, lane.queue, lane.priority, lane.quarantine, l.kind, lane.key,
        lane.promise_s, l.workflow_id, l.step, l.tags, l.created_at, l.error_code
    from live l join lane on lane.id = l.lane_id left join running_jobs() r on r.job_id = l.id and r.fence = l.fence";

/// Jobs that ended, by their last row, if they ended in time and have not begun again. Their kind and their age never
/// change, so what does not fit by these is not looked up.
const ENDED: &str = "
    select e.id, last.final_state as state, last.fence, last.finished_at, last.queue, last.priority,
        0::smallint as quarantine, last.kind, last.key, last.promise_s, last.workflow_id, last.step, last.tags,
        last.created_at, last.error ->> 'code' as error_code
    from (select id, max(finished_at) as seen_at from ended
          where ($5::text is null or kind = $5) and ($9::timestamptz is null or created_at >= $9)
            and ($10::timestamptz is null or created_at < $10)
          group by id) e
    cross join lateral (
        select * from attempt a
        where a.tenant_id = $1 and a.job_id = e.id and a.finished_at >= e.seen_at
          and a.finished_at < now() + interval '1 day' and a.final_state is not null
        order by a.fence desc limit 1) last
    where last.finished_at <= $3 and not exists (select from job j where j.tenant_id = $1 and j.id = e.id)";

/// Live jobs; those of another operation are found by what it left.
fn scan_live(filter: &Filter) -> String {
    let (of, id) = match filter.changed_by {
        Some(_) => ("bulk_change c join job j on j.id = c.job_id and c.operation_id = $14", "c.job_id"),
        None => ("job j", "j.id"),
    };
    format!(
        "select j.id, j.fence, j.lane_id, j.pos, j.attempt, j.kind, j.tags, j.created_at, j.workflow_id, j.step,
             j.last_error ->> 'code' as error_code
         from {of} where j.tenant_id = $1 and ($2::uuid is null or {id} > $2) order by {id} limit $4"
    )
}

/// The ends of jobs that did not complete have an index of their own, found by the words of `given_up`.
fn scan_ended(filter: &Filter) -> String {
    let completed = filter.states.contains(&State::Completed);
    let given_up = if completed { "" } else { "and a.final_state in ('cancelled', 'discarded')" };
    let (of, id) = match filter.changed_by {
        Some(_) => {
            ("bulk_change c join attempt a on a.job_id = c.job_id and c.operation_id = $14", "c.job_id")
        }
        None => ("attempt a", "a.job_id"),
    };
    format!(
        "select a.job_id as id, a.finished_at, a.kind, a.created_at from {of}
         where a.tenant_id = $1 and ($2::uuid is null or {id} > $2) and a.finished_at <= $3 {given_up}
         order by {id} limit $4"
    )
}

/// `found`: the jobs that fit; `met`: how far the rows that were read reach, null for to the end.
fn jobs_that_fit(filter: &Filter) -> String {
    let mut scans = Vec::with_capacity(2);
    let mut sources = Vec::with_capacity(2);
    let mut ends = Vec::with_capacity(2);
    if filter.states.iter().any(|state| !state.is_final()) {
        scans.push(format!("live as materialized ({})", scan_live(filter)));
        sources.push(LIVE);
        ends.push("(select id from live order by id offset $4 - 1 limit 1)");
    }
    if filter.states.iter().any(|state| state.is_final()) {
        scans.push(format!("ended as materialized ({})", scan_ended(filter)));
        sources.push(ENDED);
        ends.push("(select id from ended order by id offset $4 - 1 limit 1)");
    }
    format!(
        "with {}, met as (select least({}) as met_to),
         found as (
             select f.* from met cross join ({}) f
             where (met.met_to is null or f.id <= met.met_to) and f.created_at <= $3
               and ($5::text is null or f.kind = $5) and ($6::text is null or f.queue = $6)
               and ($7::text is null or f.tags @> array[$7]) and ($8::text is null or f.error_code = $8)
               and ($9::timestamptz is null or f.created_at >= $9) and ($10::timestamptz is null or f.created_at < $10)
               and ($11::timestamptz is null or f.finished_at >= $11)
               and ($12::timestamptz is null or f.finished_at < $12) and f.state = any ($13)
               and ($14::uuid is null or exists (
                   select from bulk_change c where c.operation_id = $14 and c.job_id = f.id and c.fence = f.fence)))",
        scans.join(", "),
        ends.join(", "),
        sources.join(" union all "),
    )
}

type Asking<'q, Row> = QueryAs<'q, Postgres, Row, PgArguments>;

/// A statement that begins with [`jobs_that_fit`], with what its conditions ask for.
fn asking<'q, Row: for<'r> FromRow<'r, PgRow>>(sql: String, walk: Walk<'q>, rows: i64) -> Asking<'q, Row> {
    let filter = walk.filter;
    sqlx::query_as(AssertSqlSafe(sql))
        // Planned for this very filter: what is rare in one tenant's jobs is common in another's.
        .persistent(false)
        .bind(walk.tenant.as_uuid())
        .bind(walk.after)
        .bind(walk.as_of)
        .bind(rows)
        .bind(&filter.kind)
        .bind(filter.queue.map(Queue::name))
        .bind(&filter.tag)
        .bind(&filter.error_code)
        .bind(filter.created_after)
        .bind(filter.created_before)
        .bind(filter.finished_after)
        .bind(filter.finished_before)
        .bind(filter.states.iter().map(|state| state.name()).collect::<Vec<_>>())
        .bind(filter.changed_by.map(|operation| operation.as_uuid()))
}

/// The jobs among the next `rows` rows of the live jobs, and as many of history.
pub(super) async fn page(tx: &mut Tx, walk: Walk<'_>, rows: i64) -> Result<Page, StoreError> {
    let sql = format!(
        "{} select met.met_to, found.* from met left join found on true order by found.id",
        jobs_that_fit(walk.filter)
    );
    let rows: Vec<PageRow> =
        asking(sql, walk, rows).fetch_all(&mut **tx).await.or_failed("read the jobs of a bulk operation")?;
    let met_to = rows.first().and_then(|row| row.met_to);
    Ok(Page { jobs: rows.into_iter().filter_map(|row| row.found).collect(), met_to })
}

/// Counts the jobs among the next `rows` rows of each, at most `jobs_max` of them, and names up to `newest` of each sort.
pub(super) async fn count(
    tx: &mut Tx,
    walk: Walk<'_>,
    rows: i64,
    jobs_max: i64,
    newest: i32,
) -> Result<Count, StoreError> {
    let sql = format!(
        "{} select met.met_to as counted_to, c.state, c.kind, coalesce(c.jobs, 0)::bigint as jobs, c.newest
         from met left join (
             select state, kind, count(*) as jobs, (array_agg(id order by id desc))[1:$16] as newest
             from (select * from found limit $15) counted group by 1, 2) c on true
         order by c.state, c.kind",
        jobs_that_fit(walk.filter)
    );
    let rows: Vec<CountRow> = asking(sql, walk, rows)
        .bind(jobs_max)
        .bind(newest)
        .fetch_all(&mut **tx)
        .await
        .or_failed("count the jobs of a bulk operation")?;
    let counted_to = rows.first().and_then(|row| row.counted_to);
    let mut count = Count { jobs: 0, by: Vec::new(), newest: Vec::new(), counted_to };
    for row in rows {
        let (Some(state), Some(kind)) = (row.state, row.kind) else { continue };
        let state = state.parse().map_err(|_| StoreError::Unreadable { table: "job", found: state })?;
        count.jobs += row.jobs;
        count.newest.extend(row.newest.unwrap_or_default().into_iter().map(JobId::from_uuid));
        count.by.push(Counted { state, kind, jobs: row.jobs });
    }
    count.newest.sort_unstable_by(|one, other| other.cmp(one));
    count.newest.truncate(newest as usize);
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_in_steps_is_one_count() {
        let ids: Vec<JobId> = std::iter::repeat_with(JobId::new).take(5).collect();
        let of = |state, jobs| Counted { state, kind: "probe.work".to_owned(), jobs };
        let mut count = Count::default();
        count.go_on(
            Count {
                jobs: 2,
                by: vec![of(State::Available, 2)],
                newest: vec![ids[1], ids[0]],
                counted_to: Some(ids[1].as_uuid()),
            },
            3,
        );
        assert_eq!(count.counted_to, Some(ids[1].as_uuid()));
        count.go_on(
            Count {
                jobs: 3,
                by: vec![of(State::Available, 1), of(State::Running, 2)],
                newest: vec![ids[4], ids[3]],
                counted_to: None,
            },
            3,
        );
        assert_eq!((count.jobs, count.counted_to), (5, None));
        assert_eq!(count.by, [of(State::Available, 3), of(State::Running, 2)]);
        assert_eq!(count.newest, [ids[4], ids[3], ids[1]], "what comes later is newer");
    }
}
