//! The whole of it: threads are started, what they made is gathered, and the playlists are written.

use std::{
    path::Path,
    sync::{
        atomic::AtomicBool,
        mpsc::{Receiver, Sender, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    FileMade, Limits, Made, Order, Plan, Rung, VideoError,
    audio::{self, Cues, Sound},
    gather::Gather,
    halt::Halt,
    part::Window,
    picture::{Film, Outlets, Seen},
    probe::Source,
    rung::{self, Encoded},
};

/// Pictures that wait for an encoder: enough that none waits for another's slow one, few enough to stay small.
const WAITING_MAX: usize = 4;
/// Shortest time between two words about progress.
const WORD_EVERY: Duration = Duration::from_millis(500);
/// Time left is told when this part of the work is done, or when it goes on for so long: before, it would be a guess.
const KNOWN_PART: f64 = 0.02;
const KNOWN_AFTER: Duration = Duration::from_secs(2);
/// Largest short side of the rung that the progressive file and the poster are made of.
const ORDINARY_PX_MAX: u32 = 1080;
/// Part of the work that is decoding and encoding; the rest is writing down.
const ENCODING_PERCENT: f64 = 96.0;

/// What is said while the work goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// How far it is.
    Progress {
        /// 0 to 99.
        percent: u8,
        /// Seconds until it is done, as far as anybody can tell.
        eta_s: Option<u64>,
    },
    /// These files are there, and will not change.
    Ready(Vec<FileMade>),
    /// The first rung can be played with the playlist of this name; it and all it names are ready.
    Playable {
        /// The playlist.
        playlist: String,
        /// The rung.
        rung: String,
    },
}

/// Makes everything an order says from one film. The folder has to be there, and be empty.
///
/// # Errors
/// Says whose fault it was: see [`VideoError::is_permanent`]. Files that were made until then are left in the folder.
pub fn transcode(
    source: &Path,
    folder: &Path,
    order: &Order,
    limits: &Limits,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Event),
) -> Result<Made, VideoError> {
    let halt = Halt::new(stop);
    let path = source;
    let source = Source::read(path, limits)?;
    let plan = Plan::of(&source, order)?;
    let poster = ordinary(&plan);
    let film = Film { path, source: &source, plan: &plan, order, limits, poster, window: Window::whole() };
    let mut gather = Gather::new(folder, &source.probe, &plan, tell);
    run(&film, folder, source.audio, &halt, &mut gather)?;
    halt.check()?;
    gather.finish(film.poster, &halt)
}

/// Who takes what the threads made.
pub(crate) trait Taker {
    fn progress(&mut self, percent: u8, eta_s: Option<u64>);
    /// A rung is done; none when the part had no picture.
    fn rung(&mut self, index: usize, encoded: Option<Encoded>) -> Result<(), VideoError>;
    /// The sound is done, or could not be made.
    fn sound(&mut self, sound: Result<Sound, VideoError>) -> Result<(), VideoError>;
    /// All pictures were decoded.
    fn picture(&mut self, seen: Seen);
}

/// Decodes and encodes, in as many threads as there are streams.
pub(crate) fn run(
    film: &Film<'_>,
    folder: &Path,
    sound: Option<usize>,
    halt: &Halt<'_>,
    taker: &mut impl Taker,
) -> Result<(), VideoError> {
    thread::scope(|scope| {
        let (words, heard) = channel();
        let outlets = start(scope, film, folder, sound, halt, &words);
        scope.spawn(move || {
            let mut clock = Clock::new(&words, Teller::Picture);
            let seen = film.show(&outlets, halt, &mut |part| clock.tell(part));
            if seen.is_err() {
                // Or an encoder that gets no more pictures would take it for the end of the film.
                halt.raise();
            }
            drop(outlets);
            say(&words, halt, Word::Picture(seen.map(Box::new)));
        });
        listen(&heard, taker)
    })
}

/// The best rung that ordinary players take.
pub(crate) fn ordinary(plan: &Plan) -> usize {
    let small = |rung: &Rung| rung.width.min(rung.height) <= ORDINARY_PX_MAX;
    plan.rungs.iter().position(small).unwrap_or(plan.rungs.len().saturating_sub(1))
}

/// Who tells how far it is.
#[derive(Debug, Clone, Copy)]
enum Teller {
    Picture,
    Sound,
}

