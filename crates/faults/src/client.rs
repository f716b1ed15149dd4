//! A client as it should be: it asks over HTTP, and when it does not know what became of a request it sends the same
//! request again, under the same key.

use std::time::{Duration, Instant};

use jobs::JobId;
use rand::Rng;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(15);
/// The pause before a request is sent again, unless the server says.
const AGAIN: Duration = Duration::from_millis(200);
/// The longest that a client listens to `Retry-After`.
const AGAIN_LONGEST: Duration = Duration::from_secs(2);

/// Speaks for one tenant.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    /// Where the API is.
    pub(crate) url: String,
    key: String,
}

/// What a client was told in the end, and what it took.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// The status and body; nothing when it never was answered.
    pub(crate) answer: Option<(StatusCode, Value)>,
    /// Requests sent.
    pub(crate) requests: u32,
    /// How long the request took that was answered in the end.
    pub(crate) took: Duration,
    /// The longest that a 5xx, or nothing, took to come.
    pub(crate) refusal: Duration,
    /// Answers that were not the last, as `503 unavailable`.
    pub(crate) before: Vec<String>,
}

impl Told {
    /// The job that was promised, if one was.
    pub(crate) fn job(&self) -> Option<JobId> {
        let (status, body) = self.answer.as_ref()?;
        status.is_success().then(|| body["id"].as_str()?.parse().ok()).flatten()
    }
}

impl Client {
    /// A client of the API at `url`.
    pub(crate) fn new(url: &str, key: String) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(REQUEST)
            .connect_timeout(Duration::from_secs(2))
            .pool_max_idle_per_host(64)
            .build()?;
        Ok(Self { http, url: url.to_owned(), key })
    }

    /// The same tenant at another process of the API.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// One request, sent once.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value, Option<Duration>), reqwest::Error> {
        self.send(method, path, None, body).await
    }

    /// Reads.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let (status, body, _) = self.ask(Method::GET, path, None).await?;
        anyhow::ensure!(status.is_success(), "GET {path} answered {status}: {body}");
        Ok(body)
    }

    /// Changes something that is no job.
    pub(crate) async fn change(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let name = format!("{method} {path}");
        let (status, answer, _) = self.ask(method, path, Some(body)).await?;
        anyhow::ensure!(status.is_success(), "{name} answered {status}: {answer}");
        Ok(answer)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value, Option<Duration>), reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok((status, body, wait.map(Duration::from_secs)))
    }

    /// Submits under `key` until it is answered, or `patience` is over.
    pub(crate) async fn submit(&self, path: &str, key: &str, body: &Value, patience: Duration) -> Told {
        let began = Instant::now();
        let mut told = Told {
            answer: None,
            requests: 0,
            took: Duration::ZERO,
            refusal: Duration::ZERO,
            before: Vec::new(),
        };
        loop {
            told.requests += 1;
            let asked = Instant::now();
            let answered = self.send(Method::POST, path, Some(key), Some(body)).await;
            told.took = asked.elapsed();
            let wait = match answered {
                Ok((status, body, _)) if is_final(status, &body) => {
                    told.answer = Some((status, body));
                    return told;
                }
                Ok((status, body, wait)) => {
                    told.before.push(format!("{} {}", status.as_u16(), body["code"].as_str().unwrap_or("?")));
                    wait
                }
                Err(error) => {
                    told.before.push(if error.is_timeout() { "timeout" } else { "no answer" }.to_owned());
                    None
                }
            };
            told.refusal = told.refusal.max(told.took);
            if began.elapsed() > patience {
                return told;
            }
            // Spread, so that those who were refused together do not come back together.
            let wait = wait.unwrap_or(AGAIN).min(AGAIN_LONGEST);
            let wait = wait.mul_f64(rand::rng().random_range(0.5..1.5));
            tokio::time::sleep(wait).await;
        }
    }

    /// The address a file may be put to, the headers it wants, and the upload's id.
    pub(crate) async fn upload(&self, bytes: Vec<u8>, content_type: &str) -> anyhow::Result<String> {
        let announce = json!({ "content_type": content_type, "bytes": bytes.len() });
        let upload = self.change(Method::POST, "/v1/uploads", &announce).await?;
        let mut put = self.http.put(upload["url"].as_str().unwrap_or_default()).body(bytes);
        for (name, value) in upload["headers"].as_object().into_iter().flatten() {
            put = put.header(name, value.as_str().unwrap_or_default());
        }
        let status = put.send().await?.status();
        anyhow::ensure!(status.is_success(), "S3 answered {status} to an upload");
        Ok(upload["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Completes an upload; answers the asset.
    pub(crate) async fn complete(&self, upload: &str) -> anyhow::Result<String> {
        let asset = self.change(Method::POST, &format!("/v1/uploads/{upload}/complete"), &json!({})).await?;
        Ok(asset["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Fetches what a signed URL names.
    pub(crate) async fn fetch(&self, url: &str) -> anyhow::Result<Vec<u8>> {
        let answer = self.http.get(url).send().await?;
        anyhow::ensure!(answer.status().is_success(), "S3 answered {}", answer.status());
        Ok(answer.bytes().await?.to_vec())
    }
}

/// Whether there is no point in asking again: it was done, or it never will be.
fn is_final(status: StatusCode, body: &Value) -> bool {
    let again = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
        || (status == StatusCode::CONFLICT && body["code"] == "request_in_flight");
    !again
}
