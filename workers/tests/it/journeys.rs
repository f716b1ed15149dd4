//! The whole way, as a client goes it: over HTTP in, over signed URLs out.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use store::{Role, keys};
use tokio_util::sync::CancellationToken;

use crate::world::{World, photo};

pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) key: String,
}

impl Client {
    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .bearer_auth(&self.key)
            .header("Idempotency-Key", jobs::JobId::new().to_string())
            .header("Prefer", "wait=30")
            .json(&body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.get_with_status(path).await.1
    }

    /// With null for a body that is not JSON.
    pub(crate) async fn get_with_status(&self, path: &str) -> (u16, Value) {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.key);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_from_one_request_to_renditions() {
    let world = World::scanned().await;
    let _worker = world.start(&[]);
    let (client, stop) = serve(&world).await;
    let bytes = photo("TwoWings.jpg");
    let announce = json!({"filename": "two wings.jpg", "content_type": "image/jpeg", "bytes": bytes.len()});
    let (status, upload) = client.post("/v1/uploads", announce).await;
    assert_eq!(status, 201, "{upload}");
    let mut put = client.http.put(upload["url"].as_str().unwrap()).body(bytes);
    for (name, value) in upload["headers"].as_object().unwrap() {
        put = put.header(name, value.as_str().unwrap());
    }
    assert!(put.send().await.unwrap().status().is_success());
    let complete = format!("/v1/uploads/{}/complete", upload["id"].as_str().unwrap());
    let (status, asset) = client.post(&complete, json!({})).await;
    assert_eq!(status, 200, "{asset}");

    let (status, job) =
        client.post("/v1/jobs", json!({"kind": "media.rendition", "args": {"asset": asset["id"]}})).await;
    assert_eq!((status, job["state"].as_str()), (200, Some("completed")), "{job}");
    let asset = client.get(&format!("/v1/assets/{}", asset["id"].as_str().unwrap())).await;
    let renditions = asset["renditions"].as_array().unwrap();
    assert_eq!(renditions.len(), 8);
    for rendition in renditions {
        let picture =
            client.http.get(rendition["url"].as_str().unwrap()).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(picture.len() as u64, rendition["bytes"].as_u64().unwrap());
    }
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jobs_stream_tells_everything_it_said_before_it_ends() {
    let world = World::new().await;
    let worker = world.start(&[]);
    worker.ready().await;
    let (client, stop) = serve(&world).await;
    for _ in 0..5 {
        let job = world.probe(crate::world::working(200)).await;
        let request =
            client.http.get(format!("{}/v1/jobs/{job}/events", client.url)).bearer_auth(&client.key);
        let told = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(told.matches("event: log").count(), 10, "{told}");
        assert!(told.trim_end().lines().any(|line| line == "event: end"), "{told}");
    }
    stop.cancel();
}

/// The API over the same database and files, until it is told to stop.
pub(crate) async fn serve(world: &World) -> (Client, CancellationToken) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let settings = api::Settings {
        public_url: url.clone(),
        idempotency_required: true,
        requests_max: 1_000,
        requests_window_s: 1,
        webhooks_per_source_max: 100_000,
        webhooks_loopback: true,
        cronofy_secret: None,
        oidc: None,
        trace_url: None,
        proxies: 0,
        streams_max: 10,
        connections_max: 100,
        header_read_timeout_ms: 5_000,
        body_read_timeout_ms: 10_000,
    };
    let app = api::AppState::new(world.api.clone(), world.blobs.clone(), settings, None);
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(
        async move { api::serve(listener, app, async move { told.cancelled().await }).await.unwrap() },
    );
    let http = reqwest::Client::builder().timeout(Duration::from_mins(1)).build().unwrap();
    (Client { http, url, key: key(world, "admin").await }, stop)
}

/// A key of the world's tenant with one scope.
pub(crate) async fn key(world: &World, scope: &str) -> String {
    let minted = api::mint().unwrap();
    let new = keys::NewKey {
        id: jobs::ApiKeyId::new(),
        prefix: &minted.prefix,
        secret_sha256: minted.secret_sha256,
        name: "test",
        scopes: &[scope.to_owned()],
    };
    let owner = world.database.db(Role::Owner).unwrap();
    let make = owner.transact(None, async |tx| keys::create_key(tx, world.tenant, &new, None).await);
    make.await.unwrap();
    minted.text.expose_secret().to_owned()
}
