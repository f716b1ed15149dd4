//! The child process that decodes pictures. Decoders are C code fed with strangers' bytes: when one crashes, hangs or
//! eats memory, it is this process that dies, and the worker hears why.
//!
//! Protocol: one JSON request a line on stdin, JSON answers a line on stdout, the last of a request being `done`,
//! `inspected` or `failed`. Files travel by path.

use std::{
    io::{BufRead, Write},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use media::{Format, Inspected, Ladder, Limits, Probe};
use serde::{Deserialize, Serialize};

/// Bounds on one source photograph.
pub const LIMITS: Limits = Limits {
    bytes_max: 256 * 1024 * 1024,
    side_px_max: 30_000,
    pixels_max: 200_000_000,
    alloc_bytes_max: 1_200 * 1024 * 1024,
    jpeg_scans_max: 100,
};

/// What a child may be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// To make a ladder.
    Render(Request),
    /// What a file is, and how and where it was taken.
    Inspect(PathBuf),
}

/// A ladder to make.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// The photograph.
    pub source: PathBuf,
    /// Where the pictures go.
    pub folder: PathBuf,
    /// What to make.
    pub ladder: Ladder,
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
    /// The pictures are there.
    Done(Box<Ladders>),
    /// This is what the file is.
    Inspected(Box<Inspected>),
    /// It cannot be done.
    Failed {
        /// A stable word.
        code: String,
        /// A sentence for the photographer.
        message: String,
        /// Whether trying again is pointless.
        permanent: bool,
    },
}

/// What was made.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ladders {
    /// What the source is.
    pub probe: Probe,
    /// ThumbHash, base64.
    pub thumbhash: String,
    /// Why the pictures may show damage.
    pub degraded: Option<String>,
    /// The pictures.
    pub pictures: Vec<Picture>,
}

/// One picture in the folder.
#[derive(Debug, Serialize, Deserialize)]
pub struct Picture {
    /// Name of its rung.
    pub rung: String,
    /// Its format.
    pub format: Format,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Size of the file.
    pub bytes: u64,
    /// The file.
    pub path: PathBuf,
}

/// Answers requests until stdin ends.
///
/// # Errors
/// When stdin or stdout break, which means that the parent is gone.
pub fn serve() -> std::io::Result<()> {
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?) {
            Ok(Question::Render(request)) => render(&request, &mut answers),
            Ok(Question::Inspect(source)) => inspect(&source),
            Err(error) => failed("bad_request", error.to_string(), true),
        };
        say(&mut answers, &answer)?;
    }
    Ok(())
}

fn say(answers: &mut impl Write, answer: &Answer) -> std::io::Result<()> {
    serde_json::to_writer(&mut *answers, answer)?;
    answers.write_all(b"\n")?;
    answers.flush()
}

fn failed(code: &str, message: String, permanent: bool) -> Answer {
    Answer::Failed { code: code.to_owned(), message, permanent }
}

fn read(source: &Path) -> Result<Vec<u8>, Answer> {
    std::fs::read(source)
        .map_err(|error| failed("scratch", format!("could not read the photograph: {error}"), false))
}

fn inspect(source: &Path) -> Answer {
    match read(source).map(|source| media::inspect(&source, &LIMITS)) {
        Ok(Ok(inspected)) => Answer::Inspected(Box::new(inspected)),
        Ok(Err(error)) => failed(error.code(), error.to_string(), error.is_permanent()),
        Err(answer) => answer,
    }
}

fn render(request: &Request, answers: &mut impl Write) -> Answer {
    let source = match read(&request.source) {
        Ok(source) => source,
        Err(answer) => return answer,
    };
    // A parent that is gone shows at the next answer; until then there is nobody to tell.
    let mut progress = |percent: u8, message: &str| {
        let _ = say(answers, &Answer::Progress { percent, message: message.to_owned() });
    };
    let rendered =
        match media::render(&source, &request.ladder, &LIMITS, &AtomicBool::new(false), &mut progress) {
            Ok(rendered) => rendered,
            Err(error) => return failed(error.code(), error.to_string(), error.is_permanent()),
        };
    let mut pictures = Vec::with_capacity(rendered.outputs.len());
    for output in rendered.outputs {
        let path = request.folder.join(format!("{}.{}", output.rung, output.format.extension()));
        if let Err(error) = std::fs::write(&path, &output.bytes) {
            return failed("scratch", format!("could not write a picture: {error}"), false);
        }
        pictures.push(Picture {
            rung: output.rung,
            format: output.format,
            width: output.width,
            height: output.height,
            bytes: output.bytes.len() as u64,
            path,
        });
    }
    Answer::Done(Box::new(Ladders {
        probe: rendered.probe,
        thumbhash: BASE64_STANDARD.encode(rendered.thumbhash),
        degraded: rendered.degraded,
        pictures,
    }))
}
