//! Parts that were made apart become one film: their fragments are put one behind the other, the sound comes from whoever
//! made the last part, and everything else is as for a film that was made in one go. The film itself is not looked at.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write, copy},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use crate::{
    Event, Made, Plan, Rung, VideoError, audio, boxes,
    fragments::{Fragment, MOOF_BYTES_MAX, Track},
    gather::Gather,
    halt::Halt,
    keys,
    picture::{Chosen, Seen},
    piece::{REPORT, Report},
    poster::Poster,
    rung::Encoded,
    storyboard::Storyboard,
    transcode::{Taker, ordinary},
};

/// Part of the work that is joining the streams; the rest is the pictures that stand for the film, and writing down.
const JOINED_PERCENT: usize = 60;

/// Joins the parts in the folders `parts`, in this order, and makes what was not made of them. `folder` has to be there,
/// and be empty.
///
/// # Errors
/// As [`crate::transcode()`]; and when the parts do not meet exactly.
pub fn join(
    parts: &[PathBuf],
    folder: &Path,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Event),
) -> Result<Made, VideoError> {
    let halt = Halt::new(stop);
    let begun = Instant::now();
    let pieces = read(parts)?;
    let (_, first) = pieces.first().ok_or_else(|| unjoinable("there is none"))?;
    let plan = &first.plan;
    let mut gather = Gather::new(folder, &first.probe, plan, tell);
    sound(&pieces, folder, &mut gather)?;
    let mut rungs: Vec<Encoded> = Vec::new();
    // The smallest is joined soonest, and then there is something to play.
    for (index, rung) in plan.rungs.iter().enumerate().rev() {
        let encoded = join_rung(rung, index, &pieces, folder, &halt)?;
        gather.rung(index, Some(encoded.clone()))?;
        rungs.insert(0, encoded);
        let percent = JOINED_PERCENT * rungs.len() / plan.rungs.len();
        gather.progress(percent as u8, left_s(begun.elapsed(), percent));
    }
    let poster = ordinary(plan);
    gather.picture(look(&rungs, plan, poster, &pieces, &halt)?);
    halt.check()?;
    gather.finish(poster, &halt)
}

/// How long the rest takes, in seconds, if it goes on as it went.
fn left_s(spent: Duration, percent: usize) -> Option<u64> {
    let left = spent.as_secs_f64() * 100_usize.saturating_sub(percent) as f64 / percent as f64;
    (percent > 0).then_some(left.ceil() as u64)
}

type Pieces = Vec<(PathBuf, Report)>;

fn unjoinable(detail: impl Into<String>) -> VideoError {
    VideoError::Unjoinable { detail: detail.into() }
}

/// What the parts say of themselves: all of one film, none missing, none twice.
fn read(parts: &[PathBuf]) -> Result<Pieces, VideoError> {
    let mut pieces: Pieces = Vec::with_capacity(parts.len());
    for folder in parts {
        let text = fs::read(folder.join(REPORT)).map_err(VideoError::scratch("reading a part"))?;
        let report: Report = serde_json::from_slice(&text).map_err(|error| unjoinable(error.to_string()))?;
        let before = pieces.last().map_or(Some(0), |(_, before)| before.part.until_group);
        if before != Some(report.part.from_group) {
            return Err(unjoinable(format!("{:?} does not follow on {before:?}", report.part)));
        }
        if pieces.first().is_some_and(|(_, first)| first.plan != report.plan) {
            return Err(unjoinable("a part was made by another plan"));
        }
        pieces.push((folder.clone(), report));
    }
    let last = pieces.last().map(|(_, last)| last).filter(|last| last.part.until_group.is_none());
    let last = last.ok_or_else(|| unjoinable("the last one is missing"))?;
    if last.probe.audio.is_some() != last.sound.is_some() {
        return Err(unjoinable("the sound is missing"));
    }
    Ok(pieces)
}

/// The sound of the film, which came with the last part.
fn sound(pieces: &Pieces, folder: &Path, gather: &mut Gather<'_>) -> Result<(), VideoError> {
    match pieces.last().and_then(|(part, last)| Some((part, last.sound.as_ref()?))) {
        None => Ok(()),
        Some((_, Err(why))) => gather.without_sound(why),
        Some((part, Ok(sound))) => {
            let mut sound = sound.clone();
            sound.track.path = folder.join(audio::FILE);
            fs::copy(part.join(audio::FILE), &sound.track.path)
                .map_err(VideoError::scratch("joining the parts"))?;
            gather.sound(Ok(sound))
        }
    }
}

/// One rung of all parts in one file.
fn join_rung(
    rung: &Rung,
    index: usize,
    pieces: &Pieces,
    folder: &Path,
    halt: &Halt<'_>,
) -> Result<Encoded, VideoError> {
    let name = format!("{}.mp4", rung.name);
    let made = |(folder, report): &(PathBuf, Report)| {
        let mut encoded = report.rungs.get(index)?.encoded.clone()?;
        encoded.track.path = folder.join(&name);
        Some(encoded)
    };
    let tracks: Vec<Encoded> = pieces.iter().filter_map(made).collect();
    let first = tracks.first().ok_or_else(|| VideoError::damaged("there is no picture in it"))?;
    let mut seam = Seam::begin(&folder.join(&name), &first.track)?;
    for encoded in &tracks {
        halt.check()?;
        if encoded.codec != first.codec {
            return Err(unjoinable(format!("{name}: a part is coded as {}", encoded.codec)));
        }
        seam.add(&encoded.track)?;
    }
    Ok(Encoded { track: seam.finish()?, codec: first.codec.clone() })
}

