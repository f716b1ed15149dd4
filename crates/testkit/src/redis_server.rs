//! A Redis of a test's own, which may be wiped, killed and started again.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::free_port;

/// How long the program may take to answer.
const START_MAX: Duration = Duration::from_secs(10);

/// A private `redis-server` on a free port of the loopback. Ends with the value.
pub struct RedisServer {
    port: u16,
    process: Option<Child>,
    folder: TempDir,
    keeps: bool,
}

impl RedisServer {
    /// Starts one that keeps nothing on disk.
    ///
    /// # Errors
    /// When the program is missing or does not answer.
    pub fn start() -> anyhow::Result<Self> {
        Self::open(false)
    }

    /// Starts one that writes every command to disk and reads it again when it begins.
    ///
    /// # Errors
    /// When the program is missing or does not answer.
    pub fn start_keeping() -> anyhow::Result<Self> {
        Self::open(true)
    }

    fn open(keeps: bool) -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut server = Self { port, process: None, folder: tempfile::tempdir()?, keeps };
        server.begin()?;
        Ok(server)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends a command without spaces in its words; answers the first line of the reply.
    ///
    /// # Errors
    /// When there is no reply.
    pub fn tell(&self, command: &str) -> anyhow::Result<String> {
        Self::tell_at(self.port, command)
    }

    /// The same, for those who have only the port.
    ///
    /// # Errors
    /// When there is no reply.
    pub fn tell_at(port: u16, command: &str) -> anyhow::Result<String> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        let mut reply = String::new();
        BufReader::new(stream).read_line(&mut reply)?;
        Ok(reply.trim_end().to_owned())
    }

    /// Starts it after [`Self::kill`], empty unless it keeps what it is told.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        let process = Command::new("redis-server")
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                if self.keeps { "yes" } else { "no" },
                "--appendfsync",
                "always",
                "--enable-debug-command",
                "local",
            ])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("redis-server is not installed; ./dev test installs it")?;
        self.process = Some(process);
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            ensure!(began.elapsed() < START_MAX, "redis-server does not answer on port {}", self.port);
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Ends it without a word; everything in it is lost, unless it keeps what it is told.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may be gone already, which is what was wanted.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
