//! A film that was made in parts is the film that is made in one go.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use serde_json::Value;
use video::{Event, FileKind, Limits, Made, Order, Part, VideoError, join, make_part, probe, transcode};

use crate::{
    clips::{Clip, Done, LIMITS, clip, ffmpeg_says, ffprobe, number, order},
    output::check,
};

/// Makes a clip in one go into `whole`.
fn make_whole(clip: &Clip, order: &Order, limits: &Limits) -> Made {
    let folder = clip.room.path().join("whole");
    fs::create_dir(&folder).unwrap();
    let stop = AtomicBool::new(false);
    transcode(&clip.path, &folder, order, limits, &stop, &mut |_| {}).unwrap()
}

/// Makes the parts of a clip, each into a folder of its own.
fn make_parts(clip: &Clip, order: &Order, parts: &[Part], limits: &Limits) -> Vec<PathBuf> {
    let stop = AtomicBool::new(false);
    let mut folders = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let folder = clip.room.path().join(format!("part-{index}"));
        fs::create_dir(&folder).unwrap();
        let made = make_part(&clip.path, &folder, (order, *part), limits, &stop, &mut |_| {}).unwrap();
        assert!(made.files.iter().all(|name| folder.join(name).exists()), "{made:?}");
        folders.push(folder);
    }
    folders
}

fn join_into_out(clip: &Clip, folders: &[PathBuf]) -> Result<(Made, Vec<Event>), VideoError> {
    let out = clip.room.path().join("out");
    fs::create_dir(&out).unwrap();
    let (stop, mut events) = (AtomicBool::new(false), Vec::new());
    let made = join(folders, &out, &stop, &mut |event| events.push(event))?;
    Ok((made, events))
}

/// Makes a clip in one go and in parts of about `part_s` seconds, and holds the one against the other.
fn alike(clip: Clip, short_sides_px: &[u32], part_s: u32) -> (Made, Done) {
    let order = order(short_sides_px);
    let whole = make_whole(&clip, &order, &LIMITS);
    let cuts = Part::cut(&probe(&clip.path, &LIMITS).unwrap(), part_s);
    assert!(cuts.len() >= 3, "{cuts:?}");
    let folders = make_parts(&clip, &order, &cuts, &LIMITS);
    let (made, events) = join_into_out(&clip, &folders).unwrap();
    let done = Done { room: clip.room, made, events };
    assert_eq!(done.made.duration_ms, whole.duration_ms);
    assert_eq!(done.made.audio, whole.audio);
    for (joined, whole) in done.made.rungs.iter().zip(&whole.rungs) {
        assert_eq!((&joined.name, &joined.codec, joined.frames), (&whole.name, &whole.codec, whole.frames));
        let name = format!("{}.mp4", whole.name);
        let ours = times(&done.path(&name));
        let theirs = times(&done.room.path().join("whole").join(&name));
        let differs = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
        let near = differs.map(|at| (&ours[at], &theirs[at]));
        assert!(ours == theirs, "{name}: {} and {} packets, {differs:?}: {near:?}", ours.len(), theirs.len());
    }
    check(&done);
    (whole, done)
}

/// When pictures are shown, when packets are decoded, and which of them are keys. The order of pictures between keys is
/// the encoder's choice, so those are sorted.
fn times(path: &Path) -> Vec<(i64, i64, bool)> {
    let said = ffprobe(path, "-show_packets -show_entries packet=pts,dts,flags");
    let of = |packet: &Value, name: &str| number(&packet[name]) as i64;
    let packets = said["packets"].as_array().unwrap();
    let mut shown: Vec<i64> = packets.iter().map(|packet| of(packet, "pts")).collect();
    let sorted = shown.clone();
    shown.sort_unstable();
    let keys = |at: usize| packets[at]["flags"].as_str().unwrap().starts_with('K');
    let decoded: Vec<i64> = packets.iter().map(|packet| of(packet, "dts")).collect();
    assert!(decoded.is_sorted_by(|a, b| a < b), "decoding goes forward in {}", path.display());
    assert!(decoded.iter().zip(&sorted).all(|(decoded, shown)| decoded <= shown), "{}", path.display());
    let place = |at: usize| (shown[at], decoded[at], keys(at));
    (0..packets.len()).map(place).collect()
}

