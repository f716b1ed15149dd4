//! Cancelling, draining, and what a supervisor sees.

use std::time::{Duration, Instant};

use jobs::{State, failure::Problem};
use serde_json::json;
use store::cancel::{self, Cancelled};
use testkit::eventually;

use crate::{
    journeys::serve,
    world::{SOON, World, photo, working},
};

#[tokio::test]
async fn a_running_job_stops_within_two_seconds() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let mut took = Vec::new();
    for _ in 0..3 {
        let job = world.probe(working(600_000)).await;
        world.reaches(job, State::Running).await;
        let began = Instant::now();
        let problem = Problem::new("cancelled", "enough");
        let outcome = cancel::cancel(&world.api, world.tenant, job, &problem).await.unwrap();
        assert_eq!(outcome, Cancelled::Requested);
        world.reaches(job, State::Cancelled).await;
        took.push(began.elapsed());
        assert_eq!(world.story(job).await, "1:cancelled");
    }
    took.sort_unstable();
    // The middle one, because a machine may be busy.
    assert!(took[1] < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_draining_worker_finishes_what_it_can() {
    let world = World::new().await;
    let mut worker = world.start(&["--grace-s", "30"]);
    let job = world.probe(working(1_500)).await;
    world.reaches(job, State::Running).await;
    worker.terminate();
    assert_eq!(worker.exits().await, Some(0));
    assert_eq!(world.story(job).await, "1:completed");
}

#[tokio::test]
async fn what_does_not_end_in_time_is_handed_back_without_using_an_attempt() {
    let world = World::new().await;
    let mut worker = world.start(&["--grace-s", "0"]);
    let job = world.probe(working(600_000)).await;
    world.reaches(job, State::Running).await;
    worker.terminate();
    assert_eq!(worker.exits().await, Some(0));
    assert_eq!((world.state(job).await, world.job(job).await.attempt), (State::Available, 0));
    assert_eq!(world.story(job).await, "1:returned");
    assert_eq!(world.database.number("select count(*) from lease").await.unwrap(), 0);
    let _next = world.start(&[]);
    world.reaches(job, State::Running).await;
}

#[tokio::test]
async fn what_runs_apart_is_handed_back_as_well_and_a_stop_is_no_crash() {
    let world = World::new().await;
    let victim = world.start(&[]);
    let job = world.probe(working(600_000)).await;
    world.reaches(job, State::Running).await;
    victim.kill();
    for _ in 0..2 {
        let mut worker = world.start(&["--grace-s", "0"]);
        eventually("it to run apart", SOON, || async {
            let apart = "select count(*) from lease where worker like '%-default-s1'";
            (world.database.number(apart).await.unwrap() == 1).then_some(())
        })
        .await;
        worker.terminate();
        assert_eq!(worker.exits().await, Some(0));
        assert_eq!((world.state(job).await, world.job(job).await.attempt), (State::Available, 1));
    }
    assert_eq!(world.story(job).await, "1:crashed 2:returned 2:returned");
}

#[tokio::test]
async fn a_worker_listens_only_to_its_queues() {
    let world = World::new().await;
    let media = world.start(&["--queues", "media"]);
    media.ready().await;
    let job = world.probe(working(0)).await;
    // The media worker releases for everybody, and has seen the job when a ticket waits for it.
    let ring = world.ring();
    eventually("a ticket", SOON, || async {
        (ring.waiting(jobs::Queue::Default).await.unwrap() > 0).then_some(())
    })
    .await;
    assert_eq!(world.state(job).await, State::Available);
    let _default = world.start(&["--queues", "default"]);
    world.reaches(job, State::Completed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_too_long_goes_where_somebody_listens() {
    let world = World::new().await;
    let _worker = world.start(&["--queues", "media"]);
    let (client, stop) = serve(&world).await;
    let asset = world.asset(photo("Aqua.jpg")).await;
    let hop = json!({
        "kind": "media.rendition", "args": {"asset": asset}, "queue": "media_bulk", "hop": {"queue": "media", "after_s": 1},
    });
    let (status, done) = client.post("/v1/jobs", hop).await;
    assert_eq!(
        (status, &done["state"], &done["queue"]),
        (200, &json!("completed"), &json!("media")),
        "{done}"
    );
    stop.cancel();
}

#[tokio::test]
async fn a_supervisor_is_told_what_is_wrong() {
    let mut world = World::new().await;
    let worker = world.start(&[]);
    worker.ready().await;
    let health = reqwest::get(format!("{}/healthz", worker.address)).await.unwrap();
    assert!(health.status().is_success());
    let job = world.probe(working(0)).await;
    world.reaches(job, State::Completed).await;
    let metrics = reqwest::get(format!("{}/metrics", worker.address)).await.unwrap().text().await.unwrap();
    for name in [
        "job_attempts_total",
        "job_duration_seconds_bucket",
        "job_wait_seconds_bucket",
        "jobs{",
        "queue_oldest_seconds",
    ] {
        assert!(metrics.contains(name), "{name} is missing from:\n{metrics}");
    }
    world.redis.kill();
    let told = eventually("red readiness", SOON, || async {
        let answer = reqwest::get(format!("{}/readyz", worker.address)).await.unwrap();
        if answer.status() == 503 { answer.text().await.ok() } else { None }
    })
    .await;
    assert!(told.contains("Redis does not answer"), "{told}");
}