/// What a thread has to say.
enum Word {
    Progress { who: Teller, percent: u8, eta_s: Option<u64> },
    Rung(usize, Result<Option<Box<Encoded>>, VideoError>),
    Sound(Result<Box<Sound>, VideoError>),
    Picture(Result<Box<Seen>, VideoError>),
}

/// Starts the encoders, and the sound.
fn start<'scope, 'env: 'scope>(
    scope: &'scope thread::Scope<'scope, 'env>,
    film: &'env Film<'env>,
    folder: &'env Path,
    sound: Option<usize>,
    halt: &'env Halt<'env>,
    words: &Sender<Word>,
) -> Outlets {
    let mut rungs = Vec::new();
    for (index, rung) in film.plan.rungs.iter().enumerate() {
        let (give, pictures) = sync_channel(WAITING_MAX);
        rungs.push(give);
        let words = words.clone();
        scope.spawn(move || {
            let path = folder.join(format!("{}.mp4", rung.name));
            let encoded = rung::encode(rung, film.plan.frame_rate, &film.window, &path, &pictures, halt);
            say(&words, halt, Word::Rung(index, encoded.map(|encoded| encoded.map(Box::new))));
        });
    }
    let ((begins, hears_begin), (ends, hears_end)) = (channel(), channel());
    if let Some(stream) = sound {
        let words = words.clone();
        scope.spawn(move || {
            let mut clock = Clock::new(&words, Teller::Sound);
            let told = &mut |part| clock.tell(part);
            let cues = Cues { begins: hears_begin, ends: hears_end, told };
            let path = folder.join(audio::FILE);
            let (source, order, limits) = ((film.source, stream), film.order, film.limits);
            let sound = audio::make(film.path, source, order, limits, &path, cues, halt);
            say(&words, halt, Word::Sound(sound.map(Box::new)));
        });
    }
    Outlets { rungs, begins, ends }
}

/// Says how a thread ended. A failed one ends the others, except for the sound: a film may do without it.
fn say(words: &Sender<Word>, halt: &Halt<'_>, word: Word) {
    let fatal = match &word {
        Word::Rung(_, Err(_)) | Word::Picture(Err(_)) => true,
        Word::Sound(Err(error)) => !error.is_permanent(),
        _ => false,
    };
    if fatal {
        halt.raise();
    }
    // The one who listens goes last.
    let _ = words.send(word);
}

/// Hears all threads out. The first failure that is not the echo of another is the one that counts.
fn listen(words: &Receiver<Word>, taker: &mut impl Taker) -> Result<(), VideoError> {
    let mut failed: Option<VideoError> = None;
    let (mut reached, mut is_seen) = (0, false);
    for word in words {
        let heard = match word {
            // Most of the work is the picture; the sound is told of when it is all that is left.
            Word::Progress { who: Teller::Sound, .. } if !is_seen => Ok(()),
            Word::Progress { percent, eta_s, .. } => {
                reached = percent.max(reached);
                taker.progress(reached, eta_s);
                Ok(())
            }
            Word::Rung(index, encoded) => {
                encoded.and_then(|encoded| taker.rung(index, encoded.map(|encoded| *encoded)))
            }
            Word::Sound(sound) => taker.sound(sound.map(|sound| *sound)),
            Word::Picture(seen) => {
                is_seen = true;
                seen.map(|seen| taker.picture(*seen))
            }
        };
        if let Err(error) = heard
            && failed.as_ref().is_none_or(|known| *known == VideoError::Cancelled)
        {
            failed = Some(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Tells how far a thread is, not too often.
struct Clock<'a> {
    words: &'a Sender<Word>,
    who: Teller,
    began: Instant,
    told: Option<Instant>,
    percent: u8,
}

impl<'a> Clock<'a> {
    fn new(words: &'a Sender<Word>, who: Teller) -> Self {
        Self { words, who, began: Instant::now(), told: None, percent: 0 }
    }

    fn tell(&mut self, part: f64) {
        if self.told.is_some_and(|told| told.elapsed() < WORD_EVERY) {
            return;
        }
        self.told = Some(Instant::now());
        self.percent = self.percent.max((part * ENCODING_PERCENT) as u8);
        let elapsed = self.began.elapsed();
        let is_known = part > KNOWN_PART || (part > 0.0 && elapsed >= KNOWN_AFTER);
        let eta_s = is_known.then(|| (elapsed.as_secs_f64() * (1.0 - part) / part).ceil() as u64);
        // The one who listens goes last.
        let _ = self.words.send(Word::Progress { who: self.who, percent: self.percent, eta_s });
    }
}
