//! What a handler returns is what becomes of the job.

use jobs::{
    State,
    kinds::probe_work::{Ending, ProbeWork},
};

use crate::world::World;

async fn story_of(endings: Vec<Ending>) -> String {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let job = world.probe(ProbeWork { endings, ..ProbeWork::default() }).await;
    let ended = testkit::eventually("the job to end", crate::world::SOON, || async {
        let job = world.job(job).await;
        job.state().unwrap().is_final().then_some(job)
    })
    .await;
    format!("{} -> {}", world.story(job).await, ended.state().unwrap())
}

#[tokio::test]
async fn attempts_are_counted_exactly_through_every_kind_of_failure() {
    use Ending::{Panic, Retry, Snooze};
    let story = story_of(vec![Retry, Panic]).await;
    assert_eq!(story, "1:retried 2:retried 3:completed -> completed");
    // A snoozed attempt runs again under its number, so the list says the same once more.
    let world = World::new().await;
    let _worker = world.start(&[]);
    let job = world.probe(ProbeWork { endings: vec![Retry, Retry, Retry], ..ProbeWork::default() }).await;
    world.reaches(job, State::Discarded).await;
    assert_eq!(world.story(job).await, "1:retried 2:retried 3:discarded");
    let job = world.probe(ProbeWork { endings: vec![Snooze(3_600)], ..ProbeWork::default() }).await;
    let snoozed = world.reaches(job, State::Scheduled).await;
    assert_eq!(snoozed.attempt, 0);
}

#[tokio::test]
async fn a_discard_and_a_cancel_are_final_at_once() {
    assert_eq!(story_of(vec![Ending::Discard]).await, "1:discarded -> discarded");
    assert_eq!(story_of(vec![Ending::Cancel]).await, "1:cancelled -> cancelled");
}

#[tokio::test]
async fn retry_after_is_respected() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let job = world.probe(ProbeWork { endings: vec![Ending::RetryAfter(600)], ..ProbeWork::default() }).await;
    let waiting = world.reaches(job, State::Retryable).await;
    let wait = (waiting.scheduled_at - chrono::Utc::now()).num_seconds();
    assert!((560..=600).contains(&wait), "{wait} s");
}

#[tokio::test]
async fn follow_ups_run_after_the_job_that_asked_for_them() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    world.probe(ProbeWork { follow_ups: 100, ..ProbeWork::default() }).await;
    testkit::eventually("the follow-ups", crate::world::SOON, || async {
        (world.database.number("select count(*) from attempt").await.unwrap() == 101).then_some(())
    })
    .await;
    world.all_done(101, crate::world::SOON).await;
}

#[tokio::test]
async fn a_scheduled_job_runs_when_it_is_due() {
    let world = World::new().await;
    let worker = world.start(&[]);
    worker.ready().await;
    let mut new = store::enqueue::NewJob::of(&ProbeWork::default()).unwrap();
    new.scheduled_at = chrono::Utc::now() + chrono::Duration::milliseconds(1_500);
    let due = new.scheduled_at;
    let job = world.enqueue(&[new]).await[0];
    assert_eq!(world.state(job).await, State::Scheduled);
    let ran = world.reaches(job, State::Completed).await.attempted_at.unwrap();
    assert!(ran >= due, "it ran before its time");
    assert!((ran - due).num_milliseconds() < 1_000, "it ran {} late", ran - due);
}

#[tokio::test]
async fn progress_and_lines_are_stored_while_a_job_runs() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let job = world.probe(crate::world::working(3_000)).await;
    testkit::eventually("progress", crate::world::SOON, || async {
        world.job(job).await.progress_percent.filter(|percent| (1..100).contains(percent))
    })
    .await;
    world.reaches(job, State::Completed).await;
    let lines = testkit::eventually("ten lines", crate::world::SOON, || async {
        let lines = store::logs::lines(&world.api, world.tenant, job, 0, 100).await.unwrap();
        (lines.len() == 10).then_some(lines)
    })
    .await;
    assert_eq!(lines[9].message, "did step 10");
}

#[tokio::test]
async fn an_unknown_kind_waits_for_a_worker_that_knows_it() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let mut new = store::enqueue::NewJob::of(&ProbeWork::default()).unwrap();
    new.kind = "kind.of_tomorrow";
    let job = world.enqueue(&[new]).await[0];
    // Being parked uses up no attempt, however often it happens.
    testkit::eventually("the job to be parked twice", crate::world::SOON, || async {
        world.story(job).await.starts_with("1:parked 1:parked").then_some(())
    })
    .await;
}
