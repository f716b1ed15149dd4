//! Settings of those who carry messages.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use lettre::{
    message::{
        Mailbox,
        dkim::{DkimSigningAlgorithm, DkimSigningKey},
    },
    transport::smtp::client::Certificate,
};
use outbound::Outbound;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};

use super::{
    mail::{Dkim, Mailer},
    push::{Identity, Push},
    sms::Carrier,
    smtp::Smtp,
};

/// How a connection to the mail server is kept secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tls {
    /// Not at all: for a server on the same machine.
    None,
    /// It begins in the open and changes over, or ends.
    Starttls,
    /// From the first byte.
    Wrapped,
}

/// Who carries messages, and under which name.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Messages")]
pub struct SendingArgs {
    /// How recipients reach the API, for links to unsubscribe, such as https://api.example.com; without, mails have none
    #[arg(long, env = "CREWLINE_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Mail server, host:port; without, nothing goes out by mail
    #[arg(long, env = "CREWLINE_SMTP_ADDRESS", requires = "mail_from")]
    pub smtp_address: Option<String>,
    /// How the connection to it is kept secret
    #[arg(long, env = "CREWLINE_SMTP_TLS", value_enum, default_value = "starttls")]
    pub smtp_tls: Tls,
    /// File of the authority that the mail server's certificate is from, as PEM, if it is none of the well-known ones
    #[arg(long, env = "CREWLINE_SMTP_CA")]
    pub smtp_ca: Option<PathBuf>,
    /// User at the mail server
    #[arg(long, env = "CREWLINE_SMTP_USER", requires = "smtp_password")]
    pub smtp_user: Option<String>,
    /// Password of that user
    #[arg(long, env = "CREWLINE_SMTP_PASSWORD", hide_env_values = true)]
    pub smtp_password: Option<SecretString>,
    /// From whom mails are, such as "Acme <hello@acme.example>"
    #[arg(long, env = "CREWLINE_MAIL_FROM")]
    pub mail_from: Option<Mailbox>,
    /// Name of the DKIM key in the DNS of the sender's domain; without, mails are not signed
    #[arg(long, env = "CREWLINE_DKIM_SELECTOR", requires = "dkim_key")]
    pub dkim_selector: Option<String>,
    /// The DKIM key: an RSA key as PEM (PKCS#1), or the base64 of an Ed25519 key
    #[arg(long, env = "CREWLINE_DKIM_KEY", hide_env_values = true)]
    pub dkim_key: Option<SecretString>,
    /// Origins of chat webhooks that may be called, separated by commas: nothing else is, whatever a tenant writes
    #[arg(
        long,
        env = "CREWLINE_CHAT_ORIGINS",
        value_delimiter = ',',
        default_value = "https://hooks.slack.com"
    )]
    pub chat_origins: Vec<String>,
    /// Twilio's REST API
    #[arg(long, env = "CREWLINE_TWILIO_URL", default_value = "https://api.twilio.com")]
    pub twilio_url: String,
    /// Account at Twilio; without, nothing goes out by text message
    #[arg(long, env = "CREWLINE_TWILIO_ACCOUNT", requires_all = ["twilio_token", "twilio_from"])]
    pub twilio_account: Option<String>,
    /// Token of that account
    #[arg(long, env = "CREWLINE_TWILIO_TOKEN", hide_env_values = true)]
    pub twilio_token: Option<SecretString>,
    /// Number that text messages come from
    #[arg(long, env = "CREWLINE_TWILIO_FROM")]
    pub twilio_from: Option<String>,
    /// Key that notices to browsers are signed with: the private one that `npx web-push generate-vapid-keys` prints; without,
    /// nothing goes to devices
    #[arg(long, env = "CREWLINE_VAPID_KEY", hide_env_values = true, allow_hyphen_values = true, requires_all = ["vapid_public_key", "vapid_contact"])]
    pub vapid_key: Option<SecretString>,
    /// The public one: what pages give to the browser as applicationServerKey
    #[arg(long, env = "CREWLINE_VAPID_PUBLIC_KEY", allow_hyphen_values = true)]
    pub vapid_public_key: Option<String>,
    /// Whom push services turn to: mailto: and an address, or an https URL
    #[arg(long, env = "CREWLINE_VAPID_CONTACT")]
    pub vapid_contact: Option<String>,
}

impl SendingArgs {
    pub(super) fn push(&self, outbound: Outbound) -> anyhow::Result<Option<Push>> {
        let (Some(key), Some(public), Some(contact)) =
            (&self.vapid_key, &self.vapid_public_key, &self.vapid_contact)
        else {
            return Ok(None);
        };
        let identity = Identity::new(key.expose_secret(), public, contact)?;
        Ok(Some(Push::new(outbound, identity)))
    }

    pub(super) fn mailer(&self) -> anyhow::Result<Option<Mailer>> {
        let (Some(address), Some(from)) = (&self.smtp_address, &self.mail_from) else { return Ok(None) };
        let (host, port) = address.rsplit_once(':').context("--smtp-address takes host:port")?;
        let port = port.parse().context("--smtp-address takes host:port")?;
        let password = self.smtp_password.as_ref().map(ExposeSecret::expose_secret);
        let login = self.smtp_user.as_deref().zip(password);
        let tls = (self.smtp_tls, self.authority()?);
        let smtp = Smtp::new((host, port), tls, login, from.email.domain());
        Ok(Some(Mailer::new(smtp, from.clone(), self.dkim(from.email.domain())?)))
    }

    fn authority(&self) -> anyhow::Result<Option<Certificate>> {
        let Some(path) = &self.smtp_ca else { return Ok(None) };
        let pem = std::fs::read(path).context("--smtp-ca takes a file that can be read")?;
        Certificate::from_pem(&pem).map(Some).context("--smtp-ca takes a certificate as PEM")
    }

    fn dkim(&self, domain: &str) -> anyhow::Result<Option<Dkim>> {
        let (Some(selector), Some(key)) = (&self.dkim_selector, &self.dkim_key) else { return Ok(None) };
        let key = key.expose_secret().trim();
        let algorithm =
            if key.starts_with("-----") { DkimSigningAlgorithm::Rsa } else { DkimSigningAlgorithm::Ed25519 };
        let key = DkimSigningKey::new(key, algorithm).context("--dkim-key is no key that signs mails")?;
        Ok(Some(Dkim::new(selector.clone(), domain.to_owned(), key)))
    }

    pub(super) fn carrier(&self, client: Client) -> anyhow::Result<Option<Carrier>> {
        let (Some(account), Some(token), Some(from)) =
            (&self.twilio_account, &self.twilio_token, &self.twilio_from)
        else {
            return Ok(None);
        };
        anyhow::ensure!(
            account.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "--twilio-account takes letters and digits"
        );
        let base = self.twilio_url.trim_end_matches('/');
        Ok(Some(Carrier::new(client, base, account.clone(), token.clone(), from.clone())))
    }
}
