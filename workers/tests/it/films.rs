//! `video.transcode` from a film in S3 to streams in S3 and rows in Postgres.

use std::time::{Duration, Instant};

use jobs::{
    JobId, State,
    failure::Problem,
    kinds::video_transcode::{Film, VideoTranscode},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use store::{cancel, enqueue::NewJob, films, logs, media};
use testkit::eventually;

use crate::{
    journeys::{Client, serve},
    world::{GONE_WITHIN, SOON, World, film},
};

/// Longest mean time between two words about progress.
const TOLD_EVERY: Duration = Duration::from_secs(2);

async fn transcode(world: &World, bytes: Vec<u8>) -> JobId {
    let asset = world.asset(bytes).await;
    let args = VideoTranscode { asset, preset: VideoTranscode::default_preset() };
    world.enqueue(&[NewJob::of(&args).unwrap()]).await[0]
}

async fn result(world: &World, job: JobId) -> Film {
    let job = world.reaches(job, State::Completed).await;
    serde_json::from_value(job.result.unwrap().0.inline().unwrap().clone()).unwrap()
}

#[tokio::test]
async fn a_film_becomes_streams_that_name_what_is_there() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let bytes = film("640x480", 3);
    let job = transcode(&world, bytes.clone()).await;
    let made = result(&world, job).await;
    assert_eq!((made.width, made.height, made.reused), (640, 480, false));
    assert!((2_900..=3_100).contains(&made.duration_ms), "{made:?}");
    let rungs: Vec<&str> = made.rungs.iter().map(|rung| rung.name.as_str()).collect();
    assert_eq!(rungs, ["480p", "360p"]);
    for file in &made.files {
        let key = blob::Key::parse(&file.key).unwrap();
        let head = world.blobs.head(&key).await.unwrap().unwrap();
        assert_eq!(head.size, file.bytes, "{}", file.name);
        assert_eq!(head.cache_control.as_deref(), Some("public, max-age=31536000, immutable"));
        if !file.name.ends_with("m3u8") {
            continue;
        }
        // Whatever a playlist names lies beside it.
        let text = world.blobs.get(&key, 1_000_000).await.unwrap();
        let text = String::from_utf8(text.to_vec()).unwrap();
        let quoted = text.split("URI=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let plain = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        for name in quoted.chain(plain) {
            assert!(made.files.iter().any(|file| file.name == name), "{} names {name}", file.name);
        }
    }
    let rows = films::files(&world.api, world.tenant, made.asset, &made.preset).await.unwrap();
    assert_eq!(rows.len(), made.files.len());
    for kind in ["master", "first", "audio", "progressive", "poster", "storyboard", "thumbnails"] {
        assert!(rows.iter().any(|row| row.kind == kind), "{kind}");
    }
    let asset = media::asset(&world.api, world.tenant, made.asset).await.unwrap().unwrap();
    assert_eq!((asset.width, asset.height), (Some(640), Some(480)));
    let lines = logs::lines(&world.api, world.tenant, job, 0, 100).await.unwrap();
    assert!(lines.iter().any(|line| line.message.starts_with("playable at ")), "{lines:?}");

    // The same bytes, uploaded again: rows only.
    let again = result(&world, transcode(&world, bytes).await).await;
    assert!(again.reused && again.asset != made.asset);
    assert_eq!(again.files, made.files);
}

/// How many seconds each event of a job says are left, and when it came.
async fn times_left(client: &Client, job: JobId) -> Vec<(Instant, u64)> {
    let request = client.http.get(format!("{}/v1/jobs/{job}/events", client.url)).bearer_auth(&client.key);
    let (mut answer, mut text, mut told) = (request.send().await.unwrap(), String::new(), Vec::new());
    while let Some(piece) = answer.chunk().await.unwrap() {
        text.push_str(str::from_utf8(&piece).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            told.extend(seconds_left(event).map(|left| (Instant::now(), left)));
            text = rest.to_owned();
        }
    }
    told
}

fn seconds_left(event: &str) -> Option<u64> {
    event.lines().find(|line| *line == "event: progress")?;
    let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let progress: Value = serde_json::from_str(data).unwrap();
    let left = progress["message"].as_str()?.strip_prefix("making the streams, ")?.strip_suffix(" s left")?;
    let (minutes, seconds) = left.split_once(" min ").unwrap_or(("0", left));
    Some(minutes.parse::<u64>().ok()? * 60 + seconds.parse::<u64>().ok()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_says_every_second_or_two_how_long_it_will_take() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let (client, stop) = serve(&world).await;
    let job = transcode(&world, film("1280x720", 30)).await;
    let told = times_left(&client, job).await;
    let [(began, first), .., (ended, last)] = told[..] else { panic!("it hardly said anything: {told:?}") };
    let interval = (ended - began) / (told.len() as u32 - 1);
    assert!(interval <= TOLD_EVERY, "{} times in {:?}", told.len(), ended - began);
    assert!(last < first && told.len() > 3, "{told:?}");
    stop.cancel();
}

#[tokio::test]
async fn what_is_no_film_is_given_up_with_a_reason() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let job = transcode(&world, b"ffconcat version 1.0\nfile /etc/hostname\n".to_vec()).await;
    let discarded = world.reaches(job, State::Discarded).await;
    let problem: Problem = serde_json::from_value(discarded.error.unwrap().0).unwrap();
    assert_eq!(problem.code, "unsupported_format", "{problem:?}");
}

#[tokio::test]
async fn a_child_that_dies_takes_nobody_with_it() {
    let world = World::new().await;
    let worker = world.start(&[]);
    let job = transcode(&world, film("1280x720", 12)).await;
    let child = eventually("a child at work", SOON, || async { worker.children().first().copied() }).await;
    kill_process(Pid::from_raw(child).unwrap(), Signal::KILL).unwrap();
    result(&world, job).await;
    assert_eq!(world.story(job).await, "1:retried 2:completed");
    worker.ready().await;
}

#[tokio::test]
async fn a_cancelled_film_leaves_no_process_and_no_file() {
    let world = World::new().await;
    let worker = world.start(&[]);
    let job = transcode(&world, film("1280x720", 20)).await;
    let encoding = || async {
        let rungs = std::fs::read_dir(world.scratch())
            .ok()?
            .flatten()
            .any(|room| room.path().join("film/720p.mp4").exists());
        (rungs && !worker.children().is_empty()).then_some(())
    };
    eventually("the encoders to write", SOON, encoding).await;
    cancel::cancel(&world.api, world.tenant, job, &Problem::new("cancelled", "enough")).await.unwrap();
    eventually("no child and no file", GONE_WITHIN, || async {
        let files = std::fs::read_dir(world.scratch()).unwrap().count();
        (worker.children().is_empty() && files == 0).then_some(())
    })
    .await;
    world.reaches(job, State::Cancelled).await;
}
