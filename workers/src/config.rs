//! Settings of a worker process. `workers run --help` is the reference; nothing else reads the environment.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use jobs::Queue;
use secrecy::SecretString;
use settings::{DatabaseArgs, LogArgs, MasterKeyArgs, S3Args, WebhookArgs};

use crate::{
    calendars::CalendarArgs,
    clamd::Address,
    faults::{Faults, Point},
    geocoder::GeocodingArgs,
    knows::Knows,
    mailbox::MailboxArgs,
    senders::SendingArgs,
};

/// Does the work of Crewline.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Examples:
  workers run                                   all queues, as many slots as this machine has cores
  workers run --queues media --concurrency media=4
  workers run --queues default --concurrency default=256
Start as many processes as you like, on any machine that reaches the same Postgres, Redis and S3."
)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Work until told to stop (SIGTERM or SIGINT): then finish, or hand back, what is running
    Run(Box<RunArgs>),
    /// Decode pictures for a parent process (used by `run`; not for people)
    #[command(hide = true)]
    MediaChild {
        /// Most address space this process may use
        #[arg(long)]
        memory_bytes: u64,
    },
}

/// Settings of `workers run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Queues to listen to, separated by commas: default, media, media_bulk
    #[arg(long, env = "CREWLINE_QUEUES", value_delimiter = ',', default_value = "default,media,media_bulk")]
    pub queues: Vec<Queue>,
    /// Jobs at once by queue, such as media=2,default=256; a queue that is not named gets 256 if its jobs are small, else
    /// one per core
    #[arg(long, env = "CREWLINE_CONCURRENCY", value_delimiter = ',', value_parser = concurrency)]
    pub concurrency: Vec<(Queue, usize)>,
    /// How long a lease lasts unless renewed, in milliseconds: the time after which a dead worker's jobs run elsewhere
    #[arg(long, env = "CREWLINE_LEASE_MS", default_value_t = 15_000, value_parser = clap::value_parser!(u64).range(500..=600_000))]
    pub lease_ms: u64,
    /// How often to look for leases that ran out, in milliseconds
    #[arg(long, env = "CREWLINE_SWEEP_MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub sweep_ms: u64,
    /// How long running jobs may go on after the signal to stop, in seconds; then they are handed back
    #[arg(long, env = "CREWLINE_GRACE_S", default_value_t = 25, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub grace_s: u64,
    /// What this build is called, such as a commit or the tag of an image; shown behind the version
    #[arg(long, env = "CREWLINE_BUILD", value_parser = build)]
    pub build: Option<String>,
    /// Days that finished jobs, attempts and log lines are kept
    #[arg(long, env = "CREWLINE_HISTORY_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub history_days: u32,
    /// Where to answer /healthz, /readyz and /metrics
    #[arg(long, env = "CREWLINE_WORKERS_LISTEN", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,
    /// Folder for files while a job works; it should be on a disk with room for the largest originals
    #[arg(long, env = "CREWLINE_SCRATCH", default_value_os_t = std::env::temp_dir().join("crewline"))]
    pub scratch: PathBuf,
    /// Most memory one decoding child may use, in MiB
    #[arg(long, env = "CREWLINE_MEDIA_MEMORY_MIB", default_value_t = 2_048, value_parser = clap::value_parser!(u64).range(256..=65_536))]
    pub media_memory_mib: u64,
    /// Longest time in which a decoding child at work may say nothing, in seconds; then it is stuck, and is ended. One that makes
    /// a film speaks twice a second while there are pictures or sound to make, and does the rest in minutes
    #[arg(long, env = "CREWLINE_MEDIA_SILENCE_S", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=7_200))]
    pub media_silence_s: u64,
    /// Where ClamAV's daemon listens, host:port or the path of a socket; while it is away, uploads wait in quarantine
    #[arg(long, env = "CREWLINE_CLAMD_ADDRESS", default_value = "127.0.0.1:3310")]
    pub clamd_address: Address,
    /// Most memory one child that makes a film may use, in MiB
    #[arg(long, env = "CREWLINE_VIDEO_MEMORY_MIB", default_value_t = 6_144, value_parser = clap::value_parser!(u64).range(512..=65_536))]
    pub video_memory_mib: u64,
    /// Films longer than this are made in parts by all workers, in seconds
    #[arg(long, env = "CREWLINE_VIDEO_WHOLE_S_MAX", default_value_t = 120, value_parser = clap::value_parser!(u32).range(6..=7_200))]
    pub video_whole_s_max: u32,
    /// About how long a part of such a film is, in seconds
    #[arg(long, env = "CREWLINE_VIDEO_PART_S", default_value_t = 60, value_parser = clap::value_parser!(u32).range(6..=600))]
    pub video_part_s: u32,
    /// Redis: redis://[:password@]host:port[/db]
    #[arg(long, env = "REDIS_URL", hide_env_values = true, help_heading = "Redis")]
    pub redis_url: SecretString,
    /// Starts every key, so that several installations can share a server; no colons
    #[arg(long, env = "REDIS_NAMESPACE", default_value = "crewline", value_parser = namespace, help_heading = "Redis")]
    pub redis_namespace: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is defined")]
    pub database: DatabaseArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is defined")]
    pub s3: S3Args,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is defined")]
    pub masters: MasterKeyArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is defined")]
    pub sending: SendingArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is defined")]
    pub mailbox: MailboxArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is defined")]
    pub geocoding: GeocodingArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is defined")]
    pub calendars: CalendarArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is defined")]
    pub webhooks: WebhookArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is defined")]
    pub log: LogArgs,
    /// Run the quarantined jobs of this queue and exit
    #[arg(long, hide = true)]
    pub quarantine: Option<Queue>,
    /// With --quarantine: run one job that has to be alone
    #[arg(long, hide = true)]
    pub alone: bool,
    /// Name in leases, for a process that its parent watches
    #[arg(long, hide = true)]
    pub worker_name: Option<String>,
    /// Die at this point of a job's journey
    #[arg(long, hide = !cfg!(feature = "faults"), env = "CREWLINE_DIE_AT", value_enum, help_heading = "Fault tests")]
    pub die_at: Option<Point>,
    /// Let probe.work take the process down
    #[arg(long, hide = !cfg!(feature = "faults"), env = "CREWLINE_ABORT_ALLOWED", default_value_t = false, action = clap::ArgAction::Set, help_heading = "Fault tests")]
    pub abort_allowed: bool,
    /// Pretend to know this kind in no newer version, such as probe.work=1; 0 is not at all
    #[arg(long, hide = !cfg!(feature = "faults"), value_delimiter = ',', value_parser = version, help_heading = "Fault tests")]
    pub pretend: Vec<(String, u16)>,
}

