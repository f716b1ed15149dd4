//! What holds for everything that is ever made.

use std::fs;

use hls_m3u8::{MasterPlaylist, MediaPlaylist, tags::VariantStream};
use video::{FileKind, RungMade};

use crate::clips::{Done, ffprobe, ffprobe_quietly, number};

/// 13.4° east and 52.5° north as boxes have it, in 65,536ths: where films here were made, and what nothing made of them says.
pub(crate) const PLACE: [u8; 8] = [0x00, 0x0d, 0x66, 0x66, 0x00, 0x34, 0x80, 0x00];
/// A frame rate may be rounded so far.
const RATE_SLACK: f64 = 0.01;
/// Lengths in the report and in lists are whole milliseconds.
const MS: f64 = 0.001;

/// A segment of a playlist: where its bytes lie, and how long they play.
struct Segment {
    start: usize,
    end: usize,
    seconds: f64,
}

/// What a playlist holds.
struct Listed {
    segments: Vec<Segment>,
    target_s: f64,
}

impl Listed {
    fn of(done: &Done, name: &str) -> Self {
        let text = done.text(name);
        let playlist =
            MediaPlaylist::try_from(text.as_str()).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
        let segment = |segment: &hls_m3u8::MediaSegment<'_>| {
            let range = segment.byte_range.as_ref().expect("a byte range");
            Segment {
                start: range.start().expect("a place"),
                end: range.end(),
                seconds: segment.duration.duration().as_secs_f64(),
            }
        };
        let segments = playlist.segments.values().map(segment).collect();
        Self { segments, target_s: playlist.target_duration.as_secs_f64() }
    }

    fn seconds(&self) -> f64 {
        self.segments.iter().map(|segment| segment.seconds).sum()
    }

    /// Bits a second: over the whole, and the most of any run that lasts half to one and a half targets (RFC 8216, 4.1).
    fn rates(&self) -> (f64, f64) {
        let rate = |run: &[Segment]| {
            let bytes: usize = run.iter().map(|segment| segment.end - segment.start).sum();
            let seconds: f64 = run.iter().map(|segment| segment.seconds).sum();
            (bytes as f64 * 8.0 / seconds, seconds / self.target_s)
        };
        let all = &self.segments;
        let mean = rate(all).0;
        let runs = (0..all.len()).flat_map(|from| (from + 1..=all.len()).map(move |to| &all[from..to]));
        let peaks = runs.map(rate).filter(|(_, targets)| (0.5..=1.5).contains(targets));
        (mean, peaks.map(|(peak, _)| peak).fold(mean, f64::max))
    }
}

/// Holds all files of `done` against the report, the protocol, and one another.
pub(crate) fn check(done: &Done) {
    for file in &done.made.files {
        let bytes = fs::read(done.path(&file.name)).unwrap_or_else(|_| panic!("{} is there", file.name));
        assert_eq!(bytes.len() as u64, file.bytes, "{}", file.name);
        assert!(!contains(&bytes, &PLACE), "{} says where it was made", file.name);
    }
    let beat = longest_picture(done);
    let mut lengths: Option<Vec<f64>> = None;
    for rung in &done.made.rungs {
        assert_eq!(rung.frames, done.made.rungs[0].frames, "every rung has all pictures");
        let listed = check_rung(done, &rung.name);
        let sum = listed.seconds();
        assert!((sum - done.seconds()).abs() <= beat + MS, "{}: {sum} s of {}", rung.name, done.seconds());
        let seconds: Vec<f64> = listed.segments.iter().map(|segment| segment.seconds).collect();
        assert_eq!(
            lengths.get_or_insert_with(|| seconds.clone()),
            &seconds,
            "rungs are cut at the same pictures"
        );
    }
    if done.made.audio.is_some() {
        let sum = Listed::of(done, "audio.m3u8").seconds();
        assert!((sum - done.seconds()).abs() < 0.02, "sound of {sum} s for {} s", done.seconds());
    }
    check_master(done, "master.m3u8", &done.made.rungs.iter().collect::<Vec<_>>());
    // A film whose parts were joined was announced nowhere before it was whole.
    for first in done.made.files.iter().filter(|file| file.kind == FileKind::First) {
        let rung = first.name.strip_prefix("first-").and_then(|name| name.strip_suffix(".m3u8"));
        let rung = done.made.rungs.iter().find(|made| Some(made.name.as_str()) == rung);
        check_master(done, &first.name, &[rung.expect("it is named for its rung")]);
    }
    check_film(done, beat);
    check_pictures(done, beat);
}

