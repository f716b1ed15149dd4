//! Who asks: the connection, the key, and how often a request is sent.

use std::time::Duration;

use rand::Rng;
use reqwest::{
    Method, Response,
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
    redirect::Policy,
};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Error, Problem,
    ask::{Ask, Body},
    follow::Events,
};

/// The longest answer that is taken: a result of 8 MiB with everything around it.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest refusal that is read.
const PROBLEM_BYTES_MAX: usize = 256 * 1024;
/// The first pause before a request is sent again; it doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// The longest pause, unless the server says.
const PAUSE_LONGEST: Duration = Duration::from_secs(5);
/// The longest `Retry-After` that is waited for.
const RETRY_AFTER_LONGEST: Duration = Duration::from_mins(1);

/// How an API is spoken to.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it is: `https://jobs.example.com`.
    pub url: String,
    /// Who is asking.
    pub key: SecretString,
    /// Longest wait for a connection.
    pub connect: Duration,
    /// Longest wait for an answer, without what was asked to be waited for.
    pub whole: Duration,
    /// How often a request is sent at most.
    pub tries_max: u32,
}

/// Speaks for one tenant. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) options: Options,
    /// The key of the next requests, if it is not ours to choose.
    key: Option<String>,
    /// How long the next requests wait for a job to end.
    wait: Option<Duration>,
}

impl Client {
    /// A client of the API at `options.url`. Nothing is sent yet.
    pub fn new(mut options: Options) -> Result<Self, Error> {
        // One provider for everything in this process that speaks TLS. Installing fails only when there is one already.
        drop(rustls::crypto::ring::default_provider().install_default());
        options.url.truncate(options.url.trim_end_matches('/').len());
        if !["http://", "https://"].iter().any(|scheme| options.url.starts_with(scheme)) {
            return Err(Error::Address(options.url));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(options.connect)
            // A redirect leads to S3, which must not see the key.
            .redirect(Policy::none())
            .user_agent("crewline-client/1")
            .build()
            .map_err(Error::SetUp)?;
        Ok(Self { http, options, key: None, wait: None })
    }

    /// The same client, whose requests carry `key` as their `Idempotency-Key`: for one that outlives this process.
    #[must_use]
    pub fn keyed(&self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self.clone() }
    }

    /// The same client, whose submissions are answered by the ended job if it ends within `wait`, at most 30 s.
    #[must_use]
    pub fn waiting(&self, wait: Duration) -> Self {
        Self { wait: Some(wait), ..self.clone() }
    }

