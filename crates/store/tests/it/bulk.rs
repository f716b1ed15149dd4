//! Bulk operations: what each action does, to which jobs, and to which not.

use chrono::{Duration, Utc};
use jobs::{BulkOperationId, JobId, Priority, Queue, State, TenantId, Unique, UniqueFor, UserId};
use serde_json::json;
use store::{
    bulk::{self, Action, Begun, By, Filter, Operation, OperationState, Steered, Wanted},
    claim::Claimed,
    enqueue::NewJob,
    lanes, settle,
    submit::Answer,
    verdict::{Settle, Verdict},
};

use crate::world::{World, done, probe, retry_now, trouble};

pub(crate) fn given_up() -> Verdict {
    Verdict::Discarded { problem: trouble() }
}

pub(crate) fn in_states(states: &[State]) -> Filter {
    Filter { states: states.to_vec(), ..Filter::default() }
}

pub(crate) fn wanted(action: Action, filter: Filter) -> Wanted {
    Wanted { action, filter, priority: None }
}

pub(crate) fn by(name: &str, person: Option<UserId>) -> By<'_> {
    By { name, person }
}

pub(crate) fn retry_discarded() -> Wanted {
    wanted(Action::Retry, in_states(&[State::Discarded]))
}

impl World {
    pub(crate) async fn many(&self, count: usize) -> Vec<JobId> {
        let new: Vec<NewJob> = (0..count).map(|_| probe()).collect();
        self.enqueue_all(self.tenant, &new).await;
        new.into_iter().map(|job| job.id).collect()
    }

    /// Runs whatever may run, once, and settles it all alike; answers how many.
    pub(crate) async fn work_all(&self, verdict: &Verdict) -> usize {
        let mut worked = 0;
        loop {
            let claimed = self.claim(200).await;
            if claimed.is_empty() {
                return worked;
            }
            worked += self.settle_all(&claimed, verdict).await;
        }
    }

    /// Settles what one claim got; answers how many were accepted.
    pub(crate) async fn settle_all(&self, claimed: &[Claimed], verdict: &Verdict) -> usize {
        let batch: Vec<_> = claimed.iter().map(|job| Settle::of(job, verdict.clone())).collect();
        let leases: Vec<_> = claimed.iter().map(|job| job.lease).take(1).collect();
        settle::settle(&self.worker, &batch, &leases).await.unwrap().len()
    }

    /// Asks with a key that was made for nobody.
    pub(crate) async fn ask(&self, wanted: &Wanted) -> Begun {
        self.ask_as(wanted, by("key_x", None)).await
    }

    pub(crate) async fn ask_as(&self, wanted: &Wanted, by: By<'_>) -> Begun {
        let mut id = None;
        let answer = |made: &Operation| {
            id = Some(made.id());
            Answer::of(202, None, &json!(made.id()))
        };
        bulk::begin(&self.api, self.tenant, wanted, None, by, 10, None, answer).await.unwrap()
    }

    pub(crate) async fn begin(&self, wanted: &Wanted) -> BulkOperationId {
        let begun = self.ask(wanted).await;
        let answer = match begun {
            Begun::New(answer) => Some(answer),
            _ => None,
        };
        let answer = answer.expect("the operation was not begun");
        serde_json::from_str(&answer.body).unwrap()
    }

    pub(crate) async fn operation(&self, id: BulkOperationId) -> Operation {
        bulk::get(&self.api, self.tenant, id).await.unwrap().unwrap()
    }

    /// Nobody has to rest. In one order, since several may say so at once.
    pub(crate) async fn rested(&self) {
        let sql = "with held as materialized (select id from bulk_operation order by id for update),
                rested as (update bulk_operation set rest_until = '-infinity' where id in (select id from held) returning 1)
            select count(*) from rested";
        self.database.number(sql).await.unwrap();
    }

    /// Does every batch of it; answers `[processed, changed, skipped, failed]`.
    pub(crate) async fn finish(&self, id: BulkOperationId) -> [i64; 4] {
        while self.operation(id).await.state().unwrap() == OperationState::Running {
            bulk::step(&self.worker).await.unwrap();
            self.rested().await;
        }
        let stands = self.operation(id).await;
        assert_eq!(stands.state().unwrap(), OperationState::Completed, "{:?}", stands.error);
        counts(&stands)
    }

