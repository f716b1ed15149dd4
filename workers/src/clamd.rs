//! Asks ClamAV's daemon what it thinks of a stream of bytes.
//!
//! The protocol (`INSTREAM`: pieces with their lengths, then a line of answer) is spoken here and not by the crate
//! `clamav-client`: a daemon that takes in less than we send says so and hangs up while we are still sending, and the
//! crate reports the broken pipe instead of what was said. A file that is too long would look like a scanner that is
//! away, for ever.

use std::{
    convert::Infallible,
    fmt, io,
    path::PathBuf,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Longest wait until the daemon takes in a piece.
const PIECE_MAX: Duration = Duration::from_secs(30);
/// Longest wait for its name. One that is there says it at once; one that stands still must not keep every slot waiting.
const NAME_MAX: Duration = Duration::from_secs(5);
/// Longest wait for the answer, once everything was sent: more than the 120 s that the daemon gives itself.
const ANSWER_MAX: Duration = Duration::from_secs(150);
/// Longest answer.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
/// Most bytes in one piece.
const PIECE_BYTES_MAX: usize = 1024 * 1024;
/// After it was out of reach, nobody tries for so long: a daemon that is away must not take up every slot.
const REST: Duration = Duration::from_secs(2);
/// What the daemon calls a file that went past one of its own limits, so that it was not scanned to its end.
const PAST_A_LIMIT: &str = "Heuristics.Limits.Exceeded";

/// Where the daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `host:port`.
    Tcp(String),
    /// A path, which begins with `/`.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text.starts_with('/') { Self::Unix(text.into()) } else { Self::Tcp(text.to_owned()) })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// What the daemon thinks of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opinion {
    /// Nothing was found.
    Clean,
    /// Something was found.
    Infected {
        /// What the daemon calls it.
        signature: String,
    },
    /// It is more than the daemon may look at.
    Unscannable {
        /// What it said.
        why: String,
    },
}

/// Why there is no opinion.
#[derive(Debug, thiserror::Error)]
pub enum ClamdError {
    /// The daemon cannot be reached, or went away.
    #[error("the virus scanner at {address} does not answer")]
    Away {
        /// Where it should be.
        address: Address,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The daemon could not do it this time.
    #[error("the virus scanner says: {said}")]
    Failed {
        /// What it said.
        said: String,
    },
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The daemon.
pub struct Clamd {
    address: Address,
    /// Until when nobody tries to reach it.
    resting_until: Mutex<Option<Instant>>,
}

impl Clamd {
    /// The daemon at `address`, which need not be there yet.
    pub fn at(address: Address) -> Self {
        Self { address, resting_until: Mutex::default() }
    }

    /// Which program it is, and of which day its signatures are.
    ///
    /// # Errors
    /// When it is away.
    pub async fn version(&self) -> Result<String, ClamdError> {
        let mut stream = self.connect().await?;
        let asked = async {
            self.send(&mut stream, b"zVERSION\0").await?;
            self.hear(&mut stream).await
        };
        let told = timeout(NAME_MAX, asked).await;
        let told = told.unwrap_or_else(|_| Err(self.away(io::ErrorKind::TimedOut.into())));
        if told.is_err() {
            self.rest(Some(Instant::now() + REST));
        }
        told
    }

    /// Begins to tell it of a file.
    ///
    /// # Errors
    /// When it is away.
    pub async fn begin(&self) -> Result<Scan<'_>, ClamdError> {
        let mut stream = self.connect().await?;
        self.send(&mut stream, b"zINSTREAM\0").await?;
        Ok(Scan { clamd: self, stream, hung_up: None })
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, ClamdError> {
        let resting_until = *self.resting_until.lock().unwrap_or_else(PoisonError::into_inner);
        if resting_until.is_some_and(|until| Instant::now() < until) {
            return Err(self.away(io::Error::other("it did not answer a moment ago")));
        }
        let connected = timeout(CONNECT_MAX, async {
            Ok::<Box<dyn Stream>, io::Error>(match &self.address {
                Address::Tcp(address) => Box::new(TcpStream::connect(address).await?),
                Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
            })
        });
        let connected = connected.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let rest = connected.is_err().then(|| Instant::now() + REST);
        self.rest(rest);
        connected.map_err(|error| self.away(error))
    }

    fn rest(&self, until: Option<Instant>) {
        *self.resting_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    async fn send(&self, stream: &mut Box<dyn Stream>, bytes: &[u8]) -> Result<(), ClamdError> {
        let sent = timeout(PIECE_MAX, stream.write_all(bytes)).await;
        sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|error| self.away(error))
    }

    /// One answer, without the zero byte that ends it.
    async fn hear(&self, stream: &mut Box<dyn Stream>) -> Result<String, ClamdError> {
        let mut answer = Vec::new();
        let reading = async {
            let mut buffer = [0; 512];
            while !answer.contains(&0) && answer.len() < ANSWER_BYTES_MAX {
                match stream.read(&mut buffer).await? {
                    0 => break,
                    bytes => answer.extend_from_slice(&buffer[..bytes]),
                }
            }
            Ok(())
        };
        let heard = timeout(ANSWER_MAX, reading).await;
        heard.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|error| self.away(error))?;
        if answer.is_empty() {
            return Err(self.away(io::ErrorKind::UnexpectedEof.into()));
        }
        let end = answer.iter().position(|byte| *byte == 0).unwrap_or(answer.len());
        Ok(String::from_utf8_lossy(&answer[..end]).trim().to_owned())
    }

    fn away(&self, source: io::Error) -> ClamdError {
        ClamdError::Away { address: self.address.clone(), source }
    }
}

/// A file on its way to the daemon.
pub struct Scan<'a> {
    clamd: &'a Clamd,
    stream: Box<dyn Stream>,
    hung_up: Option<ClamdError>,
}

