//! A job as it happens, until it ends.

use std::time::Duration;

use client::{Client, Event, types};
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    ending::{Ending, TooLong},
    output::plain,
};

/// A bar on the standard error, if that is a terminal.
pub(crate) fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    // A template that is wrong leaves the usual bar.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Follows `job` until it ends, and hands each line of its log to `line`.
pub(crate) async fn until_ended(
    client: &Client,
    job: &str,
    longest: Duration,
    line: impl FnMut(&types::LogLine) -> anyhow::Result<()>,
) -> anyhow::Result<types::Job> {
    let too_long = || TooLong(format!("{job} has not ended within {} s; it goes on", longest.as_secs()));
    tokio::time::timeout(longest, to_the_end(client, job, line)).await.map_err(|_| too_long())?
}

async fn to_the_end(
    client: &Client,
    job: &str,
    mut line: impl FnMut(&types::LogLine) -> anyhow::Result<()>,
) -> anyhow::Result<types::Job> {
    let bar = bar(100, "{msg} {bar:30} {pos} %");
    let mut events = client.follow_job(job);
    while let Some(event) = events.next().await {
        let Event { name, data } = event?;
        match name.as_str() {
            "end" => {
                bar.finish_and_clear();
                return Ok(serde_json::from_value(data)?);
            }
            "log" => {
                let said = serde_json::from_value(data)?;
                bar.suspend(|| line(&said))?;
            }
            "progress" => {
                let progress: types::Progress = serde_json::from_value(data)?;
                bar.set_position(progress.percent.clamp(0, 100).cast_unsigned());
                bar.set_message(plain(&progress.message.unwrap_or_default()));
            }
            _ => bar.set_message(plain(data["state"].as_str().unwrap_or_default())),
        }
    }
    anyhow::bail!("the events of {job} ended before it did")
}

/// What an ended job means for whoever waited for it.
pub(crate) fn ending(job: &types::Job) -> Ending {
    if job.state == "completed" { Ending::Done } else { Ending::Failed }
}
