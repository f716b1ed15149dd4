//! A mail server, spoken to step by step: only so it is known how far a mail had come when the line broke.
//!
//! Until the content is handed over nothing has been sent. Once it is, only an answer tells.

use std::{
    error::Error as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lettre::{
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::ClientId,
    },
};

use super::{Answer, Tls};

/// Longest wait to be let in.
const CONNECT_MAX: Duration = Duration::from_secs(20);
/// Longest wait for the answer to one command.
const COMMAND_MAX: Duration = Duration::from_secs(20);
/// Longest wait until the content is taken.
const CONTENT_MAX: Duration = Duration::from_secs(50);
/// Connections that are kept for the next mail.
const IDLE_MAX: usize = 4;
/// How servers say that they take nothing from anybody now (RFC 5321).
const CLOSED: &str = "421";

/// A mail server.
pub(super) struct Smtp {
    host: String,
    port: u16,
    tls: Tls,
    /// Whose certificates are believed besides those of the well-known authorities.
    authority: Option<Certificate>,
    login: Option<Credentials>,
    hello: ClientId,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl Smtp {
    pub(super) fn new(
        (host, port): (&str, u16),
        (tls, authority): (Tls, Option<Certificate>),
        login: Option<(&str, &str)>,
        domain: &str,
    ) -> Self {
        Self {
            host: host.to_owned(),
            port,
            tls,
            authority,
            login: login.map(|(user, password)| Credentials::new(user.to_owned(), password.to_owned())),
            hello: ClientId::Domain(domain.to_owned()),
            idle: Mutex::default(),
        }
    }

    /// Hands `content` over, once.
    pub(super) async fn send(&self, envelope: &Envelope, content: &[u8]) -> Answer {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(said) => return Answer::Away(said, None),
        };
        if let Err(answer) = announce(&mut connection, envelope).await {
            connection.abort().await;
            return answer;
        }
        match tokio::time::timeout(CONTENT_MAX, connection.message(content)).await {
            Ok(Ok(taken)) => {
                self.keep(connection);
                Answer::Done(taken.first_line().map(ToOwned::to_owned))
            }
            Ok(Err(error)) if error.is_permanent() || error.is_transient() => refusal(&error),
            Ok(Err(error)) => {
                Answer::Unknown(format!("the line broke when the mail was handed over: {}", words(&error)))
            }
            Err(_) => Answer::Unknown("the mail was handed over, and no answer came in time".to_owned()),
        }
    }

    async fn connection(&self) -> Result<AsyncSmtpConnection, String> {
        let late = |_| "the mail server does not answer".to_owned();
        while let Some(mut kept) = self.take() {
            if tokio::time::timeout(COMMAND_MAX, kept.test_connected()).await.unwrap_or(false) {
                return Ok(kept);
            }
        }
        let connected = tokio::time::timeout(CONNECT_MAX, self.connect()).await.map_err(late)?;
        connected.map_err(|error| words(&error))
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let wrapped = match self.tls {
            Tls::Wrapped => Some(self.secrets()?),
            Tls::None | Tls::Starttls => None,
        };
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT_MAX), &self.hello, wrapped, None)
                .await?;
        if self.tls == Tls::Starttls {
            connection.starttls(self.secrets()?, &self.hello).await?;
        }
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
        }
        Ok(connection)
    }

    fn secrets(&self) -> Result<TlsParameters, Error> {
        let secrets = TlsParameters::builder(self.host.clone());
        match &self.authority {
            Some(authority) => secrets.add_root_certificate(authority.clone()).build(),
            None => secrets.build(),
        }
    }

    fn take(&self) -> Option<AsyncSmtpConnection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
    }
}

/// Everything before the content. Whatever goes wrong here, nothing was sent.
async fn announce(connection: &mut AsyncSmtpConnection, envelope: &Envelope) -> Result<(), Answer> {
    say(connection, Mail::new(envelope.from().cloned(), Vec::new())).await?;
    for recipient in envelope.to() {
        say(connection, Rcpt::new(recipient.clone(), Vec::new())).await?;
    }
    say(connection, Data).await
}

async fn say(connection: &mut AsyncSmtpConnection, command: impl std::fmt::Display) -> Result<(), Answer> {
    match tokio::time::timeout(COMMAND_MAX, connection.command(command)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(refusal(&error)),
        Err(_) => Err(Answer::Away("the mail server does not answer".to_owned(), None)),
    }
}

/// What it means that a mail was not taken.
fn refusal(error: &Error) -> Answer {
    let said = words(error);
    if !error.is_permanent() {
        // Of all recipients, or of one. A line that broke has no code.
        let is_closed = error.status().is_none_or(|code| code.to_string() == CLOSED);
        return if is_closed { Answer::Away(said, None) } else { Answer::Refused(said) };
    }
    if notify::is_nobody(&said) { Answer::Nobody(said) } else { Answer::Failed(said) }
}

fn words(error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        said.push_str(": ");
        said.push_str(&next.to_string());
        cause = next.source();
    }
    said
}
