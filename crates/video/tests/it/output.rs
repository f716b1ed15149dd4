//! What holds for everything that is ever made.

use std::fs;

use hls_m3u8::{MasterPlaylist, MediaPlaylist};
use video::FileKind;

use crate::clips::{Done, ffprobe, ffprobe_quietly, number};

/// A segment of a playlist: where its bytes lie, and how long they play.
struct Segment {
    start: usize,
    end: usize,
    seconds: f64,
}

fn segments(done: &Done, name: &str) -> Vec<Segment> {
    let text = done.text(name);
    let playlist =
        MediaPlaylist::try_from(text.as_str()).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
    playlist
        .segments
        .values()
        .map(|segment| {
            let range = segment.byte_range.as_ref().expect("a byte range");
            Segment {
                start: range.start().expect("a place"),
                end: range.end(),
                seconds: segment.duration.duration().as_secs_f64(),
            }
        })
        .collect()
}

/// Holds all files of `done` against the report, the protocol, and one another.
pub(crate) fn check(done: &Done) {
    for file in &done.made.files {
        let bytes =
            fs::metadata(done.path(&file.name)).unwrap_or_else(|_| panic!("{} is there", file.name)).len();
        assert_eq!(bytes, file.bytes, "{}", file.name);
    }
    let text = done.text("master.m3u8");
    let master = MasterPlaylist::try_from(text.as_str()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(master.variant_streams.len(), done.made.rungs.len() * 2, "{text}");
    let beat = 1.5 * done.seconds() / done.made.rungs[0].frames as f64;
    let mut lengths: Option<Vec<f64>> = None;
    for rung in &done.made.rungs {
        assert_eq!(rung.frames, done.made.rungs[0].frames, "every rung has all pictures");
        let segments = check_rung(done, &rung.name);
        let seconds: Vec<f64> = segments.iter().map(|segment| segment.seconds).collect();
        let longest = seconds.iter().copied().fold(0.0, f64::max);
        for segment in segments.iter().filter(|segment| segment.seconds >= longest / 2.0) {
            let measured = (segment.end - segment.start) as f64 * 8.0 / segment.seconds;
            assert!(measured <= rung.bandwidth as f64 * 1.001, "{}: {measured} b/s", rung.name);
        }
        let sum: f64 = seconds.iter().sum();
        assert!((sum - done.seconds()).abs() <= beat, "{}: {sum} s of {}", rung.name, done.seconds());
        assert_eq!(
            lengths.get_or_insert_with(|| seconds.clone()),
            &seconds,
            "rungs are cut at the same pictures"
        );
    }
    if done.made.audio.is_some() {
        let sum: f64 = segments(done, "audio.m3u8").iter().map(|segment| segment.seconds).sum();
        assert!((sum - done.seconds()).abs() < 0.02, "sound of {sum} s for {} s", done.seconds());
    }
    check_film(done, beat);
    check_pictures(done);
}

/// Every segment plays by itself, and every entry for scrubbing is one whole picture.
fn check_rung(done: &Done, name: &str) -> Vec<Segment> {
    let bytes = fs::read(done.path(&format!("{name}.mp4"))).unwrap();
    let segments = segments(done, &format!("{name}.m3u8"));
    let init = segments.first().expect("a segment").start;
    let piece = done.room.path().join("piece.mp4");
    let mut last = init;
    for segment in &segments {
        assert_eq!(segment.start, last, "{name}: no byte is left out");
        last = segment.end;
        fs::write(&piece, [&bytes[..init], &bytes[segment.start..segment.end]].concat()).unwrap();
        let packets = ffprobe(&piece, "-show_packets -read_intervals %+#1");
        assert!(
            packets["packets"][0]["flags"].as_str().unwrap().starts_with('K'),
            "{name} begins with a key frame"
        );
        // Nothing in it leans on what comes before: by itself it shows every picture that it has.
        let stream = &ffprobe_quietly(&piece, "-count_frames -count_packets -show_streams")["streams"][0];
        assert_eq!(stream["nb_read_frames"], stream["nb_read_packets"], "{name}: groups are closed");
    }
    assert!(last <= bytes.len());
    for key in self::segments(done, &format!("{name}.keyframes.m3u8")) {
        fs::write(&piece, [&bytes[..init], &bytes[key.start..key.end]].concat()).unwrap();
        let first = ffprobe_quietly(&piece, "-show_frames -read_intervals %+#1");
        assert_eq!(first["frames"][0]["pict_type"], "I", "{name}: an entry for scrubbing is a picture");
    }
    segments
}

/// The progressive file begins with its description, keeps nothing private, and both streams end together.
fn check_film(done: &Done, beat: f64) {
    let path = done.path("film.mp4");
    let bytes = fs::read(&path).unwrap();
    let at = |name: &[u8; 4]| bytes.windows(4).position(|four| four == name).expect("a box");
    assert!(at(b"moov") < at(b"mdat"), "the description comes first");
    let said = ffprobe(&path, "-show_streams -show_format -count_packets");
    let streams = said["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 1 + usize::from(done.made.audio.is_some()));
    for stream in streams {
        let (start, duration) = (number(&stream["start_time"]), number(&stream["duration"]));
        assert!(start.abs() < 0.005, "{stream}");
        let slack = if stream["codec_type"] == "audio" { 0.02 } else { beat };
        assert!(
            (start + duration - done.seconds()).abs() <= slack,
            "{start} + {duration} of {} s: {stream}",
            done.seconds()
        );
        assert!(stream["side_data_list"].is_null() || stream["codec_type"] == "audio", "{stream}");
    }
    assert_eq!(number(&streams[0]["nb_read_packets"]) as u64, done.made.rungs[0].frames);
    assert_eq!(
        (streams[0]["pix_fmt"].as_str(), streams[0]["profile"].as_str()),
        (Some("yuv420p"), Some("High"))
    );
    assert_eq!(streams[0]["color_space"], "bt709");
    let tags = said["format"]["tags"].to_string().to_lowercase();
    assert!(!tags.contains("location") && !tags.contains("creation") && !tags.contains("xyz"), "{tags}");
}

fn check_pictures(done: &Done) {
    for kind in [FileKind::Poster, FileKind::Storyboard] {
        let file = done.made.files.iter().find(|file| file.kind == kind).expect("a picture");
        let said = ffprobe(&done.path(&file.name), "-show_streams");
        let stream = &said["streams"][0];
        let size = (number(&stream["width"]) as u32, number(&stream["height"]) as u32);
        assert_eq!((Some(size.0), Some(size.1)), (file.width, file.height));
    }
    let list = done.text("storyboard.vtt");
    assert!(list.starts_with("WEBVTT\n\n00:00:00.000 --> "), "{list}");
}