/// Slots of a queue whose jobs are small.
const SMALL_SLOTS: usize = 256;
/// Most slots of one queue in one process.
const SLOTS_MAX: usize = 4_096;
/// Characters of what a build is called.
const BUILD_CHARS_MAX: usize = 100;

impl RunArgs {
    /// Slots of each queue listened to.
    pub fn slots(&self) -> BTreeMap<Queue, usize> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let usual = |queue: Queue| if queue.claim_max() > 1 { SMALL_SLOTS } else { cores };
        let asked: BTreeMap<Queue, usize> = self.concurrency.iter().copied().collect();
        self.queues
            .iter()
            .map(|queue| (*queue, asked.get(queue).copied().unwrap_or_else(|| usual(*queue))))
            .collect()
    }

    /// How long a lease lasts.
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// What the process was built from, as people tell versions apart.
    pub fn version(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        self.build.as_ref().map_or_else(|| version.to_owned(), |build| format!("{version}+{build}"))
    }

    /// What the process is told to suffer; nothing in a production build.
    pub fn faults(&self) -> Faults {
        if cfg!(feature = "faults") {
            Faults { die_at: self.die_at, abort_allowed: self.abort_allowed }
        } else {
            Faults::default()
        }
    }

    /// What the process can do; everything in a production build.
    pub fn knows(&self) -> Knows {
        Knows::catalogue(if cfg!(feature = "faults") { &self.pretend } else { &[] })
    }

    /// Checks what no single setting can say.
    ///
    /// # Errors
    /// Says which settings disagree, with both numbers.
    pub fn validate(&self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.queues.is_empty(), "--queues names no queue");
        for (queue, _) in &self.concurrency {
            anyhow::ensure!(
                self.queues.contains(queue),
                "--concurrency names {queue}, which --queues does not"
            );
        }
        anyhow::ensure!(
            self.database.database_statement_ms >= 1_000,
            "--database-statement-ms is {}, and maintenance needs 1000 at least",
            self.database.database_statement_ms
        );
        Ok(())
    }
}

fn concurrency(text: &str) -> Result<(Queue, usize), String> {
    let (queue, slots) = text.split_once('=').ok_or("write queue=slots, such as media=2")?;
    let queue = queue.parse::<Queue>().map_err(|error| error.to_string())?;
    let slots = slots.parse().ok().filter(|slots| (1..=SLOTS_MAX).contains(slots));
    Ok((queue, slots.ok_or_else(|| format!("slots are a number from 1 to {SLOTS_MAX}"))?))
}

fn version(text: &str) -> Result<(String, u16), String> {
    let (kind, version) = text.split_once('=').ok_or("write kind=version, such as probe.work=1")?;
    Ok((kind.to_owned(), version.parse().map_err(|_| "a version is a number")?))
}

fn build(text: &str) -> Result<String, String> {
    let fits =
        (1..=BUILD_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err(format!("1 to {BUILD_CHARS_MAX} visible ASCII characters")) }
}

fn namespace(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits { Ok(text.to_owned()) } else { Err("1 to 64 letters, digits, - and _".to_owned()) }
}
