//! A server, its database and its object store, for one test.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use api::{AppState, Settings};
use blob::{Blobs, embedded};
use jobs::{ApiKeyId, Queue, TenantId, UserId};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use store::{
    Db, Role,
    claim::{Claimed, Pick, claim},
    keys::NewKey,
    scans::NewScan,
    settle::{drop_done, settle, settle_with},
    testing::TestDatabase,
    verdict::{Settle, Verdict, Write},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

const LEASE: Duration = Duration::from_mins(1);
/// Longest wait for anything.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    pub(crate) http: Client,
    pub(crate) owner: Db,
    pub(crate) worker: Db,
    pub(crate) blobs: Blobs,
    pub(crate) tenant: TenantId,
    pub(crate) key: String,
    settings: Settings,
    stops: Vec<oneshot::Sender<()>>,
    serving: Option<Serving>,
    _dir: TempDir,
    // Last, so that it is dropped when nobody uses it any more.
    database: TestDatabase,
}

pub(crate) fn settings() -> Settings {
    Settings {
        public_url: "http://crewline.test".to_owned(),
        idempotency_required: true,
        requests_max: 100_000,
        requests_window_s: 1,
        webhooks_per_source_max: 100_000,
        webhooks_loopback: true,
        cronofy_secret: None,
        oidc: None,
        trace_url: None,
        proxies: 0,
        streams_max: 20,
        connections_max: 1_000,
        header_read_timeout_ms: 1_000,
        body_read_timeout_ms: 1_000,
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(settings()).await
    }

    pub(crate) async fn start_with(settings: Settings) -> Self {
        // reqwest is built without a provider; the first test to come installs it.
        drop(rustls::crypto::ring::default_provider().install_default());
        let database = TestDatabase::create().await;
        let owner = database.db(Role::Owner).unwrap();
        let dir = TempDir::new().unwrap();
        let (stop_s3, blobs) = start_s3(dir.path().join("s3")).await;
        let (address, stop, serving) =
            serve(database.db(Role::Api).unwrap(), blobs.clone(), settings.clone()).await;
        let tenant = store::keys::create_tenant(&owner, "acme", "Acme").await.unwrap();
        let mut this = Self {
            address,
            http: Client::builder().timeout(Duration::from_secs(40)).build().unwrap(),
            worker: database.db(Role::Worker).unwrap(),
            owner,
            blobs,
            tenant,
            key: String::new(),
            settings,
            stops: vec![stop, stop_s3],
            serving: Some(serving),
            _dir: dir,
            database,
        };
        this.key = this.key_of(tenant, &["admin"]).await;
        this
    }

    /// A fresh key of `tenant`.
    pub(crate) async fn key_of(&self, tenant: TenantId, scopes: &[&str]) -> String {
        self.key_for(tenant, scopes, None).await
    }

    /// A fresh key of `tenant` that was made for `person`.
    pub(crate) async fn key_for(&self, tenant: TenantId, scopes: &[&str], person: Option<UserId>) -> String {
        let minted = api::mint().unwrap();
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let key = NewKey {
            id: ApiKeyId::new(),
            prefix: &minted.prefix,
            secret_sha256: minted.secret_sha256,
            name: "test",
            scopes: &scopes,
        };
        let make =
            self.owner.transact(None, async |tx| store::keys::create_key(tx, tenant, &key, person).await);
        make.await.unwrap();
        minted.text.expose_secret().to_owned()
    }

    /// The admin key of another tenant.
    pub(crate) async fn stranger(&self) -> String {
        let tenant = store::keys::create_tenant(&self.owner, "other", "Other").await.unwrap();
        self.key_of(tenant, &["admin"]).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path)).bearer_auth(&self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_keyed(path, body, &fresh()).await
    }

    pub(crate) async fn post_keyed(&self, path: &str, body: &Value, key: &str) -> Answer {
        let request = self.request(Method::POST, path).header("idempotency-key", key).json(body);
        Answer::of(request.send().await.unwrap()).await
    }

    /// Submits a probe and answers its id.
    pub(crate) async fn submit(&self, extra: Value) -> String {
        let mut body = json!({ "kind": "probe.work" });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let answer = self.post("/v1/jobs", &body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// Claims everything that may run, as a worker would.
    pub(crate) async fn claim(&self) -> Vec<Claimed> {
        claim(&self.worker, Queue::Default, Pick::Regular, 256, "wrk_test", LEASE).await.unwrap()
    }

    /// Claims and settles everything that may run.
    pub(crate) async fn work(&self, verdict: Verdict) -> usize {
        let claimed = self.claim().await;
        let batch: Vec<Settle> = claimed.iter().map(|job| Settle::of(job, verdict.clone())).collect();
        let leases: Vec<_> = claimed.iter().map(|job| job.lease).take(1).collect();
        settle(&self.worker, &batch, &leases).await.unwrap().len()
    }

    /// Says what the scanner thinks of an original, as a worker would.
    pub(crate) async fn scan(&self, verdict: jobs::AssetState, finding: Option<&str>) {
        let claimed = claim(&self.worker, Queue::Media, Pick::Regular, 1, "wrk_test", LEASE).await.unwrap();
        let job = claimed.first().expect("something to be scanned");
        let asset = job.args.inline().unwrap()["asset"].as_str().unwrap().parse().unwrap();
        let (finding, scanner) = (finding.map(str::to_owned), "ClamAV test".to_owned());
        let result = json!({ "asset": asset, "verdict": verdict, "finding": finding, "scanner": scanner });
        let scan = NewScan { asset, verdict, finding, scanner };
        let settled = Settle::of(job, Verdict::Completed { result: result.into() });
        assert!(settle_with(&self.worker, &settled, &[], &[Write::Scan(Box::new(scan))]).await.unwrap());
        drop_done(&self.worker, &[job.lease]).await.unwrap();
    }

    /// Does what no request can.
    pub(crate) async fn execute(&self, sql: &str) {
        self.database.execute(sql).await.unwrap();
    }

    /// A number that no request tells.
    pub(crate) async fn json(&self, sql: &str) -> Value {
        self.database.json(sql).await.unwrap()
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.database.number(sql).await.unwrap()
    }

    pub(crate) fn database_url(&self) -> String {
        self.database.url()
    }

    /// Another process, as far as the database can tell: where it listens.
    pub(crate) async fn another_server(&mut self) -> SocketAddr {
        let db = self.database.db(Role::Api).unwrap();
        let (address, stop, _) = serve(db, self.blobs.clone(), self.settings.clone()).await;
        self.stops.push(stop);
        address
    }

    /// A server that was given this master key takes over.
    pub(crate) async fn serve_with_key(&mut self, master: &str) {
        let masters = store::sealing::MasterKeys::parse(master, None).unwrap();
        let db = self.database.db(Role::Api).unwrap().with_masters(masters);
        let (address, stop, _) = serve(db, self.blobs.clone(), settings()).await;
        self.stops.push(stop);
        self.address = address;
    }

    /// A server that knows the certificate at `url` takes over.
    pub(crate) async fn serve_with_certificate(&mut self, url: &str, pem: Vec<u8>) {
        let db = self.database.db(Role::Api).unwrap();
        let app = AppState::new(db, self.blobs.clone(), settings(), None);
        app.know_certificate(url, pem);
        let (address, stop, _) = serve_app(app).await;
        self.stops.push(stop);
        self.address = address;
    }

    /// Stops the server as SIGTERM would, and waits for it.
    pub(crate) async fn stop(&mut self) {
        drop(self.stops.remove(0));
        let serving = self.serving.take().unwrap();
        tokio::time::timeout(BOUND, serving).await.unwrap().unwrap().unwrap();
    }
}

type Serving = JoinHandle<std::io::Result<()>>;

/// A server over `db`, until the sender is dropped.
pub(crate) async fn serve(
    db: Db,
    blobs: Blobs,
    settings: Settings,
) -> (SocketAddr, oneshot::Sender<()>, Serving) {
    serve_app(AppState::new(db, blobs, settings, None)).await
}

async fn serve_app(app: AppState) -> (SocketAddr, oneshot::Sender<()>, Serving) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(api::serve(listener, app, async move { drop(stopped.await) }));
    (address, stop, serving)
}

