//! Settings that both binaries read: where Postgres and S3 are, and how to log. `--help` is the reference.
//!
//! **Invariant:** nothing but clap reads the environment.

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

/// Where the database is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Postgres")]
pub struct DatabaseArgs {
    /// Address: postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,
    /// Connections this process may hold
    #[arg(long, env = "DATABASE_CONNECTIONS_MAX", default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..=500))]
    pub database_connections_max: u32,
    /// How long to wait for a free connection, in milliseconds
    #[arg(long, env = "DATABASE_ACQUIRE_MS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub database_acquire_ms: u64,
    /// How long one statement may take, in milliseconds
    #[arg(long, env = "DATABASE_STATEMENT_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub database_statement_ms: u64,
}

impl DatabaseArgs {
    /// The store's options for one role.
    pub fn options(&self, role: store::Role) -> store::Options {
        store::Options {
            url: self.database_url.expose_secret().to_owned(),
            role,
            connections_max: self.database_connections_max,
            acquire_ms: self.database_acquire_ms,
            statement_ms: self.database_statement_ms,
        }
    }
}

/// Keys that encrypt secrets, and payloads of those who want it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Encryption")]
pub struct MasterKeyArgs {
    /// Master key: the base64 of 32 random bytes, such as `openssl rand -base64 32` makes. Needed for secrets of webhooks, and once a tenant is encrypted
    #[arg(long, env = "CREWLINE_MASTER_KEY", hide_env_values = true)]
    pub master_key: Option<SecretString>,
    /// The master key of before, until every tenant's keys are wrapped by the new one
    #[arg(long, env = "CREWLINE_MASTER_KEY_PREVIOUS", hide_env_values = true, requires = "master_key")]
    pub master_key_previous: Option<SecretString>,
}

impl MasterKeyArgs {
    /// `db` with these keys.
    ///
    /// # Errors
    /// When one of them cannot be a key.
    pub fn give(&self, db: store::Db) -> Result<store::Db, store::sealing::BadMasterKey> {
        let Some(present) = &self.master_key else { return Ok(db) };
        let previous = self.master_key_previous.as_ref().map(ExposeSecret::expose_secret);
        Ok(db.with_masters(store::sealing::MasterKeys::parse(present.expose_secret(), previous)?))
    }
}

/// Webhooks that go out.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhookArgs {
    /// Let endpoints be http:// on this very machine, for development and tests; both programs have to agree
    #[arg(long, env = "CREWLINE_WEBHOOKS_LOOPBACK", default_value_t = false, action = clap::ArgAction::Set)]
    pub webhooks_loopback: bool,
}

/// Refuses to start a process that lacks a key which it will need. While the database does not answer, readiness tells.
///
/// # Errors
/// Names the master key that is missing.
pub async fn check_keys(db: &store::Db) -> Result<(), store::StoreError> {
    match store::sealing::check(db).await {
        Err(error @ store::StoreError::NoMasterKey { .. }) => Err(error),
        _ => Ok(()),
    }
}

/// Where the files are.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "S3")]
pub struct S3Args {
    /// Address of the S3 server; leave out for AWS
    #[arg(long, env = "S3_ENDPOINT")]
    pub s3_endpoint: Option<String>,
    /// Address that clients reach S3 by, in signed URLs; leave out if it is the same
    #[arg(long, env = "S3_PUBLIC_ENDPOINT")]
    pub s3_public_endpoint: Option<String>,
    /// Region
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    pub s3_region: String,
    /// Bucket
    #[arg(long, env = "AWS_S3_BUCKET")]
    pub s3_bucket: String,
    /// Access key id
    #[arg(long, env = "AWS_ACCESS_KEY_ID", hide_env_values = true)]
    pub s3_access_key: SecretString,
    /// Secret access key
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    pub s3_secret_key: SecretString,
    /// Name the bucket in the path, not in the host: for most servers that are not AWS
    #[arg(long, env = "S3_PATH_STYLE", default_value_t = false, action = clap::ArgAction::Set)]
    pub s3_path_style: bool,
}

/// Longest wait for a connection to S3.
const CONNECT_TIMEOUT_S: u64 = 3;
/// Longest wait for one attempt to be answered.
const ATTEMPT_TIMEOUT_S: u64 = 10;
/// Longest wait for an operation with all its attempts.
const OPERATION_TIMEOUT_S: u64 = 25;
/// Longest silence while a body is read or written.
const IDLE_TIMEOUT_S: u64 = 20;
/// Attempts per operation, the first included.
const ATTEMPTS_MAX: u32 = 3;
/// Files up to this size are put in one request.
const PART_BYTES: u64 = 16 * 1024 * 1024;

impl S3Args {
    /// The options of the object store.
    pub fn options(&self) -> blob::Options {
        blob::Options {
            endpoint: self.s3_endpoint.clone(),
            region: self.s3_region.clone(),
            bucket: self.s3_bucket.clone(),
            access_key: self.s3_access_key.clone(),
            secret_key: self.s3_secret_key.clone(),
            path_style: self.s3_path_style,
            public_endpoint: self.s3_public_endpoint.clone(),
            connect_timeout_s: CONNECT_TIMEOUT_S,
            attempt_timeout_s: ATTEMPT_TIMEOUT_S,
            operation_timeout_s: OPERATION_TIMEOUT_S,
            idle_timeout_s: IDLE_TIMEOUT_S,
            attempts_max: ATTEMPTS_MAX,
            part_bytes: PART_BYTES,
        }
    }
}

/// How to log and where to send traces.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logs and traces")]
pub struct LogArgs {
    /// How log lines look
    #[arg(long, env = "LOG_FORMAT", default_value = "json", value_name = "json|pretty")]
    pub log_format: telemetry::LogFormat,
    /// What to log, as tracing-subscriber's EnvFilter reads it
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub log_filter: String,
    /// Where to send traces, over OTLP/HTTP; leave out to send none
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// Share of traces that are sent, 0.0 to 1.0
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value_t = 1.0)]
    pub trace_ratio: f64,
}

/// How long a batch of spans is collected before it is sent.
const EXPORT_INTERVAL_MS: u64 = 2_000;
/// Longest wait for the collector to take a batch.
const EXPORT_TIMEOUT_MS: u64 = 5_000;
/// Longest wait, when the process ends, for the last spans to be taken.
const FLUSH_TIMEOUT_MS: u64 = 2_000;

impl LogArgs {
    /// The options of telemetry for `service`.
    pub fn options(&self, service: &'static str) -> telemetry::Options {
        telemetry::Options {
            service,
            version: env!("CARGO_PKG_VERSION"),
            log_format: self.log_format,
            log_filter: self.log_filter.clone(),
            otlp_endpoint: self.otlp_endpoint.clone(),
            sample_ratio: self.trace_ratio,
            export_interval_ms: EXPORT_INTERVAL_MS,
            export_timeout_ms: EXPORT_TIMEOUT_MS,
            flush_timeout_ms: FLUSH_TIMEOUT_MS,
        }
    }
}