    /// Asks for anything: what the methods here are made of, for what has none.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let mut ask = Ask::new(method.clone(), path);
        if let Some(body) = body {
            ask = ask.json(body)?;
        }
        if method == Method::POST {
            ask = ask.keyed();
        }
        Ok(self.perhaps(ask).await?.unwrap_or_default())
    }

    pub(crate) async fn json<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Error> {
        let asked = ask.path.clone();
        let body = self.read(ask).await?;
        serde_json::from_slice(&body).map_err(|source| Error::Unexpected { asked, source })
    }

    /// What is answered, or nothing where there is no body.
    pub(crate) async fn perhaps<T: DeserializeOwned>(&self, ask: Ask) -> Result<Option<T>, Error> {
        let asked = ask.path.clone();
        let body = self.read(ask).await?;
        if body.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&body).map(Some).map_err(|source| Error::Unexpected { asked, source })
    }

    pub(crate) async fn nothing(&self, ask: Ask) -> Result<(), Error> {
        self.read(ask).await.map(drop)
    }

    pub(crate) async fn text(&self, ask: Ask) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&self.read(ask).await?).into_owned())
    }

    /// Where a redirect leads.
    pub(crate) async fn place(&self, ask: Ask) -> Result<String, Error> {
        let ask = Ask { leads_elsewhere: true, ..ask };
        self.send(&ask, true).await.map(|response| place(&response))
    }

    pub(crate) fn events(&self, ask: Ask) -> Events {
        Events::new(self.clone(), ask)
    }

    async fn read(&self, ask: Ask) -> Result<Vec<u8>, Error> {
        let response = self.send(&ask, true).await?;
        self.body(response, ANSWER_BYTES_MAX).await
    }

    /// Sends until there is an answer, or no point in going on. `whole` bounds the time until all of it is there.
    pub(crate) async fn send(&self, ask: &Ask, whole: bool) -> Result<Response, Error> {
        let key = ask.is_keyed.then(|| self.key.clone().unwrap_or_else(fresh_key));
        let mut tries = 1;
        loop {
            let error = match self.once(ask, key.as_deref(), whole).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let told = error.retry_after();
            let is_over =
                tries >= self.options.tries_max || told.is_some_and(|told| told > RETRY_AFTER_LONGEST);
            if is_over || !error.is_passing(ask.is_repeatable()) {
                return Err(error);
            }
            tokio::time::sleep(pause(told, tries)).await;
            tries += 1;
        }
    }

    async fn once(&self, ask: &Ask, key: Option<&str>, whole: bool) -> Result<Response, Error> {
        let url = format!("{}{}", self.options.url, ask.path);
        let mut request =
            self.http.request(ask.method.clone(), url).bearer_auth(self.options.key.expose_secret());
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let wait = self.wait.filter(|_| ask.is_waiting);
        if let Some(wait) = wait {
            request = request.header("Prefer", format!("wait={}", wait.as_secs()));
        }
        if let Some(id) = &ask.last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        if whole {
            request = request.timeout(self.options.whole + wait.unwrap_or_default());
        }
        request = match &ask.body {
            Some(Body::Json(body)) => request.header(CONTENT_TYPE, "application/json").body(body.clone()),
            Some(Body::Bytes(body)) => {
                request.header(CONTENT_TYPE, "application/octet-stream").body(body.clone())
            }
            None => request,
        };
        let response = request.send().await.map_err(|source| self.unanswered(source))?;
        let status = response.status();
        if status.is_success() || status.is_redirection() && ask.leads_elsewhere {
            return Ok(response);
        }
        if status.is_redirection() {
            let (asked, place) = (format!("{}{}", self.options.url, ask.path), place(&response));
            return Err(Error::Elsewhere { asked, place });
        }
        let retry_after =
            response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = self.body(response, PROBLEM_BYTES_MAX).await.unwrap_or_default();
        let problem = Problem::read(status, &body, retry_after.map(Duration::from_secs));
        Err(Error::Refused(Box::new(problem)))
    }

    /// All of a body, unless it is too long.
    pub(crate) async fn body(&self, mut response: Response, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|source| self.unanswered(source))? {
            if body.len() + piece.len() > bytes_max {
                return Err(Error::TooMuch(self.options.url.clone()));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    pub(crate) fn unanswered(&self, source: reqwest::Error) -> Error {
        // A signed address must not come into a log.
        Error::Unanswered { url: self.options.url.clone(), source: source.without_url() }
    }
}

/// How long to wait before the next try, spread so that those who were refused together do not come back together.
pub(crate) fn pause(told: Option<Duration>, tries: u32) -> Duration {
    let spread = rand::rng().random_range(0.0..0.5);
    match told {
        Some(told) => told.mul_f64(1.0 + spread / 4.0),
        None => {
            PAUSE_FIRST.saturating_mul(1 << (tries - 1).min(16)).min(PAUSE_LONGEST).mul_f64(0.75 + spread)
        }
    }
}

/// Where a redirect leads; empty when it does not say.
fn place(response: &Response) -> String {
    let place = response.headers().get(LOCATION).and_then(|place| place.to_str().ok());
    place.unwrap_or_default().to_owned()
}

fn fresh_key() -> String {
    format!("{:032x}", rand::rng().random::<u128>())
}
