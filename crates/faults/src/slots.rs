//! A schedule that comes due every second, and whether each of its slots got one job.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{client::Client, figure::Figure, world::World};

const PATIENCE: Duration = Duration::from_secs(30);

/// Makes a schedule; answers its path.
pub(crate) async fn schedule(client: &Client, name: &str, rule: &Value) -> anyhow::Result<String> {
    let mut body = json!({ "name": name, "kind": "probe.work", "args": { "work_ms": 10 } });
    for (field, value) in rule.as_object().into_iter().flatten() {
        body[field] = value.clone();
    }
    let told = client.submit("/v1/schedules", &format!("schedule-{name}"), &body, PATIENCE).await;
    match &told.answer {
        Some((status, body)) if status.is_success() => {
            Ok(format!("/v1/schedules/{}", body["id"].as_str().unwrap_or_default()))
        }
        _ => anyhow::bail!("the schedule {name} was not made: {told:?}"),
    }
}

/// Holds a schedule: no slot after this gets a job.
pub(crate) async fn pause(client: &Client, schedule: &str) -> anyhow::Result<()> {
    client.change(Method::POST, &format!("{schedule}/pause"), &json!({ "reason": "that is enough" })).await?;
    Ok(())
}

/// What became of the slots of the schedule called `name`, which has to end with a pause. Slots that nobody was there
/// for in time may have been missed, and are told apart.
pub(crate) async fn figures(world: &World, name: &str) -> anyhow::Result<Vec<Figure>> {
    let of = format!("from schedule_fire f join schedule s on s.id = f.schedule_id where s.name = '{name}'");
    let count = async |what: &str, which: &str| world.number(&format!("select {what} {of} {which}")).await;
    let span = "coalesce(extract(epoch from max(coalesce(through, slot)) - min(slot))::bigint + 1, 0)";
    // One row may stand for many slots that were missed.
    let told = "coalesce(sum(extract(epoch from coalesce(through, slot) - slot)::bigint + 1), 0)::bigint";
    let (slots, fired) = (count(span, "").await?, count(told, "").await?);
    let jobs = count("count(distinct job_id)", "and outcome = 'enqueued'").await?;
    let enqueued = count("count(*)", "and outcome = 'enqueued'").await?;
    let made = format!(
        "select count(distinct a.job_id) from attempt a join schedule_fire f on f.job_id = a.job_id and f.slot = a.scheduled_at
         join schedule s on s.id = f.schedule_id where s.name = '{name}' and a.final_state = 'completed'"
    );
    Ok(vec![
        Figure::at_least("slots", slots, 1),
        Figure::be("slots accounted for", fired, slots),
        Figure::be("slots with one job of their own", jobs, enqueued),
        Figure::be("jobs of theirs that completed", world.number(&made).await?, enqueued),
        Figure::none("slots fired before their time", count("count(*)", "and fired_at < slot").await?),
    ])
}