pub(crate) fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// When each picture of a rung is shown.
fn times(done: &Done, rung: &str) -> Vec<f64> {
    let said = ffprobe(&done.path(&format!("{rung}.mp4")), "-show_packets -show_entries packet=pts_time");
    let packets = said["packets"].as_array().unwrap();
    let mut times: Vec<f64> = packets.iter().map(|packet| number(&packet["pts_time"])).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// How long a picture is shown: all of them the same, or where a film is unsteady the one that is shown longest.
fn longest_picture(done: &Done) -> f64 {
    let times = times(done, &done.made.rungs[0].name);
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    if longest > 0.0 { longest } else { done.seconds() }
}

/// What a list of streams says of each rung is what the files are.
fn check_master(done: &Done, name: &str, rungs: &[&RungMade]) {
    let text = done.text(name);
    let master = MasterPlaylist::try_from(text.as_str()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(master.variant_streams.len(), rungs.len() * 2, "{text}");
    let sound = done.made.audio.is_some().then(|| Listed::of(done, "audio.m3u8").rates());
    for rung in rungs {
        let streams = master.variant_streams.iter().filter(|stream| match stream {
            VariantStream::ExtXStreamInf { uri, .. } => *uri == format!("{}.m3u8", rung.name),
            VariantStream::ExtXIFrame { uri, .. } => *uri == format!("{}.keyframes.m3u8", rung.name),
        });
        let streams: Vec<_> = streams.collect();
        assert_eq!(streams.len(), 2, "{}: {text}", rung.name);
        for stream in streams {
            check_variant(done, rung, stream, sound);
        }
    }
}

fn check_variant(done: &Done, rung: &RungMade, stream: &VariantStream<'_>, sound: Option<(f64, f64)>) {
    let said = ffprobe(&done.path(&format!("{}.mp4", rung.name)), "-show_streams");
    let video = &said["streams"][0];
    assert_eq!(video["profile"], "High", "{video}");
    // RFC 6381: the profile, 100, its limits, none, and the level.
    let avc = format!("avc1.6400{:02x}", number(&video["level"]) as u8);
    let resolution = stream.resolution().expect("a resolution");
    let sides = (number(&video["width"]) as usize, number(&video["height"]) as usize);
    assert_eq!((resolution.width(), resolution.height()), sides, "{}", rung.name);
    let codecs = stream.codecs().expect("codecs").to_string();
    let (list, sound) = match stream {
        VariantStream::ExtXStreamInf { frame_rate, .. } => {
            check_frame_rate(&times(done, &rung.name), f64::from(frame_rate.expect("a frame rate").as_f32()));
            (format!("{}.m3u8", rung.name), sound)
        }
        VariantStream::ExtXIFrame { .. } => (format!("{}.keyframes.m3u8", rung.name), None),
    };
    let codecs_of_files = if sound.is_some() { format!("{avc},mp4a.40.2") } else { avc };
    assert_eq!(codecs.trim_matches('"'), codecs_of_files, "{}", rung.name);
    let (mean, peak) = Listed::of(done, &list).rates();
    let (more_mean, more_peak) = sound.unwrap_or_default();
    for (said, measured) in [
        (stream.bandwidth(), peak + more_peak),
        (stream.average_bandwidth().expect("a mean"), mean + more_mean),
    ] {
        // Rounded up, once for each stream; lengths are written as few digits.
        assert!((said as f64 - measured).abs() <= 2.0 + measured * 1e-5, "{list}: {said} for {measured} b/s");
    }
}

/// Between what the pictures come to on the whole and where they follow each other fastest: for a steady film that is one.
fn check_frame_rate(times: &[f64], said: f64) {
    let [first, .., last] = times else { return };
    let mean = (times.len() - 1) as f64 / (last - first);
    let fastest = times.windows(2).map(|pair| 1.0 / (pair[1] - pair[0])).fold(0.0, f64::max);
    let possible = mean * (1.0 - RATE_SLACK)..=fastest * (1.0 + RATE_SLACK);
    assert!(possible.contains(&said), "{said} pictures a second, {possible:?}");
}

/// Every segment plays by itself, and every entry for scrubbing is one whole picture.
fn check_rung(done: &Done, name: &str) -> Listed {
    let bytes = fs::read(done.path(&format!("{name}.mp4"))).unwrap();
    let listed = Listed::of(done, &format!("{name}.m3u8"));
    let init = listed.segments.first().expect("a segment").start;
    let piece = done.room.path().join("piece.mp4");
    let mut last = init;
    for segment in &listed.segments {
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
    for key in Listed::of(done, &format!("{name}.keyframes.m3u8")).segments {
        fs::write(&piece, [&bytes[..init], &bytes[key.start..key.end]].concat()).unwrap();
        let first = ffprobe_quietly(&piece, "-show_frames -read_intervals %+#1");
        assert_eq!(first["frames"][0]["pict_type"], "I", "{name}: an entry for scrubbing is a picture");
    }
    listed
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
            (start + duration - done.seconds()).abs() <= slack + MS,
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

fn check_pictures(done: &Done, beat: f64) {
    for kind in [FileKind::Poster, FileKind::Storyboard] {
        let file = done.made.files.iter().find(|file| file.kind == kind).expect("a picture");
        let said = ffprobe(&done.path(&file.name), "-show_streams");
        let stream = &said["streams"][0];
        let size = (number(&stream["width"]) as u32, number(&stream["height"]) as u32);
        assert_eq!((Some(size.0), Some(size.1)), (file.width, file.height));
        if kind == FileKind::Storyboard {
            check_storyboard(done, size, beat);
        }
    }
}

/// One moment after another from the beginning to the end, each at a place of its own in the picture of `size`.
fn check_storyboard(done: &Done, size: (u32, u32), beat: f64) {
    let list = done.text("storyboard.vtt");
    let cues = list.strip_prefix("WEBVTT\n\n").expect("a list for WebVTT");
    let (mut at, mut places) = (0.0, Vec::new());
    for cue in cues.trim_end().split("\n\n") {
        let (when, what) = cue.split_once('\n').expect("a time and a place");
        let (from, until) = when.split_once(" --> ").expect("from and until");
        let (from, until) = (clock(from), clock(until));
        assert!((from - at).abs() < MS / 2.0 && until > from, "{at}: {cue}");
        at = until;
        let place = what.strip_prefix("storyboard.jpg#xywh=").expect("a place in the picture");
        let place: Vec<u32> = place.split(',').map(|side| side.parse().unwrap()).collect();
        let [x, y, width, height] = place[..] else { panic!("{cue}") };
        assert!(width > 0 && height > 0 && x + width <= size.0 && y + height <= size.1, "{cue} of {size:?}");
        assert!(!places.contains(&place), "{cue} shows what another shows");
        places.push(place);
    }
    assert!((at - done.seconds()).abs() <= beat + MS, "until {at} s of {}", done.seconds());
}

/// Seconds, as WebVTT writes them.
fn clock(text: &str) -> f64 {
    text.split(':').fold(0.0, |seconds, part| seconds * 60.0 + part.parse::<f64>().expect("a number"))
}
