//! One part of a film: its pictures in every rung, and a report for whoever joins it with the others.

use std::{fs, path::Path, sync::atomic::AtomicBool};

use serde::{Deserialize, Serialize};

use crate::{
    Event, Limits, Order, Part, Plan, VideoError,
    audio::Sound,
    halt::Halt,
    part::Window,
    picture::{Film, Seen},
    probe::Source,
    rung::Encoded,
    transcode::{self, Taker, ordinary},
};

/// Where a part says what it is. It is written last: with it, everything is there.
pub(crate) const REPORT: &str = "part.json";

/// What was made of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartMade {
    /// Pictures in each rung.
    pub frames: u64,
    /// The files; the report that makes sense of the others comes last.
    pub files: Vec<String>,
}

/// What those who join have to know.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) part: Part,
    /// When the first picture of the film comes, in seconds of its clock.
    pub(crate) begins_s: f64,
    pub(crate) damaged: u32,
    pub(crate) rungs: Vec<RungReport>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RungReport {
    pub(crate) name: String,
    /// None where no picture lay in the part.
    pub(crate) encoded: Option<Encoded>,
}

/// Makes the pictures of one part of a film: no sound, no playlists. The folder has to be there, and be empty.
///
/// # Errors
/// As [`crate::transcode()`].
pub fn make_part(
    source: &Path,
    folder: &Path,
    (order, part): (&Order, Part),
    limits: &Limits,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Event),
) -> Result<PartMade, VideoError> {
    let halt = Halt::new(stop);
    let path = source;
    let source = Source::read(path, limits)?;
    let plan = Plan::of(&source, order)?;
    let window = Window { part, ..Window::whole() };
    let mut film =
        Film { path, source: &source, plan: &plan, order, limits, poster: ordinary(&plan), window };
    let begins_s = film.learn_beginning(&halt)?;
    let mut piece = Piece { rungs: plan.rungs.iter().map(|_| None).collect(), damaged: 0, tell };
    transcode::run(&film, folder, None, &halt, &mut piece)?;
    halt.check()?;
    let Piece { rungs, damaged, .. } = piece;
    let frames = rungs.iter().flatten().map(|encoded| encoded.track.packets).max().unwrap_or_default();
    let names = plan.rungs.iter().map(|rung| rung.name.clone());
    let rungs: Vec<RungReport> =
        names.zip(rungs).map(|(name, encoded)| RungReport { name, encoded }).collect();
    let made = rungs.iter().filter_map(|rung| rung.encoded.as_ref());
    let files = made.map(|encoded| encoded.track.name()).chain([REPORT.to_owned()]).collect();
    let report = Report { part, begins_s, damaged, rungs };
    let text = serde_json::to_vec(&report)
        .map_err(|error| VideoError::Encode { step: "reporting a part", detail: error.to_string() })?;
    fs::write(folder.join(REPORT), text).map_err(VideoError::scratch("reporting a part"))?;
    Ok(PartMade { frames, files })
}

struct Piece<'a> {
    rungs: Vec<Option<Encoded>>,
    damaged: u32,
    tell: &'a mut dyn FnMut(Event),
}

impl Taker for Piece<'_> {
    fn progress(&mut self, percent: u8, eta_s: Option<u64>) {
        (self.tell)(Event::Progress { percent, eta_s });
    }

    fn rung(&mut self, index: usize, encoded: Option<Encoded>) -> Result<(), VideoError> {
        if let Some(place) = self.rungs.get_mut(index) {
            *place = encoded;
        }
        Ok(())
    }

    fn sound(&mut self, _sound: Result<Sound, VideoError>) -> Result<(), VideoError> {
        Ok(())
    }

    fn picture(&mut self, seen: Seen) {
        self.damaged = seen.damaged;
    }
}
