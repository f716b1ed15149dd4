//! Settling: a job's fate and everything that follows from it, in one transaction, accepted only under a standing
//! lease and the fence the job was claimed with.

use std::{borrow::Cow, collections::HashSet};

use jobs::{JobId, LeaseId, TenantId, failure::Problem};
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    deliveries,
    enqueue::{Enqueued, NewJob},
    error::{OrFailed, StoreError},
    film_parts, films, inbox, invitations, media, messages,
    outbox::{self, Listening},
    parking::{PARK_FIRST, PARK_LONGEST},
    parties,
    payload::{Field, Payload},
    probes, progress, relatives, scans,
    sealing::Place,
    verdict::{Settle, Verdict, Write},
};

/// Jobs that one notice can name: it holds less than 8,000 bytes, an id 36.
pub const NAMED_MAX: usize = 200;

/// Settles many jobs in one transaction and drops the leases in `done`, whose jobs are then all settled. Answers the
/// jobs whose settling was accepted; a stale one is left out and does not disturb the others.
pub async fn settle(db: &Db, batch: &[Settle], done: &[LeaseId]) -> Result<HashSet<JobId>, StoreError> {
    settle_and(db, batch, done, News::Told).await
}

/// Who hears of what was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Readers are told with the commit.
    Told,
    /// Somebody calls [`tell`] soon. Postgres commits one at a time what comes with a notice.
    Later,
}

/// As [`settle`], with a say in whether readers are told.
pub async fn settle_and(
    db: &Db,
    batch: &[Settle],
    done: &[LeaseId],
    news: News,
) -> Result<HashSet<JobId>, StoreError> {
    let (ending, returning): (Vec<&Settle>, Vec<&Settle>) =
        batch.iter().partition(|settle| settle.verdict.is_final());
    let results = sealed(db, &ending).await?;
    let listening = outbox::listening(db).await?;
    let mut tx = db.busy().begin().await.or_failed("settle jobs")?;
    let mut accepted = HashSet::with_capacity(batch.len());
    if !ending.is_empty() {
        accepted.extend(end(&mut tx, &ending, &results).await?);
        tell_endpoints(&mut tx, &listening, &ending, &accepted).await?;
    }
    if !returning.is_empty() {
        accepted.extend(put_back(&mut tx, &returning).await?);
    }
    drop_leases(&mut tx, done).await?;
    if news == News::Told {
        announce(&mut tx, &accepted).await?;
    }
    commit(tx, "settle jobs").await?;
    Ok(accepted)
}

/// Tells readers that jobs moved, without naming them.
pub async fn tell(db: &Db) -> Result<(), StoreError> {
    sqlx::query("select pg_notify('crewline_moved', '')").execute(db.pool()).await.or_failed("announce")?;
    Ok(())
}

/// Settles one job together with its follow-up jobs and business rows, in one transaction. False when it came too
/// late; then nothing was written. The lease is left to [`settle`] or [`drop_done`].
pub async fn settle_with(
    db: &Db,
    settle: &Settle,
    follow_ups: &[NewJob],
    writes: &[Write],
) -> Result<bool, StoreError> {
    let results = sealed(db, &[settle]).await?;
    let listening = outbox::listening(db).await?;
    let mut tx = db.begin().await?;
    let ended = end(&mut tx, &[settle], &results).await?;
    if ended.is_empty() {
        return Ok(false);
    }
    let ended: HashSet<JobId> = ended.into_iter().collect();
    tell_endpoints(&mut tx, &listening, &[settle], &ended).await?;
    let mut brought = Vec::new();
    for write in writes {
        match write {
            Write::Renditions(new) => media::insert_renditions(&mut tx, settle.tenant, new).await?,
            Write::Publication(delivery, manifest, sha256) => {
                deliveries::publish(&mut tx, settle.tenant, *delivery, manifest, sha256).await?;
            }
            Write::Archive(new) => deliveries::insert_archive(&mut tx, settle.tenant, new).await?,
            Write::Made(new) => media::insert_made(&mut tx, settle.tenant, new).await?,
            Write::Probe(new) => probes::record(&mut tx, settle.tenant, new).await?,
            Write::Scan(new) => scans::record(&mut tx, settle.tenant, new).await?,
            Write::Film(new) => {
                films::insert_film(&mut tx, settle.tenant, new).await?;
                film_parts::abandon_in(&mut tx, settle.tenant, settle.job).await?;
            }
            Write::FilmPart(part) => film_parts::tell(&mut tx, settle.tenant, *part).await?,
            // It names its jobs, and which they are shows when they are inserted.
            Write::Webhook(_) => {}
            Write::Messages(plan) => brought.extend(messages::plan(&mut tx, settle.tenant, plan).await?),
            Write::Invitation(told) => {
                brought.extend(invitations::record(&mut tx, settle.tenant, told).await?);
            }
            Write::Digest(closed) => brought.extend(messages::close(&mut tx, settle.tenant, closed).await?),
            Write::InboxLine(message) => messages::deliver_line(&mut tx, settle.tenant, *message).await?,
            Write::Feedback(told) => messages::note_feedback(&mut tx, settle.tenant, told).await?,
            Write::Answered(answered) => parties::note_answer(&mut tx, settle.tenant, answered).await?,
        }
    }
    let parent = (settle.tenant, settle.job);
    let enqueued = relatives::bring(db, &mut tx, parent, follow_ups).await?;
    relatives::bring(db, &mut tx, parent, &brought).await?;
    note_webhooks(&mut tx, settle, writes, follow_ups, &enqueued).await?;
    announce(&mut tx, &ended).await?;
    commit(tx, "settle a job with what follows from it").await?;
    Ok(true)
}

