//! Recordings of every kind that phones, cameras and editors make.

use std::path::Path;

use video::{Transfer, Turn};

use crate::{
    clips::{clip, ffmpeg, ffprobe, number},
    output::check,
};

const X264: &str = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast";

#[test]
fn a_turned_recording_stands_upright() {
    let lying = clip("lying.mp4", &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=2 {X264}"));
    let path = lying.room.path().join("turned.mp4");
    // Older programs write the matrix when a stream is copied with this tag.
    ffmpeg(&format!("-i {} -c copy -metadata:s:v:0 rotate=90", lying.path.display()), &path);
    let done = crate::clips::Clip { path, ..lying }.run(&[180]);
    assert_ne!(done.made.probe.turn, Turn::Upright);
    assert_eq!((done.made.probe.width, done.made.probe.height), (180, 320));
    assert_eq!((done.made.rungs[0].width, done.made.rungs[0].height), (180, 320));
    check(&done);
}

#[test]
fn an_unsteady_recording_keeps_its_times() {
    // Every third picture of a half is left out: 25 and about 17 a second by turns.
    let film = format!(
        "-f lavfi -i testsrc2=s=320x180:r=25:d=6 -vf select='not(mod(n\\,3))+lt(t\\,3)' -vsync vfr {X264}"
    );
    let done = clip("unsteady.mp4", &film.replace('\'', "")).run(&[180, 90]);
    check(&done);
    assert!(done.made.rungs[0].frames < 120, "{}", done.made.rungs[0].frames);
    assert!((5_900..=6_100).contains(&done.made.duration_ms), "{}", done.made.duration_ms);
}

#[test]
fn odd_sides_become_even_and_pixels_square() {
    let done = clip("odd.mkv", "-f lavfi -i testsrc2=s=321x181:r=25:d=1 -pix_fmt yuv444p -c:v libx264")
        .run(&[720, 90]);
    check(&done);
    assert_eq!((done.made.rungs[0].width, done.made.rungs[0].height), (320, 180));
    let film = format!("-f lavfi -i testsrc2=s=360x288:r=25:d=1 -vf setsar=16/11 {X264}");
    let done = clip("wide.mp4", &film).run(&[288]);
    check(&done);
    assert_eq!((done.made.rungs[0].width, done.made.rungs[0].height), (524, 288));
}

#[test]
fn a_film_without_sound_has_no_sound_group() {
    let done = clip("silent.mp4", &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=3 {X264}")).run(&[144]);
    check(&done);
    assert!(done.made.audio.is_none() && !done.text("master.m3u8").contains("AUDIO"));
}

#[test]
fn a_track_of_time_codes_is_passed_over() {
    let film = format!(
        "-f lavfi -i testsrc2=s=160x90:r=25:d=3 -f lavfi -i sine=d=3 {X264} -c:a aac -timecode 09:59:59:20"
    );
    let clip = clip("timed.mov", &film);
    let has_codes = |path: &Path| format!("{}", ffprobe(path, "-show_streams")).contains("tmcd");
    assert!(has_codes(&clip.path));
    let done = clip.run(&[90]);
    check(&done);
    assert_eq!(done.made.rungs[0].frames, 75);
    assert!(!has_codes(&done.path("film.mp4")));
}

#[test]
fn a_single_picture_is_a_film_too() {
    let done =
        clip("one.mp4", &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=1 -frames:v 1 {X264}")).run(&[144]);
    check(&done);
    assert_eq!(done.made.rungs[0].frames, 1);
}

#[test]
fn a_film_of_2160_lines_gets_every_rung() {
    let film = format!("-f lavfi -i testsrc2=s=3840x2160:r=25:d=0.2 {X264}");
    let done = clip("large.mp4", &film).run(&[2160, 1440, 1080, 720, 480, 360]);
    check(&done);
    let sizes: Vec<_> = done.made.rungs.iter().map(|rung| (rung.width, rung.height)).collect();
    let all = [(3840, 2160), (2560, 1440), (1920, 1080), (1280, 720), (854, 480), (640, 360)];
    assert_eq!(sizes, all);
    let played = ffprobe(&done.path("film.mp4"), "-show_streams");
    assert_eq!(number(&played["streams"][0]["height"]) as u32, 1080, "ordinary players take no more");
}

#[test]
fn fields_become_frames() {
    let film = "-f lavfi -i testsrc2=s=320x240:r=50:d=2 -vf interlace -pix_fmt yuv420p -c:v mpeg2video -flags +ildct+ilme -b:v 2M";
    let done = clip("fields.mpg", film).run(&[240]);
    check(&done);
    assert!(done.made.probe.interlaced, "{:?}", done.made.probe);
    assert!((49..=51).contains(&done.made.rungs[0].frames), "{}", done.made.rungs[0].frames);
}

#[test]
fn ten_bits_become_eight() {
    let film = "-f lavfi -i testsrc2=s=320x180:r=25:d=1 -pix_fmt yuv420p10le -c:v libx265 -x265-params log-level=none";
    let done = clip("ten.mp4", film).run(&[180]);
    check(&done);
    assert_eq!(done.made.probe.transfer, Transfer::Sdr);
}

#[test]
fn bright_films_are_mapped_to_ordinary_screens() {
    for (name, transfer) in [("smpte2084", Transfer::Pq), ("arib-std-b67", Transfer::Hlg)] {
        let film = format!(
            "-f lavfi -i testsrc2=s=160x90:r=25:d=0.4 -pix_fmt yuv420p10le -c:v libx265 \
             -x265-params log-level=none:colorprim=bt2020:transfer={name}:colormatrix=bt2020nc"
        );
        let done = clip("bright.mp4", &film).run(&[90]);
        check(&done);
        assert_eq!(done.made.probe.transfer, transfer);
        let said = ffprobe(&done.path("film.mp4"), "-show_streams");
        assert_eq!(said["streams"][0]["color_transfer"], "bt709");
    }
}

#[test]
fn old_boxes_and_codecs_are_read() {
    let source = "-f lavfi -i testsrc2=s=176x144:r=25:d=1 -f lavfi -i sine=d=1";
    for (name, codecs) in [
        ("a.avi", "-c:v mpeg4 -c:a libmp3lame"),
        ("a.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus"),
        ("a.mov", "-c:v mjpeg -pix_fmt yuvj420p -c:a pcm_s16le"),
        ("a.ts", "-c:v libx264 -preset ultrafast -c:a ac3"),
    ] {
        let done = clip(name, &format!("{source} {codecs}")).run(&[144]);
        check(&done);
        assert!(done.made.audio.is_some(), "{name}");
        let frames = done.made.rungs[0].frames;
        assert!((24..=26).contains(&frames), "{name}: {frames}");
    }
}

#[test]
fn what_was_filmed_too_fast_is_slowed_and_lasts_as_long() {
    let done = clip("fast.mp4", &format!("-f lavfi -i testsrc2=s=160x90:r=120:d=1 {X264}")).run(&[90]);
    check(&done);
    assert!((59..=61).contains(&done.made.rungs[0].frames), "{}", done.made.rungs[0].frames);
    let said = ffprobe(&done.path("film.mp4"), "-show_format");
    assert!((number(&said["format"]["duration"]) - 1.0).abs() < 0.03);
}
