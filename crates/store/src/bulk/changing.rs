//! What is done to the jobs of a page: a statement or two for all of them.
//!
//! Whatever takes a waiting job away holds the lock that claiming takes, and looks again under it: from then on a job is
//! running already or will not be claimed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jobs::{JobId, Queue, State, failure::Problem};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    batch::InHand,
    record::Action,
    undoing::{self, Before},
    walk::Found,
};
use crate::{
    cancel,
    db::{Db, Tx},
    enqueue::ring,
    error::{OrFailed, StoreError},
    lanes::{self, Lane},
    progress,
    retry::{self, Again},
    settle::announce,
};

/// What became of the jobs of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) changed: usize,
    pub(super) skipped: usize,
    pub(super) failed: usize,
}

impl Tally {
    /// What was not changed of `all` had nothing to be done to it any more.
    fn of(changed: usize, failed: usize, all: usize) -> Self {
        Self { changed, failed, skipped: all.saturating_sub(changed + failed) }
    }
}

/// Does to `jobs` what the operation asks for.
pub(super) async fn change(
    db: &Db,
    tx: &mut Tx,
    operation: &InHand,
    jobs: &[Found],
) -> Result<Tally, StoreError> {
    if jobs.is_empty() {
        return Ok(Tally::default());
    }
    match operation.action {
        Action::Retry => retry(db, tx, operation, jobs).await,
        Action::Cancel => cancel(tx, operation, jobs).await,
        Action::Discard => discard(tx, operation, jobs).await,
        Action::Reprioritise => reprioritise(db, tx, operation, jobs).await,
    }
}

fn why(operation: &InHand, code: &str) -> Problem {
    Problem::new(code, format!("{code} by {}", operation.id))
}

/// The lane that an ended job begins again in; none for a queue that this version does not know.
fn lane_of(job: &Found, operation: &InHand) -> Option<Lane> {
    let queue: Queue = job.queue.parse().ok()?;
    Some(Lane {
        queue: queue.name().to_owned(),
        priority: operation.priority.map_or(job.priority, |priority| i16::from(priority.get())),
        quarantine: job.quarantine,
        kind: job.kind.clone(),
        key: job.key.clone(),
        promise_s: job.promise_s,
    })
}

async fn retry(db: &Db, tx: &mut Tx, operation: &InHand, jobs: &[Found]) -> Result<Tally, StoreError> {
    let mut waiting = Vec::new();
    let mut ended = Vec::new();
    for job in jobs {
        if job.state()?.is_final() { ended.push(job) } else { waiting.push(job.id()) }
    }
    let wanted: HashSet<Lane> = ended.iter().filter_map(|job| lane_of(job, operation)).collect();
    let lanes = lanes::find(db, operation.tenant, wanted).await?;
    // What is taken back waits for its time as it did before.
    let waits = operation.filter.changed_by.is_some();
    let again: Vec<(&Found, Again)> = ended
        .iter()
        .filter_map(|job| {
            let lane = *lanes.get(&lane_of(job, operation)?)?;
            let finished_at = job.finished_at?;
            Some((*job, Again { job: job.id(), fence: job.fence, finished_at, lane, waits }))
        })
        .collect();
    let failed = ended.len() - again.len();
    let begun = begin_again(tx, operation, &again).await?;
    let hurried = retry::hurry(tx, operation.tenant, &waiting).await?;
    ring(tx, Queue::ALL.into_iter()).await?;
    announce(tx, &begun).await?;
    Ok(Tally::of(begun.len() + hurried, failed, jobs.len()))
}

