//! The issuer at which people may sign in besides here, by OpenID Connect: the authorization code flow with PKCE, a state
//! and a nonce, and an ID token whose signature, audience, age and nonce hold.
//!
//! What a browser keeps while somebody is away is one random token. State, nonce and verifier are made from it, so that
//! whoever comes back in another browser, or with what belongs to another trip, has none of them right.

use std::{
    error::Error,
    pin::Pin,
    time::{Duration, Instant},
};

use axum::http;
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndUserEmail, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, SubjectIdentifier,
    TokenResponse, UserInfoError,
    core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreUserInfoClaims},
};
use outbound::{Asked, Configured};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::{sync::Mutex, time::timeout};

use super::guard::digest;
use crate::limits::USER_EMAIL_CHARS_MAX;

/// Bytes of an answer of the issuer.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Longest wait for a connection to it.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Longest wait for one of its answers.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Longest wait for one's turn to ask what it offers.
const TURN_MAX: Duration = Duration::from_secs(5);
/// How long it is believed where it wants people to be sent. Its keys are asked for each time.
const KNOWN_FOR: Duration = Duration::from_mins(5);
/// Bytes of its word for somebody.
const SUBJECT_BYTES_MAX: usize = 255;

/// An issuer, and what it knows us as.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// Its address, as it spells it.
    pub issuer: String,
    /// What it calls us.
    pub client_id: String,
    /// What we prove that by.
    pub client_secret: SecretString,
    /// What the button says.
    pub button: String,
    /// Whether those who have a code generator are asked for its code after the issuer, too.
    pub asks_for_code: bool,
}

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Asks the issuer.
pub(crate) struct Issuer {
    pub(super) settings: OidcSettings,
    redirect: String,
    calls: Calls,
    known: Mutex<Option<(Instant, CoreProviderMetadata)>>,
}

/// Why nobody came back.
#[derive(Debug, thiserror::Error)]
pub(super) enum IssuerError {
    /// It cannot be asked at this moment, or is not what the settings say.
    #[error("the issuer does not answer as it should")]
    Away(#[source] Cause),
    /// What it was given, or what it says, does not hold.
    #[error("what came back from the issuer does not hold")]
    Untrue(#[source] Cause),
}

type Cause = Box<dyn Error + Send + Sync>;

/// Who came back.
#[derive(Debug)]
pub(super) struct Somebody {
    /// The issuer's word for them.
    pub(super) subject: String,
    /// Their address, if the issuer says that it is theirs.
    pub(super) verified_email: Option<String>,
}

impl Issuer {
    /// Nothing is asked before somebody wants to sign in.
    pub(crate) fn new(settings: OidcSettings, public_url: &str) -> Self {
        let redirect = format!("{public_url}{}", super::OIDC);
        let calls = Calls(Configured::new(CONNECT_MAX, ANSWER_MAX));
        Self { settings, redirect, calls, known: Mutex::new(None) }
    }

    /// Where somebody on this trip is to be sent.
    pub(super) async fn address(&self, trip: &Trip) -> Result<String, IssuerError> {
        let client = self.client(KNOWN_FOR).await?;
        let (state, nonce) = (CsrfToken::new(trip.state()), trip.nonce());
        let (address, ..) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&trip.verifier()))
            .url();
        Ok(address.into())
    }

    /// Who came back from this trip with `code`.
    pub(super) async fn who(&self, trip: &Trip, code: String) -> Result<Somebody, IssuerError> {
        let client = self.client(Duration::ZERO).await?;
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(away)?
            .set_pkce_verifier(trip.verifier())
            .request_async(&self.calls)
            .await
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(_) => untrue(error),
                _ => away(error),
            })?;
        let token = answer.id_token().ok_or_else(|| untrue("it gave no ID token"))?;
        let claims = token.claims(&client.id_token_verifier(), &trip.nonce()).map_err(untrue)?;
        let subject = claims.subject().clone();
        let verified_email = match claims.email() {
            Some(email) => verified(email, claims.email_verified())?,
            // Most issuers say it elsewhere, as the standard has it.
            None => match client.user_info(answer.access_token().to_owned(), Some(subject.clone())) {
                Ok(asked) => {
                    let more: CoreUserInfoClaims =
                        asked.request_async(&self.calls).await.map_err(|error| match error {
                            UserInfoError::ClaimsVerification(_) => untrue(error),
                            _ => away(error),
                        })?;
                    more.email().map(|email| verified(email, more.email_verified())).transpose()?.flatten()
                }
                Err(_) => None,
            },
        };
        Ok(Somebody { subject: fitting(&subject)?, verified_email })
    }

    /// As the issuer describes itself, which is believed for a while.
    async fn client(&self, believed_for: Duration) -> Result<Client, IssuerError> {
        let Ok(mut known) = timeout(TURN_MAX, self.known.lock()).await else {
            return Err(away("others wait for it, too"));
        };
        let metadata = match known.take() {
            Some((at, metadata)) if at.elapsed() < believed_for => {
                *known = Some((at, metadata.clone()));
                metadata
            }
            _ => {
                let issuer = IssuerUrl::new(self.settings.issuer.clone()).map_err(away)?;
                let metadata =
                    CoreProviderMetadata::discover_async(issuer, &self.calls).await.map_err(away)?;
                *known = Some((Instant::now(), metadata.clone()));
                metadata
            }
        };
        let id = ClientId::new(self.settings.client_id.clone());
        let secret = ClientSecret::new(self.settings.client_secret.expose_secret().to_owned());
        let redirect = RedirectUrl::new(self.redirect.clone()).map_err(away)?;
        Ok(CoreClient::from_provider_metadata(metadata, id, Some(secret)).set_redirect_uri(redirect))
    }
}

