//! A mailbox of a test's own: Dovecot, with one user who is let in by the password `secret`.

use std::{
    net::TcpStream,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::{Door, free_port, postgres_server::is_root, smtp_server::make_certificate};

/// How long the program may take to answer.
const START_MAX: Duration = Duration::from_secs(30);
/// Debian puts it where only administrators look.
const PROGRAM: &str = "/usr/sbin/dovecot";

/// A private IMAP server on a free port of the loopback. Ends with the value.
pub struct ImapServer {
    port: u16,
    process: Child,
    folder: TempDir,
    owner: (u32, u32),
    delivered: AtomicU32,
}

impl ImapServer {
    /// Starts one that is spoken to so.
    ///
    /// # Errors
    /// When Dovecot or openssl is missing, or it does not answer.
    pub fn start_behind(door: Door) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("crewline-imap-").tempdir()?;
        if door != Door::Open {
            make_certificate(folder.path())?;
        }
        let port = free_port()?;
        // Dovecot gives nobody's mail to root.
        let name = if is_root() { "nobody".to_owned() } else { asked("id", &["-un"])? };
        let group = asked("id", &["-gn", &name])?;
        let owner = (asked("id", &["-u", &name])?.parse()?, asked("id", &["-g", &name])?.parse()?);
        std::fs::write(folder.path().join("conf"), config(folder.path(), port, door, (&name, &group)))?;
        for part in ["mail", "mail/new", "mail/cur", "mail/tmp"] {
            std::fs::create_dir(folder.path().join(part))?;
        }
        give(folder.path(), owner)?;
        let mut command = Command::new("setpriv");
        if is_root() {
            command.args(["--reuid", &name, "--regid", &group, "--clear-groups"]);
        }
        let process = command
            .args([PROGRAM, "-F", "-c"])
            .arg(folder.path().join("conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("setpriv is not installed; it comes with every Debian")?;
        let server = Self { port, process, folder, owner, delivered: AtomicU32::new(0) };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(
                began.elapsed() < START_MAX,
                "Dovecot does not answer; ./dev test installs dovecot-imapd"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    /// Where it is: `localhost:port`, as its certificate says.
    pub fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The certificate of one that speaks TLS, as PEM.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// Puts a mail into the inbox.
    ///
    /// # Errors
    /// When its folder is gone.
    pub fn deliver(&self, mail: &str) -> anyhow::Result<()> {
        let nth = self.delivered.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}.{nth}.test", 1_700_000_000 + nth);
        let written = self.folder.path().join("mail/tmp").join(&name);
        std::fs::write(&written, mail)?;
        give(&written, self.owner)?;
        Ok(std::fs::rename(written, self.folder.path().join("mail/new").join(name))?)
    }

    /// The marks of the mails, in the order in which they came: letters as a Maildir has them, `S` for seen, `F` for flagged.
    ///
    /// # Errors
    /// When its folder is gone.
    pub fn marks(&self) -> anyhow::Result<Vec<String>> {
        let mut names = Vec::new();
        for part in ["new", "cur"] {
            for entry in std::fs::read_dir(self.folder.path().join("mail").join(part))? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        let marks =
            |name: &String| name.split_once(":2,").map_or_else(String::new, |(_, marks)| marks.into());
        Ok(names.iter().map(marks).collect())
    }
}

impl Drop for ImapServer {
    fn drop(&mut self) {
        // It ends its own children when it is asked to. It may be gone already, which is what was wanted.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

fn asked(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn give(path: &Path, owner: (u32, u32)) -> anyhow::Result<()> {
    chown(path, Some(owner.0), Some(owner.1))?;
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            give(&entry?.path(), owner)?;
        }
    }
    Ok(())
}

fn config(folder: &Path, port: u16, door: Door, (name, group): (&str, &str)) -> String {
    let folder = folder.display();
    let (ssl, plain_port, secret_port) = match door {
        Door::Open => ("no", port, 0),
        Door::Starttls => ("required", port, 0),
        Door::Wrapped => ("required", 0, port),
    };
    let certificate = match door {
        Door::Open => "disable_plaintext_auth = no".to_owned(),
        _ => format!("ssl_cert = <{folder}/cert.pem\nssl_key = <{folder}/key.pem"),
    };
    format!(
        "base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
{certificate}
default_internal_user = {name}
default_internal_group = {group}
default_login_user = {name}
first_valid_uid = 1
mail_location = maildir:{folder}/mail
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={name} gid={group} home={folder}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {plain_port}
  }}
  inet_listener imaps {{
    port = {secret_port}
  }}
}}
service anvil {{
  chroot =
}}
service auth-worker {{
  user = {name}
}}
"
    )
}
