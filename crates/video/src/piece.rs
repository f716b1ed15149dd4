//! One part of a film: its pictures in every rung, and a report for whoever joins it with the others. Who makes the last
//! part makes the sound of the whole film besides: nobody else sees when the picture ends.

use std::{fs, path::Path, sync::atomic::AtomicBool};

use serde::{Deserialize, Serialize};

use crate::{
    Event, Limits, Order, Part, Plan, Probe, VideoError,
    audio::{self, Sound},
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
    /// What the film is, and what becomes of it: whoever joins the parts does not see the film.
    pub(crate) probe: Probe,
    pub(crate) plan: Plan,
    pub(crate) damaged: u32,
    pub(crate) rungs: Vec<RungReport>,
    /// The sound, or why there is none; nothing where there was none to make.
    pub(crate) sound: Option<Result<Sound, String>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RungReport {
    pub(crate) name: String,
    /// None where no picture lay in the part.
    pub(crate) encoded: Option<Encoded>,
}

/// Makes the pictures of one part of a film, and with the last part the sound of all. No playlists. The folder has to be
/// there, and be empty.
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
    film.learn_beginning(&halt)?;
    let sound = source.audio.filter(|_| part.until_group.is_none());
    let mut piece = Piece { rungs: plan.rungs.iter().map(|_| None).collect(), sound: None, damaged: 0, tell };
    transcode::run(&film, folder, sound, &halt, &mut piece)?;
    halt.check()?;
    let Piece { rungs, sound, damaged, .. } = piece;
    let frames = rungs.iter().flatten().map(|encoded| encoded.track.packets).max().unwrap_or_default();
    let names = plan.rungs.iter().map(|rung| rung.name.clone());
    let rungs: Vec<RungReport> =
        names.zip(rungs).map(|(name, encoded)| RungReport { name, encoded }).collect();
    let made = rungs.iter().filter_map(|rung| rung.encoded.as_ref());
    let heard = matches!(sound, Some(Ok(_))).then(|| audio::FILE.to_owned());
    let files = made.map(|encoded| encoded.track.name()).chain(heard).chain([REPORT.to_owned()]).collect();
    let report = Report { part, probe: source.probe.clone(), plan: plan.clone(), damaged, rungs, sound };
    let text = serde_json::to_vec(&report)
        .map_err(|error| VideoError::Encode { step: "reporting a part", detail: error.to_string() })?;
    fs::write(folder.join(REPORT), text).map_err(VideoError::scratch("reporting a part"))?;
    Ok(PartMade { frames, files })
}

struct Piece<'a> {
    rungs: Vec<Option<Encoded>>,
    sound: Option<Result<Sound, String>>,
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

    fn sound(&mut self, sound: Result<Sound, VideoError>) -> Result<(), VideoError> {
        self.sound = Some(match sound {
            Ok(sound) => Ok(sound),
            Err(error) if error.is_permanent() => Err(error.to_string()),
            Err(error) => return Err(error),
        });
        Ok(())
    }

    fn picture(&mut self, seen: Seen) {
        self.damaged = seen.damaged;
    }
}
