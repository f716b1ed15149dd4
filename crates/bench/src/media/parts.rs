//! A long film in parts on two workers, beside the same film in one go on one of them: how long it takes, and what the
//! cuts cost in quality.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use serde_json::{Value, json};

use super::{
    child, film,
    studio::Studio,
    turns::{Side, Turns},
};
use crate::{figure::Figure, goals, process::Process};

/// Workers that make parts, one part at a time each.
const WORKERS: usize = 2;
/// Length of a group of pictures, in seconds.
const GROUP_S: u32 = 2;
/// Longest that one request may take, with the turns of the other side.
const REQUEST_MAX: Duration = Duration::from_hours(2);
/// The other way to make it.
const IN_ONE_GO: &str = "the same film in one go, on all cores";

/// A film that is made in one way while it is made in another by turns.
struct Making<'a> {
    studio: &'a Studio,
    source: &'a Path,
    turns: &'a Turns,
    side: Side,
    /// What its processes used, in microseconds.
    cpu_us: Mutex<f64>,
}

/// Wall, processors and quality of one long film. Once: a film of minutes has made up for what swings quickly, and turns for
/// what swings slowly.
pub(crate) async fn measure(studio: &Studio) -> anyhow::Result<Vec<Figure>> {
    anyhow::ensure!(studio.part_s.is_multiple_of(GROUP_S), "a part has whole groups of {GROUP_S} s");
    let parts = studio.film_minutes * 60 / studio.part_s;
    anyhow::ensure!(
        parts >= 2,
        "a film of {} min has no two parts of {} s",
        studio.film_minutes,
        studio.part_s
    );
    let what = format!("film of {} min in {parts} parts on {WORKERS} workers", studio.film_minutes);
    let source = studio.folder("long")?.join("film.mp4");
    studio.say("a long film is put together");
    looped(&studio.film, &source, studio.film_minutes * 60)?;
    studio.say(&format!("{what}, and in one go, by turns"));
    let turns = Turns::new();
    let making = |side| Making { studio, source: &source, turns: &turns, side, cpu_us: Mutex::default() };
    let (ours, theirs) = (making(Side::Ours), making(Side::Theirs));
    let folders = [studio.folder("film-joined")?, studio.folder("film-whole")?];
    let [joined, whole] = &folders;
    let [ours_s, theirs_s] = turns.run(ours.in_parts(parts, joined), theirs.in_one_go(whole)).await?;
    let [ours_cpu_s, theirs_cpu_s] = [ours, theirs].map(Making::cpu_s);
    let lost = (ssim(whole, &source)? - ssim(joined, &source)?) * 1e3;
    Ok(vec![
        Figure::of(format!("{what}, and joined"), ours_s, "s")
            .beside(IN_ONE_GO, theirs_s, ours_s / theirs_s)
            .towards(goals::PARTS),
        Figure::of(format!("{what}, and joined: CPU"), ours_cpu_s, "s").beside(
            IN_ONE_GO,
            theirs_cpu_s,
            ours_cpu_s / theirs_cpu_s,
        ),
        Figure::of(format!("{what}: SSIM that its largest stream lost"), lost, "thousandths")
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

impl Making<'_> {
    async fn in_one_go(&self, folder: &Path) -> anyhow::Result<()> {
        let request = json!({"film": {"source": self.source, "folder": folder, "order": film::order()}});
        self.ask("whole", &request, "{\"film\":").await
    }

    async fn in_parts(&self, parts: u32, joined: &Path) -> anyhow::Result<()> {
        let room = self.studio.folder("film-parts")?;
        let folders: Vec<PathBuf> = (0..parts).map(|part| room.join(part.to_string())).collect();
        for folder in &folders {
            std::fs::create_dir(folder).context("could not make a folder for a part")?;
        }
        let requests = self.requests(&folders, parts);
        let next = AtomicUsize::new(0);
        let worker = |nth: usize| {
            let (next, requests) = (&next, &requests);
            async move {
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    self.ask(&format!("part-{nth}"), request, "{\"part\":").await?;
                }
                anyhow::Ok(())
            }
        };
        futures::future::try_join_all((0..WORKERS).map(worker)).await?;
        let join = json!({"join": {"parts": folders, "folder": joined}});
        self.ask("join", &join, "{\"film\":").await
    }

    /// The last part first, as a worker asks for them: it has the sound to make besides.
    fn requests(&self, folders: &[PathBuf], parts: u32) -> Vec<Value> {
        let groups = self.studio.part_s / GROUP_S;
        let request = |(part, folder): (u32, &PathBuf)| {
            let until = (part + 1 < parts).then(|| (part + 1) * groups);
            let part = json!({"from_group": part * groups, "until_group": until});
            json!({"part": {"source": self.source, "folder": folder, "order": film::order(), "part": part}})
        };
        (0..parts).zip(folders).map(request).rev().collect()
    }

    /// One request to a process of its own, as a worker does it.
    async fn ask(&self, name: &str, request: &Value, answer: &str) -> anyhow::Result<()> {
        let studio = self.studio;
        let asked = studio.folder(&format!("{name}-request"))?.join("request");
        std::fs::write(&asked, format!("{request}\n")).context("could not write a request")?;
        let start = || {
            let mut command = child::films(&studio.programs);
            Process::start_reading(File::open(&asked)?.into(), &mut command, name, &studio.logs)
        };
        let process = self.turns.start(self.side, start).await?;
        let (spent, said) = process.watch(REQUEST_MAX).await?;
        anyhow::ensure!(said.contains(answer), "films made nothing; it said: {said}");
        *self.cpu_us.lock().unwrap_or_else(PoisonError::into_inner) += spent.cpu_us;
        Ok(())
    }

    fn cpu_s(self) -> f64 {
        self.cpu_us.into_inner().unwrap_or_else(PoisonError::into_inner) / 1e6
    }
}

/// Structural similarity of the largest stream, over all planes and pictures, as ffmpeg's filter of that name has it.
fn ssim(folder: &Path, source: &Path) -> anyhow::Result<f64> {
    let made = folder.join(format!("{}p.mp4", film::SHORT_SIDES_PX[0]));
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
