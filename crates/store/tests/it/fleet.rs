//! Workers as people see them: where they are, what they run, of which versions.

use chrono::Utc;
use jobs::{Queue, UserId};
use store::{
    fleet,
    presence::{self, Presence},
    users::{self, UserRole},
};

use crate::world::{World, done, probe};

/// Somebody with a role in the whole installation.
async fn somebody(world: &World, role: UserRole) -> UserId {
    let user = UserId::new();
    world
        .owner
        .transact(None, async |tx| {
            users::add(tx, user, &format!("{user}@acme.test"), "Op", "x").await?;
            users::grant(tx, user, None, role, false).await
        })
        .await
        .unwrap();
    user
}

async fn here(world: &World, worker: &str, version: &str) -> bool {
    let listens_to = &[(Queue::Default, 8)];
    let presence =
        Presence { worker, host: "den", version, listens_to, memory_bytes: Some(4096), reaches_redis: true };
    presence::here(&world.worker, presence).await.unwrap()
}

#[tokio::test]
async fn a_worker_shows_what_it_runs_to_those_who_watch_all_of_it() {
    let world = World::new().await;
    let (watches, nobody) = (somebody(&world, UserRole::Viewer).await, UserId::new());
    for _ in 0..3 {
        world.enqueue(probe()).await;
    }
    let (first, other) = (world.claim_one().await, world.claim_one().await);
    assert!(!here(&world, "w1", "1.0+abc").await);
    let workers = fleet::workers(&world.api, watches).await.unwrap();
    assert_eq!((workers[0].name.as_str(), workers[0].running), ("w1", 2));
    assert_eq!((workers[0].host.as_deref(), workers[0].version.as_str()), (Some("den"), "1.0+abc"));
    assert_eq!((workers[0].memory_bytes, workers[0].drain_requested_at), (Some(4096), None));
    let runs = async |user, most| fleet::running(&world.api, user, "w1", most).await.unwrap();
    let found = runs(watches, 10).await;
    assert_eq!(found.iter().map(fleet::Running::job).collect::<Vec<_>>(), [first.id, other.id]);
    assert_eq!((found[0].slug.as_str(), found[0].kind.as_str(), found[0].attempt), ("acme", "probe.work", 1));
    assert_eq!(found[0].queue, "default");
    assert_eq!(runs(watches, 1).await.len(), 1);
    assert!(
        runs(nobody, 10).await.is_empty() && fleet::workers(&world.api, nobody).await.unwrap().is_empty()
    );
    assert!(world.settle(&first, done()).await);
    let left = runs(watches, 10).await;
    assert_eq!(left.iter().map(fleet::Running::job).collect::<Vec<_>>(), [other.id], "what is done is gone");
}

#[tokio::test]
async fn a_version_is_known_from_its_first_worker_on() {
    let world = World::new().await;
    let watches = somebody(&world, UserRole::Viewer).await;
    let seen = async || fleet::versions(&world.api, watches, 10).await.unwrap();
    assert!(seen().await.is_empty());
    let before = Utc::now();
    here(&world, "w1", "1.0").await;
    world.database.execute("update version_seen set last_at = now() - interval '1 hour'").await.unwrap();
    for _ in 0..2 {
        here(&world, "w2", "1.1").await;
    }
    here(&world, "w1", "1.0").await;
    let versions = seen().await;
    let names: Vec<_> = versions.iter().map(|seen| seen.version.as_str()).collect();
    assert_eq!(names, ["1.1", "1.0"], "the newest first");
    assert!(versions.iter().all(|seen| seen.first_at >= before && seen.last_at >= before), "{versions:?}");
    assert_eq!(fleet::versions(&world.api, watches, 1).await.unwrap().len(), 1);
    assert!(fleet::versions(&world.api, UserId::new(), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_worker_hears_that_it_should_end_from_those_who_operate() {
    let world = World::new().await;
    let (watches, operates) =
        (somebody(&world, UserRole::Viewer).await, somebody(&world, UserRole::Operator).await);
    assert!(!here(&world, "w1", "1").await);
    let drain = async |user, name| fleet::drain(&world.api, user, name).await.unwrap();
    assert!(!drain(watches, "w1").await && !here(&world, "w1", "1").await, "a viewer only looks");
    assert!(!drain(operates, "w2").await && drain(operates, "w1").await);
    assert!(here(&world, "w1", "1").await, "now it hears of it");
}