    pub(crate) async fn apply(&self, wanted: &Wanted) -> [i64; 4] {
        let id = self.begin(wanted).await;
        self.finish(id).await
    }

    pub(crate) async fn count(&self, filter: &Filter) -> i64 {
        let preview = bulk::preview(&self.api, self.tenant, filter).await.unwrap();
        assert!(preview.is_exact);
        assert_eq!(preview.by.iter().map(|of| of.jobs).sum::<i64>(), preview.count);
        preview.count
    }
}

pub(crate) fn counts(stands: &Operation) -> [i64; 4] {
    [stands.processed, stands.changed, stands.skipped, stands.failed]
}

#[tokio::test]
async fn every_discarded_job_is_retried_once_however_often_it_fails() {
    let world = World::new().await;
    let all = world.many(1_234).await;
    world.work_all(&given_up()).await;
    let untouched = world.many(3).await;
    world.work_all(&done()).await;
    let id = world.begin(&retry_discarded()).await;
    assert_eq!(world.operation(id).await.matched, 1_234);
    // Between the batches they run, and fail again.
    while world.operation(id).await.state().unwrap() == OperationState::Running {
        bulk::step(&world.worker).await.unwrap();
        world.rested().await;
        world.work_all(&given_up()).await;
    }
    assert_eq!(counts(&world.operation(id).await), [1_234, 1_234, 0, 0]);
    for job in [all[0], all[617], all[1_233]] {
        assert_eq!(world.story(job).await, "1:discarded 2:discarded");
    }
    let twice = "select count(*) from (select from attempt where outcome = 'discarded' group by job_id having count(*) = 2) t";
    assert_eq!(world.database.number(twice).await.unwrap(), 1_234);
    assert_eq!(world.story(untouched[0]).await, "1:completed");
    // What was retried by this one is there to be retried by the next.
    assert_eq!(world.apply(&retry_discarded()).await, [1_234, 1_234, 0, 0]);
}

#[tokio::test]
async fn jobs_that_began_again_since_are_not_what_they_were() {
    let world = World::new().await;
    let all = world.many(6).await;
    world.work_all(&given_up()).await;
    // One is live again, one completed since, one was discarded again.
    for (job, verdict) in [(all[1], done()), (all[2], given_up())] {
        store::retry::retry(&world.api, world.tenant, job).await.unwrap();
        world.work_all(&verdict).await;
    }
    store::retry::retry(&world.api, world.tenant, all[0]).await.unwrap();
    assert_eq!(world.count(&in_states(&[State::Discarded])).await, 4);
    assert_eq!(world.apply(&retry_discarded()).await, [4, 4, 0, 0]);
    assert_eq!(world.story(all[1]).await, "1:discarded 2:completed");
    assert_eq!(world.apply(&wanted(Action::Retry, in_states(&[State::Completed]))).await, [1, 1, 0, 0]);
}

#[tokio::test]
async fn of_equal_work_one_is_retried_and_the_others_are_counted() {
    let world = World::new().await;
    let unique = Some(Unique { key: "k".into(), lasts: UniqueFor::UntilDone });
    for _ in 0..4 {
        world.enqueue(NewJob { unique: unique.clone(), ..probe() }).await;
        world.work_all(&given_up()).await;
    }
    assert_eq!(world.apply(&retry_discarded()).await, [4, 1, 3, 0]);
    assert_eq!(world.apply(&retry_discarded()).await, [3, 0, 3, 0]);
    assert_eq!(world.work_all(&done()).await, 1);
}

#[tokio::test]
async fn what_is_retried_may_stand_behind_other_work() {
    let world = World::new().await;
    let old = world.many(3).await;
    world.work_all(&given_up()).await;
    world.apply(&Wanted { priority: Some(Priority::LOW), ..retry_discarded() }).await;
    let new = world.enqueue(probe()).await;
    assert_eq!(world.claim_one().await.id, new);
    let order: Vec<_> = world.claim(10).await.into_iter().map(|job| job.id).collect();
    assert_eq!(order, old, "in the order in which they were asked for");
    assert_eq!(world.job(old[0]).await.priority, 4);
}

