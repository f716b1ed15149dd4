//! A ClamAV daemon of a test's own, which may be killed, started again, and told to accept less.

use std::{
    fmt::Write as _,
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::free_port;

/// How long the program may take to answer.
const START_MAX: Duration = Duration::from_secs(30);
/// The one signature it knows, the same as on a developer's machine.
const SIGNATURES: &str = include_str!("../../../dev.d/clamav/local.ndb");
/// How it is told to work, the same as everywhere.
const SETTINGS: &str = include_str!("../../../dev.d/clamd.conf");

/// Bytes that this daemon takes for a virus, wherever in a file they are.
pub const VIRUS: &[u8] = b"CREWLINE-TEST-SIGNATURE-7f3a";
/// What it calls them.
pub const VIRUS_NAME: &str = "Crewline.Test.UNOFFICIAL";

/// A private `clamd` on a free port of the loopback, which knows one signature. Ends with the value.
pub struct ClamdServer {
    port: u16,
    process: Option<Child>,
    folder: TempDir,
}

impl ClamdServer {
    /// Starts one that takes in whatever may be uploaded.
    ///
    /// # Errors
    /// When the program is missing or does not answer.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// Starts one with other settings, such as `("StreamMaxLength", "1M")`.
    ///
    /// # Errors
    /// When the program is missing or does not answer.
    pub fn start_with(other: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let mut settings = format!("TCPSocket {port}\nTCPAddr 127.0.0.1\nForeground yes\nDisableCache yes\n");
        let place = folder.path().display();
        write!(settings, "DatabaseDirectory {place}/signatures\nTemporaryDirectory {place}\n")?;
        let usual = SETTINGS.lines().filter_map(|line| line.split_once(' '));
        let usual = usual.filter(|(name, _)| other.iter().all(|(changed, _)| changed != name));
        for (name, value) in usual.chain(other.iter().copied()) {
            writeln!(settings, "{name} {value}")?;
        }
        std::fs::create_dir(folder.path().join("signatures"))?;
        std::fs::write(folder.path().join("signatures/local.ndb"), SIGNATURES)?;
        std::fs::write(folder.path().join("clamd.conf"), settings)?;
        let mut server = Self { port, process: None, folder };
        server.begin()?;
        Ok(server)
    }

    /// Where it is: `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Teaches it another signature, which it knows when it is started again.
    ///
    /// # Errors
    /// When the folder is gone.
    pub fn learn(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let mut signature = format!("{name}:0:*:");
        for byte in bytes {
            write!(signature, "{byte:02x}")?;
        }
        std::fs::write(self.folder.path().join(format!("signatures/{name}.ndb")), signature + "\n")?;
        Ok(())
    }

    /// Stops it where it is, as a machine that swaps would. [`Self::kill`] ends it all the same.
    ///
    /// # Errors
    /// When it is not running.
    pub fn freeze(&self) -> anyhow::Result<()> {
        let process = self.process.as_ref().context("clamd is not running")?;
        let told = Command::new("kill").args(["-STOP", &process.id().to_string()]).status()?;
        ensure!(told.success(), "clamd could not be stopped");
        Ok(())
    }

    /// Starts it after [`Self::kill`].
    ///
    /// # Errors
    /// When it does not answer.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        // Debian keeps it where only root's path leads.
        let process = Command::new("clamd")
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")
            .arg("--config-file")
            .arg(self.folder.path().join("clamd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("clamd is not installed; ./dev test installs it")?;
        self.process = Some(process);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            ensure!(began.elapsed() < START_MAX, "clamd does not answer on port {}", self.port);
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may be gone already, which is what was wanted.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for ClamdServer {
    fn drop(&mut self) {
        self.kill();
    }
}
