//! `crewline submit`.

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use client::{Client, types};
use serde_json::{Map, Value};

use super::{files, usage};
use crate::{ending::Ending, follow, output::Output};

/// The most that is read as arguments: what the API takes, and room for white space.
const ARGS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// `crewline submit`.
#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// What to do: one of `crewline kinds`
    kind: String,
    /// The arguments as JSON; @FILE reads them from a file, - from the standard input
    #[arg(long, value_name = "JSON")]
    args: Option<String>,
    /// One argument; its value is taken as JSON if it is some, else as text
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    set: Vec<(String, Value)>,
    /// The argument `asset`: an asset's id, or a file, which is uploaded first
    #[arg(long, value_name = "ASSET|FILE")]
    asset: Option<String>,
    /// Another queue than the kind's own
    #[arg(long)]
    queue: Option<String>,
    /// Who goes first: 1 before 4
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=4))]
    priority: Option<i64>,
    /// Attempts before it is discarded
    #[arg(long)]
    max_attempts: Option<i64>,
    /// Not before, such as 2027-01-31T08:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
    /// A word to find it by; may be given again
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Jobs of a kind with the same key are the same work: the first is answered for the others
    #[arg(long, value_name = "KEY")]
    unique: Option<String>,
    /// For how many seconds the first stands for the others; until it has ended unless given
    #[arg(long, requires = "unique", value_name = "SECONDS")]
    unique_for: Option<i64>,
    /// What it uses that others use too: limits on it count this job
    #[arg(long, value_name = "KEY")]
    concurrency_key: Option<String>,
    /// Promised to be done within so many seconds
    #[arg(long, value_name = "SECONDS")]
    promise: Option<i64>,
    /// The Idempotency-Key, so that the same call never makes two jobs; a fresh one unless given
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Whether, and how long to wait for a job that was submitted.
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Follow it until it ends, and print it then
    #[arg(long)]
    wait: bool,
    /// Longest to follow it, in seconds
    #[arg(long, requires = "wait", value_name = "SECONDS", default_value_t = 3_600)]
    timeout: u64,
}

pub(crate) async fn run(client: &Client, submit: SubmitArgs, output: Output) -> anyhow::Result<Ending> {
    let mut args = read_args(submit.args.as_deref())?;
    args.extend(submit.set);
    if let Some(asset) = submit.asset {
        let id = if asset.starts_with("ast_") {
            asset
        } else {
            files::upload(client, Path::new(&asset)).await?.id
        };
        args.insert("asset".to_owned(), id.into());
    }
    let new = types::NewJob {
        kind: submit.kind,
        args: Some(Value::Object(args)),
        queue: submit.queue,
        priority: submit.priority,
        max_attempts: submit.max_attempts,
        scheduled_at: submit.at,
        tags: Some(submit.tags),
        unique: submit.unique.map(|key| types::Unique { key, seconds: submit.unique_for }),
        concurrency_key: submit.concurrency_key,
        promise_s: submit.promise,
        ..types::NewJob::default()
    };
    let asking = submit.key.map_or_else(|| client.clone(), |key| client.keyed(key));
    let job = asking.submit_job(&new).await?;
    submit.wait.told(client, &job, output).await
}

impl WaitArgs {
    /// Prints the name of `job`, or what became of it.
    pub(crate) async fn told(
        &self,
        client: &Client,
        job: &types::Job,
        output: Output,
    ) -> anyhow::Result<Ending> {
        if !self.wait {
            output.said(&job.id, job)?;
            return Ok(Ending::Done);
        }
        let longest = Duration::from_secs(self.timeout);
        let job = follow::until_ended(client, &job.id, longest, |_| Ok(())).await?;
        output.one(&job)?;
        Ok(follow::ending(&job))
    }
}

/// `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE, such as preset=web")?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

/// The arguments, wherever they are.
pub(crate) fn read_args(said: Option<&str>) -> anyhow::Result<Map<String, Value>> {
    let text = match said {
        None => return Ok(Map::new()),
        Some("-") => read(std::io::stdin().lock(), "the standard input")?,
        Some(said) => match said.strip_prefix('@').map(PathBuf::from) {
            Some(path) => {
                let shown = path.display().to_string();
                read(std::fs::File::open(path).with_context(|| format!("could not read {shown}"))?, &shown)?
            }
            None => said.to_owned(),
        },
    };
    serde_json::from_str(&text).map_err(|error| usage(format!("the arguments are no JSON object: {error}")))
}

fn read(from: impl Read, shown: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    from.take(ARGS_BYTES_MAX).read_to_string(&mut text).with_context(|| format!("could not read {shown}"))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_json_if_it_can_be() {
        for (text, value) in [
            ("work_ms=200", json!(200)),
            ("echo=hello you", json!("hello you")),
            ("endings=[\"discard\"]", json!(["discard"])),
            ("url=https://a/?b=c", json!("https://a/?b=c")),
        ] {
            assert_eq!(pair(text).unwrap().1, value);
        }
        assert!(pair("work_ms").is_err());
    }

    #[test]
    fn arguments_are_an_object() {
        assert_eq!(read_args(Some("{\"a\":1}")).unwrap()["a"], 1);
        assert!(read_args(Some("[1]")).unwrap_err().is::<super::super::Usage>());
    }
}
