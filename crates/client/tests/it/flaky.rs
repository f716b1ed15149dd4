//! A server that answers what it is told to, one request after the other, and remembers what it was asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Response},
};
use client::{Client, Options};
use secrecy::SecretString;

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

type Script = Arc<Mutex<(VecDeque<Response<Body>>, Vec<Asked>)>>;

pub(crate) struct Flaky {
    pub(crate) client: Client,
    script: Script,
}

impl Flaky {
    /// Answers these in turn; then 500.
    pub(crate) async fn answering(answers: impl IntoIterator<Item = Response<Body>>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let script: Script = Arc::new(Mutex::new((answers.into_iter().collect(), Vec::new())));
        let app = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let key = SecretString::from("crw_test_key");
        let (connect, whole) = (Duration::from_secs(1), Duration::from_secs(5));
        Self { client: Client::new(Options { url, key, connect, whole, tries_max: 3 }).unwrap(), script }
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.lock().unwrap().1.clone()
    }
}

async fn answer(State(script): State<Script>, request: Request) -> Response<Body> {
    let mut script = script.lock().unwrap();
    let (path, headers) = (request.uri().to_string(), request.headers().clone());
    script.1.push(Asked { path, headers });
    script.0.pop_front().unwrap_or_else(|| told(500, "{}"))
}

pub(crate) fn told(status: u16, body: &str) -> Response<Body> {
    Response::builder().status(status).body(Body::from(body.to_owned())).unwrap()
}

pub(crate) fn refused(status: u16, code: &str, retry_after: &str) -> Response<Body> {
    let mut response = told(status, &format!(r#"{{"code":"{code}","detail":"not now"}}"#));
    response.headers_mut().insert("retry-after", retry_after.parse().unwrap());
    response
}
