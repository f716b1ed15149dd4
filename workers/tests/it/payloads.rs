//! Arguments and results that are too large for a row, through real workers.

use blob::Key;
use chrono::TimeDelta;
use jobs::{JobId, State, kinds::probe_work::ProbeWork};
use payloads::Of;
use store::{
    enqueue::NewJob,
    payload::{Field, Object, Payload},
};
use workers::maintenance::payloads::collect;

use crate::world::World;

pub(crate) fn object(payload: &Payload) -> Object {
    let object = if let Payload::Object(object) = payload { Some(object.clone()) } else { None };
    object.expect("it is in the row")
}

/// A probe with large arguments that leaves a large result, as the intake would take it.
async fn large(world: &World) -> JobId {
    let probe = ProbeWork { ballast: "b".repeat(500_000), result_bytes: 5_000_000, ..ProbeWork::default() };
    let new = NewJob::of(&probe).unwrap();
    let of = Of { tenant: world.tenant, job: new.id, field: Field::Args };
    let value = new.args.inline().unwrap().clone();
    let args = payloads::stow(&world.api, &world.blobs, of, value).await.unwrap();
    object(&args);
    world.enqueue(&[NewJob { args, ..new }]).await[0]
}

async fn names(world: &World) -> Vec<String> {
    let listed = world.blobs.list(&format!("{}/p/", world.tenant), 1_000).await.unwrap();
    listed.objects.into_iter().map(|object| object.key.to_string()).collect()
}

#[tokio::test]
async fn large_arguments_reach_the_handler_and_a_large_result_comes_back() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let id = large(&world).await;
    let job = world.reaches(id, State::Completed).await;
    let of = Of { tenant: world.tenant, job: id, field: Field::Result };
    let result = job.result.unwrap().0;
    assert!(object(&result).bytes > 5_000_000);
    let result = payloads::fetch(&world.api, &world.blobs, of, result).await.unwrap();
    assert_eq!(result["padding"].as_str().map(str::len), Some(5_000_000));

    let too_large = world.probe(ProbeWork { result_bytes: 9_000_000, ..ProbeWork::default() }).await;
    let error = world.reaches(too_large, State::Discarded).await.error.unwrap().0;
    assert_eq!(error["code"], "result_too_large");
    assert!(error["message"].as_str().unwrap().contains("at most 8388608"), "{error}");
}

#[tokio::test]
async fn a_worker_that_dies_after_its_result_was_written_leaves_an_object_to_be_collected() {
    let world = World::new().await;
    let id = large(&world).await;
    let mut doomed = world.start(&["--die-at", "after-put"]);
    assert_eq!(doomed.exits().await, None, "it was to die");
    let _worker = world.start(&[]);
    let job = world.reaches(id, State::Completed).await;
    // The second attempt says that it is the second, so its result is another object.
    let kept = [object(&job.args.0).key, object(&job.result.unwrap().0).key];
    assert_eq!(names(&world).await.len(), 3);

    // And one of a submission that never got in.
    let never = JobId::new();
    let of = Of { tenant: world.tenant, job: never, field: Field::Args };
    let value = serde_json::json!({"ballast": "n".repeat(100_000)});
    payloads::stow(&world.api, &world.blobs, of, value).await.unwrap();

    let db = world.database.db(store::Role::Worker).unwrap();
    let collected = async |age: TimeDelta| {
        let mut after = None;
        collect(&db, &world.blobs, world.tenant, age, &mut after).await.unwrap()
    };
    assert_eq!(collected(TimeDelta::hours(1)).await, 0, "what is young may yet be named");
    assert_eq!(collected(TimeDelta::hours(-1)).await, 2);
    assert_eq!(names(&world).await.len(), 2);
    for key in kept {
        assert!(world.blobs.head(&Key::parse(&key).unwrap()).await.unwrap().is_some(), "{key} is named");
    }
}

#[tokio::test]
async fn arguments_that_are_gone_end_the_job_with_the_reason() {
    let world = World::new().await;
    let id = large(&world).await;
    payloads::remove(&world.blobs, &object(&world.job(id).await.args.0)).await.unwrap();
    let _worker = world.start(&[]);
    let job = world.reaches(id, State::Discarded).await;
    assert_eq!((job.attempt, &job.error.unwrap().0["code"]), (3, &serde_json::json!("args_lost")));
}