/// Begins jobs again. Those of workflows come last, and only where their step is not over: settling, too, moves jobs
/// before it looks at steps.
async fn begin_again(
    tx: &mut Tx,
    operation: &InHand,
    again: &[(&Found, Again)],
) -> Result<HashSet<JobId>, StoreError> {
    let tenant = operation.tenant;
    let place = |job: &Found| job.workflow_id.zip(job.step);
    let free: Vec<Again> =
        again.iter().filter(|(job, _)| place(job).is_none()).map(|(_, again)| *again).collect();
    let mut begun = retry::begin_again(tx, tenant, &free).await?;
    let places: BTreeSet<_> = again.iter().filter_map(|(job, _)| place(job)).collect();
    let open = progress::hold_open(tx, &places).await?;
    let members: Vec<_> = again
        .iter()
        .filter_map(|(job, again)| Some((place(job).filter(|place| open.contains(place))?, *job, *again)))
        .collect();
    let steps: Vec<Again> = members.iter().map(|(_, _, again)| *again).collect();
    let restarted = retry::begin_again(tx, tenant, &steps).await?;
    let mut uncounted = Vec::with_capacity(restarted.len());
    for (place, job, _) in members {
        if restarted.contains(&job.id()) {
            uncounted.push((place, job.state()?));
        }
    }
    progress::uncount(tx, &uncounted).await?;
    begun.extend(restarted);
    Ok(begun)
}

#[derive(FromRow)]
struct Standing {
    id: Uuid,
    state: String,
    fence: i32,
    lane_id: i32,
    #[sqlx(flatten)]
    lane: Lane,
}

/// The live ones of `jobs` as they stand, with claiming stopped in the queues they were found in. Those that meanwhile went
/// to another queue, or into a state that the filter does not name, are told apart as not held.
struct Held {
    waiting: Vec<Standing>,
    running: Vec<JobId>,
    elsewhere: Vec<JobId>,
}

async fn hold(tx: &mut Tx, operation: &InHand, jobs: &[Found]) -> Result<Held, StoreError> {
    // In one order, so that whoever else holds several queues never waits in a ring with this.
    let queues: BTreeSet<&str> = jobs.iter().map(|job| job.queue.as_str()).collect();
    for queue in &queues {
        cancel::stop_claiming(tx, queue).await?;
    }
    let standing: Vec<Standing> = sqlx::query_as(
        "select j.id, case when r.job_id is not null then 'running' when j.pos is not null then 'available'
                    when j.attempt > 0 then 'retryable' else 'scheduled' end as state,
                j.fence, j.lane_id, lane.queue, lane.priority, lane.quarantine, lane.kind, lane.key, lane.promise_s
         from unnest($2::uuid[]) with ordinality as x (id, place)
         join job j on j.tenant_id = $1 and j.id = x.id
         join lane on lane.id = j.lane_id
         left join running_jobs() r on r.job_id = j.id and r.fence = j.fence
         order by x.place",
    )
    .bind(operation.tenant.as_uuid())
    .bind(jobs.iter().map(|job| job.id().as_uuid()).collect::<Vec<_>>())
    .fetch_all(&mut **tx)
    .await
    .or_failed("see how the jobs of a batch stand")?;
    let mut held = Held { waiting: Vec::new(), running: Vec::new(), elsewhere: Vec::new() };
    for job in standing {
        let id = JobId::from_uuid(job.id);
        let state: State = job
            .state
            .parse()
            .map_err(|_| StoreError::Unreadable { table: "job", found: job.state.clone() })?;
        if !operation.filter.states.contains(&state) {
            continue;
        }
        if state == State::Running {
            held.running.push(id);
        } else if queues.contains(job.lane.queue.as_str()) {
            held.waiting.push(job);
        } else {
            held.elsewhere.push(id);
        }
    }
    Ok(held)
}

impl Held {
    fn waiting_ids(&self) -> Vec<JobId> {
        self.waiting.iter().map(|job| JobId::from_uuid(job.id)).collect()
    }

    /// Those of `changed`, as they were.
    fn before(&self, changed: &[JobId]) -> Vec<Before> {
        let changed: HashSet<&JobId> = changed.iter().collect();
        let all = self.waiting.iter().map(|job| Before {
            job: JobId::from_uuid(job.id),
            fence: job.fence,
            priority: job.lane.priority,
        });
        all.filter(|before| changed.contains(&before.job)).collect()
    }
}

async fn cancel(tx: &mut Tx, operation: &InHand, jobs: &[Found]) -> Result<Tally, StoreError> {
    let held = hold(tx, operation, jobs).await?;
    let (tenant, why) = (operation.tenant, why(operation, "cancelled"));
    let ended = cancel::end_waiting(tx, tenant, &held.waiting_ids(), State::Cancelled, &why).await?;
    undoing::keep(tx, operation, &held.before(&ended)).await?;
    // What waits in another queue by now is not held; the sweep cancels it as it would one that came back.
    let asked: Vec<JobId> = held.running.into_iter().chain(held.elsewhere).collect();
    let told = cancel::request_all(tx, tenant, &asked).await?;
    Ok(Tally::of(ended.len() + told, 0, jobs.len()))
}

