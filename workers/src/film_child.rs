//! Films, in the child process: a ladder of streams, or what a film is.

use std::{
    io::Write,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize};
use video::{Event, Limits, Made, Order, Part, VideoError};

use crate::media_child::{Answer, Request, failed, is_short_of_memory, not_mine, say};

/// Bounds on one source film.
pub const LIMITS: Limits = Limits {
    bytes_max: 16 * 1024 * 1024 * 1024,
    duration_s_max: 7_200,
    side_px_max: 8_192,
    pixels_max: 8_192 * 4_608,
    streams_max: 32,
    frames_max: 1_000_000,
};

/// A film to make.
#[derive(Debug, Serialize, Deserialize)]
pub struct FilmRequest {
    /// The film.
    pub source: PathBuf,
    /// Where the files go.
    pub folder: PathBuf,
    /// What to make.
    pub order: Order,
}

/// Parts of a film to join.
#[derive(Debug, Serialize, Deserialize)]
pub struct JoinRequest {
    /// Where they are, in order.
    pub parts: Vec<PathBuf>,
    /// Where the files go.
    pub folder: PathBuf,
}

/// A part of a film to make.
#[derive(Debug, Serialize, Deserialize)]
pub struct PartRequest {
    /// The film.
    pub source: PathBuf,
    /// Where the files go.
    pub folder: PathBuf,
    /// What to make.
    pub order: Order,
    /// Of which pictures.
    pub part: Part,
}

/// Does what the parent asks. Only the program `films` calls this: who does has libav in its memory.
pub fn answer(request: Request, answers: &mut impl Write) -> Answer {
    match request {
        Request::Film(request) => transcode(&request, answers),
        Request::Part(request) => make_part(&request, answers),
        Request::Join(request) => join(&request, answers),
        Request::Inspect(source) => match video::inspect(&source, &LIMITS) {
            Ok(inspected) => Answer::Recording(Box::new(inspected)),
            Err(error) => refused(error),
        },
        Request::Pictures(_) | Request::Sheets(_) => not_mine(),
    }
}

fn transcode(request: &FilmRequest, answers: &mut impl Write) -> Answer {
    let parent_is_gone = AtomicBool::new(false);
    let tell = &mut tell_parent(answers, &parent_is_gone);
    let FilmRequest { source, folder, order } = request;
    film(video::transcode(source, folder, order, &LIMITS, &parent_is_gone, tell))
}

fn join(request: &JoinRequest, answers: &mut impl Write) -> Answer {
    let parent_is_gone = AtomicBool::new(false);
    let tell = &mut tell_parent(answers, &parent_is_gone);
    film(video::join(&request.parts, &request.folder, &parent_is_gone, tell))
}

fn film(made: Result<Made, VideoError>) -> Answer {
    match made {
        Ok(made) => Answer::Film(Box::new(made)),
        Err(error) => refused(error),
    }
}

fn make_part(request: &PartRequest, answers: &mut impl Write) -> Answer {
    let parent_is_gone = AtomicBool::new(false);
    let tell = &mut tell_parent(answers, &parent_is_gone);
    let PartRequest { source, folder, order, part } = request;
    match video::make_part(source, folder, (order, *part), &LIMITS, &parent_is_gone, tell) {
        Ok(made) => Answer::Part(made),
        Err(error) => refused(error),
    }
}

/// Encoders do not say that memory was what they lacked.
fn refused(error: VideoError) -> Answer {
    let error = match error {
        VideoError::Encode { step, .. } if is_short_of_memory() => VideoError::out_of_memory(step),
        other => other,
    };
    failed(error.code(), error.to_string(), error.is_permanent())
}

/// Says what happens; raises `parent_is_gone` when nobody hears it.
fn tell_parent<'a>(answers: &'a mut impl Write, parent_is_gone: &'a AtomicBool) -> impl FnMut(Event) + 'a {
    |event: Event| {
        let answer = match event {
            Event::Progress { percent, eta_s } => Answer::Progress { percent, message: in_words(eta_s) },
            Event::Ready(files) => Answer::Ready(files),
            Event::Playable { playlist, rung } => Answer::Playable { playlist, rung },
        };
        // With nobody left to hear it, hours of work would be for nothing.
        if say(answers, &answer).is_err() {
            parent_is_gone.store(true, Ordering::Relaxed);
        }
    }
}

/// How long it will take, for people.
fn in_words(eta_s: Option<u64>) -> String {
    match eta_s {
        None => "making the streams".to_owned(),
        Some(eta_s) if eta_s < 120 => format!("making the streams, {eta_s} s left"),
        // To the second, so that whoever watches an hour of work sees that it goes on.
        Some(eta_s) => format!("making the streams, {} min {} s left", eta_s / 60, eta_s % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_told_in_words() {
        assert_eq!(in_words(None), "making the streams");
        assert_eq!(in_words(Some(7)), "making the streams, 7 s left");
        assert_eq!(in_words(Some(121)), "making the streams, 2 min 1 s left");
    }
}
