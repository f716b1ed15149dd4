//! What one ladder takes of memory: the peak of a fresh process above what it has when it waits for its first.

use anyhow::Context;
use serde_json::json;

use super::{
    makers::Maker,
    studio::Studio,
    task::{QUALITY, TASKS, Task, request},
};
use crate::{figure::Figure, goals, memory};

const MIB: f64 = 1024.0 * 1024.0;

/// The peak of each ladder above the idle process, and what that one has.
pub(crate) async fn measure(studio: &Studio) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut idle_mib = vec![Vec::new(); studio.makers.len()];
    for task in &TASKS {
        let mut above_mib = vec![Vec::new(); studio.makers.len()];
        for round in 1..=studio.rounds {
            studio.say(&format!("memory of a {}, round {round}", task.what));
            for (place, maker) in studio.makers.iter().enumerate() {
                let (idle, peak) = one(studio, maker, task).await?;
                idle_mib[place].push(idle / MIB);
                above_mib[place].push((peak - idle) / MIB);
            }
        }
        let what = format!("{}: peak memory above the idle process", task.what);
        figures.extend(studio.beside_each(&what, "MiB", &above_mib, Some(goals::LADDER_MIB)));
    }
    figures.extend(studio.beside_each("memory of the idle process", "MiB", &idle_mib, None));
    Ok(figures)
}

/// What a fresh process has, and its peak over one ladder, in bytes.
async fn one(studio: &Studio, maker: &Maker, task: &Task) -> anyhow::Result<(f64, f64)> {
    let source = &studio.photographs[0];
    let mut hand = maker.start(0, &studio.logs)?;
    // Whoever answers is there with everything it stands on.
    hand.ask(&json!({"inspect": source})).await?;
    let pid = hand.id()?;
    memory::forget_peak(pid)?;
    let idle = memory::resident(pid).context("a process that ended")?;
    hand.ask(&request(source, &studio.folder("memory")?, task.formats, QUALITY)).await?;
    Ok((idle, memory::peak(pid).context("a process that ended")?))
}