async fn discard(tx: &mut Tx, operation: &InHand, jobs: &[Found]) -> Result<Tally, StoreError> {
    let held = hold(tx, operation, jobs).await?;
    let why = why(operation, "discarded");
    let ended =
        cancel::end_waiting(tx, operation.tenant, &held.waiting_ids(), State::Discarded, &why).await?;
    undoing::keep(tx, operation, &held.before(&ended)).await?;
    Ok(Tally::of(ended.len(), 0, jobs.len()))
}

/// The priority that each of `jobs` is to get.
async fn priorities(
    tx: &mut Tx,
    operation: &InHand,
    jobs: &[Found],
) -> Result<HashMap<JobId, i16>, StoreError> {
    let ids = jobs.iter().map(Found::id);
    match (operation.priority, operation.filter.changed_by) {
        (Some(priority), _) => Ok(ids.map(|job| (job, i16::from(priority.get()))).collect()),
        (None, Some(before)) => undoing::priorities(tx, before, &ids.collect::<Vec<_>>()).await,
        (None, None) => {
            Err(StoreError::Unreadable { table: "bulk_operation", found: "no priority".to_owned() })
        }
    }
}

async fn reprioritise(db: &Db, tx: &mut Tx, operation: &InHand, jobs: &[Found]) -> Result<Tally, StoreError> {
    let priorities = priorities(tx, operation, jobs).await?;
    // Before claiming is stopped: making a lane takes a while.
    let wanted = jobs
        .iter()
        .filter_map(|job| Some(Lane { priority: *priorities.get(&job.id())?, ..lane_of(job, operation)? }));
    let lanes: HashMap<Lane, i32> = lanes::find(db, operation.tenant, wanted.collect()).await?;
    let held = hold(tx, operation, jobs).await?;
    let mut targets: BTreeMap<Uuid, (i32, i32)> = BTreeMap::new();
    for job in &held.waiting {
        let Some(priority) = priorities.get(&JobId::from_uuid(job.id)).copied() else { continue };
        if job.lane.priority == priority {
            continue;
        }
        // A job that was quarantined in this very moment has no lane here, and is left alone.
        if let Some(to) = lanes.get(&Lane { priority, ..job.lane.clone() }) {
            targets.insert(job.id, (job.lane_id, *to));
        }
    }
    let moved = move_lanes(tx, operation, &targets).await?;
    undoing::keep(tx, operation, &held.before(&moved)).await?;
    ring(tx, Queue::ALL.into_iter()).await?;
    Ok(Tally::of(moved.len(), 0, jobs.len()))
}

/// Moves each job from one lane to the end of another; answers which were still there.
async fn move_lanes(
    tx: &mut Tx,
    operation: &InHand,
    targets: &BTreeMap<Uuid, (i32, i32)>,
) -> Result<Vec<JobId>, StoreError> {
    let moved: Vec<Uuid> = sqlx::query_scalar(
        "with moved as (
             update job set lane_id = x.to_lane, pos = case when job.pos is not null then nextval('job_pos') end
             from unnest($2::uuid[], $3::int[], $4::int[]) as x (id, from_lane, to_lane)
             where job.tenant_id = $1 and job.id = x.id and job.lane_id = x.from_lane returning job.id, x.to_lane
         ),
         woken as (
             update lane set asleep_since = null where asleep_since is not null and id in (select to_lane from moved)
         )
         select id from moved",
    )
    .bind(operation.tenant.as_uuid())
    .bind(targets.keys().copied().collect::<Vec<_>>())
    .bind(targets.values().map(|(from, _)| *from).collect::<Vec<_>>())
    .bind(targets.values().map(|(_, to)| *to).collect::<Vec<_>>())
    .fetch_all(&mut **tx)
    .await
    .or_failed("move jobs to another priority")?;
    Ok(moved.into_iter().map(JobId::from_uuid).collect())
}
