//! The commands, one subject a file.

pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod bulk;
pub(crate) mod call;
pub(crate) mod clone;
pub(crate) mod dead_letters;
pub(crate) mod errors;
pub(crate) mod files;
pub(crate) mod four_eyes;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod match_presets;
pub(crate) mod messages;
pub(crate) mod operations;
pub(crate) mod pauses;
pub(crate) mod profile;
pub(crate) mod schedules;
pub(crate) mod submit;
pub(crate) mod tenants;
pub(crate) mod top;
pub(crate) mod webhooks;
pub(crate) mod workers;
pub(crate) mod workflows;

use std::{fmt, io, time::Duration};

use clap::CommandFactory;
use client::{Client, ListPromisesQuery, Options};

use crate::{
    config::{Cli, Command, PlaceArgs},
    ending::Ending,
    output::Output,
    profiles,
};

/// Longest wait for a connection.
const CONNECT_LONGEST: Duration = Duration::from_secs(5);
/// Longest wait for an answer.
const ANSWER_LONGEST: Duration = Duration::from_secs(30);
/// How often a request is sent at most.
const TRIES_MAX: u32 = 5;

/// The call cannot be understood, though clap took it.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// A wrong call: what to change.
pub(crate) fn usage(text: impl Into<String>) -> anyhow::Error {
    Usage(text.into()).into()
}

/// Does what was asked for.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<Ending> {
    let output = Output { json: cli.place.json };
    match cli.command {
        Command::Profile(command) => profile::run(&command, &cli.place, output),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "crewline", &mut script);
            io::Write::write_all(&mut io::stdout().lock(), &script)?;
            Ok(Ending::Done)
        }
        command => asked(&client(&cli.place)?, command, output).await,
    }
}

/// The client for `place`.
fn client(place: &PlaceArgs) -> anyhow::Result<Client> {
    let profile = match (&place.url, &place.api_key) {
        (Some(_), Some(_)) => None,
        _ => profiles::read(&profiles::path(place.config.as_deref())?)?.remove(&place.profile),
    };
    let (url, key) = profile.map(|profile| (profile.url, profile.api_key)).unzip();
    let missing = |what: &str, variable: &str| {
        usage(format!(
            "there is no {what}: crewline profile set {} --url URL, or set {variable}",
            place.profile
        ))
    };
    let url = place.url.clone().or(url).ok_or_else(|| missing("address of an API", "CREWLINE_URL"))?;
    let key =
        place.api_key.clone().or(key.flatten()).ok_or_else(|| missing("API key", "CREWLINE_API_KEY"))?;
    Ok(Client::new(Options {
        url,
        key,
        connect: CONNECT_LONGEST,
        whole: ANSWER_LONGEST,
        tries_max: TRIES_MAX,
    })?)
}

async fn asked(client: &Client, command: Command, output: Output) -> anyhow::Result<Ending> {
    match command {
        Command::Submit(args) => return submit::run(client, *args, output).await,
        Command::Clone(args) => return clone::run(client, args, output).await,
        Command::Watch(args) => return jobs::watch(client, &args, output).await,
        Command::Bulk(args) => return bulk::run(client, args, output).await,
        Command::Errors(command) => return errors::run(client, command, output).await,
        Command::Audit(command) => return audit::run(client, command, output).await,
        Command::Jobs(args) => jobs::list(client, args, output).await?,
        Command::Show(args) => output.one(&client.get_job(&args.job).await?)?,
        Command::Result(args) => output.one(&client.get_result(&args.job).await?)?,
        Command::Attempts(args) => {
            let attempts = client.list_attempts(&args.job).await?.attempts;
            output
                .many(&["attempt", "outcome", "worker", "started_at", "finished_at", "error"], &attempts)?;
        }
        Command::Why(args) => jobs::why(client, &args.job, output).await?,
        Command::Logs(args) => jobs::logs(client, &args, output).await?,
        Command::Retry { jobs } => jobs::each(client, &jobs, jobs::Steer::Retry, output).await?,
        Command::Cancel { jobs } => jobs::each(client, &jobs, jobs::Steer::Cancel, output).await?,
        Command::Upload { file } => output.one(&files::upload(client, &file).await?)?,
        Command::Pause(args) => pauses::pause(client, args, output).await?,
        Command::Pauses => {
            let pauses = client.list_pauses().await?.pauses;
            output.many(&["id", "queue", "kind", "reason", "owner", "expires_at"], &pauses)?;
        }
        Command::Resume { pause } => {
            client.resume(&pause).await?;
            output.said("Resumed.", &serde_json::json!({ "id": pause }))?;
        }
        Command::Limits { command } => limits::run(client, command, output).await?,
        Command::Quotas => limits::quotas(client, output).await?,
        Command::Promises => {
            let promises = client.list_promises(&ListPromisesQuery::default()).await?;
            output.many(&["job", "kind", "queue", "due_at", "left_s"], &promises.at_risk)?;
        }
        Command::Alerts { command } => alerts::run(client, command, output).await?,
        Command::Messages(command) => messages::run(client, command, output).await?,
        Command::Workers => workers::list(client, output).await?,
        Command::Drain { worker } => workers::drain(client, &worker, output).await?,
        Command::DeadLetters(command) => dead_letters::run(client, command, output).await?,
        Command::Operations(command) => operations::run(client, command, output).await?,
        Command::FourEyes(command) => four_eyes::run(client, command, output).await?,
        Command::Workflows(command) => workflows::run(client, command, output).await?,
        Command::Webhooks(command) => webhooks::run(client, command, output).await?,
        Command::MatchPresets(command) => match_presets::run(client, command, output).await?,
        Command::Schedules(command) => schedules::run(client, command, output).await?,
        Command::Tenants(command) => tenants::run(client, command, output).await?,
        Command::Keys(command) => keys::run(client, command, output).await?,
        Command::Kinds => {
            let kinds = client.list_kinds().await?.kinds;
            output.many(&["kind", "version", "queue", "summary"], &kinds)?;
        }
        Command::Kind { kind } => output.one(&client.get_kind(&kind).await?)?,
        Command::Top(args) => top::run(client, &args, output).await?,
        Command::Bench(args) => bench::run(client, &args, output).await?,
        Command::Call(args) => call::run(client, &args, output).await?,
        Command::Profile(_) | Command::Completions { .. } => {}
    }
    Ok(Ending::Done)
}