/// An address that the issuer says is theirs. Only letters that everybody writes alike are made small: what looks like an
/// address in another script is another one.
fn verified(email: &EndUserEmail, is_verified: Option<bool>) -> Result<Option<String>, IssuerError> {
    if email.chars().count() > USER_EMAIL_CHARS_MAX || email.contains('\0') {
        return Err(untrue("its address is none"));
    }
    Ok(is_verified.unwrap_or(false).then(|| email.trim().to_ascii_lowercase()))
}

fn fitting(subject: &SubjectIdentifier) -> Result<String, IssuerError> {
    if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX || subject.contains('\0') {
        return Err(untrue("its word for somebody is none"));
    }
    Ok(subject.to_string())
}

fn away(cause: impl Into<Cause>) -> IssuerError {
    IssuerError::Away(cause.into())
}

fn untrue(cause: impl Into<Cause>) -> IssuerError {
    IssuerError::Untrue(cause.into())
}

/// What a browser keeps while somebody is away.
pub(super) struct Trip(String);

impl Trip {
    /// Of the token that the browser keeps.
    pub(super) fn of(token: String) -> Self {
        Self(token)
    }

    /// Under which the trip is written down.
    pub(super) fn key(&self) -> [u8; 32] {
        digest(&["trip", &self.0])
    }

    /// Under which it is written down who came back and has yet to give a code.
    pub(super) fn key_of_code(&self) -> [u8; 32] {
        digest(&["code of trip", &self.0])
    }

    /// Whether this is the state that they were sent away with.
    pub(super) fn is_of(&self, state: &str) -> bool {
        self.state().as_bytes().ct_eq(state.as_bytes()).into()
    }

    fn state(&self) -> String {
        self.made("state")
    }

    fn nonce(&self) -> Nonce {
        Nonce::new(self.made("nonce"))
    }

    fn verifier(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.made("verifier"))
    }

    fn made(&self, what: &str) -> String {
        hex::encode(digest(&[what, "of trip", &self.0]))
    }
}

/// How the library asks: by what an operator configured, bounded, and without following anything.
struct Calls(Configured);

/// The issuer was not asked, or did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the issuer did not answer")]
struct NoAnswer(#[source] Cause);

impl<'c> AsyncHttpClient<'c> for Calls {
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, NoAnswer>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Calls {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let headers: Vec<(&str, &str)> = (parts.headers.iter())
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let asked = Asked { method: parts.method.as_str(), url: &url, user: None, headers: &headers, body };
        let answer = self.0.send(asked, ANSWER_BYTES_MAX).await.map_err(no)?;
        if answer.is_cut {
            return Err(no("it says more than anybody listens to"));
        }
        let response = http::Response::builder().status(answer.status);
        let response = match answer.media_type {
            Some(media_type) => response.header(http::header::CONTENT_TYPE, media_type),
            None => response,
        };
        response.body(answer.body).map_err(no)
    }
}

fn no(cause: impl Into<Cause>) -> NoAnswer {
    NoAnswer(cause.into())
}

#[cfg(test)]
mod tests {
    use super::Trip;

    #[test]
    fn a_trip_is_told_from_every_other() {
        let (one, other) = (Trip::of("a".repeat(64)), Trip::of("b".repeat(64)));
        assert!(one.is_of(&one.state()) && !one.is_of(&other.state()) && !one.is_of(""));
        let made = [one.state(), one.nonce().secret().clone(), one.verifier().secret().clone()];
        assert!(made.iter().all(|text| text.len() == 64 && !text.contains("aaaa")), "{made:?}");
        assert!(made[0] != made[1] && made[1] != made[2] && made[0] != made[2]);
        assert_ne!(one.key(), one.key_of_code());
    }
}
