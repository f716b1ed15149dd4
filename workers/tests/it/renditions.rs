//! `media.rendition` from a file in S3 to pictures in S3 and rows in Postgres.

use std::process::Command;

use jobs::{
    JobId, State,
    failure::Problem,
    kinds::{
        delivery_publish::DeliveryPublish,
        media_rendition::{MediaRendition, Renditions},
    },
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use store::{cancel, enqueue::NewJob, media};
use testkit::eventually;

use crate::{
    deliveries::deliver,
    journeys::serve,
    world::{GONE_WITHIN, SOON, World, photo},
};

const LIMITS: ::media::Limits = workers::picture_child::LIMITS;

async fn render(world: &World, bytes: Vec<u8>) -> JobId {
    let asset = world.asset(bytes).await;
    let args = MediaRendition { asset, preset: MediaRendition::default_preset(), branded: false };
    world.enqueue(&[NewJob::of(&args).unwrap()]).await[0]
}

async fn result(world: &World, job: JobId) -> Renditions {
    let job = world.reaches(job, State::Completed).await;
    serde_json::from_value(job.result.unwrap().0.inline().unwrap().clone()).unwrap()
}

/// `photo` with its orientation set, by a program that is not ours.
fn turned(name: &str, orientation: u8) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.jpg");
    std::fs::write(&path, photo(name)).unwrap();
    let told = Command::new("exiftool")
        .args([
            "-n",
            &format!("-Orientation={orientation}"),
            "-GPSLatitude=45.8",
            "-Copyright=Ana",
            "-overwrite_original",
        ])
        .arg(&path)
        .output()
        .expect("exiftool is not installed; ./dev test installs it");
    assert!(told.status.success(), "{told:?}");
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn a_photo_becomes_a_ladder_that_opens_upright() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let upright = ::media::probe(&photo("LadyBird.jpg"), &LIMITS).unwrap();
    let job = render(&world, turned("LadyBird.jpg", 6)).await;
    let made = result(&world, job).await;
    assert_eq!((made.width, made.height), (upright.height, upright.width), "orientation 6 turns the picture");
    assert_eq!(made.renditions.len(), 8);
    let rows = media::renditions(&world.api, world.tenant, made.asset).await.unwrap();
    assert_eq!(rows.len(), 8);
    for made in &made.renditions {
        let key = blob::Key::parse(&made.key).unwrap();
        let head = world.blobs.head(&key).await.unwrap().unwrap();
        assert_eq!(head.cache_control.as_deref(), Some("public, max-age=31536000, immutable"));
        let bytes = world.blobs.get(&key, 10_000_000).await.unwrap();
        assert_eq!(bytes.len() as u64, made.bytes);
        let opened = ::media::probe(&bytes, &LIMITS).unwrap();
        assert_eq!((opened.width, opened.height, opened.orientation), (made.width, made.height, 1));
        assert_eq!(opened.copyright.as_deref(), Some("Ana"));
        assert!(!bytes.windows(3).any(|window| window == b"GPS"));
    }
    let asset = media::asset(&world.api, world.tenant, made.asset).await.unwrap().unwrap();
    assert_eq!((asset.width, asset.height), (Some(made.width as i32), Some(made.height as i32)));
    assert!((5..=40).contains(&asset.thumbhash.unwrap().len()));
}

#[tokio::test]
async fn the_same_photo_is_never_made_twice() {
    let world = World::new().await;
    let worker = world.start(&["--queues", "media", "--concurrency", "media=2"]);
    worker.ready().await;
    // At the same time, for two assets: they agree.
    let pair = [render(&world, photo("Aqua.jpg")).await, render(&world, photo("Aqua.jpg")).await];
    let (first, second) = (result(&world, pair[0]).await, result(&world, pair[1]).await);
    let keys =
        |made: &Renditions| made.renditions.iter().map(|r| (r.key.clone(), r.bytes)).collect::<Vec<_>>();
    assert_eq!(keys(&first), keys(&second));
    assert_ne!(first.asset, second.asset);
    // And once more, later.
    let third = result(&world, render(&world, photo("Aqua.jpg")).await).await;
    assert!(third.reused);
    assert_eq!(keys(&third), keys(&first));
    assert_eq!(media::renditions(&world.api, world.tenant, third.asset).await.unwrap().len(), 8);
}