fn frames(path: &Path) -> u64 {
    number(&ffprobe(path, "-count_frames -select_streams v -show_streams")["streams"][0]["nb_read_frames"])
        as u64
}

#[test]
fn a_film_in_three_parts_is_the_film_in_one() {
    let film = "-f lavfi -i testsrc2=s=320x180:r=30:d=30 -f lavfi -i sine=f=440:d=30 -pix_fmt yuv420p \
        -c:v libx264 -preset veryfast -x264-params keyint=90:open-gop=1 -c:a aac";
    let (whole, done) = alike(clip("film.mp4", film), &[180, 144], 10);
    assert_eq!(done.made.degraded, None);
    assert_eq!(frames(&done.path("180p.m3u8")), 900);
    assert_eq!(frames(&done.path("film.mp4")), 900);
    let names = |made: &Made| {
        let mut names: Vec<String> = made.files.iter().map(|file| file.name.clone()).collect();
        names.retain(|name| !name.starts_with("first-"));
        names.sort();
        names
    };
    assert_eq!(names(&done.made), names(&whole));
    // The smallest can be played before the others are there.
    let playable = done.events.iter().position(|event| matches!(event, Event::Playable { .. })).unwrap();
    let ready = done.events[..playable].iter().filter_map(|event| match event {
        Event::Ready(files) => Some(files.iter().filter(|file| file.kind == FileKind::Video)),
        _ => None,
    });
    let ready: Vec<&str> = ready.flatten().map(|file| file.name.as_str()).collect();
    assert_eq!(ready, ["144p.mp4"]);
    // The sound is made of the whole, by whoever makes the last part.
    assert_eq!(
        fs::read(done.path("audio.mp4")).unwrap(),
        fs::read(done.room.path().join("whole/audio.mp4")).unwrap()
    );
    let seconds = |stream: &Value| number(&stream["start_time"]) + number(&stream["duration"]);
    let streams = ffprobe(&done.path("film.mp4"), "-show_streams");
    let apart = seconds(&streams["streams"][0]) - seconds(&streams["streams"][1]);
    assert!(apart.abs() < 0.02, "picture and sound end {apart} s apart");
}

#[test]
fn a_film_whose_pictures_come_unsteadily_and_late_is_joined_to_the_tick() {
    // Every third picture comes late, there is a pause over a border, and the clock begins at 1.4 s.
    let film = "-f lavfi -i testsrc2=s=160x90:r=25:d=24 -pix_fmt yuv420p -c:v libx264 -preset veryfast -bf 3 \
        -vf select='not(between(t,5.3,6.9))',setpts='PTS+mod(N,3)*0.013/TB' -enc_time_base 1:1000 -fps_mode vfr -output_ts_offset 1.4";
    alike(clip("film.mkv", film), &[90], 8);
}

#[test]
fn a_film_that_was_filmed_too_fast_loses_the_same_pictures() {
    let film = "-f lavfi -i testsrc2=s=128x72:r=150:d=18 -pix_fmt yuv420p -c:v libx264 -preset ultrafast";
    let (_, done) = alike(clip("film.mp4", film), &[72], 6);
    assert!(frames(&done.path("72p.mp4")) < 1_100);
}

#[test]
fn fields_become_the_same_frames() {
    let film = "-f lavfi -i testsrc2=s=128x72:r=50:d=18 -vf interlace -pix_fmt yuv420p -c:v libx264 -preset veryfast \
        -flags +ilme+ildct -r 25";
    alike(clip("film.mp4", film), &[72], 6);
}

#[test]
fn a_film_that_ends_before_its_last_part_is_joined_as_far_as_it_goes() {
    let film = "-f lavfi -i testsrc2=s=128x72:r=25:d=14 -f lavfi -i sine=d=14 -pix_fmt yuv420p -c:v libx264 -preset ultrafast -c:a aac";
    let clip = clip("film.mp4", film);
    let order = order(&[72]);
    let borders = [0, 3, 6, 9, 12];
    let until = borders[1..].iter().map(|until| Some(*until)).chain([None]);
    let parts: Vec<Part> = borders
        .iter()
        .zip(until)
        .map(|(from, until)| Part { from_group: *from, until_group: until })
        .collect();
    let folders = make_parts(&clip, &order, &parts, &LIMITS);
    let (made, events) = join_into_out(&clip, &folders).unwrap();
    assert_eq!((made.rungs[0].frames, made.duration_ms), (350, 14_000));
    check(&Done { room: clip.room, made, events });
}

