//! Sound: of any number of channels, at any rate, as loud as was asked, as long as the picture.

use crate::{
    clips::{clip, ffmpeg_says, ffprobe},
    output::check,
};

const PICTURE: &str = "-f lavfi -i testsrc2=s=160x90:r=25:d=4";
const CODECS: &str = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -c:a aac";

/// Integrated loudness and true peak, as libav's own meter finds them.
fn loudness(path: &std::path::Path) -> (f64, f64) {
    let said = ffmpeg_says(&format!("-i {} -vn -af ebur128=peak=true -f null -", path.display()));
    let summary = &said[said.rfind("Integrated loudness").expect("a summary")..];
    let number = |after: &str| -> f64 {
        let at = summary.find(after).expect("a figure") + after.len();
        summary[at..].split_whitespace().next().unwrap().parse().unwrap()
    };
    (number("I:"), number("Peak:"))
}

#[test]
fn quiet_and_loud_films_become_equally_loud() {
    for volume in ["0.05", "0.9"] {
        let film = format!("{PICTURE} -f lavfi -i sine=f=997:d=4,volume={volume}*8 {CODECS}");
        let done = clip("film.mp4", &film).run(&[90]);
        check(&done);
        let (integrated, peak) = loudness(&done.path("film.mp4"));
        assert!((integrated + 16.0).abs() < 0.7, "{volume}: {integrated} LUFS");
        assert!(peak <= -1.0, "{volume}: {peak} dB");
    }
}

#[test]
fn peaks_are_held_down_when_a_film_is_raised() {
    // A quiet tone with a loud click each second.
    let film = format!(
        "{PICTURE} -f lavfi -i aevalsrc=0.03*sin(2*PI*500*t)+0.9*lt(mod(t\\,1)\\,0.002):d=4:s=48000 {CODECS}"
    );
    let done = clip("film.mp4", &film).run(&[90]);
    let (_, peak) = loudness(&done.path("film.mp4"));
    assert!(peak <= -0.5, "{peak} dB");
    assert!(done.made.audio.unwrap().gain_db > 3.0);
}

#[test]
fn six_channels_become_two() {
    let film =
        format!("{PICTURE} -f lavfi -i sine=d=4 -af pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0 {CODECS}");
    let done = clip("six.mp4", &film).run(&[90]);
    check(&done);
    assert_eq!(done.made.probe.audio.as_ref().unwrap().channels, 6);
    let said = ffprobe(&done.path("audio.mp4"), "-show_streams");
    assert_eq!(said["streams"][0]["channels"], 2);
}

#[test]
fn sound_that_is_shorter_longer_or_late_ends_with_the_picture() {
    let tones = [
        "-f lavfi -i sine=d=2",
        "-f lavfi -i sine=d=6:r=8000",
        "-itsoffset 0.5 -f lavfi -i sine=d=3:r=44100",
    ];
    for tone in tones {
        let done = clip("film.mkv", &format!("{PICTURE} {tone} {CODECS}")).run(&[90]);
        check(&done);
        assert_eq!(done.made.rungs[0].frames, 100, "{tone}");
    }
}

#[test]
fn a_late_tone_stays_late() {
    let film = format!("{PICTURE} -itsoffset 2 -f lavfi -i sine=f=997:d=2 {CODECS}");
    let done = clip("late.mkv", &film).run(&[90]);
    let said = ffmpeg_says(&format!(
        "-i {} -vn -af silencedetect=n=-50dB:d=0.5 -f null -",
        done.path("film.mp4").display()
    ));
    let end = said.split("silence_end: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let end: f64 = end.expect("silence ends").parse().unwrap();
    assert!((end - 2.0).abs() < 0.03, "{end}");
}

#[test]
fn silence_stays_silent() {
    let done = clip("mute.mp4", &format!("{PICTURE} -f lavfi -i anullsrc=d=4 {CODECS} -shortest")).run(&[90]);
    check(&done);
    let audio = done.made.audio.unwrap();
    assert_eq!((audio.gain_db, audio.loudness.integrated_lufs), (0.0, None));
}