/// A file that grows by parts.
struct Seam {
    file: BufWriter<File>,
    /// The file so far.
    track: Track,
    parameter_sets: Vec<u8>,
    /// When the first fragment of all begins to be decoded, as the file counts.
    origin: u64,
    /// When the last one does.
    decoded: Option<u64>,
}

impl Seam {
    fn begin(path: &Path, first: &Track) -> Result<Self, VideoError> {
        let unwritten = VideoError::scratch("joining the parts");
        let mut file = BufWriter::new(File::create(path).map_err(unwritten)?);
        let init = bytes_of(first, 0, first.init_bytes)?;
        file.write_all(&init).map_err(VideoError::scratch("joining the parts"))?;
        let at = first.fragments.first().ok_or_else(|| unjoinable("a part without a fragment"))?;
        let origin =
            boxes::decode_time(&moof(first, at)?).ok_or_else(|| unjoinable("a fragment without a time"))?;
        let track = Track {
            path: path.to_path_buf(),
            fragments: Vec::new(),
            packets: 0,
            bytes: first.init_bytes,
            end: 0,
            ..first.clone()
        };
        let parameter_sets =
            boxes::parameter_sets(&init).ok_or_else(|| unjoinable("no parameter set"))?.to_vec();
        Ok(Self { file, track, parameter_sets, origin, decoded: None })
    }

    fn add(&mut self, part: &Track) -> Result<(), VideoError> {
        let name = part.path.display();
        let Some(first) = part.fragments.first() else { return Ok(()) };
        if (part.base, part.timescale) != (self.track.base, self.track.timescale)
            || boxes::parameter_sets(&bytes_of(part, 0, part.init_bytes)?) != Some(&self.parameter_sets)
        {
            return Err(unjoinable(format!("{name} is coded in another way")));
        }
        if !self.track.fragments.is_empty() && self.track.end != first.start {
            return Err(unjoinable(format!("{name} begins at {}, not at {}", first.start, self.track.end)));
        }
        let begins =
            boxes::decode_time(&moof(part, first)?).ok_or_else(|| unjoinable("a fragment without a time"))?;
        let ahead = part.base.rescaled(part.first_dts - self.track.first_dts, part.timescale);
        for fragment in &part.fragments {
            let mut moof = moof(part, fragment)?;
            let time = boxes::decode_time(&moof)
                .and_then(|time| (self.origin + (time - begins)).checked_add_signed(ahead))
                .filter(|time| self.decoded.is_none_or(|last| last < *time))
                .ok_or_else(|| unjoinable(format!("{name} goes back in time")))?;
            self.decoded = Some(time);
            let number = self.track.fragments.len() as u32 + 1;
            boxes::renumber(&mut moof, number, time)
                .ok_or_else(|| unjoinable("a fragment without a number"))?;
            self.append(part, fragment, &moof)?;
        }
        self.track.end = part.end;
        self.track.packets += part.packets;
        Ok(())
    }

    fn append(&mut self, part: &Track, fragment: &Fragment, moof: &[u8]) -> Result<(), VideoError> {
        let scratch = VideoError::scratch;
        self.file.write_all(moof).map_err(scratch("joining the parts"))?;
        let rest = fragment.bytes.saturating_sub(moof.len() as u64);
        let mut file = File::open(&part.path).map_err(scratch("reading a part"))?;
        file.seek(SeekFrom::Start(fragment.offset + moof.len() as u64)).map_err(scratch("reading a part"))?;
        let copied = copy(&mut BufReader::new(file).take(rest), &mut self.file)
            .map_err(scratch("joining the parts"))?;
        if copied != rest {
            return Err(unjoinable(format!("{} ends too early", part.path.display())));
        }
        self.track.fragments.push(Fragment { offset: self.track.bytes, ..*fragment });
        self.track.bytes += fragment.bytes;
        Ok(())
    }

    fn finish(mut self) -> Result<Track, VideoError> {
        self.file.flush().map_err(VideoError::scratch("joining the parts"))?;
        Ok(self.track)
    }
}

/// The header of a fragment.
fn moof(track: &Track, fragment: &Fragment) -> Result<Vec<u8>, VideoError> {
    let size = boxes::box_bytes(&bytes_of(track, fragment.offset, 4)?);
    let size = size.filter(|size| (8..=MOOF_BYTES_MAX).contains(size));
    bytes_of(track, fragment.offset, size.ok_or_else(|| unjoinable("no fragment"))?.into())
}

fn bytes_of(track: &Track, offset: u64, length: u64) -> Result<Vec<u8>, VideoError> {
    let read = || {
        let mut file = File::open(&track.path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(VideoError::scratch("reading a part"))
}

/// The poster and the storyboard, from the key frames of what was joined.
fn look(
    rungs: &[Encoded],
    plan: &Plan,
    poster: usize,
    pieces: &Pieces,
    halt: &Halt<'_>,
) -> Result<Seen, VideoError> {
    let (Some(ordinary), Some(smallest), Some(rung)) = (rungs.get(poster), rungs.last(), plan.rungs.last())
    else {
        return Err(unjoinable("there is no rung"));
    };
    let seconds = ordinary.track.seconds();
    let mut chosen =
        Chosen { poster: Poster::new(Some(seconds)), storyboard: Storyboard::new(rung, Some(seconds)) };
    let keep = |poster: &mut Poster, frame: &_, at_s| {
        poster.offer(frame, at_s);
        Ok(())
    };
    keys::show(&ordinary.track, &mut chosen.poster, Poster::wants, keep, halt)?;
    keys::show(&smallest.track, &mut chosen.storyboard, Storyboard::wants, Storyboard::offer, halt)?;
    let damaged = pieces.iter().map(|(_, report)| report.damaged).sum();
    Ok(Seen { seconds, damaged, stills: Some(chosen) })
}
