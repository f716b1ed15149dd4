//! `media.probe`: what is in a file, and where it was taken, kept apart.

use std::process::Command;

use jobs::{AssetId, JobId, State, failure::Problem, kinds::media_probe::MediaProbe};
use serde_json::{Value, json};
use store::{enqueue::NewJob, media, probes};
use testkit::eventually;

use crate::world::{SOON, World, film, photo};

async fn probe(world: &World, asset: AssetId) -> JobId {
    world.enqueue(&[NewJob::of(&MediaProbe { asset }).unwrap()]).await[0]
}

/// A photograph as a camera writes it, by a program that is not ours.
fn taken() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.jpg");
    std::fs::write(&path, photo("LadyBird.jpg")).unwrap();
    let told = Command::new("exiftool")
        .args([
            "-n",
            "-overwrite_original",
            "-Orientation=8",
            "-Model=EOS R5",
            "-DateTimeOriginal=2026:05:01 10:20:30",
        ])
        .args(["-GPSLatitude=45.8125", "-GPSLatitudeRef=N", "-GPSLongitude=15.977", "-GPSLongitudeRef=E"])
        .arg(&path)
        .output()
        .expect("exiftool is not installed; ./dev test installs it");
    assert!(told.status.success(), "{told:?}");
    std::fs::read(path).unwrap()
}

/// What ffprobe thinks of a film.
fn ffprobe(bytes: &[u8]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film");
    std::fs::write(&path, bytes).unwrap();
    let told = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json", "-show_streams", "-show_format"])
        .arg(&path)
        .output()
        .expect("ffmpeg is not installed; ./dev test installs it");
    serde_json::from_slice(&told.stdout).unwrap()
}

#[tokio::test]
async fn an_upload_is_scanned_and_then_looked_into() {
    let world = World::scanned().await;
    let _worker = world.start(&[]);
    let upright = ::media::probe(&photo("LadyBird.jpg"), &workers::picture_child::LIMITS).unwrap();
    let (asset, _) = world.uploaded(taken()).await;
    let seen = eventually("the file to be looked into", SOON, || async {
        let seen = media::asset(&world.api, world.tenant, asset).await.unwrap().unwrap();
        seen.probe.is_some().then_some(seen)
    })
    .await;
    let side = |side: u32| Some(side as i32);
    assert_eq!((seen.width, seen.height), (side(upright.height), side(upright.width)), "8 turns it");
    let known = seen.probe.unwrap().0;
    assert_eq!((known["kind"].as_str(), known["orientation"].as_u64()), (Some("jpeg"), Some(8)));
    assert_eq!(known["shot"]["model"], "EOS R5");
    assert_eq!(known["shot"]["taken_at"], "2026-05-01T10:20:30");
    let position = probes::position(&world.api, world.tenant, asset).await.unwrap().unwrap();
    assert!((position.latitude - 45.8125).abs() < 1e-4 && (position.longitude - 15.977).abs() < 1e-4);
}

/// Neither the result, nor the row, nor what the job said has it.
#[tokio::test]
async fn where_it_was_taken_is_nowhere_else() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let asset = world.asset(taken()).await;
    world.reaches(probe(&world, asset).await, State::Completed).await;
    for table in ["asset", "attempt", "job_log"] {
        let told =
            format!("select count(*) from {table} t where t::text like '%45.8%' or t::text like '%15.97%'");
        assert_eq!(world.database.number(&told).await.unwrap(), 0, "{table}");
    }
    let kept = "select count(*) from asset_position where latitude > 45.8";
    assert_eq!(world.database.number(kept).await.unwrap(), 1);
}

#[tokio::test]
async fn a_file_that_is_no_picture_is_told_so() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let whole = photo("Garden.jpg");
    for (bytes, code) in [
        (whole[..whole.len() / 2].to_vec(), "truncated"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>".to_vec(), "unsupported_format"),
    ] {
        let job = probe(&world, world.asset(bytes).await).await;
        let discarded = world.reaches(job, State::Discarded).await;
        let problem: Problem = serde_json::from_value(discarded.error.unwrap().0).unwrap();
        assert_eq!(problem.code, code, "{problem:?}");
    }
}

#[tokio::test]
async fn a_film_is_told_from_its_bytes_too() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let bytes = film("320x180", 2);
    let theirs = ffprobe(&bytes);
    let asset = world.asset(bytes).await;
    world.reaches(probe(&world, asset).await, State::Completed).await;
    let seen = media::asset(&world.api, world.tenant, asset).await.unwrap().unwrap();
    let known = seen.probe.unwrap().0;
    let (picture, sound, moving) = (&theirs["streams"][0], &theirs["streams"][1], &known["film"]);
    assert_eq!((&known["kind"], &known["color"]), (&json!("mp4"), &picture["pix_fmt"]), "{known}");
    assert_eq!((&known["width"], &known["height"]), (&picture["width"], &picture["height"]));
    assert_eq!((&moving["codec"], &moving["sound"]["codec"]), (&picture["codec_name"], &sound["codec_name"]));
    assert_eq!((&moving["frame_rate"], &picture["avg_frame_rate"]), (&json!(25.0), &json!("25/1")));
    assert_eq!(moving["sound"]["channels"], sound["channels"]);
    assert_eq!(moving["sound"]["sample_rate"].to_string(), sound["sample_rate"].as_str().unwrap());
    let seconds: f64 = theirs["format"]["duration"].as_str().unwrap().parse().unwrap();
    let ours = moving["duration_ms"].as_f64().unwrap() / 1_000.0;
    assert!((ours - seconds).abs() < 0.002, "{ours} s and {seconds} s");
    let position = probes::position(&world.api, world.tenant, asset).await.unwrap().unwrap();
    assert_eq!((position.latitude, position.longitude), (52.5, 13.4));
    assert!(!known.to_string().contains("52.5"), "{known}");
}