#[tokio::test]
async fn bad_files_are_discarded_with_a_reason_and_the_worker_lives() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let whole = photo("Garden.jpg");
    let half = whole[..whole.len() / 2].to_vec();
    let mut bomb = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bomb.extend([0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 8, 2, 0, 0, 0]);
    bomb.extend([0x2e, 0x1f, 0x0e, 0x5a]);
    for (bytes, codes) in [
        (half, &["truncated"][..]),
        (bomb, &["too_many_pixels", "corrupt"]),
        (b"<html><body>not a photo</body></html>".to_vec(), &["unsupported_format"]),
        (vec![0xff, 0xd8, 0xff], &["truncated", "corrupt", "unsupported_format"]),
    ] {
        let job = render(&world, bytes).await;
        let discarded = world.reaches(job, State::Discarded).await;
        let problem: Problem = serde_json::from_value(discarded.error.unwrap().0).unwrap();
        assert!(codes.contains(&problem.code.as_str()), "{problem:?}");
        assert!(problem.message.len() > 15, "a photographer would not understand {problem:?}");
        assert_eq!(discarded.attempt, 1, "trying again was pointless");
    }
    result(&world, render(&world, whole).await).await;
}

/// As if all pictures of `world` had been made before their preset changed: named after a version of their own, and with
/// `bytes` in place of what this version makes.
async fn age(world: &World, made: &Renditions, bytes: &[u8]) {
    for picture in &made.renditions {
        let old = blob::Key::parse(&picture.key.replace("/listing=1/", "/listing=0/")).unwrap();
        world.blobs.put(&old, bytes.to_vec().into(), "image/jpeg", "no-store").await.unwrap();
        world.blobs.delete(&blob::Key::parse(&picture.key).unwrap()).await.unwrap();
    }
    let renamed = "replace(object_key, '/listing=1/', '/listing=0/')";
    let rows = format!(
        "update rendition set preset = 'listing@0', object_key = {renamed} where preset = 'listing@1'"
    );
    world.database.execute(&rows).await.unwrap();
    let shown = "update delivery set manifest = replace(manifest::text, '/listing=1/', '/listing=0/')::jsonb";
    world.database.execute(shown).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preset_that_changes_leaves_what_is_served_alone() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let (client, stop) = serve(&world).await;
    let asset = world.asset(photo("Aqua.jpg")).await;
    let args = MediaRendition { asset, preset: MediaRendition::default_preset(), branded: false };
    let first = result(&world, world.enqueue(&[NewJob::of(&args).unwrap()]).await[0]).await;
    let files = json!([{"asset": asset, "name": "Pool.jpg"}]);
    let delivery = deliver(&client, &json!({"title": "x", "files": files, "archives": ["mls"]})).await;
    let link = format!("{}/files/1/mls", delivery["link"].as_str().unwrap());
    let served = async || {
        client.http.get(&link).send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap()
    };
    let old = photo("TwoWings.jpg");
    age(&world, &first, &old).await;
    assert_eq!(served().await, old);

    let second = result(&world, world.enqueue(&[NewJob::of(&args).unwrap()]).await[0]).await;
    assert!(!second.reused, "another version is made of the photograph, not of its old pictures");
    assert_eq!(served().await, old, "whoever has the link sees what was published");
    let rows = media::renditions(&world.api, world.tenant, asset).await.unwrap();
    let of = |preset: &str| rows.iter().filter(|row| row.preset == preset).count();
    assert_eq!((of("listing@0"), of("listing@1")), (first.renditions.len(), first.renditions.len()));

    let delivery = delivery["id"].as_str().unwrap().parse().unwrap();
    let publish = DeliveryPublish { delivery, archives: Vec::new() };
    world.enqueue(&[NewJob::of(&publish).unwrap()]).await;
    let new = second.renditions.iter().find(|made| made.rung == "mls_2048").unwrap();
    eventually("the new version to be served", SOON, || async {
        (served().await.len() as u64 == new.bytes).then_some(())
    })
    .await;
    stop.cancel();
}

