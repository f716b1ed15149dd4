//! Child processes that decode pictures and films, kept warm. A child that fails its parent in any way is replaced.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::Stdio,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use jobs::Failure;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use video::{FileMade, Made, PartMade};

use crate::{
    film_child::PartRequest,
    media_child::{Answer, Request},
    picture_child::{Ladders, PictureRequest, SheetRequest, Sheets},
};

/// Ladders of pictures after which a child is replaced, so that what a decoder leaks stays small.
pub const USES_MAX: u32 = 200;
/// Films after which a child is replaced.
pub const FILM_USES_MAX: u32 = 1;
/// Idle children kept.
const IDLE_MAX: usize = 64;
/// Longest line a child may say. An answer names a few dozen files.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// How long a child may take to end once nobody talks to it any more.
const END_MAX: Duration = Duration::from_secs(5);

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

impl MediaFailure {
    /// A crash may be the machine's fault, so it is tried again; a refusal of the file itself is final.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Refused { code, message, permanent: true } => Failure::discard(&code, message),
            Self::Refused { code, message, .. } => Failure::retry(&code, message),
            Self::Crashed { .. } => Failure::retry("decoder_crashed", self.to_string()),
            Self::Io(error) => error.into(),
        }
    }
}

/// What is said about a film while it is made.
#[derive(Debug)]
pub enum FilmWord {
    /// How far it is, from 0 to 100, and a few words.
    Progress(u8, String),
    /// These files are there, and will not change.
    Ready(Vec<FileMade>),
    /// It can be played with this playlist, which shows this stream; all it takes is ready.
    Playable(String, String),
}

struct Decoder {
    child: Child,
    requests: ChildStdin,
    answers: FramedRead<ChildStdout, LinesCodec>,
    uses: u32,
}

/// What an answer was.
enum Heard<T> {
    /// There will be more.
    Word,
    /// The last one.
    End(T),
    /// Not an answer to what was asked.
    Nonsense,
}

/// What children of a pool are.
#[derive(Debug, Clone)]
pub struct Kind {
    /// The program.
    pub program: PathBuf,
    /// What it is told to be, if it can be several things.
    pub role: Option<&'static str>,
    /// Address space that each may use.
    pub memory_bytes: u64,
    /// Requests after which one is replaced.
    pub uses_max: u32,
    /// Longest time in which one that is at work says nothing.
    pub silence_max: Duration,
}

/// Decoders that wait for work.
pub struct MediaPool {
    kind: Kind,
    idle: Mutex<Vec<Decoder>>,
}

impl MediaPool {
    /// A pool without children yet.
    pub fn new(kind: Kind) -> Self {
        Self { kind, idle: Mutex::default() }
    }

    /// Makes a ladder of pictures. Dropping the future kills the child: nothing of a cancelled job goes on.
    pub async fn render(
        &self,
        request: PictureRequest,
        mut progress: impl FnMut(u8, String),
    ) -> Result<Ladders, MediaFailure> {
        let hear = |answer| match answer {
            Answer::Progress { percent, message } => {
                progress(percent, message);
                Heard::Word
            }
            Answer::Pictures(ladders) => Heard::End(*ladders),
            _ => Heard::Nonsense,
        };
        self.converse(&Request::Pictures(request), hear).await
    }

    /// Makes a film, in one go or of its parts. Dropping the future kills the child: nothing of a cancelled job goes on.
    pub async fn make_film(
        &self,
        request: &Request,
        mut say: impl FnMut(FilmWord),
    ) -> Result<Made, MediaFailure> {
        let hear = |answer| {
            let word = match answer {
                Answer::Progress { percent, message } => FilmWord::Progress(percent, message),
                Answer::Ready(files) => FilmWord::Ready(files),
                Answer::Playable { playlist, rung } => FilmWord::Playable(playlist, rung),
                Answer::Film(made) => return Heard::End(*made),
                _ => return Heard::Nonsense,
            };
            say(word);
            Heard::Word
        };
        self.converse(request, hear).await
    }

    /// Makes contact sheets. For children that make pictures.
    pub async fn sheets(&self, request: SheetRequest) -> Result<Sheets, MediaFailure> {
        let hear = |answer| match answer {
            Answer::Sheets(sheets) => Heard::End(sheets),
            _ => Heard::Nonsense,
        };
        self.converse(&Request::Sheets(request), hear).await
    }

    /// Makes a part of a film. Dropping the future kills the child: nothing of a cancelled job goes on.
    pub async fn make_part(
        &self,
        request: PartRequest,
        mut say: impl FnMut(FilmWord),
    ) -> Result<PartMade, MediaFailure> {
        let hear = |answer| match answer {
            Answer::Progress { percent, message } => {
                say(FilmWord::Progress(percent, message));
                Heard::Word
            }
            Answer::Part(made) => Heard::End(made),
            _ => Heard::Nonsense,
        };
        self.converse(&Request::Part(request), hear).await
    }

    /// Looks at the header of a picture. For children that make pictures.
    pub async fn inspect_picture(&self, source: PathBuf) -> Result<media::Inspected, MediaFailure> {
        let hear = |answer| match answer {
            Answer::Picture(inspected) => Heard::End(*inspected),
            _ => Heard::Nonsense,
        };
        self.converse(&Request::Inspect(source), hear).await
    }