impl Scan<'_> {
    /// Sends a piece. False when the daemon does not want more, and [`Self::opinion`] says why.
    pub async fn send(&mut self, piece: &[u8]) -> bool {
        // A piece of no length ends the stream, and its length has four bytes.
        for piece in piece.chunks(PIECE_BYTES_MAX) {
            let length = (piece.len() as u32).to_be_bytes();
            let sent = match self.clamd.send(&mut self.stream, &length).await {
                Ok(()) => self.clamd.send(&mut self.stream, piece).await,
                Err(error) => Err(error),
            };
            if let Err(error) = sent {
                self.hung_up = Some(error);
                return false;
            }
        }
        true
    }

    /// What it thinks of what was sent.
    ///
    /// # Errors
    /// When it went away, or could not do it this time.
    pub async fn opinion(mut self) -> Result<Opinion, ClamdError> {
        if self.hung_up.is_none() {
            self.hung_up = self.clamd.send(&mut self.stream, &[0; 4]).await.err();
        }
        // Whoever hangs up may have said why before.
        match (self.clamd.hear(&mut self.stream).await, self.hung_up) {
            (Ok(said), hung_up) => match (read(&said)?, hung_up) {
                (Opinion::Clean, Some(error)) => Err(error),
                (opinion, _) => Ok(opinion),
            },
            (Err(_), Some(error)) | (Err(error), None) => Err(error),
        }
    }
}

fn read(said: &str) -> Result<Opinion, ClamdError> {
    let about = said.strip_prefix("stream: ").unwrap_or(said);
    if about == "OK" {
        return Ok(Opinion::Clean);
    }
    if let Some(signature) = about.strip_suffix(" FOUND") {
        let (signature, why) = (signature.to_owned(), signature.to_owned());
        let is_limit = signature.starts_with(PAST_A_LIMIT);
        return Ok(if is_limit { Opinion::Unscannable { why } } else { Opinion::Infected { signature } });
    }
    if about.contains("size limit exceeded") {
        return Ok(Opinion::Unscannable { why: about.trim_end_matches(" ERROR").to_owned() });
    }
    Err(ClamdError::Failed { said: said.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_daemon_says_is_understood() {
        assert_eq!(read("stream: OK").unwrap(), Opinion::Clean);
        let found = read("stream: Win.Test.EICAR_HDB-1 FOUND").unwrap();
        assert_eq!(found, Opinion::Infected { signature: "Win.Test.EICAR_HDB-1".into() });
        for (said, why) in [
            (
                "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND",
                "Heuristics.Limits.Exceeded.MaxFileSize",
            ),
            ("INSTREAM size limit exceeded. ERROR", "INSTREAM size limit exceeded."),
        ] {
            assert_eq!(read(said).unwrap(), Opinion::Unscannable { why: why.into() });
        }
        for said in ["stream: Can't allocate memory ERROR", "UNKNOWN COMMAND", "", "stream: not OK"] {
            assert!(matches!(read(said), Err(ClamdError::Failed { .. })), "{said}");
        }
    }

    #[test]
    fn a_path_is_a_socket() {
        assert_eq!("/run/clamd.sock".parse(), Ok(Address::Unix("/run/clamd.sock".into())));
        assert_eq!("clamd:3310".parse(), Ok(Address::Tcp("clamd:3310".into())));
    }
}
