//! A mail server of a test's own, which treats a mail as its recipient's name says.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

/// How long the program may take to answer.
const START_MAX: Duration = Duration::from_secs(30);
/// What it does.
const PROGRAM: &str = include_str!("smtp_server.py");

/// A private mail server on a free port of the loopback. Ends with the value.
///
/// It takes in mails to everybody but `nobody…` (550 5.1.1) and `refused…` (554), the second time only those to
/// `greylisted…` (451 to the address) and `full…` (452 to the content), and hangs up on those to `dropped…` after it has
/// kept them, before it says so.
pub struct SmtpServer {
    port: u16,
    process: Child,
    folder: TempDir,
}

/// A mail that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// To whom.
    pub recipient: String,
    /// The mail, head and body.
    pub mail: String,
}

impl SmtpServer {
    /// Starts one.
    ///
    /// # Errors
    /// When Python or aiosmtpd is missing, or it does not answer.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        // Given back at once; between here and there nobody else on a test machine takes it in practice.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let process = Command::new("python3")
            // A package of Debian's is for Debian's Python, whichever comes first.
            .env("PATH", "/usr/bin:/bin:/usr/local/bin")
            .args(["-c", PROGRAM])
            .arg(folder.path())
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("python3 is not installed; ./dev test installs it")?;
        let server = Self { port, process, folder };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(
                began.elapsed() < START_MAX,
                "the mail server does not answer; ./dev test installs python3-aiosmtpd"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    /// Where it is: `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The mails it took in, in order.
    ///
    /// # Errors
    /// When its folder is gone.
    pub fn kept(&self) -> anyhow::Result<Vec<Kept>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(self.folder.path())? {
            let path = entry?.path();
            paths.extend(path.extension().is_some_and(|ending| ending == "eml").then_some(path));
        }
        paths.sort();
        let read = |path| {
            let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
            let (recipient, mail) = text.split_once('\n').context("a mail begins with its recipient")?;
            Ok(Kept { recipient: recipient.to_owned(), mail: mail.to_owned() })
        };
        paths.into_iter().map(read).collect()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        // It may be gone already, which is what was wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
