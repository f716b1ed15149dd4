//! `crewline schedules`.

use clap::{Args, Subcommand};
use client::{Client, ListFiresQuery, ListSchedulesQuery, types};
use futures::{StreamExt, TryStreamExt};

use super::submit::read_args;
use crate::output::{Output, line, plain};

/// The most schedules that are listed: as many as a tenant may have.
const LISTED_MAX: usize = 1_000;

/// `crewline schedules`.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// List them
    List,
    /// One of them, in plain words and with its next slots
    Show(ScheduleArgs),
    /// Make one
    Add(Box<AddArgs>),
    /// What an expression means, and when it comes due; stores nothing
    Preview {
        /// Five fields, six with seconds first, or a nickname such as @daily
        cron: String,
        /// By which clock
        #[arg(long, default_value = "UTC")]
        timezone: String,
    },
    /// Hold one
    Pause {
        #[command(flatten)]
        schedule: ScheduleArgs,
        /// Why, for whoever wonders where its jobs are
        #[arg(long)]
        reason: String,
    },
    /// Let one go on
    Resume(ScheduleArgs),
    /// Run one now
    Run(ScheduleArgs),
    /// What became of the latest slots of one
    Fires {
        #[command(flatten)]
        schedule: ScheduleArgs,
        /// The most to list
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Remove one
    Remove(ScheduleArgs),
}

/// A schedule.
#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    /// The schedule
    id: String,
}

/// `crewline schedules add`.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Its name
    name: String,
    /// When: five fields, six with seconds first, or a nickname such as @daily
    #[arg(long)]
    cron: String,
    /// By which clock
    #[arg(long, default_value = "UTC")]
    timezone: String,
    /// What to do: one of `crewline kinds`
    #[arg(long)]
    kind: String,
    /// The arguments as JSON; @FILE reads them from a file, - from the standard input
    #[arg(long, value_name = "JSON")]
    args: Option<String>,
}

pub(crate) async fn run(client: &Client, command: ScheduleCommand, output: Output) -> anyhow::Result<()> {
    match command {
        ScheduleCommand::List => {
            let all = client.all_schedules(ListSchedulesQuery::default()).take(LISTED_MAX);
            let all: Vec<types::Schedule> = all.try_collect().await?;
            output.many(&["id", "name", "kind", "cron", "timezone", "paused"], &all)
        }
        ScheduleCommand::Show(one) => output.one(&client.get_schedule(&one.id).await?),
        ScheduleCommand::Add(add) => {
            let args = read_args(add.args.as_deref())?;
            let new = types::NewSchedule {
                name: add.name,
                cron: add.cron,
                timezone: Some(add.timezone),
                kind: add.kind,
                args: Some(args.into()),
                ..types::NewSchedule::default()
            };
            let schedule = client.create_schedule(&new).await?;
            output.said(&schedule.id, &schedule)
        }
        ScheduleCommand::Preview { cron, timezone } => {
            let wanted = types::SchedulePreviewRequest { cron, timezone: Some(timezone), after: None };
            let preview = client.preview_schedule(&wanted).await?;
            if output.json {
                return output.one(&preview);
            }
            line(&plain(&preview.description))?;
            preview.next_fires.iter().try_for_each(|slot| line(&format!("  {}", slot.at.to_rfc3339())))
        }
        ScheduleCommand::Pause { schedule, reason } => {
            let held = client.pause_schedule(&schedule.id, &types::NewSchedulePause { reason }).await?;
            output.said(&format!("{} stands still.", held.name), &held)
        }
        ScheduleCommand::Resume(one) => {
            let resumed = client.resume_schedule(&one.id).await?;
            output.said(&format!("{} goes on.", resumed.name), &resumed)
        }
        ScheduleCommand::Run(one) => output.one(&client.run_schedule(&one.id).await?),
        ScheduleCommand::Fires { schedule, limit } => {
            let all = client.all_fires(&schedule.id, ListFiresQuery::default()).take(limit);
            let fires: Vec<types::Fire> = all.try_collect().await?;
            output.many(&["slot", "outcome", "job", "reason"], &fires)
        }
        ScheduleCommand::Remove(one) => {
            client.remove_schedule(&one.id).await?;
            output.said("Removed.", &serde_json::json!({ "id": one.id }))
        }
    }
}
