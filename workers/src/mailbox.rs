//! The mailbox that mails come back to, read by IMAP (RFC 9051).

use std::{collections::BTreeSet, fmt, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use async_imap::{Client, Session};
use clap::Args;
use futures::{StreamExt, TryStreamExt};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::senders::Tls;

/// Longest wait to be connected.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Bytes read of one mail: a report is short, and what came back stands at its end.
const MAIL_BYTES_MAX: usize = 256 * 1024;

/// Where mails come back to.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Mails that come back")]
pub struct MailboxArgs {
    /// Server with the mailbox that bounces come to, by IMAP, host:port; without, nobody reads them
    #[arg(id = "bounces_address", long = "bounces-address", env = "CREWLINE_BOUNCES_ADDRESS", requires_all = ["bounces_user", "bounces_password"])]
    pub address: Option<String>,
    /// How the connection to it is kept secret
    #[arg(
        id = "bounces_tls",
        long = "bounces-tls",
        env = "CREWLINE_BOUNCES_TLS",
        value_enum,
        default_value = "wrapped"
    )]
    pub tls: Tls,
    /// File of the authority that its certificate is from, as PEM, if it is none of the well-known ones
    #[arg(id = "bounces_ca", long = "bounces-ca", env = "CREWLINE_BOUNCES_CA")]
    pub ca: Option<PathBuf>,
    /// User of the mailbox
    #[arg(id = "bounces_user", long = "bounces-user", env = "CREWLINE_BOUNCES_USER")]
    pub user: Option<String>,
    /// Password of that user
    #[arg(
        id = "bounces_password",
        long = "bounces-password",
        env = "CREWLINE_BOUNCES_PASSWORD",
        hide_env_values = true
    )]
    pub password: Option<SecretString>,
    /// Folder that is read; it should hold nothing else
    #[arg(
        id = "bounces_folder",
        long = "bounces-folder",
        env = "CREWLINE_BOUNCES_FOLDER",
        default_value = "INBOX"
    )]
    pub folder: String,
}

impl MailboxArgs {
    /// The mailbox, if there is one.
    ///
    /// # Errors
    /// When an address or an authority cannot be used.
    pub fn open(&self) -> anyhow::Result<Option<Mailbox>> {
        let (Some(address), Some(user), Some(password)) = (&self.address, &self.user, &self.password) else {
            return Ok(None);
        };
        let (host, port) = address.rsplit_once(':').context("--bounces-address takes host:port")?;
        Ok(Some(Mailbox {
            host: host.to_owned(),
            port: port.parse().context("--bounces-address takes host:port")?,
            tls: self.tls,
            connector: self.connector()?,
            user: user.clone(),
            password: password.clone(),
            folder: self.folder.clone(),
        }))
    }

    fn connector(&self) -> anyhow::Result<TlsConnector> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = &self.ca {
            let what = "--bounces-ca takes a certificate as PEM in a file that can be read";
            roots.add(CertificateDer::from_pem_file(path).context(what)?).context(what)?;
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// A connection, secret or not.
trait Line: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}
impl<L: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Line for L {}

/// Where mails come back to.
pub struct Mailbox {
    host: String,
    port: u16,
    tls: Tls,
    connector: TlsConnector,
    user: String,
    password: SecretString,
    folder: String,
}

/// A mail, as its mailbox calls it.
pub(crate) type Uid = u32;

/// The folder, opened.
pub(crate) struct Folder(Session<Box<dyn Line>>);

impl Mailbox {
    /// Logs in and opens the folder.
    pub(crate) async fn enter(&self) -> anyhow::Result<Folder> {
        let connecting = tokio::time::timeout(CONNECT_MAX, self.connect());
        let client = connecting.await.context("the mailbox does not answer")??;
        let login = client.login(&self.user, self.password.expose_secret()).await;
        let mut session = login.map_err(|(error, _)| error).context("the mailbox does not let us in")?;
        session.select(&self.folder).await.with_context(|| format!("cannot open {}", self.folder))?;
        Ok(Folder(session))
    }

    async fn connect(&self) -> anyhow::Result<Client<Box<dyn Line>>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        if self.tls == Tls::Wrapped {
            let mut client = Client::new(self.secret(Box::new(stream)).await?);
            greeted(&mut client).await?;
            return Ok(client);
        }
        let mut client: Client<Box<dyn Line>> = Client::new(Box::new(stream));
        greeted(&mut client).await?;
        if self.tls == Tls::Starttls {
            client.run_command_and_check_ok("STARTTLS", None).await?;
            client = Client::new(self.secret(client.into_inner()).await?);
        }
        Ok(client)
    }

    async fn secret(&self, line: Box<dyn Line>) -> anyhow::Result<Box<dyn Line>> {
        let name = ServerName::try_from(self.host.clone())?;
        Ok(Box::new(self.connector.connect(name, line).await?))
    }
}

async fn greeted(client: &mut Client<Box<dyn Line>>) -> anyhow::Result<()> {
    if client.read_response().await?.is_none() {
        bail!("the mailbox hung up before it said a word");
    }
    Ok(())
}

impl Folder {
    /// Mails that nobody has read, the oldest first.
    pub(crate) async fn unread(&mut self) -> anyhow::Result<BTreeSet<Uid>> {
        Ok(self.0.uid_search("UNSEEN").await?.into_iter().collect())
    }

    /// The beginning of a mail; none when it is gone.
    pub(crate) async fn read(&mut self, mail: Uid) -> anyhow::Result<Option<Vec<u8>>> {
        let what = format!("(UID BODY.PEEK[]<0.{MAIL_BYTES_MAX}>)");
        let mut answers = self.0.uid_fetch(mail.to_string(), what).await?;
        let mut found = None;
        while let Some(answer) = answers.next().await {
            let answer = answer?;
            found = found.or_else(|| answer.body().map(ToOwned::to_owned));
        }
        Ok(found)
    }

    /// Marks a mail as read; and for a person to look at, if nobody here understands it.
    pub(crate) async fn mark(&mut self, mail: Uid, is_understood: bool) -> anyhow::Result<()> {
        let flags = if is_understood { r"+FLAGS.SILENT (\Seen)" } else { r"+FLAGS.SILENT (\Seen \Flagged)" };
        let answers = self.0.uid_store(mail.to_string(), flags).await?;
        answers.try_for_each(|_| async { Ok(()) }).await?;
        Ok(())
    }

    /// Says goodbye.
    pub(crate) async fn leave(mut self) -> anyhow::Result<()> {
        Ok(self.0.logout().await?)
    }
}
