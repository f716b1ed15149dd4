//! Calendar servers of a test's own: Radicale, and Xandikos.

use std::{
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::free_port;

/// How long a program may take to answer.
const START_MAX: Duration = Duration::from_secs(30);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dav {
    /// Radicale, which lets in the user `ada` with the password `secret`, and has no calendar at first.
    Radicale,
    /// Xandikos, which lets everybody in, and has a calendar.
    Xandikos,
}

/// A private calendar server on a free port of the loopback. Ends with the value.
pub struct DavServer {
    kind: Dav,
    port: u16,
    process: Option<Child>,
    folder: TempDir,
}

impl DavServer {
    /// Starts one.
    ///
    /// # Errors
    /// When the program is missing or does not answer.
    pub fn start(kind: Dav) -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut server = Self { kind, port, process: None, folder: tempfile::tempdir()? };
        server.begin()?;
        Ok(server)
    }

    /// Starts it after [`Self::kill`], with what it kept.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        let folder = self.folder.path();
        let mut command = match self.kind {
            Dav::Radicale => {
                let (users, config) = (folder.join("users"), folder.join("config"));
                std::fs::write(&users, "ada:secret\n")?;
                let text = format!(
                    "[server]\nhosts = 127.0.0.1:{}\n[auth]\ntype = htpasswd\nhtpasswd_filename = {}\n\
                     htpasswd_encryption = plain\n[storage]\nfilesystem_folder = {}\n",
                    self.port,
                    users.display(),
                    folder.join("kept").display()
                );
                std::fs::write(&config, text)?;
                let mut command = Command::new("python3");
                command.args(["-m", "radicale", "--config"]).arg(config);
                command
            }
            Dav::Xandikos => {
                let mut command = Command::new("xandikos");
                command.args(["--listen-address", "127.0.0.1", "--port", &self.port.to_string()]);
                command
                    .args(["--defaults", "--current-user-principal", "/ada/", "-d"])
                    .arg(folder.join("kept"));
                command
            }
        };
        let process = command
            // Packages of Debian's are for Debian's Python, whichever comes first.
            .env("PATH", "/usr/bin:/bin:/usr/local/bin")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("a calendar server is not installed; ./dev test installs it")?;
        self.process = Some(process);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            ensure!(
                began.elapsed() < START_MAX,
                "the calendar server does not answer; ./dev test installs it"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Where its calendar is.
    pub fn calendar(&self) -> String {
        match self.kind {
            Dav::Radicale => format!("{}ada/calendar/", self.url()),
            Dav::Xandikos => format!("{}ada/calendars/calendar/", self.url()),
        }
    }

    /// Ends it without a word; what it kept stays.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may be gone already, which is what was wanted.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for DavServer {
    fn drop(&mut self) {
        self.kill();
    }
}
