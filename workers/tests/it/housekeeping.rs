//! What is cleaned up without anybody asking.

use blob::Key;
use jobs::{State, UploadId};
use store::{retention, retention::Rules, uploads};
use testkit::eventually;

use crate::world::{SOON, World, working};

#[tokio::test]
async fn an_upload_nobody_completed_is_removed_with_its_file() {
    let world = World::new().await;
    let (abandoned, pending) = (UploadId::new(), UploadId::new());
    let key = |upload: UploadId| Key::upload(&world.tenant.to_string(), &upload.to_string()).unwrap();
    for (id, minutes) in [(abandoned, -1), (pending, 60)] {
        world.blobs.put(&key(id), "x".into(), "image/jpeg", "no-store").await.unwrap();
        let new = uploads::NewUpload {
            id,
            filename: None,
            content_type: "image/jpeg".into(),
            bytes: 1,
            sha256: None,
            object_key: key(id).to_string(),
            multipart_id: None,
            part_bytes: None,
            expires_at: chrono::Utc::now() + chrono::Duration::minutes(minutes),
        };
        uploads::create_upload(&world.api, world.tenant, &new).await.unwrap();
    }
    let _worker = world.start(&[]);
    eventually("the row to be gone", SOON, || async {
        uploads::upload(&world.api, world.tenant, abandoned).await.unwrap().is_none().then_some(())
    })
    .await;
    assert!(world.blobs.head(&key(abandoned)).await.unwrap().is_none());
    assert!(world.blobs.head(&key(pending)).await.unwrap().is_some(), "an upload under way was removed");
}

#[tokio::test]
async fn history_that_a_tenant_does_not_want_is_let_go() {
    let world = World::new().await;
    let worker = world.start(&[]);
    let old = world.probe(working(10)).await;
    world.reaches(old, State::Completed).await;
    let backdate = "update attempt set finished_at = finished_at - interval '5 days', created_at = created_at - interval '5 days'";
    world.database.execute(backdate).await.unwrap();
    let young = world.probe(working(10)).await;
    world.reaches(young, State::Completed).await;
    worker.kill();
    let rules = Rules { days: None, kinds: [("probe.work".to_owned(), 3)].into() };
    retention::set(&world.api, world.tenant, &rules).await.unwrap();
    let _worker = world.start(&[]);
    eventually("the old history to be gone", SOON, || async {
        (world.database.number("select count(*) from attempt").await.unwrap() == 1).then_some(())
    })
    .await;
    assert_eq!(world.state(young).await, State::Completed);
}