#[tokio::test]
async fn a_lane_that_sleeps_or_is_gone_is_there_again() {
    let world = World::new().await;
    let keyed = |key: usize| NewJob { concurrency_key: Some(format!("customer/{key}")), ..probe() };
    let new: Vec<_> = (0..20).map(keyed).collect();
    world.enqueue_all(world.tenant, &new).await;
    world.work_all(&given_up()).await;
    lanes::tidy(&world.worker).await.unwrap();
    let aged = "with aged as (update lane set asleep_since = asleep_since - interval '25 h' where id % 2 = 0 returning 1)
                select count(*) from aged";
    world.database.number(aged).await.unwrap();
    lanes::tidy(&world.worker).await.unwrap();
    assert!(world.database.number("select count(*) from lane").await.unwrap() < 20);
    assert_eq!(world.apply(&retry_discarded()).await, [20, 20, 0, 0]);
    assert_eq!(world.work_all(&done()).await, 20);
}

#[tokio::test]
async fn a_wait_is_skipped() {
    let world = World::new().await;
    let all = world.many(150).await;
    let later = Verdict::Retried { problem: trouble(), delay: std::time::Duration::from_hours(1) };
    world.work_all(&later).await;
    let scheduled = world.enqueue(NewJob { scheduled_at: Utc::now() + Duration::hours(1), ..probe() }).await;
    lanes::tidy(&world.worker).await.unwrap();
    assert_eq!(world.apply(&wanted(Action::Retry, in_states(&[State::Retryable]))).await, [150, 150, 0, 0]);
    assert_eq!(world.work_all(&done()).await, 150);
    assert_eq!(world.story(all[149]).await, "1:retried 2:completed");
    assert_eq!(world.state(scheduled).await, State::Scheduled);
}

#[tokio::test]
async fn what_waits_is_cancelled_and_what_runs_is_asked_to_stop() {
    let world = World::new().await;
    let all = world.many(250).await;
    world.enqueue(NewJob { queue: Queue::Media, ..probe() }).await;
    world
        .enqueue(NewJob { queue: Queue::MediaBulk, scheduled_at: Utc::now() + Duration::hours(1), ..probe() })
        .await;
    let running = world.claim(5).await;
    assert_eq!(
        world.apply(&wanted(Action::Cancel, in_states(Action::Cancel.takes()))).await,
        [252, 252, 0, 0]
    );
    assert!(world.claim(10).await.is_empty());
    assert_eq!(world.story(all[249]).await, "0:cancelled");
    for job in &running {
        let record = world.job(job.id).await;
        assert_eq!((record.state().unwrap(), record.cancel_requested_at.is_some()), (State::Running, true));
    }
    assert_eq!(world.settle_all(&running, &Verdict::Cancelled { problem: trouble() }).await, 5);
    let cancelled = "select count(*) from attempt where final_state = 'cancelled'";
    assert_eq!(world.database.number(cancelled).await.unwrap(), 252);
}

#[tokio::test]
async fn cancelling_what_waits_leaves_alone_what_runs() {
    let world = World::new().await;
    world.many(10).await;
    let running = world.claim(4).await;
    let waiting = in_states(&[State::Available]);
    assert_eq!(world.apply(&wanted(Action::Cancel, waiting)).await, [6, 6, 0, 0]);
    for job in &running {
        assert!(world.job(job.id).await.cancel_requested_at.is_none());
    }
    assert_eq!(world.settle_all(&running, &done()).await, 4);
}

