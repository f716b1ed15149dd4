//! Bytes that lose their last name, and may get another at the same moment.

use chrono::{TimeDelta, Utc};
use jobs::{AssetId, UploadId};
use serde_json::{Value, json};
use store::{
    Db, assets,
    assets::Deleted,
    films::NewFilm,
    graves,
    media::{self, NewAsset, NewRenditions},
    settle::settle_with,
    uploads,
    verdict::{Settle, Write},
};
use testkit::eventually;

use crate::world::{LEASE, World, done, probe};

impl World {
    /// An upload of the only bytes there are in this file.
    async fn announced(&self) -> (UploadId, NewAsset) {
        let (upload, sha256) = (UploadId::new(), "0".repeat(64));
        let new = uploads::NewUpload {
            id: upload,
            filename: None,
            content_type: "image/jpeg".into(),
            bytes: 1,
            sha256: None,
            object_key: "x".into(),
            multipart_id: None,
            part_bytes: None,
            expires_at: Utc::now() + TimeDelta::hours(1),
        };
        uploads::create_upload(&self.api, self.tenant, &new).await.unwrap();
        let id = AssetId::new();
        let asset = NewAsset {
            id,
            sha256,
            bytes: 1,
            media_type: "image/jpeg",
            filename: None,
            object_key: "x".into(),
        };
        (upload, asset)
    }

    async fn asset(&self) -> AssetId {
        let (upload, asset) = self.announced().await;
        assert!(uploads::complete_upload(&self.api, self.tenant, upload, &asset, &[]).await.unwrap());
        asset.id
    }

    async fn delete(&self, asset: AssetId) {
        let deleted = assets::delete(&self.api, self.tenant, asset, false).await.unwrap();
        assert_eq!(deleted, Deleted::Done);
    }

    async fn graves(&self) -> i64 {
        self.database.number("select count(*) from asset_grave").await.unwrap()
    }

    async fn due(&self) -> Vec<graves::Name> {
        self.database.execute("update asset_grave set due_at = now() - interval '1 s'").await.unwrap();
        graves::due(&self.worker).await.unwrap()
    }
}

#[tokio::test]
async fn bytes_are_removed_when_the_last_asset_that_names_them_is_gone() {
    let world = World::new().await;
    let (first, second) = (world.asset().await, world.asset().await);
    world.delete(first).await;
    assert!(graves::due(&world.worker).await.unwrap().is_empty(), "not before their hour is over");
    let due = world.due().await;
    assert!(graves::remove(&world.worker, &due[0]).await.unwrap().is_none(), "the second names them");
    assert_eq!(world.graves().await, 0);

    world.delete(second).await;
    let due = world.due().await;
    let removal = graves::remove(&world.worker, &due[0]).await.unwrap().expect("nobody names them");
    assert!(graves::remove(&world.worker, &due[0]).await.unwrap().is_none(), "one at a time");
    // Broken off: somebody has to look again.
    drop(removal);
    let look = || async { graves::remove(&world.worker, &due[0]).await.unwrap() };
    eventually("the lock to be let go", LEASE, look).await.done().await.unwrap();
    assert_eq!(world.graves().await, 0);
}

#[tokio::test]
async fn an_upload_waits_for_whoever_removes_its_bytes() {
    let world = World::new().await;
    let asset = world.asset().await;
    world.delete(asset).await;
    let due = world.due().await;
    let removal = graves::remove(&world.worker, &due[0]).await.unwrap().unwrap();
    let (upload, new) = world.announced().await;
    let (api, tenant, again): (Db, _, _) = (world.api.clone(), world.tenant, new.id);
    let completing =
        tokio::spawn(async move { uploads::complete_upload(&api, tenant, upload, &new, &[]).await.unwrap() });
    eventually("the upload to wait", LEASE, || async {
        let waiting = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        (world.database.number(waiting).await.unwrap() == 1).then_some(())
    })
    .await;
    assert!(media::asset(&world.api, world.tenant, again).await.unwrap().is_none());
    removal.done().await.unwrap();
    assert!(completing.await.unwrap());
    assert!(media::asset(&world.api, world.tenant, again).await.unwrap().is_some());
    assert_eq!(world.graves().await, 0);
}

fn film(asset: AssetId) -> Write {
    Write::Film(Box::new(NewFilm {
        asset,
        source_sha256: "0".repeat(64),
        preset: "listing_video@1".into(),
        width: 1,
        height: 1,
        duration_ms: 1,
        rungs: json!([]),
        details: Value::Null,
        degraded: None,
        files: Vec::new(),
    }))
}

fn pictures(asset: AssetId) -> Write {
    Write::Renditions(Box::new(NewRenditions {
        asset,
        source_sha256: "0".repeat(64),
        preset: "listing@1".into(),
        width: 1,
        height: 1,
        thumbhash: Vec::new(),
        details: Value::Null,
        renditions: Vec::new(),
    }))
}

#[tokio::test]
async fn what_is_made_of_an_original_that_is_gone_by_then_goes_too() {
    let world = World::new().await;
    let makers: [fn(AssetId) -> Write; 2] = [film, pictures];
    for made in makers {
        let asset = world.asset().await;
        world.enqueue(probe()).await;
        let job = world.claim_one().await;
        world.delete(asset).await;
        // It was swept while the job was at work.
        world.database.execute("delete from asset_grave").await.unwrap();
        let settled = Settle::of(&job, done());
        assert!(settle_with(&world.worker, &settled, &[], &[made(asset)]).await.unwrap());
        assert_eq!(world.graves().await, 1);
        let due = world.due().await;
        graves::remove(&world.worker, &due[0]).await.unwrap().unwrap().done().await.unwrap();
    }
}
