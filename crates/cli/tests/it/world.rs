//! A Postgres, a Redis, an S3, the API and a worker, and `crewline` in front of them.

use std::{
    path::Path,
    process::{Output, Stdio},
    sync::OnceLock,
    time::Duration,
};

use blob::{Blobs, embedded};
use clap::Parser;
use jobs::{ApiKeyId, MessageId, PartyId, TenantId, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use store::{Role, keys, testing::TestDatabase, users};
use telemetry::metrics::PrometheusHandle;
use tempfile::TempDir;
use testkit::RedisServer;
use tokio::{net::TcpListener, process::Command};
use tokio_util::sync::CancellationToken;
use workers::config::{Cli as WorkersCli, Command as WorkersCommand};

/// Long enough for a busy machine with two cores.
pub(crate) const SOON: Duration = Duration::from_mins(1);

pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) key: String,
    database: TestDatabase,
    redis: RedisServer,
    s3: blob::Options,
    tenant: TenantId,
    stop: CancellationToken,
    folder: TempDir,
}

/// What `crewline` did.
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Told {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The documents it wrote, one a line.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl World {
    /// Everything but a worker.
    pub(crate) async fn idle() -> Self {
        // Another test of this binary may have been first.
        drop(rustls::crypto::ring::default_provider().install_default());
        let database = TestDatabase::create().await;
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let s3 = s3_options(&format!("http://{}", listener.local_addr().unwrap()));
        let objects = folder.path().join("s3");
        tokio::spawn(async move {
            embedded::serve(listener, &objects, "key", "secret", std::future::pending()).await.unwrap();
        });
        let owner = database.db(Role::Owner).unwrap();
        let tenant = keys::create_tenant(&owner, "acme", "Acme").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut world = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            key: String::new(),
            database,
            redis: RedisServer::start().unwrap(),
            s3,
            tenant,
            stop: CancellationToken::new(),
            folder,
        };
        world.key = world.key_of(&["admin"]).await;
        world.serve(listener).await;
        world
    }

    /// With a worker for jobs of the queue `default`.
    pub(crate) async fn working() -> Self {
        let world = Self::idle().await;
        world.work();
        world
    }

    async fn serve(&self, listener: TcpListener) {
        let blobs = Blobs::connect(&self.s3).unwrap();
        blobs.ensure_bucket().await.unwrap();
        let settings = api::Settings {
            public_url: self.url.clone(),
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
        let app = api::AppState::new(self.database.db(Role::Api).unwrap(), blobs, settings, None);
        let stop = self.stop.clone();
        tokio::spawn(async move { api::serve(listener, app, stop.cancelled_owned()).await.unwrap() });
    }

    fn work(&self) {
        static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
        let metrics = METRICS.get_or_init(|| telemetry::metrics::install_prometheus().unwrap()).clone();
        let (database, redis) = (self.database.url(), self.redis.url());
        let endpoint = self.s3.endpoint.clone().unwrap();
        let scratch = self.folder.path().join("scratch").display().to_string();
        let cli = WorkersCli::parse_from([
            "workers",
            "run",
            "--queues=default",
            "--listen=127.0.0.1:0",
            "--lease-ms=2000",
            "--sweep-ms=250",
            "--s3-path-style=true",
            "--s3-bucket=crewline",
            "--s3-access-key=key",
            "--s3-secret-key=secret",
            &format!("--s3-endpoint={endpoint}"),
            &format!("--database-url={database}"),
            &format!("--redis-url={redis}"),
            &format!("--scratch={scratch}"),
        ]);
        let WorkersCommand::Run(args) = cli.command else { panic!("it was told to run") };
        let stop = self.stop.clone();
        tokio::spawn(async move { workers::runtime::run(*args, metrics, stop).await.unwrap() });
    }

    /// A fresh key with these scopes.
    pub(crate) async fn key_of(&self, scopes: &[&str]) -> String {
        self.make_key(scopes, None).await
    }

    /// The key of somebody new who steers.
    pub(crate) async fn key_for(&self, person: UserId) -> String {
        let (owner, email) = (self.database.db(Role::Owner).unwrap(), format!("{person}@acme.test"));
        let add = owner.transact(None, async |tx| users::add(tx, person, &email, "x", "x").await);
        assert!(add.await.unwrap());
        self.make_key(&["queue:operate", "jobs:read"], Some(person)).await
    }

    async fn make_key(&self, scopes: &[&str], person: Option<UserId>) -> String {
        let minted = api::mint().unwrap();
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let new = keys::NewKey {
            id: ApiKeyId::new(),
            prefix: &minted.prefix,
            secret_sha256: minted.secret_sha256,
            name: "test",
            scopes: &scopes,
        };
        let owner = self.database.db(Role::Owner).unwrap();
        let make = owner.transact(None, async |tx| keys::create_key(tx, self.tenant, &new, person).await);
        make.await.unwrap();
        minted.text.expose_secret().to_owned()
    }

    /// Does what no command can.
    pub(crate) async fn execute(&self, sql: &str) {
        self.database.execute(sql).await.unwrap();
    }

    /// A message to `party` of which nobody knows whether it arrived.
    pub(crate) async fn lost_message(&self, party: &str) -> String {
        let (id, party): (MessageId, PartyId) = (MessageId::new(), party.parse().unwrap());
        let (row, party, tenant) = (id.as_uuid(), party.as_uuid(), self.tenant.as_uuid());
        self.execute(&format!(
            "insert into message (id, tenant_id, party_id, request_id, channel, category, template, template_version,
                 locale, content_sha256, dedupe_key, state, decisions, scheduled_at)
             values ('{row}', '{tenant}', '{party}', '{row}', 'email', 'operational', 'x', 0, 'en', 'x', '{row}', 'unknown',
                 '[]', now());
             insert into effect (tenant_id, key, try, message_id, job_id, state, provider, ended_at)
             values ('{tenant}', '{id}', 1, '{row}', '{row}', 'unknown', 'smtp', now())"
        ))
        .await;
        id.to_string()
    }

    /// Calls `crewline` with these arguments.
    pub(crate) async fn crewline(&self, arguments: &[&str]) -> Told {
        self.crewline_with(&self.key, arguments).await
    }

    /// The same, as somebody else.
    pub(crate) async fn crewline_with(&self, key: &str, arguments: &[&str]) -> Told {
        let environment = [("CREWLINE_URL", self.url.as_str()), ("CREWLINE_API_KEY", key)];
        crewline(self.folder.path(), &environment, arguments, "").await
    }

    /// Calls it, expects it to go well, and answers what it wrote.
    pub(crate) async fn done(&self, arguments: &[&str]) -> String {
        let told = self.crewline(arguments).await;
        assert_eq!(told.code, 0, "{arguments:?}: {}{}", told.out, told.err);
        told.out.trim_end().to_owned()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// `crewline` at home in `home`, with nothing in its environment but `environment`.
pub(crate) async fn crewline(
    home: &Path,
    environment: &[(&str, &str)],
    arguments: &[&str],
    input: &str,
) -> Told {
    let told = home.join("input");
    std::fs::write(&told, input).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_crewline"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .envs(environment.iter().copied())
        .stdin(Stdio::from(std::fs::File::open(&told).unwrap()))
        .kill_on_drop(true)
        .output();
    let run = tokio::time::timeout(SOON, run).await;
    Told::of(run.unwrap_or_else(|_| panic!("{arguments:?} does not end")).unwrap())
}

fn s3_options(endpoint: &str) -> blob::Options {
    blob::Options {
        endpoint: Some(endpoint.to_owned()),
        region: "us-east-1".into(),
        bucket: "crewline".into(),
        access_key: SecretString::from("key"),
        secret_key: SecretString::from("secret"),
        path_style: true,
        public_endpoint: None,
        connect_timeout_s: 2,
        attempt_timeout_s: 10,
        operation_timeout_s: 20,
        idle_timeout_s: 10,
        attempts_max: 3,
        part_bytes: 16 * 1024 * 1024,
    }
}
