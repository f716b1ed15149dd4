//! What every measurement of media is given: sources, makers, room, and how thorough to be.

use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use super::makers::{Maker, Who};
use crate::{
    clock::Clock,
    config::MediaArgs,
    figure::{Figure, median, median_ratio},
    goals::Goal,
};

/// Photographs of a quick run.
const QUICK_PHOTOGRAPHS: usize = 2;
/// Minutes of a film in parts in a quick run: two parts.
const FILM_MINUTES_LEAST: u32 = 2;

/// What every measurement is given.
pub(crate) struct Studio {
    /// Rounds; the middle one counts.
    pub(crate) rounds: u32,
    /// Whether little has to do.
    pub(crate) quick: bool,
    /// Where our programs lie.
    pub(crate) programs: PathBuf,
    /// Where everything that is started writes what it complains of.
    pub(crate) logs: PathBuf,
    /// Where the peers lie, if there are any.
    pub(crate) peers: Option<PathBuf>,
    /// The photographs, which carry a colour profile.
    pub(crate) photographs: Vec<PathBuf>,
    /// The first of them without one.
    pub(crate) plain: PathBuf,
    /// The film.
    pub(crate) film: PathBuf,
    /// How long the film is that is made in parts.
    pub(crate) film_minutes: u32,
    /// How long each of its parts is, in seconds.
    pub(crate) part_s: u32,
    /// Who makes pictures, ourselves first.
    pub(crate) makers: Vec<Maker>,
    room: TempDir,
    clock: Clock,
}

impl Studio {
    /// Finds everything.
    pub(crate) fn set(args: &MediaArgs) -> anyhow::Result<Self> {
        let run = &args.run;
        let programs = run.programs(&["workers", "films"])?;
        let mut photographs = photographs(&args.sources)?;
        photographs.truncate(if run.quick { QUICK_PHOTOGRAPHS } else { photographs.len() });
        anyhow::ensure!(!photographs.is_empty(), "there is no photograph in {}", args.sources.display());
        Ok(Self {
            rounds: run.rounds(),
            quick: run.quick,
            logs: run.logs()?,
            peers: run.peers().map(Path::to_path_buf),
            photographs,
            plain: args.sources.join("plain.jpg"),
            film: args.sources.join(if run.quick { "film-short.mp4" } else { "film.mp4" }),
            film_minutes: if run.quick { FILM_MINUTES_LEAST } else { args.film_minutes },
            part_s: args.part_s,
            makers: Maker::find(&programs, run.peers()),
            programs,
            room: tempfile::tempdir().context("could not make a folder for what is made")?,
            clock: Clock::start(),
        })
    }

    /// Says what is happening.
    pub(crate) fn say(&self, what: &str) {
        self.clock.say(what);
    }

    /// An empty folder, which goes with the run.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.room.path().join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).context("could not empty a folder")?;
        }
        std::fs::create_dir_all(&folder).context("could not make a folder for what is made")?;
        Ok(folder)
    }

    /// Figures of what was seen of each maker, ours beside each of theirs. What has to be reached is set beside sharp.
    pub(crate) fn beside_each(
        &self,
        what: &str,
        unit: &'static str,
        seen: &[Vec<f64>],
        goal: Option<Goal>,
    ) -> Vec<Figure> {
        let Some((ours, theirs)) = seen.split_first() else { return Vec::new() };
        let figure = Figure::of(what, median(ours), unit);
        let peers = self.makers.iter().skip(1).zip(theirs);
        let figures: Vec<Figure> = peers
            .map(|(maker, theirs)| {
                let beside = figure.clone().beside(&maker.name, median(theirs), median_ratio(ours, theirs));
                match goal {
                    Some(goal) if maker.who == Who::Sharp => beside.towards(goal),
                    _ => beside,
                }
            })
            .collect();
        if figures.is_empty() {
            return vec![goal.map_or(figure.clone(), |goal| figure.towards(goal))];
        }
        figures
    }
}

/// The photographs in a folder, by name.
fn photographs(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    let names = listed.flatten().map(|entry| entry.file_name());
    let mut found: Vec<PathBuf> = names
        .filter(|name| name.to_string_lossy().starts_with("photograph-"))
        .map(|name| folder.join(name))
        .collect();
    found.sort();
    Ok(found)
}
