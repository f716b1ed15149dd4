//! The command line and the environment: every setting of this program, and nothing else reads them.

pub(crate) mod oidc;
pub(crate) mod people;

use std::net::SocketAddr;

use api::{Scope, Settings, ops::TraceUrl};
use clap::{Args, Parser, Subcommand};
use secrecy::SecretString;
use settings::{DatabaseArgs, LogArgs, MasterKeyArgs, S3Args, WebhookArgs};

/// Takes jobs in over HTTP and shows what becomes of them.
///
/// Every option can be given as an environment variable instead; the variable stands beside it.
#[derive(Debug, Parser)]
#[command(name = "api", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  api migrate                                   bring the schema up to date
  api tenant create acme --name 'Acme Homes'    make a tenant
  api key create --tenant acme --name laptop --scope jobs:write --scope jobs:read --scope payloads:read
                                                make a key; it is printed once
  api serve --listen 0.0.0.0:8080               answer requests
  curl -H \"Authorization: Bearer $KEY\" http://127.0.0.1:8080/v1/kinds";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answer requests until SIGTERM or SIGINT
    Serve(Box<ServeArgs>),
    /// Bring the database's schema up to date; safe to run by several processes at once
    Migrate(MigrateArgs),
    /// Make and list tenants
    Tenant(TenantArgs),
    /// Make, list and revoke API keys
    Key(KeyArgs),
    /// Say who may use the dashboard, and for what
    User(people::UserArgs),
    /// Verify the log of what people did
    Audit(people::AuditArgs),
    /// Limit every tenant's jobs together
    Limit(LimitArgs),
    /// Pause queues and kinds for every tenant
    Pause(PauseArgs),
    /// Print what the API is, as an OpenAPI 3.1 document: what `crates/client` is made from
    Openapi,
    /// Ask a running server whether it is alive; for container health checks
    Healthcheck(HealthcheckArgs),
    /// Run an S3 server on a directory, for development
    #[cfg(feature = "embedded-s3")]
    S3(S3ServeArgs),
}

/// `api serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) http: HttpArgs,
    #[command(flatten)]
    pub(crate) oidc: oidc::OidcArgs,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) s3: S3Args,
    #[command(flatten)]
    pub(crate) masters: MasterKeyArgs,
    #[command(flatten)]
    pub(crate) webhooks: WebhookArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// How requests are taken.
#[derive(Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub(crate) struct HttpArgs {
    /// Where to listen
    #[arg(long, env = "CREWLINE_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// How clients reach this server, for the examples in /docs; http:// and the address unless given
    #[arg(long, env = "CREWLINE_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,
    /// Refuse POSTs that submit jobs without an Idempotency-Key
    #[arg(long, env = "CREWLINE_IDEMPOTENCY_REQUIRED", default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) idempotency_required: bool,
    /// Requests a tenant may send to this process per window, and at once
    #[arg(long, env = "CREWLINE_REQUESTS_MAX", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests_max: u32,
    /// Length of that window, in seconds
    #[arg(long, env = "CREWLINE_REQUESTS_WINDOW_S", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) requests_window_s: u32,
    /// Webhooks, believed or not, that may be sent under one source's URL to this process in a minute, and at once
    #[arg(long, env = "CREWLINE_WEBHOOKS_PER_SOURCE_MAX", default_value_t = 12_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) webhooks_per_source_max: u32,
    /// Secret of the client at Cronofy, which signs with it that a calendar changed; without, that is not believed
    #[arg(long, env = "CREWLINE_CRONOFY_SECRET", hide_env_values = true)]
    pub(crate) cronofy_secret: Option<SecretString>,
    /// Where a trace is looked at: the address of its page, with {trace_id} in it; jobs link there
    #[arg(long, env = "CREWLINE_TRACE_URL")]
    pub(crate) trace_url: Option<TraceUrl>,
    /// Proxies in front of this server that add to X-Forwarded-For: so it knows where people sign in from
    #[arg(long, env = "CREWLINE_PROXIES", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=8))]
    pub(crate) proxies: u8,
    /// Event streams a tenant may hold open
    #[arg(long, env = "CREWLINE_STREAMS_MAX", default_value_t = 100)]
    pub(crate) streams_max: usize,
    /// Connections held open at once; more wait to be accepted
    #[arg(long, env = "CREWLINE_CONNECTIONS_MAX", default_value_t = 8_192)]
    pub(crate) connections_max: usize,
    /// Longest wait for the head of a request, and for the next one on an idle connection, in milliseconds
    #[arg(long, env = "CREWLINE_HEADER_READ_MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    pub(crate) header_read_ms: u64,
    /// Longest wait for the body of a request, in milliseconds
    #[arg(long, env = "CREWLINE_BODY_READ_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    pub(crate) body_read_ms: u64,
}

impl HttpArgs {
    /// The settings of the server.
    pub(crate) fn settings(&self, webhooks: &WebhookArgs, oidc: &oidc::OidcArgs) -> Settings {
        let public_url = self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.listen));
        Settings {
            oidc: oidc.settings(),
            trace_url: self.trace_url.clone(),
            public_url: public_url.trim_end_matches('/').to_owned(),
            idempotency_required: self.idempotency_required,
            requests_max: self.requests_max,
            requests_window_s: self.requests_window_s,
            webhooks_per_source_max: self.webhooks_per_source_max,
            proxies: self.proxies,
            webhooks_loopback: webhooks.webhooks_loopback,
            cronofy_secret: self.cronofy_secret.clone(),
            streams_max: self.streams_max,
            connections_max: self.connections_max,
            header_read_timeout_ms: self.header_read_ms,
            body_read_timeout_ms: self.body_read_ms,
        }
    }
}

