//! A mail server of a test's own, which treats a mail as its recipient's name says.

use std::{
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::free_port;

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

/// How a mail server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// By anybody, in the open.
    Open,
    /// After it changed over to TLS, by the user `crew` with the password `secret`.
    Starttls,
    /// By TLS from the first byte, by the same user.
    Wrapped,
}

impl Door {
    const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Starttls => "starttls",
            Self::Wrapped => "wrapped",
        }
    }
}

/// What a certificate for this machine is made by. It is no authority: whoever trusts it trusts nothing else.
const CERTIFICATE: &str = "[req]
distinguished_name = name
x509_extensions = uses
prompt = no
[name]
CN = localhost
[uses]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
";

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
        Self::start_behind(Door::Open)
    }

    /// Starts one that is spoken to so.
    ///
    /// # Errors
    /// When Python, aiosmtpd or openssl is missing, or it does not answer.
    pub fn start_behind(door: Door) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        if door != Door::Open {
            make_certificate(folder.path())?;
        }
        let port = free_port()?;
        let process = Command::new("python3")
            // A package of Debian's is for Debian's Python, whichever comes first.
            .env("PATH", "/usr/bin:/bin:/usr/local/bin")
            .args(["-c", PROGRAM])
            .arg(folder.path())
            .arg(port.to_string())
            .arg(door.word())
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

    /// The certificate of one that speaks TLS, as PEM.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
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

/// Puts `key.pem` and `cert.pem` into `folder`.
pub(crate) fn make_certificate(folder: &Path) -> anyhow::Result<()> {
    std::fs::write(folder.join("made-by"), CERTIFICATE)?;
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-config", "made-by"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("openssl is not installed; ./dev test installs it")?;
    ensure!(made.status.success(), "openssl made no certificate: {}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        // It may be gone already, which is what was wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
