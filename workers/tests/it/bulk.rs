//! Bulk operations by worker processes: one is killed at it and another goes on, one is stopped.

use jobs::BulkOperationId;
use serde_json::json;
use store::{
    Db, Role,
    bulk::{self, Action, Begun, By, Filter, Operation, OperationState, Steered, Wanted},
    submit::Answer,
};
use testkit::eventually;

use crate::world::{SOON, World, probes, working};

/// A worker that runs none of the jobs here, but keeps everything going.
const IDLE: [&str; 2] = ["--queues", "media"];

fn wanted(action: Action, state: jobs::State) -> Wanted {
    Wanted { action, filter: Filter { states: vec![state], ..Filter::default() }, priority: None }
}

impl World {
    async fn begin(&self, wanted: &Wanted) -> BulkOperationId {
        let answer = |made: &Operation| Answer::of(202, None, &json!(made.id()));
        let by = By { name: "key_x", person: None };
        let begun = bulk::begin(&self.api, self.tenant, wanted, None, by, 10, None, answer).await.unwrap();
        let answer = match begun {
            Begun::New(answer) => Some(answer),
            _ => None,
        };
        let answer = answer.expect("the operation was not begun");
        serde_json::from_str(&answer.body).unwrap()
    }

    async fn operation(&self, id: BulkOperationId) -> Operation {
        bulk::get(&self.api, self.tenant, id).await.unwrap().unwrap()
    }

    async fn has_met(&self, id: BulkOperationId, jobs: i64) {
        eventually("the operation to get going", SOON, || async {
            (self.operation(id).await.processed >= jobs).then_some(())
        })
        .await;
    }

    async fn has_ended(&self, id: BulkOperationId) -> Operation {
        eventually("the operation to end", SOON, || async {
            let stands = self.operation(id).await;
            (stands.state().unwrap() != OperationState::Running).then_some(stands)
        })
        .await
    }

    /// So many jobs that were given up while they waited.
    async fn discarded(&self, count: usize) {
        self.enqueue(&probes(count, &working(0))).await;
        let id = self.begin(&wanted(Action::Discard, jobs::State::Available)).await;
        let db: Db = self.database.db(Role::Worker).unwrap();
        while self.operation(id).await.state().unwrap() == OperationState::Running {
            bulk::step(&db).await.unwrap();
            let rested = "with r as (update bulk_operation set rest_until = '-infinity' returning 1) select count(*) from r";
            self.database.number(rested).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_worker_killed_half_way_leaves_the_rest_to_another() {
    const JOBS: i64 = 8_000;
    let world = World::new().await;
    world.discarded(JOBS as usize).await;
    let id = world.begin(&wanted(Action::Retry, jobs::State::Discarded)).await;
    let victim = world.start(&IDLE);
    world.has_met(id, 1_000).await;
    victim.kill();
    let half_way = world.operation(id).await;
    assert_eq!(half_way.state().unwrap(), OperationState::Running, "it was done too soon to be killed");
    let live = world.database.number("select count(*) from job").await.unwrap();
    assert_eq!(live, half_way.changed, "what was counted was done, and nothing else");

    let _workers = [world.start(&[]), world.start(&IDLE)];
    let ended = world.has_ended(id).await;
    assert_eq!(ended.state().unwrap(), OperationState::Completed);
    assert_eq!((ended.processed, ended.changed, ended.skipped, ended.failed), (JOBS, JOBS, 0, 0));
    world.all_done(JOBS, SOON * 2).await;
    let once_more = "select count(*) from (select from attempt group by job_id
        having array_agg(outcome order by finished_at) = array['discarded', 'completed']) t";
    assert_eq!(world.database.number(once_more).await.unwrap(), JOBS, "each ran exactly one more time");
}

#[tokio::test]
async fn one_that_is_stopped_goes_no_further() {
    let world = World::new().await;
    world.enqueue(&probes(6_000, &working(0))).await;
    let id = world.begin(&wanted(Action::Cancel, jobs::State::Available)).await;
    let _workers = [world.start(&IDLE), world.start(&IDLE)];
    world.has_met(id, 300).await;
    let Steered::Now(stopped) = bulk::cancel(&world.api, world.tenant, id, "key_y").await.unwrap() else {
        panic!("it was done too soon to be stopped");
    };
    // Another one goes through, after which this one would have gone on.
    let next = world.begin(&wanted(Action::Cancel, jobs::State::Scheduled)).await;
    world.has_ended(next).await;
    let stands = world.operation(id).await;
    assert_eq!((stands.processed, stands.state().unwrap()), (stopped.processed, OperationState::Cancelled));
    let live = world.database.number("select count(*) from job").await.unwrap();
    assert_eq!(live + stopped.changed, 6_000);
}