async fn start_s3(dir: PathBuf) -> (oneshot::Sender<()>, Blobs) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = blob::Options {
        endpoint: Some(format!("http://{}", listener.local_addr().unwrap())),
        region: "eu-central-1".to_owned(),
        bucket: "crewline".to_owned(),
        access_key: "test-access".into(),
        secret_key: "test-secret".into(),
        path_style: true,
        public_endpoint: None,
        connect_timeout_s: 1,
        attempt_timeout_s: 10,
        operation_timeout_s: 20,
        idle_timeout_s: 5,
        attempts_max: 2,
        part_bytes: blob::PART_BYTES_MIN,
    };
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(async move {
        embedded::serve(listener, &dir, "test-access", "test-secret", async move { drop(stopped.await) })
            .await
    });
    let blobs = Blobs::connect(&options).unwrap();
    blobs.ensure_bucket().await.unwrap();
    (stop, blobs)
}

/// A key that nobody used before.
pub(crate) fn fresh() -> String {
    jobs::JobId::new().to_string()
}

pub(crate) fn completed() -> Verdict {
    Verdict::Completed { result: json!({ "echo": "hello", "attempt": 1 }).into() }
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts that this is a whole problem of `code`, and hands it back.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.body["type"], format!("/docs/problems#{code}"));
        assert_eq!(self.body["status"], status);
        assert_eq!(self.header("x-request-id"), self.body["instance"].as_str());
        assert!(self.body["title"].is_string() && !self.body["detail"].as_str().unwrap().is_empty());
        self
    }

    #[track_caller]
    pub(crate) fn pointers(&self) -> Vec<&str> {
        self.body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect()
    }
}

/// Looks again and again until `look` finds something, for at most [`BOUND`].
pub(crate) async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    tokio::time::timeout(BOUND, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it never came")
}
