//! Jobs that a worker does not know wait for one that does.

use jobs::{State, failure::Problem};
use store::{
    parking::{Known, Which, unpark},
    verdict::Verdict,
};

use crate::world::{World, done, probe};

fn parked() -> Verdict {
    Verdict::Parked { problem: Problem::new("unknown_version", "this worker knows version 1 of probe.work") }
}

fn knows(newest: u16) -> Vec<Known> {
    vec![Known { kind: "probe.work", oldest: 1, newest }]
}

#[tokio::test]
async fn a_parked_job_waits_longer_each_time_and_loses_no_attempt() {
    let world = World::new().await;
    let id = world.enqueue(probe()).await;
    let mut waits_s = Vec::new();
    for _ in 0..10 {
        let claimed = world.claim_one().await;
        assert_eq!(claimed.attempt, 1, "no attempt is used up");
        assert!(world.settle(&claimed, parked()).await);
        let wait = "select round(extract(epoch from scheduled_at - clock_timestamp()))::bigint from job";
        waits_s.push(world.database.number(wait).await.unwrap());
        let job = world.job(id).await;
        assert_eq!((job.state().unwrap(), job.attempt, job.parked), (State::Scheduled, 0, true));
        assert_eq!(job.error.unwrap().0["code"], "unknown_version");
        assert_eq!(unpark(&world.worker, Which::Known, &knows(2)).await.unwrap(), 1);
    }
    // Read a moment after it was written: the clock may have taken a second off.
    let doubled = [2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
    let near = |(wait, wanted): (&i64, &i64)| (wanted - 1..=*wanted).contains(wait);
    assert!(waits_s.iter().zip(&doubled).all(near), "{waits_s:?}");
    assert_eq!(world.story(id).await, ["1:parked"; 10].join(" "));

    let claimed = world.claim_one().await;
    assert!(!world.job(id).await.parked, "somebody has it now");
    assert!(world.settle(&claimed, crate::world::retry_now()).await);
    assert!(!world.job(id).await.parked, "whoever had it last knew it");
}

#[tokio::test]
async fn whoever_comes_lets_go_what_it_knows_and_whoever_goes_what_it_did_not() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for version in [1, 2, 3] {
        let mut new = probe();
        new.kind_version = version;
        ids.push(world.enqueue(new).await);
    }
    for _ in &ids {
        assert!(world.settle(&world.claim_one().await, parked()).await);
    }
    let state = async |at: usize| world.state(ids[at]).await;
    assert_eq!(unpark(&world.worker, Which::Known, &[]).await.unwrap(), 0);
    assert_eq!(unpark(&world.worker, Which::Known, &knows(1)).await.unwrap(), 1);
    assert_eq!([state(0).await, state(1).await], [State::Available, State::Scheduled]);
    assert_eq!(unpark(&world.worker, Which::Unknown, &knows(2)).await.unwrap(), 1);
    assert_eq!([state(1).await, state(2).await], [State::Scheduled, State::Available]);
    assert_eq!(unpark(&world.worker, Which::Unknown, &[]).await.unwrap(), 1, "whoever knows nothing");
    for _ in &ids {
        assert!(world.settle(&world.claim_one().await, done()).await);
    }
    for id in ids {
        assert_eq!(world.story(id).await, "1:parked 1:completed");
    }
}
