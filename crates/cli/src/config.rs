//! The command line: every argument, and what the environment may say instead.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use secrecy::SecretString;

use crate::commands::{
    alerts::AlertCommand,
    audit::AuditCommand,
    bench::BenchArgs,
    bulk::BulkArgs,
    call::CallArgs,
    clone::CloneArgs,
    dead_letters::DeadLetterCommand,
    errors::ErrorCommand,
    four_eyes::FourEyesCommand,
    jobs::{JobCommand, ListArgs, LogsArgs, WatchArgs},
    keys::KeyCommand,
    limits::LimitCommand,
    match_presets::MatchPresetCommand,
    messages::MessageCommand,
    operations::OperationCommand,
    pauses::PauseArgs,
    profile::ProfileCommand,
    schedules::ScheduleCommand,
    submit::SubmitArgs,
    tenants::TenantCommand,
    top::TopArgs,
    webhooks::WebhookCommand,
    workflows::WorkflowCommand,
};

/// Crewline from a terminal: submits jobs, follows them, steers them.
#[derive(Debug, Parser)]
#[command(name = "crewline", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Which API, as whom
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  crewline profile set default --url https://jobs.example.com < key.txt
  crewline submit media.rendition --asset kitchen.jpg --wait
  crewline jobs --state discarded --limit 20
  crewline logs job_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f --follow
  crewline --json jobs --state running | jq -r .id
  source <(crewline completions bash)

Ends with 0 when it was done, 1 when a job that was waited for failed, 2 for a wrong call, 3 when there is no such thing,
4 when the key may not, 5 when the request was refused, 6 when it cannot be done as things stand, 7 when the API does not
answer, 8 when it took too long.";

/// Which API, as whom.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// Which entry of the profile file to use
    #[arg(long, global = true, env = "CREWLINE_PROFILE", default_value = "default")]
    pub(crate) profile: String,
    /// The profile file; crewline/profiles.toml in your folder for settings unless given
    #[arg(long, global = true, env = "CREWLINE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the API is, instead of what the profile says
    #[arg(long, global = true, env = "CREWLINE_URL")]
    pub(crate) url: Option<String>,
    /// The API key, instead of the profile's. Others on this machine see arguments: rather set the variable
    #[arg(long, global = true, env = "CREWLINE_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub(crate) api_key: Option<SecretString>,
    /// Write JSON: one document a line, and errors as JSON too
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Submit a job
    Submit(Box<SubmitArgs>),
    /// List jobs, newest first
    Jobs(ListArgs),
    /// Look at a job
    Show(JobCommand),
    /// The result of a job
    Result(JobCommand),
    /// The attempts of a job
    Attempts(JobCommand),
    /// Why a job is not running, and when it is likely to
    Why(JobCommand),
    /// What a job said
    Logs(LogsArgs),
    /// Follow a job until it ends
    Watch(WatchArgs),
    /// Run jobs again, or let waiting ones skip their wait
    Retry {
        /// The jobs
        #[arg(required = true)]
        jobs: Vec<String>,
    },
    /// Submit a job once more, with other arguments
    Clone(CloneArgs),
    /// Cancel jobs
    Cancel {
        /// The jobs
        #[arg(required = true)]
        jobs: Vec<String>,
    },
    /// Do something to every job that fits a filter
    Bulk(BulkArgs),
    /// What `bulk` has begun: follow it, hold it, stop it, confirm it, take it back
    #[command(subcommand)]
    Operations(OperationCommand),
    /// What fails, alike ones together
    #[command(subcommand)]
    Errors(ErrorCommand),
    /// Jobs that were given up, and who looks after them
    #[command(subcommand)]
    DeadLetters(DeadLetterCommand),
    /// Whether throwing away many jobs takes two people
    #[command(subcommand)]
    FourEyes(FourEyesCommand),
    /// Put a file where jobs can name it; prints the asset
    Upload {
        /// The file
        file: PathBuf,
    },
    /// Pause a queue, a kind, or everything
    Pause(PauseArgs),
    /// What is paused
    Pauses,
    /// End a pause
    Resume {
        /// The pause
        pause: String,
    },
    /// The limits and how much of each is in use
    Limits {
        /// What to do with them
        #[command(subcommand)]
        command: Option<LimitCommand>,
    },
    /// What is left of every limit that holds
    Quotas,
    /// Jobs whose promise is broken, or soon will be
    Promises,
    /// What people were alerted to lately, and the rules that say of what
    Alerts {
        /// What to do with them
        #[command(subcommand)]
        command: Option<AlertCommand>,
    },
    /// What people were told, and what became of that of which nobody knows
    #[command(subcommand)]
    Messages(MessageCommand),
    /// Work that repeats
    #[command(subcommand)]
    Schedules(ScheduleCommand),
    /// Jobs that belong together, in steps
    #[command(subcommand)]
    Workflows(WorkflowCommand),
    /// Webhooks, in and out
    #[command(subcommand)]
    Webhooks(WebhookCommand),
    /// Rules of yours for finding somebody
    #[command(subcommand)]
    MatchPresets(MatchPresetCommand),
    /// Tenants, for keys that run the installation
    #[command(subcommand)]
    Tenants(TenantCommand),
    /// API keys
    #[command(subcommand)]
    Keys(KeyCommand),
    /// The worker processes, for keys that run the installation
    Workers,
    /// Ask a worker to end what it has and go
    Drain {
        /// Its name, as `crewline workers` shows it
        worker: String,
    },
    /// What was done, and whether the log of it is whole
    #[command(subcommand)]
    Audit(AuditCommand),
    /// What can be asked for
    Kinds,
    /// One kind, with its schemas and an example
    Kind {
        /// Its name, such as media.rendition
        kind: String,
    },
    /// What is going on, as it goes on
    Top(TopArgs),
    /// Submit jobs and measure how soon they end
    Bench(BenchArgs),
    /// Ask the API for anything
    Call(CallArgs),
    /// The profile file
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Write what a shell needs to complete commands
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}
