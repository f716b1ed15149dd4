//! `video.transcode` from a film in S3 to streams in S3 and rows in Postgres.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use blob::Key;
use jobs::{
    AssetId, JobId, State,
    failure::Problem,
    kinds::video_transcode::{Film, VideoTranscode},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use store::{attempts, cancel, enqueue::NewJob, films, logs, media};
use testkit::{Service, eventually};

use crate::{
    film_parts::frames,
    journeys::{Client, serve},
    media_faults::behind_a_proxy,
    world::{GONE_WITHIN, SOON, World, film, film_of},
};

/// Longest mean time between two words about progress.
const TOLD_EVERY: Duration = Duration::from_secs(2);
/// From here on most of a film is made.
const LATE_PERCENT: u8 = 60;
/// Longest time between two of them.
const TOLD_AT_LEAST_EVERY: Duration = Duration::from_secs(3);

async fn transcode(world: &World, bytes: Vec<u8>) -> JobId {
    transcode_asset(world, world.asset(bytes).await).await
}

async fn transcode_asset(world: &World, asset: AssetId) -> JobId {
    let args = VideoTranscode { asset, preset: VideoTranscode::default_preset() };
    world.enqueue(&[NewJob::of(&args).unwrap()]).await[0]
}

async fn result(world: &World, job: JobId) -> Film {
    let job = world.reaches(job, State::Completed).await;
    serde_json::from_value(job.result.unwrap().0.inline().unwrap().clone()).unwrap()
}

/// The files that a playlist names.
fn named(playlist: &str) -> impl Iterator<Item = &str> {
    let quoted = playlist.split("URI=\"").skip(1).filter_map(|rest| rest.split('"').next());
    quoted.chain(playlist.lines().filter(|line| !line.starts_with('#') && !line.is_empty()))
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
        let key = Key::parse(&file.key).unwrap();
        let head = world.blobs.head(&key).await.unwrap().unwrap();
        assert_eq!(head.size, file.bytes, "{}", file.name);
        assert_eq!(head.cache_control.as_deref(), Some("public, max-age=31536000, immutable"));
        if !file.name.ends_with("m3u8") {
            continue;
        }
        // Whatever a playlist names lies beside it.
        let text = world.blobs.get(&key, 1_000_000).await.unwrap();
        for name in named(str::from_utf8(&text).unwrap()) {
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

/// Puts `first` of the folder `place` into `folder`, with everything that it names.
async fn copy(world: &World, place: &str, first: &str, folder: &Path) {
    let mut wanted = vec![first.to_owned()];
    while let Some(name) = wanted.pop() {
        if folder.join(&name).exists() {
            continue;
        }
        let key = Key::parse(&format!("{place}/{name}")).unwrap();
        let bytes = world.blobs.get(&key, 100_000_000).await.unwrap();
        std::fs::write(folder.join(&name), &bytes).unwrap();
        if name.ends_with("m3u8") {
            wanted.extend(named(str::from_utf8(&bytes).unwrap()).map(str::to_owned));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_played_first_plays_while_the_rest_is_made() {
    let (world, proxy) = behind_a_proxy().await;
    let _worker = world.start(&[]);
    let asset = world.asset(film("1280x720", 4)).await;
    // Time to look, before all of it is there.
    proxy.set(Service { delay: Duration::from_millis(500), ..Service::default() });
    let job = transcode_asset(&world, asset).await;
    let playlist = eventually("something to play", SOON, || async {
        let lines = logs::lines(&world.api, world.tenant, job, 0, 100).await.unwrap();
        let mut told = lines.iter().filter_map(|line| line.message.strip_prefix("playable at "));
        Some(told.next()?.split_once(": ")?.1.to_owned())
    })
    .await;
    let (place, first) = playlist.rsplit_once('/').unwrap();
    let folder = tempfile::tempdir().unwrap();
    copy(&world, place, first, folder.path()).await;
    let whole = Key::parse(&format!("{place}/master.m3u8")).unwrap();
    assert_eq!(world.blobs.head(&whole).await.unwrap(), None, "the ladder is not done");
    assert_eq!(world.state(job).await, State::Running);
    assert_eq!(frames(&folder.path().join(first)), 100, "a player finds every picture");
    proxy.set(Service::default());
    assert_eq!(result(&world, job).await.rungs.len(), 3);
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
    let longest = told.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
    assert!(longest <= TOLD_AT_LEAST_EVERY, "nothing for {longest:?}");
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
async fn a_child_that_hangs_is_ended_and_the_film_is_made() {
    let world = World::new().await;
    let worker = world.start(&["--media-silence-s", "5"]);
    let job = transcode(&world, film("1280x720", 12)).await;
    let child = eventually("a child at work", SOON, || async { worker.children().first().copied() }).await;
    kill_process(Pid::from_raw(child).unwrap(), Signal::STOP).unwrap();
    eventually("the child to be gone", SOON, || async {
        (!worker.children().contains(&child)).then_some(())
    })
    .await;
    result(&world, job).await;
    assert_eq!(world.story(job).await, "1:retried 2:completed");
    let attempts = attempts::of_job(&world.api, world.tenant, job).await.unwrap();
    let problem: Problem = serde_json::from_value(attempts[0].error.clone().unwrap().0).unwrap();
    assert_eq!(problem.code, "decoder_crashed", "{problem:?}");
    worker.ready().await;
}

#[tokio::test]
async fn a_film_of_more_than_two_hours_is_refused_before_it_is_made() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let long = "-f lavfi -i color=s=64x36:r=0.1:d=7300 -pix_fmt yuv420p -c:v libx264 -preset ultrafast";
    let job = transcode(&world, film_of(long)).await;
    let discarded = world.reaches(job, State::Discarded).await;
    let problem: Problem = serde_json::from_value(discarded.error.unwrap().0).unwrap();
    assert_eq!(problem.code, "too_long", "{problem:?}");
    assert!(problem.message.contains("7200"), "it says how long it may be: {problem:?}");
}

#[tokio::test]
async fn a_film_whose_worker_dies_late_is_made_by_another() {
    let world = World::new().await;
    let doomed = world.start(&[]);
    let job = transcode(&world, film("1280x720", 12)).await;
    let late = format!(
        "select count(*) from job where id = '{}' and progress_percent >= {LATE_PERCENT}",
        job.as_uuid()
    );
    eventually("most of the film to be made", SOON, || async {
        (world.database.number(&late).await.unwrap() == 1).then_some(())
    })
    .await;
    doomed.kill();
    let _heir = world.start(&[]);
    let made = result(&world, job).await;
    assert!((11_900..=12_100).contains(&made.duration_ms) && made.rungs.len() == 3, "{made:?}");
    for file in &made.files {
        let head = world.blobs.head(&Key::parse(&file.key).unwrap()).await.unwrap();
        assert_eq!(head.map(|head| head.size), Some(file.bytes), "{}", file.name);
    }
    assert_eq!(world.story(job).await, "1:crashed 2:completed");
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
