//! Files that are no films, or mean harm, or are broken.

use std::fs;

use tempfile::TempDir;
use video::{Limits, VideoError, probe};

use crate::{
    clips::{Clip, LIMITS, clip, ffmpeg},
    output::check,
};

fn file(name: &str, content: &[u8]) -> Clip {
    let room = TempDir::new().unwrap();
    let path = room.path().join(name);
    fs::write(&path, content).unwrap();
    Clip { room, path }
}

const FILM: &str = "-f lavfi -i testsrc2=s=320x180:r=25:d=4 -f lavfi -i sine=d=4 -pix_fmt yuv420p \
    -c:v libx264 -preset ultrafast -g 25 -c:a aac";

#[test]
fn what_is_no_film_is_refused_in_words() {
    for content in [&b""[..], b"hello", b"<html><body>not a film</body></html>", &[0; 4_096]] {
        let refused = file("film.mp4", content).refused();
        assert_eq!(refused.code(), "unsupported_format", "{refused}");
        assert!(refused.is_permanent());
    }
}

#[test]
fn files_that_name_other_files_are_not_followed() {
    let film = clip("film.mp4", FILM);
    let name = film.path.display();
    for (attack, content) in [
        ("list.ffconcat", format!("ffconcat version 1.0\nfile '{name}'\n")),
        ("list.mp4", "ffconcat version 1.0\nfile film.mp4\n".into()),
        (
            "play.m3u8",
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile://{name}\n#EXT-X-ENDLIST\n"),
        ),
        (
            "play.mp4",
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n".into(),
        ),
        (
            "film.sdp",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n".into(),
        ),
        (
            "film.mpd",
            "<?xml version=\"1.0\"?><MPD type=\"static\"><Period><BaseURL>film.mp4</BaseURL></Period></MPD>"
                .into(),
        ),
    ] {
        let path = film.room.path().join(attack);
        fs::write(&path, content).unwrap();
        let refused = probe(&path, &LIMITS).unwrap_err();
        assert_eq!(refused.code(), "unsupported_format", "{attack}: {refused}");
    }
}

#[test]
fn names_that_look_like_protocols_are_names() {
    let film = clip("film.mp4", FILM);
    let path = film.room.path().join("concat:a|b.mp4");
    fs::rename(&film.path, &path).unwrap();
    assert!(probe(&path, &LIMITS).is_ok());
}

#[test]
fn a_cover_is_no_moving_picture() {
    let song = clip("cover.jpg", "-f lavfi -i testsrc2=s=64x64:r=1:d=1 -frames:v 1");
    let path = song.room.path().join("song.m4a");
    let cover = format!(
        "-f lavfi -i sine=d=1 -i {} -map 0 -map 1 -c:a aac -c:v copy -disposition:v:0 attached_pic",
        song.path.display()
    );
    ffmpeg(&cover, &path);
    assert_eq!(Clip { path, ..song }.refused(), VideoError::NoPicture);
    assert_eq!(clip("song.m4a", "-f lavfi -i sine=d=1 -c:a aac").refused(), VideoError::NoPicture);
}

#[test]
fn a_file_that_breaks_off_is_refused_or_said_to_be_damaged() {
    let whole = clip("film.mkv", FILM);
    let bytes = fs::read(&whole.path).unwrap();
    let done = file("half.mkv", &bytes[..bytes.len() / 2]).run(&[144]);
    check(&done);
    assert!(done.made.rungs[0].frames < 100);
    assert!(done.made.degraded.is_some(), "{:?}", done.made);
    // An MP4 has its description at the end: half of it is nothing.
    let whole = clip("film.mp4", FILM);
    let bytes = fs::read(&whole.path).unwrap();
    assert!(file("half.mp4", &bytes[..bytes.len() / 2]).refused().is_permanent());
}

#[test]
fn a_film_that_promises_pictures_and_has_none_is_refused() {
    let whole = clip("film.mp4", &format!("{FILM} -movflags empty_moov+frag_keyframe"));
    let bytes = fs::read(&whole.path).unwrap();
    let pictures = bytes.windows(4).position(|name| name == b"moof").unwrap() - 4;
    let refused = file("nothing.mp4", &bytes[..pictures]).refused();
    assert!(refused.is_permanent(), "{refused}");
    assert!(refused.to_string().contains("no picture"), "{refused}");
}

#[test]
fn damage_in_the_middle_is_passed_over() {
    let whole = clip("film.mkv", FILM);
    let mut bytes = fs::read(&whole.path).unwrap();
    let middle = bytes.len() / 2;
    for (i, byte) in bytes[middle..middle + 2_000].iter_mut().enumerate() {
        *byte ^= (i * 37 % 251) as u8;
    }
    let done = file("hurt.mkv", &bytes).run(&[144]);
    check(&done);
    assert!(done.made.rungs[0].frames > 50, "{:?}", done.made);
}

#[test]
fn a_picture_that_changes_its_size_in_the_middle_is_brought_to_one() {
    let codecs = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast";
    let small = clip("a.ts", &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=2 {codecs}"));
    let later = format!("-f lavfi -i testsrc2=s=640x360:r=25:d=2 {codecs} -output_ts_offset 2");
    let large = clip("b.ts", &later);
    let both = [fs::read(&small.path).unwrap(), fs::read(&large.path).unwrap()].concat();
    for sides in [&[180][..], &[180, 90]] {
        let done = file("both.ts", &both).run(sides);
        check(&done);
        assert!(done.made.rungs[0].frames > 90, "{:?}", done.made);
        assert_eq!((done.made.rungs[0].width, done.made.rungs[0].height), (320, 180));
    }
}

#[test]
fn sound_that_changes_in_the_middle_is_left_out_there() {
    let codecs = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -c:a aac";
    let picture = "-f lavfi -i testsrc2=s=160x90:r=25:d=2";
    let begin = clip("a.ts", &format!("{picture} -f lavfi -i sine=d=2:r=48000 {codecs}"));
    let later = format!("{picture} -f lavfi -i sine=d=2:r=22050 {codecs} -output_ts_offset 2");
    let rest = clip("b.ts", &later);
    let both = [fs::read(&begin.path).unwrap(), fs::read(&rest.path).unwrap()].concat();
    let done = file("both.ts", &both).run(&[90]);
    check(&done);
    assert!(done.made.audio.is_some() && done.made.degraded.is_some(), "{:?}", done.made);
}

#[test]
fn every_bound_is_held() {
    let film = clip("film.mp4", FILM);
    let code = |limits: Limits| probe(&film.path, &limits).unwrap_err().code();
    assert_eq!(code(Limits { bytes_max: 1_000, ..LIMITS }), "too_large");
    assert_eq!(code(Limits { duration_s_max: 3, ..LIMITS }), "too_long");
    assert_eq!(code(Limits { side_px_max: 300, ..LIMITS }), "too_many_pixels");
    assert_eq!(code(Limits { pixels_max: 320 * 179, ..LIMITS }), "too_many_pixels");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let folder = film.room.path().join("out");
    fs::create_dir(&folder).unwrap();
    let limits = Limits { frames_max: 50, ..LIMITS };
    let order = crate::clips::order(&[144]);
    let refused = video::transcode(&film.path, &folder, &order, &limits, &stop, &mut |_| {}).unwrap_err();
    assert_eq!(refused.code(), "out_of_budget");
}
