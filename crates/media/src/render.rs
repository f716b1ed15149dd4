//! The straight line from source to ladder.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use crate::brand::Brand;
use crate::encode::{Task, encode_all};
use crate::frame::Frame;
use crate::ladder::{Format, Ladder, Step, plan};
use crate::probe::{Opened, Probe};
use crate::resize::Scaler;
use crate::{Limits, MediaError, exif};

/// One file of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Name of its rung.
    pub rung: String,
    /// Its format.
    pub format: Format,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Everything made from one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// What the source was.
    pub probe: Probe,
    /// A [ThumbHash](https://evanw.github.io/thumbhash/): some 25 bytes to show while an image loads. Of the whole
    /// picture, whatever the ladder keeps of it.
    pub thumbhash: Vec<u8>,
    /// Set where the source was damaged and the outputs show it: what the decoder complained of.
    pub degraded: Option<String>,
    /// One output per rung and format, in the ladder's order.
    pub outputs: Vec<Output>,
}

/// Longest side of the picture a ThumbHash is computed from; more adds nothing.
const THUMBHASH_EDGE_PX: u32 = 100;
/// Shares of the progress bar, in percent. What follows is encoding, by pixels.
const DECODED_PERCENT: u8 = 15;
const RESIZED_PERCENT: u8 = 20;
const ENCODED_PERCENT: u8 = 98;

/// Makes every output of the ladder from one decode of the source.
///
/// Equal input gives equal bytes. `stop` is looked at between stages and before every output; `progress` gets a
/// percentage that never falls, and a line for a person.
pub fn render(
    source: &[u8],
    ladder: &Ladder,
    brand: Option<&Brand>,
    limits: &Limits,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(u8, &str),
) -> Result<Rendered, MediaError> {
    ladder.check()?;
    go_on(stop)?;
    let opened = Opened::open(source, limits)?;
    let probe = opened.probe.clone();
    let exif = exif::write(&opened.mark);
    let displayed = opened.displayed();
    let kept = ladder.crop.map_or(displayed, |crop| crop.part(displayed));
    let steps = plan(ladder, kept);
    let largest = steps.first().map_or_else(|| kept.fit(THUMBHASH_EDGE_PX), |step| step.size);
    let whole = ladder.crop.map_or(largest, |crop| crop.around(largest, displayed));
    progress(0, "Read the header");

    let decoded = opened.decode(whole, limits)?;
    go_on(stop)?;
    progress(DECODED_PERCENT, "Decoded the picture");

    let degraded = decoded.degraded.clone();
    let mut scaler = Scaler::new();
    let mut frame = decoded.into_frame(whole, &mut scaler)?;
    let mut of_whole = None;
    if let Some(crop) = ladder.crop {
        let part = frame.cut(crop.corner(largest, whole), largest);
        of_whole = Some(thumbhash(std::mem::replace(&mut frame, part), &mut scaler)?);
    }
    if let Some(brand) = brand {
        let refused = |error| MediaError::BadBrand { detail: format!("{error}") };
        frame = brand.over(frame, limits, &mut scaler).map_err(refused)?;
    }
    progress(RESIZED_PERCENT, "Resized to the largest rung");

    let (mut frames, places) = cascade(frame, &steps, &mut scaler)?;
    let quality = |step: &Step| ladder.rungs[step.rung].quality;
    let shown = steps.iter().zip(places);
    let tasks: Vec<Task<'_>> =
        shown.map(|(step, place)| Task { step, frame: &frames[place], quality: quality(step) }).collect();
    let total: u64 = tasks.iter().map(Task::cost).sum();
    let mut spent = 0;
    let mut outputs: Vec<(usize, Output)> = Vec::with_capacity(steps.len());
    encode_all(tasks, exif.as_deref(), stop, |task, bytes| {
        let Step { size, order, rung, format } = *task.step;
        let rung = ladder.rungs[rung].name.clone();
        spent += task.cost();
        let share = u64::from(ENCODED_PERCENT - RESIZED_PERCENT) * spent / total.max(1);
        progress(RESIZED_PERCENT + share as u8, &format!("Wrote {rung} as {}", format.extension()));
        outputs.push((order, Output { rung, format, width: size.width, height: size.height, bytes }));
    })?;
    go_on(stop)?;
    let thumbhash = match (of_whole, frames.pop()) {
        (Some(hash), _) => hash,
        (None, Some(smallest)) => thumbhash(smallest, &mut scaler)?,
        (None, None) => Vec::new(),
    };
    outputs.sort_by_key(|(order, _)| *order);
    let outputs = outputs.into_iter().map(|(_, output)| output).collect();
    progress(100, "Done");
    Ok(Rendered { probe, thumbhash, degraded, outputs })
}

/// One picture for each size, each made from the one before, at least one; and which of them each step shows.
fn cascade(
    largest: Frame,
    steps: &[Step],
    scaler: &mut Scaler,
) -> Result<(Vec<Frame>, Vec<usize>), MediaError> {
    let mut frames = vec![largest];
    let mut places = Vec::with_capacity(steps.len());
    for step in steps {
        let last = &frames[frames.len() - 1];
        if last.size() != step.size {
            let next = last.clone().shrunk(step.size, scaler)?;
            frames.push(next);
        }
        places.push(frames.len() - 1);
    }
    Ok((frames, places))
}

fn go_on(stop: &AtomicBool) -> Result<(), MediaError> {
    if stop.load(Ordering::Relaxed) { Err(MediaError::Cancelled) } else { Ok(()) }
}

/// A placeholder for the whole picture, of any size of it.
fn thumbhash(picture: Frame, scaler: &mut Scaler) -> Result<Vec<u8>, MediaError> {
    let size = picture.size().fit(THUMBHASH_EDGE_PX);
    let small = picture.shrunk(size, scaler)?;
    Ok(thumbhash::rgba_to_thumb_hash(size.width as usize, size.height as usize, &small.rgba().data))
}