/// Writes down that jobs ended whose tenants want to be told. Of the others nothing is looked at but the tenant.
async fn tell_endpoints(
    tx: &mut PgConnection,
    listening: &Listening,
    ending: &[&Settle],
    accepted: &HashSet<JobId>,
) -> Result<(), StoreError> {
    if listening.is_empty() {
        return Ok(());
    }
    let wanted =
        ending.iter().filter(|settle| listening.contains(&settle.tenant) && accepted.contains(&settle.job));
    let told: Vec<(TenantId, JobId)> = wanted.map(|settle| (settle.tenant, settle.job)).collect();
    outbox::tell_ended(tx, &told).await
}

/// Writes down what became of webhooks, with the jobs that stand for theirs.
async fn note_webhooks(
    tx: &mut PgConnection,
    settle: &Settle,
    writes: &[Write],
    follow_ups: &[NewJob],
    enqueued: &[Enqueued],
) -> Result<(), StoreError> {
    for write in writes {
        let Write::Webhook(processed) = write else { continue };
        let standing = follow_ups.iter().zip(enqueued).map(|(new, enqueued)| match enqueued {
            Enqueued::Inserted => (new.id, new.id),
            Enqueued::Existing(id) => (new.id, *id),
        });
        inbox::note(&mut *tx, settle.tenant, processed, &standing.collect()).await?;
    }
    Ok(())
}

/// Drops leases none of whose jobs is running any more.
pub async fn drop_done(db: &Db, done: &[LeaseId]) -> Result<(), StoreError> {
    let mut connection = db.pool().acquire().await.or_failed("drop leases")?;
    drop_leases(&mut connection, done).await
}

/// The arrays that every settling statement starts from. Statements unnest them side by side in a list of columns: in
/// FROM, each array would be copied into a store of its own first.
struct Columns {
    tenants: Vec<Uuid>,
    jobs: Vec<Uuid>,
    fences: Vec<i32>,
    leases: Vec<Uuid>,
    /// Each of `leases` once.
    distinct: Vec<Uuid>,
    outcomes: Vec<&'static str>,
    /// Empty when there is none, for then each is null.
    problems: Vec<Option<Json<Problem>>>,
}

impl Columns {
    fn of(batch: &[&Settle]) -> Self {
        let leases: Vec<Uuid> = batch.iter().map(|s| s.lease.as_uuid()).collect();
        let mut distinct = leases.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let problems: Vec<_> = batch.iter().map(|s| s.verdict.problem().cloned().map(Json)).collect();
        Self {
            leases,
            distinct,
            problems: if problems.iter().all(Option::is_none) { Vec::new() } else { problems },
            tenants: batch.iter().map(|s| s.tenant.as_uuid()).collect(),
            jobs: batch.iter().map(|s| s.job.as_uuid()).collect(),
            fences: batch.iter().map(|s| s.fence).collect(),
            outcomes: batch.iter().map(|s| s.verdict.outcome()).collect(),
        }
    }
}