    /// Looks at the header of a film. For children that make films.
    pub async fn inspect_film(&self, source: PathBuf) -> Result<video::Inspected, MediaFailure> {
        let hear = |answer| match answer {
            Answer::Recording(inspected) => Heard::End(*inspected),
            _ => Heard::Nonsense,
        };
        self.converse(&Request::Inspect(source), hear).await
    }

    /// Asks, and listens until the last answer.
    async fn converse<T>(
        &self,
        request: &Request,
        mut hear: impl FnMut(Answer) -> Heard<T>,
    ) -> Result<T, MediaFailure> {
        let mut decoder = self.take()?;
        let line = serde_json::to_string(request).map_err(io::Error::other)? + "\n";
        // Whichever way this is left before the last answer, the child is killed with its decoder.
        let asked = timeout(self.kind.silence_max, decoder.requests.write_all(line.as_bytes())).await;
        match asked {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(crashed(decoder).await),
            Err(_) => return Err(stuck()),
        }
        loop {
            let line = match timeout(self.kind.silence_max, decoder.answers.next()).await {
                Ok(Some(Ok(line))) => line,
                Ok(Some(Err(LinesCodecError::MaxLineLengthExceeded))) => {
                    return Err(MediaFailure::Crashed { how: "it said too much".to_owned() });
                }
                Ok(_) => return Err(crashed(decoder).await),
                Err(_) => return Err(stuck()),
            };
            match serde_json::from_str(&line).map_err(io::Error::other)? {
                Answer::Failed { code, message, permanent } => {
                    self.put_back(decoder);
                    return Err(MediaFailure::Refused { code, message, permanent });
                }
                answer => match hear(answer) {
                    Heard::Word => {}
                    Heard::End(made) => {
                        self.put_back(decoder);
                        return Ok(made);
                    }
                    Heard::Nonsense => {
                        return Err(MediaFailure::Crashed { how: "it answered something else".to_owned() });
                    }
                },
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
        if decoder.uses < self.kind.uses_max && idle.len() < IDLE_MAX {
            idle.push(decoder);
        }
    }

    fn start(&self) -> io::Result<Decoder> {
        let mut child = Command::new(&self.kind.program)
            .args(self.kind.role)
            .args(["--memory-bytes", &self.kind.memory_bytes.to_string()])
            // Nothing of the worker's secrets is the decoder's business.
            .env_clear()
            // The allocator would set aside a GiB of address space at once, which is what the decoder's limit counts.
            .env("MIMALLOC_DISALLOW_ARENA_ALLOC", "1")
            // So would the system's, 64 MiB for each of many threads.
            .env("MALLOC_ARENA_MAX", "4")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the decoder process has no pipes"));
        };
        let lines = LinesCodec::new_with_max_length(LINE_BYTES_MAX);
        Ok(Decoder { child, requests, answers: FramedRead::new(answers, lines), uses: 0 })
    }
}

async fn crashed(mut decoder: Decoder) -> MediaFailure {
    drop(decoder.requests);
    match timeout(END_MAX, decoder.child.wait()).await {
        Ok(Ok(status)) => MediaFailure::Crashed {
            how: status.signal().map_or_else(|| format!("{status}"), |signal| format!("signal {signal}")),
        },
        Ok(Err(error)) => MediaFailure::Io(error),
        Err(_) => MediaFailure::Crashed { how: "what it said was no answer, and it did not end".to_owned() },
    }
}

fn stuck() -> MediaFailure {
    MediaFailure::Crashed { how: "it said nothing for too long".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is thought of a child that does what `script` says.
    async fn judged(script: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("child.sh");
        std::fs::write(&path, script).unwrap();
        let pool = MediaPool::new(Kind {
            program: "/bin/sh".into(),
            role: Some(&*String::leak(path.to_str().unwrap().to_owned())),
            memory_bytes: 1,
            uses_max: 1,
            silence_max: Duration::from_secs(2),
        });
        let judging = pool.inspect_picture(PathBuf::from("x"));
        let judged = timeout(Duration::from_mins(1), judging).await.expect("a bound");
        match judged.unwrap_err() {
            MediaFailure::Crashed { how } => how,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_child_that_is_stuck_is_not_waited_for() {
        assert_eq!(judged("read asked; read nothing").await, "it said nothing for too long");
    }

    #[tokio::test]
    async fn a_line_that_does_not_end_is_not_kept() {
        let line = "read asked; while printf '%01024d' 0; do :; done";
        assert_eq!(judged(line).await, "it said too much");
    }

    #[tokio::test]
    async fn a_child_that_speaks_no_text_is_not_waited_for() {
        let how = judged("read asked; printf '\\377\\n'; while :; do :; done").await;
        assert_eq!(how, "what it said was no answer, and it did not end");
    }

    #[tokio::test]
    async fn a_child_that_dies_says_how() {
        assert_eq!(judged("read asked; kill -9 $$").await, "signal 9");
    }
}