#[test]
fn parts_that_do_not_meet_are_not_joined() {
    let clip = clip(
        "film.mp4",
        "-f lavfi -i testsrc2=s=64x36:r=10:d=18 -pix_fmt yuv420p -c:v libx264 -preset ultrafast",
    );
    let order = order(&[36]);
    let parts = Part::cut(&probe(&clip.path, &LIMITS).unwrap(), 6);
    let mut folders = make_parts(&clip, &order, &parts, &LIMITS);
    folders.remove(1);
    let refused = join_into_out(&clip, &folders).unwrap_err();
    assert!(!refused.is_permanent() && refused.to_string().contains("does not follow"), "{refused}");
    assert_eq!(refused.code(), VideoError::UNJOINABLE);
}

#[test]
fn a_part_is_the_same_bytes_whoever_makes_it() {
    let clip = clip(
        "film.mp4",
        "-f lavfi -i testsrc2=s=256x144:r=25:d=18 -pix_fmt yuv420p -c:v libx264 -preset ultrafast",
    );
    let part = Part { from_group: 3, until_group: Some(6) };
    let mut one = order(&[144, 72]);
    let first = make_parts(&clip, &one, &[part], &LIMITS)[0].clone();
    let other = clip.room.path().join("other");
    fs::rename(first, &other).unwrap();
    one.threads = 1;
    let again = make_parts(&clip, &one, &[part], &LIMITS)[0].clone();
    for name in ["144p.mp4", "72p.mp4", "part.json"] {
        assert!(fs::read(other.join(name)).unwrap() == fs::read(again.join(name)).unwrap(), "{name}");
    }
}

/// When the light goes on for the last time, and when the sound sets in for the last time, in seconds.
fn flash_and_tone(path: &Path) -> (f64, f64) {
    let said = ffmpeg_says(&format!(
        "-i {} -vf blackdetect=d=1:pix_th=0.3 -af silencedetect=n=-25dB:d=1 -f null -",
        path.display()
    ));
    let last = |after: &str| -> f64 {
        let found = said.split(after).skip(1).filter_map(|rest| rest.split_whitespace().next()?.parse().ok());
        // What is dark or silent at the very end of the film ends with it.
        found.filter(|at| *at < 599.0).last().unwrap_or_else(|| panic!("no {after} in {said}"))
    };
    (last("black_end:"), last("silence_end:"))
}

#[test]
fn after_ten_minutes_the_sound_is_where_its_picture_is() {
    let film = "-f lavfi -i color=black:s=96x54:r=25:d=600,drawbox=t=fill:c=white:enable=between(t\\,594\\,594.19) \
        -f lavfi -i aevalsrc=0.5*sin(2*PI*1000*t)*between(t\\,594\\,594.2):d=600:s=48000 -pix_fmt yuv420p -c:v libx264 \
        -preset ultrafast -x264-params keyint=250 -c:a aac";
    let limits = Limits { duration_s_max: 601, frames_max: 20_000, ..LIMITS };
    let (clip, order) = (clip("film.mp4", film), order(&[54]));
    let source = flash_and_tone(&clip.path);
    assert!((source.0 - 594.0).abs() < 0.01 && (source.1 - 594.0).abs() < 0.01, "{source:?}");
    let cuts = Part::cut(&probe(&clip.path, &limits).unwrap(), 240);
    assert!(cuts.len() >= 2, "{cuts:?}");
    let folders = make_parts(&clip, &order, &cuts, &limits);
    let (made, _) = join_into_out(&clip, &folders).unwrap();
    assert_eq!(made.rungs[0].frames, 15_000);
    make_whole(&clip, &order, &limits);
    for folder in ["out", "whole"] {
        let folder = clip.room.path().join(folder);
        assert_eq!(frames(&folder.join("54p.m3u8")), 15_000);
        for name in ["film.mp4", "master.m3u8"] {
            let path = folder.join(name);
            let (flash, tone) = flash_and_tone(&path);
            assert!((flash - tone).abs() < 0.02, "{}: flash at {flash} s, tone at {tone} s", path.display());
        }
    }
}