/// The results as their rows hold them; none where there is none.
async fn sealed<'a>(db: &Db, batch: &[&'a Settle]) -> Result<Vec<Option<Cow<'a, Payload>>>, StoreError> {
    let mut results = Vec::with_capacity(batch.len());
    for settle in batch {
        let Verdict::Completed { result } = &settle.verdict else {
            results.push(None);
            continue;
        };
        let sealed = match db.ring(settle.tenant).await? {
            Some(ring) => ring.seal_payload(&Place::of_job(settle.job, Field::Result), result)?,
            None => None,
        };
        results.push(Some(sealed.map_or(Cow::Borrowed(result), Cow::Owned)));
    }
    Ok(results)
}

/// Live rows out, final history rows in.
async fn end(
    tx: &mut PgConnection,
    batch: &[&Settle],
    results: &[Option<Cow<'_, Payload>>],
) -> Result<Vec<JobId>, StoreError> {
    let Columns { tenants, jobs, fences, leases, distinct, outcomes, problems } = Columns::of(batch);
    // As text: what a document costs to be read in, Postgres then gives back row by row and not at the end of the statement.
    let results: Vec<Option<String>> = results
        .iter()
        .map(|result| result.as_deref().map(serde_json::to_string).transpose())
        .collect::<Result<_, _>>()
        .map_err(|error| sqlx::Error::Encode(error.into()))
        .or_failed("write results")?;
    // One row of arrays, not a row for each job: that is cheaper on both sides.
    let ended: EndedJobs = sqlx::query_as(
        "with held as materialized (
             select id, worker, claimed_at from lease where id = any ($8) order by id for key share
         ),
         gone as (
             delete from job j
             using held, (
                 select unnest($1::uuid[]) as tenant_id, unnest($2::uuid[]) as id, unnest($3::int[]) as fence,
                     unnest($4::uuid[]) as lease_id, unnest($5::text[]) as outcome, unnest($6::jsonb[]) as problem,
                     unnest($7::text[])::jsonb as result) x
             where j.tenant_id = x.tenant_id and j.id = x.id and j.fence = x.fence and held.id = x.lease_id
             returning j.lane_id, j.tenant_id, j.id, j.fence, j.attempt + 1 as attempt, j.kind_version, j.max_attempts,
                 j.created_at, j.scheduled_at, held.claimed_at, x.outcome, j.kind, j.due_at, held.worker, j.args,
                 x.result, x.problem, j.unique_key, j.traceparent, j.tags, j.metadata, j.workflow_id, j.step
         ),
         lane as materialized (
             select id, priority, queue, key, promise_s from public.lane where id = any (array(select lane_id from gone))
         ),
         ended as (
             insert into attempt (tenant_id, job_id, fence, attempt, kind_version, max_attempts, created_at, scheduled_at,
                 started_at, outcome, final_state, kind, due_at, worker, args, result, error, unique_key, traceparent, tags,
                 metadata, workflow_id, step, priority, queue, key, promise_s)
             select gone.tenant_id, gone.id, gone.fence, gone.attempt, gone.kind_version, gone.max_attempts,
                 gone.created_at, gone.scheduled_at, gone.claimed_at, gone.outcome, gone.outcome, gone.kind, gone.due_at,
                 gone.worker, gone.args, gone.result, gone.problem, gone.unique_key, gone.traceparent, gone.tags,
                 gone.metadata, gone.workflow_id, gone.step, lane.priority, lane.queue, lane.key, lane.promise_s
             from gone join lane on lane.id = gone.lane_id
             returning job_id, workflow_id, step, final_state
         )
         select coalesce(array_agg(job_id), '{}') as jobs,
             coalesce(array_agg(workflow_id) filter (where workflow_id is not null), '{}') as workflows,
             coalesce(array_agg(step) filter (where workflow_id is not null), '{}') as steps,
             coalesce(array_agg(final_state) filter (where workflow_id is not null), '{}') as states
         from ended",
    )
    .bind(tenants)
    .bind(jobs)
    .bind(fences)
    .bind(leases)
    .bind(outcomes)
    .bind(problems)
    .bind(results)
    .bind(distinct)
    .fetch_one(&mut *tx)
    .await
    .or_failed("settle jobs that ended")?;
    progress::count(tx, ended.members()).await?;
    Ok(ended.jobs.into_iter().map(JobId::from_uuid).collect())
}

/// Jobs that ended; of those that belong to a workflow also which, their step, and the state they ended in.
#[derive(FromRow)]
struct EndedJobs {
    jobs: Vec<Uuid>,
    workflows: Vec<Uuid>,
    steps: Vec<i16>,
    states: Vec<String>,
}