/// `api migrate`.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

/// `api tenant`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  api tenant create acme --name 'Acme Homes'")]
pub(crate) struct TenantArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: TenantCommand,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) masters: MasterKeyArgs,
}

/// What to do with tenants.
#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Make a tenant
    Create {
        /// Its short name: lower-case letters, digits and dashes
        slug: String,
        /// Its long name; the short one unless given
        #[arg(long)]
        name: Option<String>,
    },
    /// List the tenants
    List,
    /// Encrypt arguments and results of a tenant's jobs from now on
    Encrypt {
        /// Its short name
        slug: String,
    },
    /// Give an encrypted tenant a new data key, and wrap those it has under the present master key
    Rotate {
        /// Its short name
        #[arg(required_unless_present = "all")]
        slug: Option<String>,
        /// Every encrypted tenant, and the secrets of webhooks of all tenants
        #[arg(long, conflicts_with = "slug")]
        all: bool,
    },
    /// Give a tenant another share of a queue: twice the weight is twice the jobs while both wait
    Weigh {
        /// Its short name
        slug: String,
        /// Which queue
        #[arg(long)]
        queue: jobs::Queue,
        /// 0.01 to 100; everybody begins with 1
        #[arg(long)]
        weight: f32,
    },
}

/// `api limit`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  api limit set transcodes --queue media --concurrency 8")]
pub(crate) struct LimitArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: LimitCommand,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

/// What to do with limits that count every tenant's jobs together.
#[derive(Debug, Subcommand)]
pub(crate) enum LimitCommand {
    /// Set a limit, new or in place of the one with its name
    Set {
        /// Its name
        name: String,
        /// Only jobs of this queue
        #[arg(long)]
        queue: Option<jobs::Queue>,
        /// Only jobs of this kind
        #[arg(long)]
        kind: Option<String>,
        /// Only jobs with this concurrency key; with * at its end each key that begins so has the limit to itself
        #[arg(long)]
        key: Option<String>,
        /// Jobs that may run at once
        #[arg(long, required_unless_present = "rate", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        concurrency: Option<u32>,
        /// Jobs that may begin per period
        #[arg(long, requires = "period_s", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        rate: Option<u32>,
        /// The period, in seconds
        #[arg(long, requires = "rate")]
        period_s: Option<f32>,
        /// Count in windows of the clock instead of refilling steadily
        #[arg(long, requires = "rate")]
        window: bool,
    },
    /// List them
    List,
    /// Remove one
    Remove {
        /// Its name
        name: String,
    },
}

/// `api pause`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  api pause create --queue media --reason 'S3 is being moved' --owner ann --minutes 30"
)]
pub(crate) struct PauseArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: PauseCommand,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

/// What to do with pauses that hold for every tenant.
#[derive(Debug, Subcommand)]
pub(crate) enum PauseCommand {
    /// Pause a queue, a kind, or everything
    Create {
        /// Only jobs of this queue
        #[arg(long)]
        queue: Option<jobs::Queue>,
        /// Only jobs of this kind
        #[arg(long)]
        kind: Option<String>,
        /// Why
        #[arg(long)]
        reason: String,
        /// Whom to ask
        #[arg(long)]
        owner: String,
        /// Resumed by itself after so many minutes
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=576_000))]
        minutes: Option<u32>,
    },
    /// List them
    List,
    /// Resume what was paused
    Resume {
        /// The pause, as it was printed
        id: jobs::PauseId,
    },
}

/// `api key`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  api key create --tenant acme --name laptop --scope jobs:write --scope jobs:read --scope payloads:read"
)]
pub(crate) struct KeyArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: KeyCommand,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and print it, once
    Create {
        /// Whose: the tenant's short name
        #[arg(long)]
        tenant: String,
        /// What it is for, for people
        #[arg(long)]
        name: String,
        /// What it may do; may be given several times
        #[arg(long = "scope", required = true, value_enum)]
        scopes: Vec<Scope>,
        /// For whom, by the address they sign in with: it counts as them where two people are needed
        #[arg(long, value_name = "EMAIL")]
        person: Option<String>,
    },
    /// List the keys of a tenant, without their secrets
    List {
        /// Whose: the tenant's short name
        #[arg(long)]
        tenant: String,
    },
    /// Revoke a key; servers stop taking it within 10 seconds
    Revoke {
        /// The 12 characters after `crw_`
        prefix: String,
    },
}

/// `api healthcheck`.
#[derive(Debug, Args)]
pub(crate) struct HealthcheckArgs {
    /// Where the server listens
    #[arg(long, env = "CREWLINE_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Ask whether it is ready to answer requests, too
    #[arg(long)]
    pub(crate) ready: bool,
}

/// `api s3`.
#[cfg(feature = "embedded-s3")]
#[derive(Debug, Args)]
pub(crate) struct S3ServeArgs {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9000")]
    pub(crate) listen: SocketAddr,
    /// Where the buckets lie
    #[arg(long)]
    pub(crate) dir: std::path::PathBuf,
    #[command(flatten)]
    pub(crate) s3: S3Args,
}