fn large_photo() -> Vec<u8> {
    std::fs::read("/usr/share/backgrounds/mate/abstract/Elephants_5640x3172.jpg").unwrap()
}

#[tokio::test]
async fn a_decoder_that_dies_takes_nobody_with_it() {
    let world = World::new().await;
    let worker = world.start(&[]);
    let job = render(&world, large_photo()).await;
    let child = eventually("a decoder at work", SOON, || async { worker.children().first().copied() }).await;
    kill_process(Pid::from_raw(child).unwrap(), Signal::KILL).unwrap();
    result(&world, job).await;
    assert_eq!(world.story(job).await, "1:retried 2:completed");
    let attempts = store::attempts::of_job(&world.api, world.tenant, job).await.unwrap();
    assert_eq!(attempts[0].error.as_ref().unwrap().0["code"], "decoder_crashed");
    worker.ready().await;
}

#[tokio::test]
async fn a_decoder_cannot_take_more_memory_than_it_was_given() {
    let world = World::new().await;
    let worker = world.start(&["--media-memory-mib", "384"]);
    let asset = world.asset(enormous_photo()).await;
    let mut new =
        NewJob::of(&MediaRendition { asset, preset: MediaRendition::default_preset(), branded: false })
            .unwrap();
    new.max_attempts = 1;
    let job = world.enqueue(&[new]).await[0];
    let discarded = world.reaches(job, State::Discarded).await;
    let problem: Problem = serde_json::from_value(discarded.error.unwrap().0).unwrap();
    assert!(["decoder_crashed", "out_of_budget", "corrupt"].contains(&problem.code.as_str()), "{problem:?}");
    worker.ready().await;
    result(&world, render(&world, photo("FreshFlower.jpg")).await).await;
}

/// A PNG of 144 megapixels in a few hundred kilobytes: 430 MB when it is decoded.
fn enormous_photo() -> Vec<u8> {
    const SIDE_PX: u32 = 12_000;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDE_PX, SIDE_PX);
    encoder.set_color(png::ColorType::Rgb);
    let mut header = encoder.write_header().unwrap();
    let mut writer = header.stream_writer().unwrap();
    let row = vec![127; SIDE_PX as usize * 3];
    for _ in 0..SIDE_PX {
        std::io::Write::write_all(&mut writer, &row).unwrap();
    }
    writer.finish().unwrap();
    header.finish().unwrap();
    bytes
}

#[tokio::test]
async fn a_cancelled_render_leaves_no_process_and_no_file() {
    let world = World::new().await;
    let worker = world.start(&[]);
    let job = render(&world, large_photo()).await;
    eventually("a decoder at work", SOON, || async { worker.children().first().copied() }).await;
    cancel::cancel(&world.api, world.tenant, job, &Problem::new("cancelled", "enough")).await.unwrap();
    eventually("no child and no file", GONE_WITHIN, || async {
        let files = std::fs::read_dir(world.scratch()).unwrap().count();
        (worker.children().is_empty() && files == 0).then_some(())
    })
    .await;
    world.reaches(job, State::Cancelled).await;
}

#[tokio::test]
async fn two_workers_that_make_the_same_pictures_leave_them_once() {
    let world = World::new().await;
    let (_one, _other) = (world.start(&[]), world.start(&[]));
    let bytes = photo("FreshFlower.jpg");
    let assets = [world.asset(bytes.clone()).await, world.asset(bytes).await];
    let jobs = assets.map(|asset| {
        let preset = MediaRendition::default_preset();
        NewJob::of(&MediaRendition { asset, preset, branded: false }).unwrap()
    });
    let jobs = world.enqueue(&jobs).await;
    let (one, other) = (result(&world, jobs[0]).await, result(&world, jobs[1]).await);
    let keys = |made: &Renditions| -> Vec<String> {
        made.renditions.iter().map(|picture| picture.key.clone()).collect()
    };
    assert_eq!(keys(&one), keys(&other), "what is made is named by what it is made of");
    for asset in assets {
        let rows = media::renditions(&world.api, world.tenant, asset).await.unwrap();
        assert_eq!(rows.len(), one.renditions.len(), "each asset has its own rows, once");
    }
}
