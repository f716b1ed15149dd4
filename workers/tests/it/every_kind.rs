//! What every kind in the catalogue has to bear, for nothing: run twice, and die at every named point.

use clap::ValueEnum;
use jobs::{
    Job, JobId, State, for_each_kind,
    kinds::{media_probe::MediaProbe, media_rendition::MediaRendition, media_scan::MediaScan},
};
use store::enqueue::NewJob;
use workers::faults::Point;

use crate::world::{SOON, World, photo};

/// A job of `kind` that can complete in this world. A kind whose example needs nothing is here already.
async fn job_of(world: &World, kind: &str) -> NewJob {
    macro_rules! example {
        ($($each:ty),+ $(,)?) => {
            match kind {
                $(<$each as Job>::KIND => NewJob::of(&<$each as Job>::example()).unwrap(),)+
                other => panic!("no kind is called {other}"),
            }
        };
    }
    if kind == MediaRendition::KIND {
        let asset = world.asset(photo("FreshFlower.jpg")).await;
        return NewJob::of(&MediaRendition { asset, preset: MediaRendition::default_preset() }).unwrap();
    }
    if kind == MediaScan::KIND {
        let asset = world.asset(photo("FreshFlower.jpg")).await;
        return NewJob::of(&MediaScan { asset }).unwrap();
    }
    if kind == MediaProbe::KIND {
        let asset = world.asset(photo("FreshFlower.jpg")).await;
        return NewJob::of(&MediaProbe { asset }).unwrap();
    }
    for_each_kind!(example)
}

/// What the job left in the world, apart from ids and times.
async fn left_behind(world: &World, job: JobId) -> (i64, usize, serde_json::Value) {
    let rows = world.database.number("select count(*) from rendition").await.unwrap();
    let objects = world.blobs.list("", 1_000).await.unwrap().objects.len();
    let mut result = world.job(job).await.result.unwrap().0.inline().unwrap().clone();
    for rendition in result["renditions"].as_array_mut().into_iter().flatten() {
        rendition["id"] = serde_json::Value::Null;
    }
    result["reused"] = serde_json::Value::Null;
    result["attempt"] = serde_json::Value::Null;
    (rows, objects, result)
}

#[tokio::test]
async fn a_job_that_runs_twice_leaves_what_it_left_once() {
    let world = World::scanned().await;
    let _worker = world.start(&[]);
    for spec in jobs::specs() {
        let new = job_of(&world, spec.kind).await;
        let again = NewJob { id: JobId::new(), ..new.clone() };
        let first = world.enqueue(&[new]).await[0];
        world.reaches(first, State::Completed).await;
        let once = left_behind(&world, first).await;
        let second = world.enqueue(&[again]).await[0];
        world.reaches(second, State::Completed).await;
        assert_eq!(left_behind(&world, second).await, once, "{}", spec.kind);
    }
}

#[tokio::test]
async fn a_worker_that_dies_anywhere_leaves_what_it_would_have_left_alive() {
    for spec in jobs::specs() {
        let world = World::scanned().await;
        let calm = world.start(&[]);
        let job = world.enqueue(&[job_of(&world, spec.kind).await]).await[0];
        world.reaches(job, State::Completed).await;
        let expected = left_behind(&world, job).await;
        let jobs = all_ended(&world).await;
        calm.kill();

        for point in Point::ALL {
            let world = World::scanned().await;
            let name = point.to_possible_value().unwrap().get_name().to_owned();
            let doomed = world.start(&["--die-at", &name]);
            let job = world.enqueue(&[job_of(&world, spec.kind).await]).await[0];
            testkit::eventually("the worker to die, or the job to end", SOON, || async {
                let ended = world.state(job).await == State::Completed;
                (ended || doomed.is_dead()).then_some(())
            })
            .await;
            let _heir = world.start(&[]);
            world.reaches(job, State::Completed).await;
            let mut left = left_behind(&world, job).await;
            // Another world has another tenant, whose name is in the keys.
            left.2 = masked(&left.2);
            assert_eq!(left, (expected.0, expected.1, masked(&expected.2)), "{} at {name}", spec.kind);
            world.all_done(jobs, SOON).await;
        }
    }
}

/// Waits until nothing is left to do; answers how many jobs there were, with those that followed from others.
async fn all_ended(world: &World) -> i64 {
    testkit::eventually("every job to end", SOON, || async {
        let live = world.database.number("select count(*) from job").await.unwrap();
        (live == 0).then_some(())
    })
    .await;
    let ended = "select count(distinct job_id) from attempt where final_state is not null";
    world.database.number(ended).await.unwrap()
}

fn masked(result: &serde_json::Value) -> serde_json::Value {
    let mut result = result.clone();
    if result.get("asset").is_some() {
        result["asset"] = serde_json::Value::Null;
    }
    for rendition in result["renditions"].as_array_mut().into_iter().flatten() {
        let key = rendition["key"].as_str().unwrap().split_once('/').unwrap().1.to_owned();
        rendition["key"] = key.into();
    }
    result
}
