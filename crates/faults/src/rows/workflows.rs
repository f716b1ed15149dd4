//! F23: ten thousand jobs and one that waits for all of them, while workers are killed; and steps that fail in part.

use std::time::Duration;

use rand::Rng;
use serde_json::{Value, json};

use super::Ended;
use crate::{
    client::Client,
    figure::Figure,
    load::Book,
    stage::{Stage, until},
    world::World,
};

const WORKERS: usize = 3;
const SLOTS: [&str; 4] = ["--queues", "default", "--concurrency", "default=32"];
/// How many of the many have ended when a worker is killed. At the last one the one that waits begins.
const KILLS_AT_PERCENT: [usize; 5] = [25, 50, 75, 99, 100];
const WAIT: Duration = Duration::from_mins(5);
const PATIENCE: Duration = Duration::from_secs(30);
/// Jobs of a step some of which fail, and how many it tolerates.
const SOME: usize = 50;
const TOLERATED: usize = 10;

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let jobs = stage.pace.pick(600, 10_000, 10_000);
    let world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let mut workers = world.workers(WORKERS, &SLOTS).await?;
    let (mut kills, mut completed, rounds) = (0, 0, stage.pace.pick(1, 1, 20));
    for round in 1..=rounds {
        stage.say(&format!("{jobs} jobs and one that waits for them, round {round}"));
        let path = begin(&client, &format!("fan-{round}"), &fan(jobs - 1)).await?;
        for percent in KILLS_AT_PERCENT {
            let ended = "select count(*) from attempt where step = 0 and final_state is not null";
            let enough = (round - 1) * (jobs - 1) + (jobs - 1) * percent / 100;
            world.reaches("more of them to end", ended, enough, WAIT).await?;
            let victim = workers.swap_remove(rand::rng().random_range(0..workers.len()));
            stage.say(&format!("kill {} at {percent} %", victim.process.name));
            world.kill(victim);
            workers.push(world.worker(&SLOTS)?);
            kills += 1;
        }
        let ended = until("the workflow to end", WAIT, || async {
            client.get(&path).await.ok().filter(|shown| shown["state"] != "running")
        })
        .await?;
        completed += usize::from(ended["state"] == "completed");
    }
    let joins = "select count(*) from attempt where step = 1 and outcome = 'completed'";
    let more = "select count(*) from (select from attempt where step = 1 group by workflow_id having count(distinct job_id) > 1) t";
    let early = "select count(*) from attempt j where j.step = 1 and exists (
                     select from attempt m where m.workflow_id = j.workflow_id and m.step = 0 and m.finished_at > j.started_at)";
    let mut figures = vec![
        Figure::tell("kills", kills),
        Figure::be("workflows completed", completed, rounds),
        Figure::be("joins completed", world.number(joins).await?, rounds),
        Figure::none("workflows with two joins", world.number(more).await?),
        Figure::none("joins that began too early", world.number(early).await?),
        Figure::none("steps whose counts are not those of their jobs", world.number(MISCOUNTED).await?),
    ];
    figures.extend(failing_in_part(stage, &world, &client).await?);
    let mut all = world.audit(&Book::default(), Duration::from_mins(2)).await?;
    all.push(Figure::tell(
        "jobs",
        world.number("select count(*) from attempt where final_state is not null").await?,
    ));
    all.extend(figures);
    Ok(Ended::Seen(all))
}

/// Steps that are over, and count otherwise than history does.
const MISCOUNTED: &str = "select count(*) from workflow_step s where s.state in ('completed', 'failed') and
    (s.jobs_total, s.completed, s.discarded, s.cancelled) <> (
        select count(distinct job_id), count(*) filter (where final_state = 'completed'),
               count(*) filter (where final_state = 'discarded'), count(*) filter (where final_state = 'cancelled')
        from attempt a where a.workflow_id = s.workflow_id and a.step = s.ordinal and a.final_state is not null)";

/// Many jobs, and one after them. A job that was there at three crashes is given up, and that is no fault of the join's.
fn fan(jobs: usize) -> Value {
    let fan_out = vec![json!({ "work_ms": 20 }); jobs];
    json!({ "name": "fan", "steps": [
        { "name": "many", "kind": "probe.work", "max_attempts": 20, "tolerate": jobs, "fan_out": fan_out },
        { "name": "join", "kind": "probe.work", "max_attempts": 20, "after": ["many"],
          "args": { "work_ms": 500 } },
    ] })
}

async fn begin(client: &Client, key: &str, body: &Value) -> anyhow::Result<String> {
    let told = client.submit("/v1/workflows", key, body, PATIENCE).await;
    match &told.answer {
        Some((status, body)) if status.is_success() => {
            Ok(format!("/v1/workflows/{}", body["id"].as_str().unwrap_or_default()))
        }
        _ => anyhow::bail!("the workflow {key} was not begun: {told:?}"),
    }
}

/// As many failures as are tolerated, one more, and one more where the workflow goes on all the same.
async fn failing_in_part(stage: &Stage, world: &World, client: &Client) -> anyhow::Result<Vec<Figure>> {
    stage.say("steps that fail in part");
    let part = |failing: usize, on_failure: &str| {
        let job = |number| if number < failing { json!({ "endings": ["discard"] }) } else { json!({}) };
        json!({ "name": "in part", "steps": [
            { "name": "some", "kind": "probe.work", "tolerate": TOLERATED, "on_failure": on_failure,
              "fan_out": (0..SOME).map(job).collect::<Vec<_>>() },
            { "name": "after", "kind": "probe.work", "after": ["some"] },
        ] })
    };
    let cases = [
        (TOLERATED, "stop", "completed", "completed"),
        (TOLERATED + 1, "stop", "failed", "skipped"),
        (TOLERATED + 1, "continue", "completed", "completed"),
    ];
    let mut wrong = 0;
    for (number, (failing, on_failure, workflow, after)) in cases.into_iter().enumerate() {
        let path = begin(client, &format!("part-{number}"), &part(failing, on_failure)).await?;
        let shown = until("a workflow to end", PATIENCE, || async {
            client.get(&path).await.ok().filter(|shown| shown["state"] != "running")
        })
        .await?;
        let failed = shown["steps"][0]["jobs"]["discarded"].as_u64();
        let is_right = shown["state"] == workflow
            && shown["steps"][1]["state"] == after
            && failed == Some(failing as u64);
        wrong += usize::from(!is_right);
    }
    let skipped = "select count(*) from attempt a join workflow_step s on s.workflow_id = a.workflow_id and s.ordinal = a.step
                   where s.state = 'skipped'";
    Ok(vec![
        Figure::be("cases of partial failure as documented", cases.len() - wrong, cases.len()),
        Figure::none("jobs of steps that were skipped", world.number(skipped).await?),
    ])
}
