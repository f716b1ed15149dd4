//! A Postgres of a test's own, which may be stopped and started again under load.

use std::{
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::free_port;

/// A private cluster on a free port of the loopback. Ends with the value.
pub struct PostgresServer {
    port: u16,
    folder: TempDir,
    programs: PathBuf,
    settings: String,
}

impl PostgresServer {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// When the programs are missing or refuse.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// The same, with `settings` of its own, each `name=value`.
    ///
    /// # Errors
    /// When the programs are missing or refuse.
    pub fn start_with(settings: &[&str]) -> anyhow::Result<Self> {
        let mut server = Self::prepare()?;
        server.settings = settings.iter().flat_map(|setting| [" -c ", *setting]).collect();
        let data = server.data();
        server.run("initdb", &["-D", &data, "-A", "trust", "-U", "postgres", "--no-sync"])?;
        server.begin()?;
        Ok(server)
    }

    /// Makes a copy of `primary` that follows it, and starts it.
    ///
    /// # Errors
    /// When the programs are missing or refuse.
    pub fn standby_of(primary: &Self) -> anyhow::Result<Self> {
        let server = Self::prepare()?;
        let data = server.data();
        let port = primary.port.to_string();
        let from =
            ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "--no-sync", "-R", "-c", "fast", "-D", &data];
        server.run("pg_basebackup", &from)?;
        server.begin()?;
        Ok(server)
    }

    /// Lets a standby take over.
    ///
    /// # Errors
    /// When it does not.
    pub fn promote(&self) -> anyhow::Result<()> {
        self.run("pg_ctl", &["-D", &self.data(), "-w", "promote"])
    }

    fn prepare() -> anyhow::Result<Self> {
        let port = free_port()?;
        let folder = tempfile::Builder::new().prefix("crewline-pg-").tempdir()?;
        if is_root() {
            let owner = Command::new("id").args(["-u", "postgres"]).output()?;
            chown(folder.path(), String::from_utf8(owner.stdout)?.trim().parse().ok(), None)?;
        }
        Ok(Self { port, folder, programs: programs()?, settings: String::new() })
    }

    /// The administrator's address.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it after [`Self::stop`].
    ///
    /// # Errors
    /// When it does not come up.
    pub fn begin(&self) -> anyhow::Result<()> {
        let socket = self.folder.path().display();
        let settings = format!(
            "-p {} -k {socket} -c listen_addresses=127.0.0.1 -c max_connections=200{}",
            self.port, self.settings
        );
        let log = self.folder.path().join("log").display().to_string();
        self.run("pg_ctl", &["-D", &self.data(), "-o", &settings, "-l", &log, "-w", "start"])
    }

    /// Stops it as a power cut would: nobody is asked, nothing is flushed.
    ///
    /// # Errors
    /// When it cannot be stopped.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"])
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    /// Postgres refuses to run as root.
    fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        let status = command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .with_context(|| format!("could not run {}", program.display()))?;
        ensure!(status.success(), "{} ended with {status}", program.display());
        Ok(())
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // It may be stopped already, which is what was wanted.
        let _ = self.stop();
    }
}

pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

/// Where Debian keeps the newest installed version's programs.
fn programs() -> anyhow::Result<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir(Path::new("/usr/lib/postgresql"))
        .context("postgresql is not installed; ./dev test installs it")?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop().context("postgresql is not installed; ./dev test installs it")
}
