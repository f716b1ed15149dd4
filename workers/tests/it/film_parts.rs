//! Long films: made in parts by several workers, and one film in the end.

use std::{path::Path, process::Command};

use blob::Key;
use jobs::{
    JobId, Priority, State,
    failure::Problem,
    kinds::video_transcode::{Film, VideoTranscode},
};
use serde_json::Value;
use store::{cancel, enqueue::NewJob, logs};
use testkit::eventually;

use crate::world::{GONE_WITHIN, SOON, Worker, World, film};

/// A worker that makes films of more than 20 s in parts of about 12 s, one thing at a time.
fn start(world: &World) -> Worker {
    world.start(&["--video-whole-s-max", "20", "--video-part-s", "12", "--concurrency", "media_bulk=1"])
}

async fn transcode(world: &World, size: &str, seconds: u32) -> JobId {
    let asset = world.asset(film(size, seconds)).await;
    let args = VideoTranscode { asset, preset: VideoTranscode::default_preset() };
    let urgent = NewJob { priority: Priority::URGENT, ..NewJob::of(&args).unwrap() };
    world.enqueue(&[urgent]).await[0]
}

async fn number(world: &World, sql: &str) -> i64 {
    world.database.number(sql).await.unwrap()
}

const PARTS_ENDED: &str =
    "select count(*) from attempt where kind = 'video.chunk' and final_state = 'completed'";
const PARTS_LEFT: &str = "select count(*) from job where kind = 'video.chunk'";
const NONE_IS_MADE_AND_SOME_OF_IT: &str = "select count(*) from job
    where kind = 'video.transcode' and progress_message like '0 of 4 parts are made, % left' and progress_percent > 5";
const TIME_IS_TOLD: &str = "select count(*) from job
    where kind = 'video.transcode' and progress_message like '_ of 4 parts are made, % s left'";

/// Nothing of the parts is left, in S3 or in rows.
async fn nothing_is_left(world: &World) {
    // Looks at once when it starts.
    let _sweeper = start(world);
    eventually("the parts to be removed", SOON, || async {
        let objects = world.blobs.list("", 1_000).await.unwrap().objects;
        let parts = objects.iter().any(|object| object.key.as_str().contains("/f/"));
        let rows = number(world, "select count(*) from film_parts").await;
        (!parts && rows == 0).then_some(())
    })
    .await;
}

/// Pictures of the file that plays while it loads.
async fn frames_of(world: &World, made: &Film) -> u64 {
    let file = made.files.iter().find(|file| file.kind == "progressive").unwrap();
    let bytes = world.blobs.get(&Key::parse(&file.key).unwrap(), 100_000_000).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    std::fs::write(&path, bytes).unwrap();
    frames(&path)
}

/// Pictures of a film or a playlist, counted by decoding it.
pub(crate) fn frames(path: &Path) -> u64 {
    let told = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v", "-of", "json"])
        .args(["-show_entries", "stream=nb_read_frames"])
        .arg(path)
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    told["streams"][0]["nb_read_frames"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_long_film_is_made_in_parts_and_is_one_film() {
    let world = World::new().await;
    let _worker = start(&world);
    let _other = start(&world);
    let job = transcode(&world, "64x36", 50).await;
    let done = world.reaches(job, State::Completed).await;
    let made: Film = serde_json::from_value(done.result.unwrap().0.inline().unwrap().clone()).unwrap();
    assert_eq!((made.duration_ms, made.reused, made.degraded.as_deref()), (50_000, false, None));
    assert_eq!(frames_of(&world, &made).await, 1_250);
    for file in &made.files {
        let head = world.blobs.head(&Key::parse(&file.key).unwrap()).await.unwrap().unwrap();
        assert_eq!(head.size, file.bytes, "{}", file.name);
    }
    for kind in ["master", "first", "audio", "progressive", "poster", "storyboard", "thumbnails"] {
        assert!(made.files.iter().any(|file| file.kind == kind), "{kind}");
    }
    assert_eq!(number(&world, PARTS_ENDED).await, 4);
    let as_urgent = "select count(*) from attempt where kind = 'video.chunk' and priority = 1";
    assert_eq!(number(&world, as_urgent).await, 4, "parts are as urgent as their film");
    let told = logs::lines(&world.api, world.tenant, job, 0, 100).await.unwrap();
    assert!(told.iter().any(|line| line.message.starts_with("making 4 parts")), "{told:?}");
    assert!(world.story(job).await.ends_with("completed"));
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn a_killed_worker_costs_one_part() {
    let world = World::new().await;
    let doomed = start(&world);
    let job = transcode(&world, "640x480", 50).await;
    eventually("a part at work, and to hear how long the others take", SOON, || async {
        let told = number(&world, TIME_IS_TOLD).await;
        (told == 1 && !doomed.children().is_empty()).then_some(())
    })
    .await;
    let _heir = start(&world);
    doomed.kill();
    world.reaches(job, State::Completed).await;
    assert_eq!(number(&world, PARTS_ENDED).await, 4);
    let again = "select count(*) from attempt where kind = 'video.chunk' and outcome <> 'completed'";
    assert!(number(&world, again).await <= 1, "more than one part was begun again");
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn a_cancelled_film_takes_its_parts_with_it() {
    let world = World::new().await;
    let workers = [start(&world), start(&world)];
    let job = transcode(&world, "1280x720", 50).await;
    eventually("each worker at a part, and their film to hear how far they are", SOON, || async {
        let hears = number(&world, NONE_IS_MADE_AND_SOME_OF_IT).await == 1;
        (hears && workers.iter().all(|worker| !worker.children().is_empty())).then_some(())
    })
    .await;
    assert_eq!(world.state(job).await, State::Scheduled);
    cancel::cancel(&world.api, world.tenant, job, &Problem::new("cancelled", "enough")).await.unwrap();
    eventually("no part, no child and no file", GONE_WITHIN, || async {
        let files = std::fs::read_dir(world.scratch()).unwrap().count();
        let is_idle = workers.iter().all(|worker| worker.children().is_empty());
        (is_idle && files == 0 && number(&world, PARTS_LEFT).await == 0).then_some(())
    })
    .await;
    world.reaches(job, State::Cancelled).await;
    assert!(number(&world, PARTS_ENDED).await < 4);
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn a_part_that_cannot_be_made_ends_its_film_with_its_reason() {
    let world = World::new().await;
    let worker = start(&world);
    let job = transcode(&world, "1280x720", 50).await;
    eventually("a part at work", SOON, || async {
        let waits = world.state(job).await == State::Scheduled;
        (waits && !worker.children().is_empty()).then_some(())
    })
    .await;
    // The scanner has another look, with other signatures.
    world.database.execute("update asset set state = 'infected'").await.unwrap();
    let discarded = world.reaches(job, State::Discarded).await;
    let problem: Problem = serde_json::from_value(discarded.error.unwrap().0).unwrap();
    assert_eq!(problem.code, "asset_held", "{problem:?}");
    eventually("no part", SOON, || async { (number(&world, PARTS_LEFT).await == 0).then_some(()) }).await;
    nothing_is_left(&world).await;
}
