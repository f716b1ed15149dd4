//! Rolling deploys: workers of two versions at once, and jobs of both.

use jobs::State;
use serde_json::json;
use store::enqueue::NewJob;

use crate::world::{SOON, Worker, World, probes, working};

/// What makes a worker one of yesterday: it knows `probe.work` in its first version only.
const YESTERDAY: &[&str] = &["--pretend", "probe.work=1", "--grace-s", "1"];
const TODAY: &[&str] = &["--grace-s", "1"];

/// A job as the api of yesterday enqueued it.
fn of_yesterday(new: NewJob) -> NewJob {
    let args =
        json!({"work_ms": new.args.inline().unwrap()["work_ms"], "endings": [], "echo": "", "follow_ups": 0});
    NewJob { kind_version: 1, args: args.into(), ..new }
}

async fn parked(world: &World) -> i64 {
    world.database.number("select count(*) from attempt where outcome = 'parked'").await.unwrap()
}

#[tokio::test]
async fn a_job_that_nobody_knows_yet_waits_and_begins_when_somebody_comes() {
    let world = World::new().await;
    let old = world.start(&["--pretend", "probe.work=1"]);
    let job = world.probe(working(0)).await;
    testkit::eventually("the job to be parked", SOON, || async { world.job(job).await.parked.then_some(()) })
        .await;
    let record = world.job(job).await;
    let error = record.error.unwrap().0;
    assert_eq!((record.attempt, &error["code"]), (0, &json!("unknown_version")));
    assert!(error["message"].as_str().unwrap().contains("this worker knows version 1"), "{error}");
    let known = world.enqueue(&[of_yesterday(probes(1, &working(0)).remove(0))]).await[0];
    world.reaches(known, State::Completed).await;
    old.kill();

    // Parked as if for hours, so that only the word of whoever comes can end it.
    let far = "with far as (update job set scheduled_at = now() + interval '3 hours' returning 1) select count(*) from far";
    world.database.number(far).await.unwrap();
    let _new = world.start(&[]);
    world.reaches(job, State::Completed).await;
    assert_eq!(world.job(job).await.attempt, 1);
}

#[tokio::test]
async fn a_kind_that_a_worker_lacks_is_done_by_one_that_has_it() {
    let world = World::new().await;
    let lacking = world.start(&["--pretend", "probe.work=0"]);
    let job = world.probe(working(0)).await;
    testkit::eventually("the job to be parked", SOON, || async { world.job(job).await.parked.then_some(()) })
        .await;
    assert_eq!(world.job(job).await.error.unwrap().0["code"], "unknown_kind");
    let knowing = world.start(&[]);
    knowing.ready().await;
    // As long as both are there, it is a matter of luck who is asked next.
    drop(lacking);
    world.reaches(job, State::Completed).await;
    assert!(!world.story(job).await.contains("retried"));
}

/// Three workers are replaced one by one, the new one started before the old one is told to stop, while jobs of both
/// versions arrive and run. Twice: forward, and back.
#[tokio::test]
async fn a_rolling_deploy_loses_nothing_and_fails_nothing() {
    const ROUNDS: usize = 6;
    const JOBS_A_ROUND: usize = 40;
    let world = World::new().await;
    let mut running: Vec<Worker> = (0..3).map(|_| world.start(YESTERDAY)).collect();
    for round in 0..ROUNDS {
        // Longer than the grace for some: they are handed back.
        let mut new = probes(JOBS_A_ROUND - 2, &working(50));
        new.extend(probes(2, &working(3_000)));
        let mixed = |(at, job)| if at % 2 == 0 { of_yesterday(job) } else { job };
        let new: Vec<NewJob> = new.into_iter().enumerate().map(mixed).collect();
        world.enqueue(&new).await;
        let next = world.start(if round < 3 { TODAY } else { YESTERDAY });
        next.ready().await;
        let mut old = running.remove(0);
        old.terminate();
        assert_eq!(old.exits().await, Some(0));
        running.push(next);
    }
    assert!(parked(&world).await > 0, "the workers of yesterday met jobs of today");
    let _today = world.start(TODAY);
    drop(running);
    world.all_done((ROUNDS * JOBS_A_ROUND) as i64, SOON).await;
    let failed = "select count(*) from attempt where outcome in ('retried', 'discarded')";
    assert_eq!(world.database.number(failed).await.unwrap(), 0, "a deploy is no failure of a job");
    let undecodable = "select count(*) from attempt where error ->> 'code' = 'undecodable_args'";
    assert_eq!(world.database.number(undecodable).await.unwrap(), 0);
}
