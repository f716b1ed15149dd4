use std::collections::HashSet;

use jobs::State;
use store::{
    claim::{self, Pick},
    rescue,
    verdict::Verdict,
};

use crate::world::{LEASE, NO_LEASE, World, done, probe, trouble};

#[tokio::test]
async fn a_dead_workers_job_waits_in_quarantine_with_an_attempt_less() {
    let world = World::new().await;
    let id = world.enqueue(probe()).await;
    let dead = world.claim_for(1, NO_LEASE).await.remove(0);
    let rescued = rescue::rescue(&world.worker, rescue::From::Anyone).await.unwrap();
    assert_eq!(rescued.len(), 1);
    assert_eq!((rescued[0].job, rescued[0].outcome.as_str()), (id, "crashed"));
    assert!(
        world.claim(1).await.is_empty(),
        "a job that killed its worker was given to another with neighbours"
    );
    let again = world.claim_quarantined(Pick::Suspect).await.remove(0);
    assert_eq!((again.id, again.attempt), (id, 2));

    assert!(!world.settle(&dead, done()).await, "a dead worker's verdict was accepted");
    assert!(world.settle(&again, done()).await);
    assert_eq!(world.story(id).await, "1:crashed 2:completed");
}

#[tokio::test]
async fn a_poison_job_is_discarded_after_three_crashes() {
    let world = World::new().await;
    let mut new = probe();
    new.max_attempts = 10;
    let id = world.enqueue(new).await;
    world.claim_for(1, NO_LEASE).await;
    rescue::rescue(&world.worker, rescue::From::Anyone).await.unwrap();
    for pick in Pick::QUARANTINED {
        assert_eq!(world.claim_quarantined(pick).await.len(), 1);
        rescue::rescue(&world.worker, rescue::From::Dead("w2")).await.unwrap();
    }
    assert_eq!(world.story(id).await, "1:crashed 2:crashed 3:discarded");
    assert_eq!(world.job(id).await.error.unwrap().0["code"], "worker_lost");
}

#[tokio::test]
async fn the_last_attempt_is_not_begun_again_after_a_crash() {
    let world = World::new().await;
    let mut new = probe();
    new.max_attempts = 1;
    let id = world.enqueue(new).await;
    world.claim_for(1, NO_LEASE).await;
    rescue::rescue(&world.worker, rescue::From::Anyone).await.unwrap();
    assert_eq!(world.state(id).await, State::Discarded);
}

#[tokio::test]
async fn a_renewed_lease_is_nobody_elses() {
    let world = World::new().await;
    world.enqueue(probe()).await;
    let claimed = world.claim_for(1, NO_LEASE).await.remove(0);
    assert_eq!(claim::renew(&world.worker, &[claimed.lease], LEASE).await.unwrap(), [claimed.lease]);
    assert!(rescue::rescue(&world.worker, rescue::From::Anyone).await.unwrap().is_empty());
    assert!(world.settle(&claimed, done()).await);
}

#[tokio::test]
async fn a_lost_batch_gives_back_only_what_was_not_settled() {
    let world = World::new().await;
    let new: Vec<_> = (0..5).map(|_| probe()).collect();
    world.enqueue_all(world.tenant, &new).await;
    let batch = world.claim_for(5, NO_LEASE).await;
    let settle = |job: usize, verdict| store::verdict::Settle::of(&batch[job], verdict);
    // One is done, one went back to waiting and is running again elsewhere; three are lost.
    let verdicts = [settle(0, done()), settle(1, Verdict::Returned)];
    store::settle::settle(&world.worker, &verdicts, &[]).await.unwrap();
    let elsewhere = world.claim_one().await;
    assert_eq!(elsewhere.id, batch[1].id);

    let rescued = rescue::rescue(&world.worker, rescue::From::Anyone).await.unwrap();
    let lost: HashSet<_> = batch[2..].iter().map(|job| job.id).collect();
    assert_eq!(rescued.iter().map(|r| r.job).collect::<HashSet<_>>(), lost);
    assert!(world.settle(&elsewhere, done()).await, "a run elsewhere was disturbed");
}

#[tokio::test]
async fn a_crash_of_a_job_that_should_stop_is_its_end() {
    let world = World::new().await;
    let id = world.enqueue(probe()).await;
    world.claim_for(1, NO_LEASE).await;
    store::cancel::cancel(&world.api, world.tenant, id, &trouble()).await.unwrap();
    rescue::rescue(&world.worker, rescue::From::Anyone).await.unwrap();
    assert_eq!(world.state(id).await, State::Cancelled);
}

#[tokio::test]
async fn two_rescuers_share_the_work() {
    let world = World::new().await;
    for _ in 0..20 {
        world.enqueue(probe()).await;
        world.claim_for(1, NO_LEASE).await;
    }
    let sweep = || rescue::rescue(&world.worker, rescue::From::Anyone);
    let (a, b) = tokio::join!(sweep(), sweep());
    let all: Vec<_> = a.unwrap().into_iter().chain(b.unwrap()).map(|rescued| rescued.job).collect();
    assert_eq!((all.len(), all.iter().collect::<HashSet<_>>().len()), (20, 20));
}
