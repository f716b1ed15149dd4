use futures::future::join_all;
use jobs::State;
use store::{
    cancel::{self, Cancelled},
    settle,
    verdict::Settle,
};

use crate::world::{World, done, probe, retry_now, trouble};

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_and_never_runs() {
    let world = World::new().await;
    let id = world.enqueue(probe()).await;
    let trouble = trouble();
    assert_eq!(cancel::cancel(&world.api, world.tenant, id, &trouble).await.unwrap(), Cancelled::AtOnce);
    assert!(world.claim(1).await.is_empty());
    assert_eq!(world.state(id).await, State::Cancelled);
    assert_eq!(
        cancel::cancel(&world.api, world.tenant, id, &trouble).await.unwrap(),
        Cancelled::TooLate(State::Cancelled)
    );
    assert_eq!(world.story(id).await, "0:cancelled");
}

#[tokio::test]
async fn a_running_job_is_asked_to_stop() {
    let world = World::new().await;
    let id = world.enqueue(probe()).await;
    let claimed = world.claim_one().await;
    assert_eq!(cancel::cancel(&world.api, world.tenant, id, &trouble()).await.unwrap(), Cancelled::Requested);
    assert_eq!(cancel::requested(&world.worker, &[(world.tenant, id)]).await.unwrap(), [id]);
    assert_eq!(cancel::finish_requested(&world.worker).await.unwrap(), 0, "a running job was pulled away");
    // Its handler failed before it heard: then it must not run again.
    assert!(world.settle(&claimed, retry_now()).await);
    assert_eq!(cancel::finish_requested(&world.worker).await.unwrap(), 1);
    assert_eq!(world.state(id).await, State::Cancelled);
}

#[tokio::test]
async fn somebody_elses_job_is_not_found() {
    let world = World::new().await;
    let id = world.enqueue(probe()).await;
    let other = world.tenant("other").await;
    assert_eq!(cancel::cancel(&world.api, other, id, &trouble()).await.unwrap(), Cancelled::NotFound);
    assert!(store::reads::get(&world.api, other, id).await.unwrap().is_none());
    assert_eq!(world.state(id).await, State::Available);
}

#[tokio::test]
async fn cancelling_and_claiming_at_once_has_one_outcome() {
    let world = World::new().await;
    let new: Vec<_> = (0..40).map(|_| probe()).collect();
    world.enqueue_all(world.tenant, &new).await;
    let problem = trouble();
    let cancels = join_all(new.iter().map(|job| cancel::cancel(&world.api, world.tenant, job.id, &problem)));
    let claims = async {
        let mut claimed = Vec::new();
        for _ in 0..20 {
            claimed.extend(world.claim(2).await);
        }
        claimed
    };
    let (cancels, claimed) = tokio::join!(cancels, claims);
    let at_once = cancels.iter().filter(|c| matches!(c, Ok(Cancelled::AtOnce))).count();
    assert_eq!(at_once + claimed.len(), 40, "a job was both cancelled and claimed, or neither");
    let batch: Vec<_> = claimed.iter().map(|job| Settle::of(job, done())).collect();
    assert_eq!(settle::settle(&world.worker, &batch, &[]).await.unwrap().len(), batch.len());
}