impl EndedJobs {
    fn members(&self) -> impl Iterator<Item = (Uuid, i16, &str)> {
        let places = self.workflows.iter().zip(&self.steps).zip(&self.states);
        places.map(|((workflow, step), state)| (*workflow, *step, state.as_str()))
    }
}

/// Live rows back to waiting under the next fence, history rows in.
async fn put_back(tx: &mut PgConnection, batch: &[&Settle]) -> Result<Vec<JobId>, StoreError> {
    let Columns { tenants, jobs, fences, leases, distinct, outcomes, problems } = Columns::of(batch);
    let delays_ms: Vec<f64> = batch.iter().map(|s| s.verdict.delay().as_millis() as f64).collect();
    let accepted: Vec<Uuid> = sqlx::query_scalar(
        "with held as materialized (
             select id, worker, claimed_at from lease where id = any ($10) order by id for key share
         ),
         back as (
             update job j set
                 fence = j.fence + 1,
                 attempt = j.attempt + (x.outcome = 'retried')::int,
                 pos = case when x.outcome = 'returned' then nextval('job_pos') end,
                 scheduled_at = case x.outcome
                     when 'returned' then j.scheduled_at
                     when 'parked' then clock_timestamp()
                         + least($9, $8 * power(2, coalesce(j.parks, 0))) * interval '1 ms'
                     else clock_timestamp() + x.delay_ms * interval '1 ms' end,
                 parks = case when x.outcome = 'parked' then least(coalesce(j.parks, 0) + 1, 1000) end,
                 -- A job that only waits goes on from where it is.
                 progress_percent = case when x.outcome = 'snoozed' then j.progress_percent end,
                 progress_message = case when x.outcome = 'snoozed' then j.progress_message end,
                 last_error = coalesce(x.problem, j.last_error)
             from held, (
                 select unnest($1::uuid[]) as tenant_id, unnest($2::uuid[]) as id, unnest($3::int[]) as fence,
                     unnest($4::uuid[]) as lease_id, unnest($5::text[]) as outcome, unnest($6::jsonb[]) as problem,
                     unnest($7::float8[]) as delay_ms) x
             where j.tenant_id = x.tenant_id and j.id = x.id and j.fence = x.fence and held.id = x.lease_id
             returning j.*, x.outcome, x.problem, held.worker, held.claimed_at
         )
         insert into attempt (tenant_id, job_id, fence, attempt, kind_version, max_attempts, priority, created_at,
             scheduled_at, started_at, outcome, kind, queue, key, promise_s, due_at, worker, error)
         select back.tenant_id, back.id, back.fence - 1, back.attempt + (back.outcome <> 'retried')::int, back.kind_version,
             back.max_attempts, lane.priority, back.created_at, back.scheduled_at, back.claimed_at, back.outcome, back.kind,
             lane.queue, lane.key, lane.promise_s, back.due_at, back.worker, back.problem
         from back join lane on lane.id = back.lane_id
         returning job_id",
    )
    .bind(tenants)
    .bind(jobs)
    .bind(fences)
    .bind(leases)
    .bind(outcomes)
    .bind(problems)
    .bind(delays_ms)
    .bind(PARK_FIRST.as_millis() as f64)
    .bind(PARK_LONGEST.as_millis() as f64)
    .bind(distinct)
    .fetch_all(&mut *tx)
    .await
    .or_failed("settle jobs that wait again")?;
    if batch.iter().any(|settle| settle.verdict == Verdict::Returned) {
        sqlx::query("select pg_notify('crewline_jobs', '')")
            .execute(tx)
            .await
            .or_failed("ring the doorbell")?;
    }
    Ok(accepted.into_iter().map(JobId::from_uuid).collect())
}

async fn drop_leases(tx: &mut PgConnection, done: &[LeaseId]) -> Result<(), StoreError> {
    if done.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = done.iter().map(LeaseId::as_uuid).collect();
    sqlx::query("delete from lease where id = any ($1)")
        .bind(ids)
        .execute(tx)
        .await
        .or_failed("drop leases")?;
    Ok(())
}

/// Tells readers which jobs moved; when there are too many to name, that they should look at theirs.
pub(crate) async fn announce(tx: &mut PgConnection, moved: &HashSet<JobId>) -> Result<(), StoreError> {
    if moved.is_empty() {
        return Ok(());
    }
    let named = if moved.len() <= NAMED_MAX {
        moved.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    } else {
        String::new()
    };
    sqlx::query("select pg_notify('crewline_moved', $1)")
        .bind(named)
        .execute(tx)
        .await
        .or_failed("announce")?;
    Ok(())
}
