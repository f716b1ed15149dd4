//! Child processes that decode pictures, kept warm. A child that fails its parent in any way is replaced.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::Stdio,
    sync::{Mutex, PoisonError},
};

use media::Inspected;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::media_child::{Answer, Ladders, Question, Request};

/// Answers after which a child is replaced, so that what a decoder leaks stays small.
const USES_MAX: u32 = 200;
/// Idle children kept.
const IDLE_MAX: usize = 64;
/// Longest line a child may say. An answer names a few dozen files.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
pub enum MediaFailure {
    /// The decoder looked at the file and said no.
    #[error("{message}")]
    Refused {
        /// A stable word.
        code: String,
        /// A sentence for the photographer.
        message: String,
        /// Whether trying again is pointless.
        permanent: bool,
    },
    /// The decoder process died over the file.
    #[error("the decoder crashed on this file ({how})")]
    Crashed {
        /// By which signal or exit code.
        how: String,
    },
    /// The decoder process could not be started or spoken to.
    #[error("could not talk to the decoder process")]
    Io(#[from] io::Error),
}

struct Decoder {
    child: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    uses: u32,
}

/// Decoders that wait for work.
pub struct MediaPool {
    program: PathBuf,
    memory_bytes: u64,
    idle: Mutex<Vec<Decoder>>,
}

impl MediaPool {
    /// A pool of children of `program` (this one), each of which may use `memory_bytes` of address space.
    pub fn new(program: PathBuf, memory_bytes: u64) -> Self {
        Self { program, memory_bytes, idle: Mutex::default() }
    }

    /// Makes a ladder.
    pub async fn render(
        &self,
        request: Request,
        progress: impl FnMut(u8, String),
    ) -> Result<Ladders, MediaFailure> {
        match self.ask(&Question::Render(request), progress).await? {
            Answer::Done(ladders) => Ok(*ladders),
            other => Err(strange(&other)),
        }
    }

    /// Looks at the header of a file.
    pub async fn inspect(&self, source: PathBuf) -> Result<Inspected, MediaFailure> {
        match self.ask(&Question::Inspect(source), |_, _| ()).await? {
            Answer::Inspected(inspected) => Ok(*inspected),
            other => Err(strange(&other)),
        }
    }

    /// The last answer to a question. Dropping the future kills the child: nothing of a cancelled job goes on.
    async fn ask(
        &self,
        question: &Question,
        mut progress: impl FnMut(u8, String),
    ) -> Result<Answer, MediaFailure> {
        let mut decoder = self.take()?;
        let line = serde_json::to_string(question).map_err(io::Error::other)? + "\n";
        let asked = decoder.requests.write_all(line.as_bytes()).await;
        loop {
            let answer = match asked.as_ref().map(|()| decoder.answers.next_line()) {
                Ok(answer) => answer.await,
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            };
            let Ok(Some(line)) = answer else { return Err(crashed(decoder).await) };
            if line.len() > LINE_BYTES_MAX {
                return Err(MediaFailure::Crashed { how: "it said too much".to_owned() });
            }
            match serde_json::from_str(&line).map_err(io::Error::other)? {
                Answer::Progress { percent, message } => progress(percent, message),
                Answer::Failed { code, message, permanent } => {
                    self.put_back(decoder);
                    return Err(MediaFailure::Refused { code, message, permanent });
                }
                last => {
                    self.put_back(decoder);
                    return Ok(last);
                }
            }
        }
    }

    fn take(&self) -> io::Result<Decoder> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| self.start(), Ok)
    }

    fn put_back(&self, mut decoder: Decoder) {
        decoder.uses += 1;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if decoder.uses < USES_MAX && idle.len() < IDLE_MAX {
            idle.push(decoder);
        }
    }

    fn start(&self) -> io::Result<Decoder> {
        let mut child = Command::new(&self.program)
            .args(["media-child", "--memory-bytes", &self.memory_bytes.to_string()])
            // Nothing of the worker's secrets is the decoder's business.
            .env_clear()
            // The allocator would set aside a GiB of address space at once, which is what the decoder's limit counts.
            .env("MIMALLOC_DISALLOW_ARENA_ALLOC", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the decoder process has no pipes"));
        };
        Ok(Decoder { child, requests, answers: BufReader::new(answers).lines(), uses: 0 })
    }
}

/// An answer to another question.
fn strange(answer: &Answer) -> MediaFailure {
    let what = match answer {
        Answer::Progress { .. } => "progress",
        Answer::Done(_) => "pictures",
        Answer::Inspected(_) => "a description",
        Answer::Failed { .. } => "a failure",
    };
    MediaFailure::Crashed { how: format!("it answered with {what}") }
}

async fn crashed(mut decoder: Decoder) -> MediaFailure {
    drop(decoder.requests);
    match decoder.child.wait().await {
        Ok(status) => MediaFailure::Crashed {
            how: status.signal().map_or_else(|| format!("{status}"), |signal| format!("signal {signal}")),
        },
        Err(error) => MediaFailure::Io(error),
    }
}
