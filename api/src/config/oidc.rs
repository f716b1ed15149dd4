//! Where people may sign in besides here.

use api::ops::OidcSettings;
use clap::Args;
use secrecy::SecretString;

/// An issuer, by OpenID Connect.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signing in at an issuer")]
pub(crate) struct OidcArgs {
    /// Issuer at which people may sign in by OpenID Connect, exactly as it spells its address: https, of a private network too
    #[arg(long = "oidc-issuer", env = "CREWLINE_OIDC_ISSUER", value_parser = checked, requires_all = ["client_id", "client_secret"])]
    pub(crate) issuer: Option<String>,
    /// What the issuer calls this installation
    #[arg(long = "oidc-client-id", env = "CREWLINE_OIDC_CLIENT_ID")]
    pub(crate) client_id: Option<String>,
    /// What this installation proves that by
    #[arg(long = "oidc-client-secret", env = "CREWLINE_OIDC_CLIENT_SECRET", hide_env_values = true)]
    pub(crate) client_secret: Option<SecretString>,
    /// What the button says that leads there
    #[arg(
        long = "oidc-button",
        env = "CREWLINE_OIDC_BUTTON",
        default_value = "Sign in with your organisation"
    )]
    pub(crate) button: String,
    /// Ask those who have a code generator for its code after the issuer, too
    #[arg(long = "oidc-code", env = "CREWLINE_OIDC_CODE", default_value_t = false, action = clap::ArgAction::Set)]
    pub(crate) asks_for_code: bool,
}

impl OidcArgs {
    /// The issuer, if there is one.
    pub(crate) fn settings(&self) -> Option<OidcSettings> {
        Some(OidcSettings {
            issuer: self.issuer.clone()?,
            client_id: self.client_id.clone()?,
            client_secret: self.client_secret.clone()?,
            button: self.button.clone(),
            asks_for_code: self.asks_for_code,
        })
    }
}

/// An issuer that may be asked.
fn checked(text: &str) -> Result<String, outbound::BadTarget> {
    outbound::may_be_configured(text).map(|()| text.to_owned())
}
