//! What looks at jobs, and what steers them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use client::{Client, ListJobsQuery, ReadLogsQuery, types};
use futures::{StreamExt, TryStreamExt};

use crate::{
    ending::Ending,
    follow,
    output::{Output, line, plain},
};

/// Jobs on one page.
const PAGE: i64 = 200;
/// Lines of a log on one page.
const LINES: i64 = 1_000;
/// The members of a job that a list shows.
pub(crate) const COLUMNS: [&str; 7] =
    ["id", "kind", "state", "queue", "attempt", "created_at", "finalized_at"];

/// A job.
#[derive(Debug, Args)]
pub(crate) struct JobCommand {
    /// The job
    pub(crate) job: String,
}

/// `crewline jobs`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only jobs in this state
    #[arg(long)]
    state: Option<String>,
    /// Only jobs of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Only jobs in this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only jobs with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Only jobs that failed with these words in their error, or the one with this id
    #[arg(long)]
    words: Option<String>,
    /// Only jobs whose arguments hold this, such as asset=ast_… or /customer/id=17
    #[arg(long, value_name = "FIELD=VALUE", value_parser = held)]
    holds: Option<(String, String)>,
    /// Only jobs that were asked for then or later, such as 2026-11-30T08:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Only jobs that were asked for earlier
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// Only jobs that ended then or later
    #[arg(long, value_name = "TIME")]
    ended_since: Option<DateTime<Utc>>,
    /// Only jobs that ended earlier
    #[arg(long, value_name = "TIME")]
    ended_until: Option<DateTime<Utc>>,
    /// The most to list
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// `crewline logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The job
    job: String,
    /// Go on until the job ends
    #[arg(long, short)]
    follow: bool,
    /// Longest to go on, in seconds
    #[arg(long, requires = "follow", value_name = "SECONDS", default_value_t = 3_600)]
    timeout: u64,
}

/// `crewline watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The job
    job: String,
    /// Longest to follow it, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    timeout: u64,
}

/// What is done to jobs one by one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Steer {
    Retry,
    Cancel,
}

pub(crate) async fn list(client: &Client, args: ListArgs, output: Output) -> anyhow::Result<()> {
    let (field, holds) = args.holds.unzip();
    let query = ListJobsQuery {
        state: args.state,
        kind: args.kind,
        queue: args.queue,
        tag: args.tag,
        words: args.words,
        field,
        holds,
        created_after: args.since,
        created_before: args.until,
        finished_after: args.ended_since,
        finished_before: args.ended_until,
        limit: Some(i64::try_from(args.limit.max(1)).map_or(PAGE, |limit| limit.min(PAGE))),
        ..ListJobsQuery::default()
    };
    let jobs: Vec<types::Job> = client.all_jobs(query).take(args.limit).try_collect().await?;
    output.many(&COLUMNS, &jobs)
}

/// `FIELD=VALUE`.
fn held(text: &str) -> Result<(String, String), String> {
    let (field, value) = text.split_once('=').ok_or("FIELD=VALUE, such as echo=hello")?;
    Ok((field.to_owned(), value.to_owned()))
}

pub(crate) async fn why(client: &Client, job: &str, output: Output) -> anyhow::Result<()> {
    let why = client.why_job(job).await?;
    if output.json {
        return output.one(&why);
    }
    line(&plain(&why.summary))?;
    why.reasons.iter().skip(1).try_for_each(|reason| line(&format!("  {}", plain(&reason.detail))))?;
    why.likely_at.map_or(Ok(()), |at| line(&format!("Likely to begin at {}.", at.to_rfc3339())))
}

pub(crate) async fn logs(client: &Client, args: &LogsArgs, output: Output) -> anyhow::Result<()> {
    if args.follow {
        let longest = Duration::from_secs(args.timeout);
        follow::until_ended(client, &args.job, longest, |said| write(output, said)).await?;
        return Ok(());
    }
    let mut after = None;
    loop {
        let query = ReadLogsQuery { after, limit: Some(LINES) };
        let page = client.read_logs(&args.job, &query).await?;
        page.lines.iter().try_for_each(|said| write(output, said))?;
        if page.next.is_none() {
            return Ok(());
        }
        after = page.next;
    }
}

fn write(output: Output, said: &types::LogLine) -> anyhow::Result<()> {
    let at = said.logged_at.format("%H:%M:%S%.3f");
    output.said(&format!("{at} {:5} {}", said.level, said.message), said)
}

pub(crate) async fn watch(client: &Client, args: &WatchArgs, output: Output) -> anyhow::Result<Ending> {
    let longest = Duration::from_secs(args.timeout);
    // Lines are for whoever looks on; a script that reads the job would not expect them.
    let told = |said: &types::LogLine| if output.json { Ok(()) } else { write(output, said) };
    let job = follow::until_ended(client, &args.job, longest, told).await?;
    output.one(&job)?;
    Ok(follow::ending(&job))
}

/// Steers each of `jobs`; the first that cannot be ends it.
pub(crate) async fn each(
    client: &Client,
    jobs: &[String],
    steer: Steer,
    output: Output,
) -> anyhow::Result<()> {
    for id in jobs {
        let job = match steer {
            Steer::Retry => client.retry_job(id).await?,
            Steer::Cancel => client.cancel_job(id).await?,
        };
        output.said(&format!("{} is {}", job.id, job.state), &job)?;
    }
    Ok(())
}
