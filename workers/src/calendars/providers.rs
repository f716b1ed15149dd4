//! Providers of calendars: where they are, and as whom we come to them.

use clap::Args;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::trouble::Trouble;

/// As whom we come to providers of calendars.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Calendars")]
pub struct CalendarArgs {
    /// Client at Google whose tokens links bring; without, calendars there cannot be read
    #[arg(long, env = "CREWLINE_GOOGLE_CLIENT", requires = "google_secret")]
    pub google_client: Option<String>,
    /// Secret of that client
    #[arg(long, env = "CREWLINE_GOOGLE_SECRET", hide_env_values = true)]
    pub google_secret: Option<SecretString>,
    /// Google Calendar's API
    #[arg(long, env = "CREWLINE_GOOGLE_URL", default_value = "https://www.googleapis.com")]
    pub google_url: String,
    /// Where Google's tokens are renewed
    #[arg(long, env = "CREWLINE_GOOGLE_TOKEN_URL", default_value = "https://oauth2.googleapis.com/token")]
    pub google_token_url: String,
    /// Client at Microsoft whose tokens links bring; without, calendars there cannot be read
    #[arg(long, env = "CREWLINE_MICROSOFT_CLIENT", requires = "microsoft_secret")]
    pub microsoft_client: Option<String>,
    /// Secret of that client
    #[arg(long, env = "CREWLINE_MICROSOFT_SECRET", hide_env_values = true)]
    pub microsoft_secret: Option<SecretString>,
    /// Microsoft Graph
    #[arg(long, env = "CREWLINE_MICROSOFT_URL", default_value = "https://graph.microsoft.com")]
    pub microsoft_url: String,
    /// Where Microsoft's tokens are renewed
    #[arg(
        long,
        env = "CREWLINE_MICROSOFT_TOKEN_URL",
        default_value = "https://login.microsoftonline.com/common/oauth2/v2.0/token"
    )]
    pub microsoft_token_url: String,
    /// Client at Cronofy whose tokens links bring; without, calendars there cannot be read
    #[arg(long, env = "CREWLINE_CRONOFY_CLIENT", requires = "cronofy_secret")]
    pub cronofy_client: Option<String>,
    /// Secret of that client
    #[arg(long, env = "CREWLINE_CRONOFY_SECRET", hide_env_values = true)]
    pub cronofy_secret: Option<SecretString>,
    /// Cronofy's API, in the data centre of the client
    #[arg(long, env = "CREWLINE_CRONOFY_URL", default_value = "https://api.cronofy.com")]
    pub cronofy_url: String,
}

/// Who we are at a provider, and where that is.
pub(crate) struct Client<'a> {
    pub(super) name: &'a str,
    secret: &'a SecretString,
    /// Where calendars are.
    pub(super) api: Url,
    /// Where tokens are renewed.
    pub(super) tokens: Url,
}

impl Client<'_> {
    /// The address of something of its API.
    pub(super) fn address(&self, path: &[&str]) -> Result<Url, Trouble> {
        let mut url = self.api.clone();
        let no_base = |()| Trouble::unusable("the address of its API cannot be used");
        url.path_segments_mut().map_err(no_base)?.pop_if_empty().extend(path);
        Ok(url)
    }

    pub(super) fn secret(&self) -> &str {
        self.secret.expose_secret()
    }
}

impl CalendarArgs {
    /// Who we are at `provider`; none when nobody set that up.
    pub(super) fn client(&self, provider: &str) -> Option<Client<'_>> {
        let (name, secret, api, tokens) = match provider {
            "google" => {
                (&self.google_client, &self.google_secret, &self.google_url, self.google_token_url.clone())
            }
            "microsoft" => {
                let tokens = self.microsoft_token_url.clone();
                (&self.microsoft_client, &self.microsoft_secret, &self.microsoft_url, tokens)
            }
            "cronofy" => {
                let tokens = format!("{}/oauth/token", self.cronofy_url.trim_end_matches('/'));
                (&self.cronofy_client, &self.cronofy_secret, &self.cronofy_url, tokens)
            }
            _ => return None,
        };
        let (api, tokens) = (Url::parse(api).ok()?, Url::parse(&tokens).ok()?);
        Some(Client { name: name.as_deref()?, secret: secret.as_ref()?, api, tokens })
    }
}
