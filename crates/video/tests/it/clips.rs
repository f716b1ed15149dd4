//! Films to work on, made by the `ffmpeg` program, and ways to look at what became of them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::AtomicBool,
};

use serde_json::Value;
use tempfile::TempDir;
use video::{Event, FileKind, Limits, Made, Order, VideoError, transcode};

pub(crate) const LIMITS: Limits = Limits {
    bytes_max: 64 * 1024 * 1024,
    duration_s_max: 60,
    side_px_max: 4_096,
    pixels_max: 4_096 * 2_304,
    streams_max: 16,
    frames_max: 10_000,
};

/// A folder with a film in it, and one for what is made of it.
pub(crate) struct Clip {
    pub(crate) room: TempDir,
    pub(crate) path: PathBuf,
}

/// Runs `ffmpeg` with these arguments, split at spaces, and `name` for the output.
pub(crate) fn clip(name: &str, arguments: &str) -> Clip {
    let room = TempDir::new().unwrap();
    let path = room.path().join(name);
    ffmpeg(arguments, &path);
    Clip { room, path }
}

pub(crate) fn ffmpeg(arguments: &str, output: &Path) {
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments.split_whitespace())
        .arg(output)
        .output()
        .expect("ffmpeg runs; packages.txt names it");
    assert!(done.status.success(), "ffmpeg {arguments}: {}", String::from_utf8_lossy(&done.stderr));
}

/// What ffprobe says, as JSON.
pub(crate) fn ffprobe(path: &Path, arguments: &str) -> Value {
    let done = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json"])
        .args(arguments.split_whitespace())
        .arg(path)
        .output()
        .expect("ffprobe runs; packages.txt names it");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.is_empty(), "ffprobe {arguments} {}: {said}", path.display());
    serde_json::from_slice(&done.stdout).unwrap()
}

pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_else(|| panic!("{value} is no number"))
}

pub(crate) fn order(short_sides_px: &[u32]) -> Order {
    Order { short_sides_px: short_sides_px.to_vec(), threads: 2, loudness_lufs: -16.0, span: None }
}

/// What came of a clip.
pub(crate) struct Done {
    pub(crate) room: TempDir,
    pub(crate) made: Made,
    pub(crate) events: Vec<Event>,
}

impl Done {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.room.path().join("out").join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.made.duration_ms as f64 / 1_000.0
    }

    pub(crate) fn has(&self, kind: FileKind) -> bool {
        self.made.files.iter().any(|file| file.kind == kind)
    }
}

impl Clip {
    pub(crate) fn run(self, short_sides_px: &[u32]) -> Done {
        self.run_order(&order(short_sides_px)).unwrap()
    }

    pub(crate) fn run_order(self, order: &Order) -> Result<Done, VideoError> {
        let folder = self.room.path().join("out");
        fs::create_dir(&folder).unwrap();
        let mut events = Vec::new();
        let stop = AtomicBool::new(false);
        let made = transcode(&self.path, &folder, order, &LIMITS, &stop, &mut |event| events.push(event))?;
        Ok(Done { room: self.room, made, events })
    }

    pub(crate) fn refused(self) -> VideoError {
        self.run_order(&order(&[144])).map(|done| done.made).unwrap_err()
    }
}

/// What `ffmpeg` says while it does this.
pub(crate) fn ffmpeg_says(arguments: &str) -> String {
    let done =
        Command::new("ffmpeg").args(["-nostdin", "-hide_banner"]).args(arguments.split_whitespace()).output();
    String::from_utf8_lossy(&done.expect("ffmpeg runs").stderr).into_owned()
}

/// The picture that is shown at a moment of a film, as bytes of pixels.
pub(crate) fn picture(path: &Path, at_s: f64, output: &str) -> Vec<u8> {
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(path)
        .args(["-ss", &at_s.to_string(), "-frames:v", "1"])
        .args(output.split_whitespace())
        .args(["-f", "rawvideo", "-"])
        .output()
        .expect("ffmpeg runs; packages.txt names it");
    assert!(done.status.success() && !done.stdout.is_empty(), "{}: {done:?}", path.display());
    done.stdout
}

/// As [`ffprobe`], for files that end in the middle on purpose.
pub(crate) fn ffprobe_quietly(path: &Path, arguments: &str) -> Value {
    let done = Command::new("ffprobe")
        .args(["-v", "quiet", "-of", "json"])
        .args(arguments.split_whitespace())
        .arg(path)
        .output()
        .expect("ffprobe runs; packages.txt names it");
    serde_json::from_slice(&done.stdout).unwrap()
}
