//! The storyboard: small frames of the whole film in one picture, and a list that says which moment each shows.

use std::fmt::Write;

use ffmpeg_next::{format::Pixel, frame::Video};

use crate::{Rung, VideoError, still::Stills};

/// Most frames of a storyboard.
const FRAMES_MAX: usize = 100;
/// Frames in a row.
const COLUMNS: usize = 10;
/// Longer side of a frame, in pixels.
const LONG_EDGE_PX: u32 = 160;
/// Seconds between frames, at least.
const APART_S_LEAST: f64 = 1.0;
/// What an empty place shows in each plane: black.
const BLACK: [u8; 3] = [0, 128, 128];

/// Collects.
pub(crate) struct Storyboard {
    stills: Stills,
    width: u32,
    height: u32,
    apart_s: f64,
    frames: Vec<(f64, Video)>,
}

impl Storyboard {
    pub(crate) fn new(rung: &Rung, duration_s: Option<f64>) -> Self {
        let long = rung.width.max(rung.height).max(1);
        let side = |side: u32| (side * LONG_EDGE_PX.min(long) / long / 2 * 2).max(2);
        let (width, height) = (side(rung.width), side(rung.height));
        let apart_s = (duration_s.unwrap_or_default() / FRAMES_MAX as f64).ceil().max(APART_S_LEAST);
        Self { stills: Stills::new(width, height), width, height, apart_s, frames: Vec::new() }
    }

    /// Whether the turn of a frame at this moment has come.
    pub(crate) fn wants(&self, at_s: f64) -> bool {
        at_s >= self.frames.len() as f64 * self.apart_s
    }

    /// Keeps a frame, if its turn has come.
    pub(crate) fn offer(&mut self, frame: &Video, at_s: f64) -> Result<(), VideoError> {
        if !self.wants(at_s) {
            return Ok(());
        }
        if self.frames.len() == FRAMES_MAX {
            // The film is longer than it said: every second frame makes room for as many more.
            let mut kept = false;
            self.frames.retain(|_| {
                kept = !kept;
                kept
            });
            self.apart_s *= 2.0;
            return self.offer(frame, at_s);
        }
        let still = self.stills.take(frame)?;
        self.frames.push((at_s, still));
        Ok(())
    }

    /// The picture of all frames, and the list. None when there is no frame.
    pub(crate) fn finish(self, picture_name: &str, end_s: f64) -> Option<(Video, String)> {
        let columns = self.frames.len().min(COLUMNS);
        if columns == 0 {
            return None;
        }
        let rows = self.frames.len().div_ceil(columns);
        let mut sheet = Video::new(Pixel::YUVJ420P, self.width * columns as u32, self.height * rows as u32);
        for (plane, black) in BLACK.into_iter().enumerate() {
            sheet.data_mut(plane).fill(black);
        }
        let mut list = "WEBVTT\n".to_owned();
        for (i, (at_s, frame)) in self.frames.iter().enumerate() {
            let (column, row) = (i % columns, i / columns);
            place(&mut sheet, frame, column, row);
            let until = self.frames.get(i + 1).map_or(end_s, |(next, _)| *next).max(*at_s);
            let (x, y) = (column as u32 * self.width, row as u32 * self.height);
            // Writing to a string cannot fail.
            let _ = write!(
                list,
                "\n{} --> {}\n{picture_name}#xywh={x},{y},{},{}\n",
                clock(*at_s),
                clock(until),
                self.width,
                self.height
            );
        }
        Some((sheet, list))
    }
}

/// Copies a frame to its place.
fn place(sheet: &mut Video, frame: &Video, column: usize, row: usize) {
    for plane in 0..3 {
        let (width, height) = (frame.plane_width(plane) as usize, frame.plane_height(plane) as usize);
        let (from, to) = (frame.stride(plane), sheet.stride(plane));
        let source = frame.data(plane);
        let target = sheet.data_mut(plane);
        for y in 0..height {
            let at = (row * height + y) * to + column * width;
            if let (Some(target), Some(source)) =
                (target.get_mut(at..at + width), source.get(y * from..y * from + width))
            {
                target.copy_from_slice(source);
            }
        }
    }
}

/// As WebVTT writes time.
fn clock(seconds: f64) -> String {
    let ms = (seconds * 1_000.0).round() as u64;
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_as_webvtt_wants_it() {
        assert_eq!(clock(0.0), "00:00:00.000");
        assert_eq!(clock(3_725.5), "01:02:05.500");
    }

    #[test]
    fn a_film_that_is_longer_than_it_said_still_fits() {
        let rung = Rung { name: "360p".to_owned(), width: 64, height: 36 };
        let mut board = Storyboard::new(&rung, None);
        let mut frame = Video::new(Pixel::YUV420P, 64, 36);
        for plane in 0..3 {
            frame.data_mut(plane).fill(100);
        }
        for second in 0..450 {
            frame.set_pts(Some(second * 1_000));
            board.offer(&frame, second as f64).unwrap();
        }
        assert!(board.frames.len() <= FRAMES_MAX && board.frames.len() > FRAMES_MAX / 2);
        let (sheet, list) = board.finish("storyboard.jpg", 450.0).unwrap();
        assert_eq!((sheet.width(), sheet.height() % 36), (640, 0));
        assert!(
            list.starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:08.000\nstoryboard.jpg#xywh=0,0,64,36\n"),
            "{list}"
        );
        assert!(list.trim_end().lines().nth_back(1).unwrap().ends_with("--> 00:07:30.000"), "{list}");
    }
}
