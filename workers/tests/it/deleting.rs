//! Originals that are deleted, and what becomes of their objects.

use jobs::{AssetId, JobId, State, failure::Problem, kinds::media_rendition::MediaRendition};
use store::{
    assets::{self, Deleted},
    enqueue::NewJob,
    media,
};
use testkit::eventually;

use crate::world::{SOON, World, photo};

async fn render(world: &World, asset: AssetId) -> JobId {
    let args = MediaRendition { asset, preset: MediaRendition::default_preset(), branded: false };
    world.enqueue(&[NewJob::of(&args).unwrap()]).await[0]
}

async fn objects(world: &World, folder: &str) -> usize {
    let listed = world.blobs.list(&format!("{}/{folder}/", world.tenant), 1_000).await.unwrap();
    listed.objects.len()
}

async fn delete(world: &World, asset: AssetId) {
    let deleted = assets::delete(&world.api, world.tenant, asset, false).await.unwrap();
    assert_eq!(deleted, Deleted::Done);
}

/// As if the hour were over.
async fn let_time_pass(world: &World) {
    world.database.execute("update asset_grave set due_at = now() - interval '1 s'").await.unwrap();
}

async fn no_graves(world: &World) {
    eventually("the objects to be removed", SOON, || async {
        (world.database.number("select count(*) from asset_grave").await.unwrap() == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn objects_go_with_the_last_asset_that_names_them() {
    let world = World::new().await;
    let worker = world.start(&[]);
    let [first, second] = [world.asset(photo("Aqua.jpg")).await, world.asset(photo("Aqua.jpg")).await];
    world.reaches(render(&world, first).await, State::Completed).await;
    drop(worker);
    delete(&world, first).await;
    assert!(media::renditions(&world.api, world.tenant, first).await.unwrap().is_empty());
    let_time_pass(&world).await;
    // A worker looks when it starts.
    let worker = world.start(&[]);
    no_graves(&world).await;
    assert_eq!(
        (objects(&world, "o").await, objects(&world, "r").await),
        (1, 8),
        "the second names them still"
    );
    world.reaches(render(&world, second).await, State::Completed).await;

    drop(worker);
    delete(&world, second).await;
    let worker = world.start(&[]);
    worker.ready().await;
    assert_eq!((objects(&world, "o").await, objects(&world, "r").await), (1, 8), "their hour is not over");
    drop(worker);
    let_time_pass(&world).await;
    let _worker = world.start(&[]);
    no_graves(&world).await;
    assert_eq!((objects(&world, "o").await, objects(&world, "r").await), (0, 0));
    let job = render(&world, second).await;
    let discarded = world.reaches(job, State::Discarded).await;
    let problem: Problem = serde_json::from_value(discarded.error.unwrap().0).unwrap();
    assert_eq!(problem.code, "asset_not_found");
}

/// The bytes were on their way out, and came in again.
#[tokio::test]
async fn an_upload_of_the_same_bytes_keeps_their_object() {
    let world = World::new().await;
    let first = world.asset(photo("Aqua.jpg")).await;
    delete(&world, first).await;
    let_time_pass(&world).await;
    let second = world.asset(photo("Aqua.jpg")).await;
    assert_eq!(world.database.number("select count(*) from asset_grave").await.unwrap(), 0);
    let _worker = world.start(&[]);
    world.reaches(render(&world, second).await, State::Completed).await;
}

#[tokio::test]
async fn what_is_due_goes_by_itself_unless_it_is_retained() {
    let world = World::new().await;
    let [due, retained, kept] = [
        world.asset(photo("Aqua.jpg")).await,
        world.asset(photo("Garden.jpg")).await,
        world.asset(photo("LadyBird.jpg")).await,
    ];
    let past = "update asset set delete_at = now() - interval '1 s'";
    let until = "update asset set retain_until = now() + interval '1 day'";
    for (set, asset) in [(past, due), (past, retained), (until, retained)] {
        world.database.execute(&format!("{set} where id = '{}'", asset.as_uuid())).await.unwrap();
    }
    let _worker = world.start(&[]);
    eventually("what is due to be deleted", SOON, || async {
        media::asset(&world.api, world.tenant, due).await.unwrap().is_none().then_some(())
    })
    .await;
    for asset in [retained, kept] {
        assert!(media::asset(&world.api, world.tenant, asset).await.unwrap().is_some());
    }
    assert_eq!(world.database.number("select count(*) from asset_grave").await.unwrap(), 1);
}
