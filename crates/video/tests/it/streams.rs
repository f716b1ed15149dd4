//! The ordinary film: a ladder, sound, a poster, a storyboard.

use std::{fs, sync::atomic::AtomicBool};

use video::{Event, FileKind, Span};

use crate::{
    clips::{LIMITS, clip, ffprobe, number, order},
    output::{PLACE, check, contains},
};

const FILM: &str = "-f lavfi -i testsrc2=s=640x360:r=30:d=7 -f lavfi -i sine=f=440:d=7 -pix_fmt yuv420p \
    -c:v libx264 -preset ultrafast -c:a aac -metadata location=+52.5+013.4/ -metadata:s:v:0 handler_name=mine";

#[test]
fn an_ordinary_film_becomes_a_ladder_with_sound() {
    let clip = clip("film.mp4", FILM);
    assert!(contains(&fs::read(&clip.path).unwrap(), &PLACE), "the film says where it was made");
    let done = clip.run(&[360, 240, 144]);
    check(&done);
    let names: Vec<&str> = done.made.rungs.iter().map(|rung| rung.name.as_str()).collect();
    assert_eq!((names, done.made.rungs[0].frames), (vec!["360p", "240p", "144p"], 210));
    assert_eq!(done.made.degraded, None);
    for kind in
        [FileKind::Master, FileKind::First, FileKind::Audio, FileKind::Progressive, FileKind::Thumbnails]
    {
        assert!(done.has(kind), "{kind:?}");
    }
}

#[test]
fn another_player_finds_every_stream_and_every_picture() {
    let done = clip("film.mp4", FILM).run(&[360, 144]);
    let first = done.made.files.iter().find(|file| file.kind == FileKind::First).unwrap();
    for playlist in ["master.m3u8", &first.name] {
        let said = ffprobe(&done.path(playlist), "-show_streams -show_format");
        let kinds =
            said["streams"].as_array().unwrap().iter().map(|stream| stream["codec_type"].as_str().unwrap());
        let kinds: Vec<&str> = kinds.collect();
        assert!(kinds.contains(&"audio") && kinds.contains(&"video"), "{playlist}: {kinds:?}");
        assert!((number(&said["format"]["duration"]) - 7.0).abs() < 0.04, "{said}");
    }
    let said = ffprobe(&done.path("360p.m3u8"), "-count_frames -show_streams");
    assert_eq!(number(&said["streams"][0]["nb_read_frames"]) as u64, 210);
}

#[test]
fn key_frames_come_every_two_seconds_at_the_same_pictures_in_every_rung() {
    let done = clip("film.mp4", FILM).run(&[360, 144]);
    for name in ["360p.mp4", "144p.mp4"] {
        let said = ffprobe(&done.path(name), "-show_packets -show_entries packet=pts_time,flags");
        let packets = said["packets"].as_array().unwrap();
        let keys = packets.iter().filter(|packet| packet["flags"].as_str().unwrap().starts_with('K'));
        let keys: Vec<f64> = keys.map(|packet| number(&packet["pts_time"])).collect();
        let off = |(nth, at): (usize, &f64)| (at - 2.0 * nth as f64).abs();
        assert!(keys.len() == 4 && keys.iter().enumerate().all(|key| off(key) < 0.001), "{name}: {keys:?}");
    }
}

#[test]
fn what_can_be_played_is_announced_before_the_end() {
    let done = clip("film.mp4", FILM).run(&[360, 144]);
    let at = |wanted: fn(&Event) -> bool| done.events.iter().position(wanted).expect("it is said");
    let playable = at(|event| matches!(event, Event::Playable { .. }));
    let whole = at(
        |event| matches!(event, Event::Ready(files) if files.iter().any(|file| file.kind == FileKind::Master)),
    );
    assert!(playable < whole);
    let percents: Vec<u8> = done
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Progress { percent, .. } => Some(*percent),
            _ => None,
        })
        .collect();
    assert!(percents.is_sorted() && percents.last().is_some_and(|last| *last < 100), "{percents:?}");
    let mut ready: Vec<&str> = Vec::new();
    for event in &done.events {
        if let Event::Ready(files) = event {
            ready.extend(files.iter().map(|file| file.name.as_str()));
        }
    }
    let all: Vec<&str> = done.made.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(ready, all);
}

#[test]
fn the_same_film_gives_the_same_bytes() {
    let film = "-f lavfi -i testsrc2=s=960x540:r=25:d=2 -f lavfi -i sine=d=2 -pix_fmt yuv420p -c:v libx264 -preset ultrafast -c:a aac";
    let clip = clip("film.mp4", film);
    let mut runs = Vec::new();
    for run in ["a", "b"] {
        let folder = clip.room.path().join(run);
        fs::create_dir(&folder).unwrap();
        let stop = AtomicBool::new(false);
        let made =
            video::transcode(&clip.path, &folder, &order(&[540, 360]), &LIMITS, &stop, &mut |_| {}).unwrap();
        let mut files: Vec<(String, Vec<u8>)> = made
            .files
            .iter()
            .map(|file| (file.name.clone(), fs::read(folder.join(&file.name)).unwrap()))
            .collect();
        // Which rung is first is the scheduler's choice.
        files.retain(|(name, _)| !name.starts_with("first-"));
        files.sort();
        runs.push(files);
    }
    for (a, b) in runs[0].iter().zip(&runs[1]) {
        let differs = a.1.iter().zip(&b.1).position(|(a, b)| a != b);
        assert!(a == b, "{} has {} bytes and {}, and differs at {differs:?}", a.0, a.1.len(), b.1.len());
    }
}

#[test]
fn a_part_of_a_film_is_as_long_as_was_asked() {
    for (start_s, end_s, frames) in [(2.5, 5.0, 75), (0.0, 1.0, 30), (6.0, 100.0, 30)] {
        let mut part = order(&[144]);
        part.span = Some(Span { start_s, end_s });
        let done = clip("film.mp4", FILM).run_order(&part).unwrap();
        check(&done);
        assert_eq!((done.made.rungs[0].frames, done.made.duration_ms), (frames, frames * 1_000 / 30));
    }
}
