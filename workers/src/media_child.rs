//! The child process that decodes pictures and films. Decoders are C code fed with strangers' bytes: when one crashes,
//! hangs or eats memory, it is this process that dies, and the worker hears why.
//!
//! Protocol: one JSON request a line on stdin, JSON answers a line on stdout, the last of a request being none of
//! `progress`, `ready` and `playable`. Files travel by path.

use std::{
    io::{BufRead, StdoutLock, Write},
    path::PathBuf,
};

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::{
    film_child::{FilmRequest, JoinRequest, PartRequest},
    huge_pages,
    picture_child::{Ladders, PictureRequest, SheetRequest, Sheets},
};

/// Bytes of one file that a child writes: more than a film of the largest kind comes to.
const FILE_BYTES_MAX: u64 = 64 << 30;

/// How many tenths of the address space that it may use a process has used when something it cannot explain failed for want
/// of more.
const NEAR_TENTHS: u64 = 8;

/// What the parent asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// A ladder of pictures.
    Pictures(PictureRequest),
    /// A ladder of streams.
    Film(FilmRequest),
    /// Contact sheets.
    Sheets(SheetRequest),
    /// The pictures of a part of a film.
    Part(PartRequest),
    /// A ladder of streams, of parts that are made.
    Join(JoinRequest),
    /// What a file is, and how and where it was taken.
    Inspect(PathBuf),
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// How far it is.
    Progress {
        /// 0 to 100.
        percent: u8,
        /// A few words.
        message: String,
    },
    /// These files of a film are there, and will not change.
    Ready(Vec<video::FileMade>),
    /// A film can be played; everything it takes is ready.
    Playable {
        /// Its playlist.
        playlist: String,
        /// The stream that is ready.
        rung: String,
    },
    /// The pictures are there.
    Pictures(Box<Ladders>),
    /// The film is there.
    Film(Box<video::Made>),
    /// The contact sheets are there.
    Sheets(Sheets),
    /// The part of a film is there.
    Part(video::PartMade),
    /// This is what a picture is.
    Picture(Box<media::Inspected>),
    /// This is what a film is.
    Recording(Box<video::Inspected>),
    /// There will be nothing.
    Failed {
        /// A stable word.
        code: String,
        /// A sentence for whoever took the picture.
        message: String,
        /// Whether trying again is pointless.
        permanent: bool,
    },
}

/// Answers requests by `work` until stdin ends. The process may use so much address space, writes no file larger than a film,
/// and leaves no core files.
///
/// # Errors
/// When stdin or stdout break, which means that the parent is gone.
pub fn serve(
    memory_bytes: u64,
    work: impl Fn(Request, &mut StdoutLock<'static>) -> Answer,
) -> anyhow::Result<()> {
    huge_pages::allow();
    limit(Resource::As, memory_bytes)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, FILE_BYTES_MAX)?;
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?) {
            Ok(request) => work(request, &mut answers),
            Err(error) => failed("bad_request", error.to_string(), true),
        };
        say(&mut answers, &answer)?;
    }
    Ok(())
}

fn limit(resource: Resource, value: u64) -> anyhow::Result<()> {
    // Whoever started the worker may allow less.
    let value = getrlimit(resource).maximum.map_or(value, |most| most.min(value));
    setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
        .with_context(|| format!("could not limit {resource:?} to {value}"))
}

/// Whether this process ever came near the address space that it may use.
pub(crate) fn is_short_of_memory() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmPeak:")?.trim().strip_suffix(" kB"));
    let peak_bytes = peak.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1_024;
    getrlimit(Resource::As).current.is_some_and(|limit| peak_bytes >= limit / 10 * NEAR_TENTHS)
}

/// The answer of a child to what another kind of child is for.
pub(crate) fn not_mine() -> Answer {
    failed("bad_request", "this is not what this process is for".to_owned(), true)
}

pub(crate) fn say(answers: &mut impl Write, answer: &Answer) -> std::io::Result<()> {
    serde_json::to_writer(&mut *answers, answer)?;
    answers.write_all(b"\n")?;
    answers.flush()
}

pub(crate) fn failed(code: &str, message: String, permanent: bool) -> Answer {
    Answer::Failed { code: code.to_owned(), message, permanent }
}