#[tokio::test]
async fn what_waits_is_discarded_and_says_by_what() {
    let world = World::new().await;
    let all = world.many(120).await;
    let running = world.claim_one().await;
    let id = world.begin(&wanted(Action::Discard, in_states(Action::Discard.takes()))).await;
    assert_eq!(world.finish(id).await, [119, 119, 0, 0]);
    let record = world.job(all[119]).await;
    assert_eq!(record.state().unwrap(), State::Discarded);
    assert_eq!(record.error.unwrap().0["message"], json!(format!("discarded by {id}")));
    assert_eq!(world.story(all[119]).await, "0:discarded");
    assert!(world.settle(&running, done()).await, "what runs goes on");
    assert_eq!(world.apply(&retry_discarded()).await, [119, 119, 0, 0]);
    assert_eq!(world.work_all(&done()).await, 119);
}

#[tokio::test]
async fn jobs_go_to_the_end_of_the_line_of_another_priority() {
    let world = World::new().await;
    let all = world.many(130).await;
    let later = world.enqueue(NewJob { scheduled_at: Utc::now() + Duration::hours(1), ..probe() }).await;
    let urgent = world.enqueue(NewJob { priority: Priority::URGENT, ..probe() }).await;
    let running = world.claim(1).await;
    assert_eq!(running[0].id, urgent);
    let running = world.claim(1).await;
    let low = Wanted {
        priority: Some(Priority::LOW),
        ..wanted(Action::Reprioritise, in_states(Action::Reprioritise.takes()))
    };
    assert_eq!(world.apply(&low).await, [130, 130, 0, 0]);
    assert_eq!(world.apply(&low).await, [130, 0, 130, 0], "they are there already");
    let newcomer = world.enqueue(probe()).await;
    assert_eq!(world.claim_one().await.id, newcomer);
    let order: Vec<_> = world.claim(200).await.into_iter().map(|job| job.id).collect();
    assert_eq!(order, all[1..], "in their old order");
    let record = world.job(later).await;
    assert_eq!((record.priority, record.state().unwrap()), (4, State::Scheduled));
    assert_eq!(world.job(running[0].id).await.priority, 2, "what runs stays where it is");
    assert!(world.settle(&running[0], done()).await);
}

#[tokio::test]
async fn only_the_tenants_own_jobs_are_met() {
    let world = World::new().await;
    let stranger = world.tenant("stranger").await;
    world.many(4).await;
    let theirs: Vec<NewJob> = (0..6).map(|_| probe()).collect();
    world.enqueue_all(stranger, &theirs).await;
    let running = [world.claim_one().await, world.claim_one().await];
    assert_ne!(running[0].tenant, running[1].tenant);
    let id = world.begin(&wanted(Action::Cancel, in_states(Action::Cancel.takes()))).await;
    assert_eq!(world.finish(id).await, [4, 4, 0, 0]);
    let live = format!("select count(*) from job where tenant_id = '{}'", stranger.as_uuid());
    assert_eq!(world.database.number(&live).await.unwrap(), 6);
    let asked = "select count(*) from job where cancel_requested_at is not null";
    assert_eq!(
        world.database.number(asked).await.unwrap(),
        1,
        "only their own running job was asked to stop"
    );
    assert!(bulk::get(&world.api, stranger, id).await.unwrap().is_none());
    assert!(matches!(bulk::cancel(&world.api, stranger, id, "x").await.unwrap(), Steered::NotFound));
    assert!(bulk::list(&world.api, stranger, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn rows_of_a_job_that_a_page_cuts_apart_are_one_job() {
    let world = World::new().await;
    // Six hundred jobs with two rows each: pages end in the middle of some.
    world.many(600).await;
    for verdict in [retry_now(), given_up()] {
        let due = "with due as (update job set pos = nextval('job_pos') where pos is null returning 1) select count(*) from due";
        world.work_all(&verdict).await;
        world.database.number(due).await.unwrap();
    }
    let states = [State::Completed, State::Discarded];
    assert_eq!(world.count(&in_states(&states)).await, 600);
    assert_eq!(world.apply(&wanted(Action::Retry, in_states(&states))).await, [600, 600, 0, 0]);
    let tenant: TenantId = world.tenant;
    let live = format!("select count(distinct id) from job where tenant_id = '{}'", tenant.as_uuid());
    assert_eq!(world.database.number(&live).await.unwrap(), 600);
}
