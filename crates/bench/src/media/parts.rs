//! A long film in parts on two workers, beside the same film in one go on one of them: how long it takes, and what the
//! cuts cost in quality.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::Context;
use serde_json::{Value, json};

use super::{child, film, studio::Studio};
use crate::{figure::Figure, goals, process::Process};

/// Workers that make parts, one part at a time each.
const WORKERS: usize = 2;
/// Length of a part, as a worker cuts films unless told otherwise, in seconds.
const PART_S: u32 = 60;
/// Length of a group of pictures, in seconds.
const GROUP_S: u32 = 2;
/// Longest that the whole film may take in one go.
const FILM_MAX: Duration = Duration::from_hours(1);
/// The other way to make it.
const IN_ONE_GO: &str = "the same film in one go, on all cores";

/// What one film took, and how good it is.
struct Made {
    wall_s: f64,
    ssim: f64,
}

/// Wall and quality of one long film. Once: a film of minutes has made up for what swings.
pub(crate) async fn measure(studio: &Studio) -> anyhow::Result<Vec<Figure>> {
    let parts = studio.film_minutes * 60 / PART_S;
    anyhow::ensure!(parts >= 2, "a film of {} min has no two parts", studio.film_minutes);
    let what = format!("film of {} min in {parts} parts on {WORKERS} workers", studio.film_minutes);
    let source = studio.folder("long")?.join("film.mp4");
    studio.say("a long film is put together");
    looped(&studio.film, &source, studio.film_minutes * 60)?;
    studio.say(&what);
    let ours = in_parts(studio, &source, parts).await?;
    studio.say(IN_ONE_GO);
    let whole = in_one_go(studio, &source).await?;
    Ok(vec![
        Figure::of(format!("{what}, and joined"), ours.wall_s, "s")
            .beside(IN_ONE_GO, whole.wall_s, ours.wall_s / whole.wall_s)
            .towards(goals::PARTS),
        Figure::of("SSIM that its largest stream lost by it", (whole.ssim - ours.ssim) * 1e3, "thousandths")
            .towards(goals::PARTS_SSIM_LOST),
    ])
}

/// The film again and again, until it has `seconds`.
fn looped(film: &Path, into: &Path, seconds: u32) -> anyhow::Result<()> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-y", "-v", "error", "-stream_loop", "-1", "-i"]).arg(film);
    command.args(["-c", "copy", "-t", &seconds.to_string()]).arg(into);
    let said = command.output().context("could not start ffmpeg")?;
    anyhow::ensure!(said.status.success(), "no long film: {}", String::from_utf8_lossy(&said.stderr));
    Ok(())
}

async fn in_one_go(studio: &Studio, source: &Path) -> anyhow::Result<Made> {
    let folder = studio.folder("film-whole")?;
    let request = json!({"film": {"source": source, "folder": folder, "order": film::order()}});
    let began = Instant::now();
    ask(studio, "whole", &request, "{\"film\":").await?;
    made(began, source, &folder)
}

async fn in_parts(studio: &Studio, source: &Path, parts: u32) -> anyhow::Result<Made> {
    let room = studio.folder("film-parts")?;
    let folders: Vec<PathBuf> = (0..parts).map(|part| room.join(part.to_string())).collect();
    for folder in &folders {
        std::fs::create_dir(folder).context("could not make a folder for a part")?;
    }
    let groups = PART_S / GROUP_S;
    // The last one first, as in a worker: it has the sound to make besides.
    let requests: Vec<Value> = (0..parts)
        .zip(&folders)
        .rev()
        .map(|(part, folder)| {
            let until = (part + 1 < parts).then(|| (part + 1) * groups);
            let part = json!({"from_group": part * groups, "until_group": until});
            json!({"part": {"source": source, "folder": folder, "order": film::order(), "part": part}})
        })
        .collect();
    let next = AtomicUsize::new(0);
    let worker = |nth: usize| {
        let (next, requests) = (&next, &requests);
        async move {
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                ask(studio, &format!("part-{nth}"), request, "{\"part\":").await?;
            }
            anyhow::Ok(())
        }
    };
    let began = Instant::now();
    futures::future::try_join_all((0..WORKERS).map(worker)).await?;
    let folder = studio.folder("film-joined")?;
    let join = json!({"join": {"parts": folders, "folder": folder}});
    ask(studio, "join", &join, "{\"film\":").await?;
    made(began, source, &folder)
}

/// One request to a process of its own, as a worker does it.
async fn ask(studio: &Studio, name: &str, request: &Value, answer: &str) -> anyhow::Result<()> {
    let asked = studio.folder(&format!("{name}-request"))?.join("request");
    std::fs::write(&asked, format!("{request}\n")).context("could not write a request")?;
    let mut command = child::films(&studio.programs);
    let process = Process::start_reading(File::open(&asked)?.into(), &mut command, name, &studio.logs)?;
    let (_, said) = process.watch(FILM_MAX).await?;
    anyhow::ensure!(said.contains(answer), "films made nothing; it said: {said}");
    Ok(())
}

fn made(began: Instant, source: &Path, folder: &Path) -> anyhow::Result<Made> {
    let wall_s = began.elapsed().as_secs_f64();
    let largest = folder.join(format!("{}p.mp4", film::SHORT_SIDES_PX[0]));
    Ok(Made { wall_s, ssim: ssim(&largest, source)? })
}

/// Structural similarity over all planes and pictures, as ffmpeg's filter of that name has it.
fn ssim(made: &Path, source: &Path) -> anyhow::Result<f64> {
    let graph = "[0:v]settb=AVTB,setpts=N[a];[1:v]settb=AVTB,setpts=N[b];[a][b]ssim";
    let said = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-i"])
        .arg(made)
        .arg("-i")
        .arg(source)
        .args(["-lavfi", graph, "-fps_mode", "passthrough", "-f", "null", "-"])
        .stdin(Stdio::null())
        .output()
        .context("could not start ffmpeg")?;
    let words = String::from_utf8_lossy(&said.stderr);
    let all = words.rsplit("All:").next().and_then(|rest| rest.split_whitespace().next());
    let all = all.and_then(|number| number.parse().ok());
    all.with_context(|| format!("ffmpeg did not say how alike the films are: {words}"))
}
