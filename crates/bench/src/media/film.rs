//! The streams of a film: by the program `films`, and by the ffmpeg CLI in one process.

use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use serde_json::{Value, json};
use testkit::line;

use super::{child, studio::Studio};
use crate::{
    figure::{Figure, median, median_ratio},
    goals,
    process::{Process, Spent},
};

/// Short sides of the streams, in pixels.
pub(super) const SHORT_SIDES_PX: [u32; 3] = [1080, 720, 480];
/// Loudness the sound is brought to, in LUFS.
const LOUDNESS_LUFS: f64 = -16.0;
/// Longest that anybody may take.
const FILM_MAX: Duration = Duration::from_mins(10);
/// Frames of the storyboard in a row, and rows of it.
const TILES: &str = "10x2";

/// How ffmpeg encodes: as we do.
const ENCODERS: &str = "-c:v libx264 -preset veryfast -crf 23 -profile:v high -g 600 -fps_mode passthrough \
                        -x264-params scenecut=0:open-gop=0 -force_key_frames expr:gte(t,n_forced*2) \
                        -c:a aac -b:a 128k -ac 2 -ar 48000";
/// What it writes: a file for each stream, and playlists that name byte ranges in it.
const HLS: &str = "-f hls -hls_time 6 -hls_playlist_type vod -hls_segment_type fmp4 \
                   -hls_flags single_file+independent_segments -hls_segment_filename %v.mp4";

const MIB: f64 = 1024.0 * 1024.0;

/// What one film took.
struct Made {
    spent: Spent,
    streams_bytes: f64,
}

/// Wall, processors, memory and bytes of one film.
pub(crate) async fn measure(studio: &Studio) -> anyhow::Result<Vec<Figure>> {
    anyhow::ensure!(studio.film.exists(), "{} is not there; ./dev bench makes it", studio.film.display());
    let peer = studio.peers.as_ref().and_then(|_| ffmpeg());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=studio.rounds {
        studio.say(&format!("three streams of a film, round {round}"));
        ours.push(by_us(studio).await?);
        if peer.is_some() {
            theirs.push(by_ffmpeg(studio).await?);
        }
    }
    let what = "three streams of a film of 1080p";
    let figure = |more: &str, unit, of: fn(&Made) -> f64| {
        let [ours, theirs] = [&ours, &theirs].map(|made| made.iter().map(of).collect::<Vec<f64>>());
        let figure = Figure::of(format!("{what}{more}"), median(&ours), unit);
        match &peer {
            Some(peer) => figure.beside(peer, median(&theirs), median_ratio(&ours, &theirs)),
            None => figure,
        }
    };
    Ok(vec![
        figure("", "s", |made| made.spent.wall_s).towards(goals::FILM),
        figure(": CPU", "s", |made| made.spent.cpu_us / 1e6),
        figure(": peak memory", "MiB", |made| made.spent.peak_bytes / MIB),
        figure(": bytes of the streams", "MiB", |made| made.streams_bytes / MIB),
    ])
}

/// What is asked for.
pub(super) fn order() -> Value {
    json!({
        "short_sides_px": SHORT_SIDES_PX,
        "threads": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "loudness_lufs": LOUDNESS_LUFS,
        "span": null,
    })
}

/// As a worker has it made: a fresh process, one request, its end.
async fn by_us(studio: &Studio) -> anyhow::Result<Made> {
    let folder = studio.folder("film-ours")?;
    let request = json!({"film": {"source": studio.film, "folder": folder, "order": order()}});
    let asked = studio.folder("film-request")?.join("request");
    std::fs::write(&asked, format!("{request}\n")).context("could not write a request")?;
    let mut command = child::films(&studio.programs);
    let process = Process::start_reading(File::open(&asked)?.into(), &mut command, "films", &studio.logs)?;
    let (spent, said) = process.watch(FILM_MAX).await?;
    anyhow::ensure!(said.contains("{\"film\":"), "films made nothing; it said: {said}");
    Ok(Made { spent, streams_bytes: streams_bytes(&folder)? })
}

/// The same by the ffmpeg CLI at its best: decoded once, each size made from the one above it.
async fn by_ffmpeg(studio: &Studio) -> anyhow::Result<Made> {
    let folder = studio.folder("film-theirs")?;
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-y", "-v", "error", "-i"]).arg(&studio.film).current_dir(&folder);
    command.args(arguments());
    let process = Process::start_reading(Stdio::null(), &mut command, "ffmpeg", &studio.logs)?;
    let (spent, said) = process.watch(FILM_MAX).await?;
    for name in ["master.m3u8", "poster.jpg", "storyboard.jpg"] {
        anyhow::ensure!(folder.join(name).exists(), "ffmpeg did not make {name}; it said: {said}");
    }
    Ok(Made { spent, streams_bytes: streams_bytes(&folder)? })
}

/// What ffmpeg is told to make: the same streams with the same settings, a poster, a storyboard.
fn arguments() -> Vec<String> {
    let [large, middle, small] = SHORT_SIDES_PX;
    let graph = format!(
        "[0:v]format=yuv420p,split=3[v0][below][look];\
         [below]scale=-2:{middle}:flags=bicubic,split=2[v1][lower];[lower]scale=-2:{small}:flags=bicubic[v2];\
         [look]split=2[sharp][tiny];[sharp]fps=1/2,thumbnail=9[poster];[tiny]fps=1,scale=160:-2,tile={TILES}[tiles]"
    );
    let streams = format!(
        "v:0,agroup:sound,name:{large}p v:1,agroup:sound,name:{middle}p v:2,agroup:sound,name:{small}p \
         a:0,agroup:sound,name:sound"
    );
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<String>>();
    [
        vec!["-filter_complex".to_owned(), graph],
        words("-map [v0] -map [v1] -map [v2] -map 0:a"),
        words(ENCODERS),
        words(HLS),
        vec!["-var_stream_map".to_owned(), streams],
        words("-master_pl_name master.m3u8 %v.m3u8"),
        words("-map [poster] -frames:v 1 poster.jpg -map [tiles] -frames:v 1 storyboard.jpg"),
    ]
    .concat()
}

/// The name and version of the ffmpeg that is here.
fn ffmpeg() -> Option<String> {
    let said = Command::new("ffmpeg").arg("-version").output();
    let first = said.as_ref().ok().and_then(|said| std::str::from_utf8(&said.stdout).ok()?.split(' ').nth(2));
    if first.is_none() {
        line("ffmpeg is left out: it is not here");
    }
    first.map(|version| format!("ffmpeg {version}, one process"))
}

/// Of the files that hold a stream of pictures, such as `720p.mp4`.
fn streams_bytes(folder: &Path) -> anyhow::Result<f64> {
    let size = |side| Ok(std::fs::metadata(folder.join(format!("{side}p.mp4")))?.len() as f64);
    SHORT_SIDES_PX.into_iter().map(size).sum::<std::io::Result<f64>>().context("a stream is missing")
}
