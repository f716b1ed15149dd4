//! Pictures become files: the dearest first, several at once where that costs little memory.

use std::sync::{
    atomic::{AtomicBool, AtomicUsize, Ordering},
    mpsc::channel,
};
use std::thread;

use crate::frame::Frame;
use crate::ladder::{Format, Step};
use crate::{MediaError, heif, jpeg, webp};

/// Threads that encode one ladder. They pay where one photograph is waited for; where every core has a photograph of its
/// own, they cost nothing.
const THREADS_MAX: usize = 4;
/// Pixels of the largest output above which outputs are encoded one after another: their buffers would add up.
const TOGETHER_PIXELS_MAX: u64 = 16_000_000;

/// One output to encode.
pub(crate) struct Task<'a> {
    pub(crate) step: &'a Step,
    pub(crate) frame: &'a Frame,
    pub(crate) quality: u8,
}

impl Task<'_> {
    /// How dear it is, relative to a JPEG of one pixel.
    pub(crate) fn cost(&self) -> u64 {
        let weight = match self.step.format {
            Format::Jpeg => 1,
            Format::WebP => 12,
            Format::Avif => 40,
        };
        self.step.size.pixels() * weight
    }

    fn encode(&self, exif: Option<&[u8]>) -> Result<Vec<u8>, MediaError> {
        let Self { step, frame, quality } = *self;
        match step.format {
            Format::Jpeg => jpeg::encode(&frame.flattened(), quality, exif),
            Format::WebP => webp::encode(frame, quality, exif),
            Format::Avif => heif::encode_avif(&frame.rgba(), !matches!(frame, Frame::Alpha(_)), quality),
        }
    }
}

/// Encodes all `tasks`, and hands each file to `made` on the caller's thread as it is there: in any order.
///
/// # Errors
/// The first that an encoder had, or that `stop` was raised; then nothing more is begun.
pub(crate) fn encode_all(
    mut tasks: Vec<Task<'_>>,
    exif: Option<&[u8]>,
    stop: &AtomicBool,
    mut made: impl FnMut(&Task<'_>, Vec<u8>),
) -> Result<(), MediaError> {
    tasks.sort_by_key(|task| (std::cmp::Reverse(task.cost()), task.step.order));
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let take = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        tasks.get(at).filter(|_| !failed.load(Ordering::Relaxed))
    };
    let encode = |task: &Task<'_>| {
        let encoded =
            if stop.load(Ordering::Relaxed) { Err(MediaError::Cancelled) } else { task.encode(exif) };
        encoded.inspect_err(|_| failed.store(true, Ordering::Relaxed))
    };
    thread::scope(|scope| {
        let (files, heard) = channel();
        for _ in 0..threads(&tasks) {
            let (files, take, encode) = (files.clone(), &take, &encode);
            scope.spawn(move || {
                while let Some(task) = take() {
                    // Who hears it listens until all are through.
                    let _ = files.send((task, encode(task)));
                }
            });
        }
        drop(files);
        let mut first = Ok(());
        for (task, encoded) in heard {
            match encoded {
                Ok(_) if stop.load(Ordering::Relaxed) => first = first.and(Err(MediaError::Cancelled)),
                Ok(bytes) => made(task, bytes),
                Err(error) => first = first.and(Err(error)),
            }
        }
        first
    })
}

fn threads(tasks: &[Task<'_>]) -> usize {
    let largest = tasks.iter().map(|task| task.step.size.pixels()).max().unwrap_or_default();
    if largest > TOGETHER_PIXELS_MAX {
        return 1;
    }
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.min(THREADS_MAX).min(tasks.len())
}
