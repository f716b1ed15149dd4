//! F15: how often a job runs, and when again.

use std::time::Duration;

use jobs::{Job, kinds::probe_work::ProbeWork};
use serde_json::{Value, json};

use super::Ended;
use crate::{
    figure::Figure,
    load::{self, Book},
    stage::{Stage, until},
    world::World,
};

const ATTEMPTS: std::ops::RangeInclusive<usize> = 1..=10;
const SAMPLES: usize = 100_000;
/// What a snooze and a `Retry-After` ask for.
const WAIT_S: u32 = 2;
/// What may come on top of a wait until a slot takes the job: a look and a busy machine.
const LATE_MAX_MS: u32 = 5_000;

/// A job with a tag to find it by.
fn job(tag: &str, endings: &Value, max_attempts: usize) -> Value {
    json!({ "kind": "probe.work", "args": { "endings": endings }, "max_attempts": max_attempts, "tags": [tag] })
}

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let each = stage.pace.pick(1, 5, 50);
    let world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let _workers = world.workers(2, &["--queues", "default"]).await?;
    let (book, fails) = (Book::default(), json!(vec!["retry"; 50]));
    for _ in 0..each {
        for attempts in ATTEMPTS {
            load::submit(&client, &book, job(&format!("fails-{attempts}"), &fails, attempts)).await;
        }
        load::submit(&client, &book, job("backoff", &fails, stage.pace.pick(3, 5, 8))).await;
        load::submit(&client, &book, job("snooze", &json!([{ "snooze": WAIT_S }]), 1)).await;
        load::submit(&client, &book, job("after", &json!([{ "retry_after": WAIT_S }, "complete"]), 2)).await;
        for (tag, ending) in [("discard", "discard"), ("cancel", "cancel"), ("panic", "panic")] {
            load::submit(&client, &book, job(tag, &json!([ending]), 1)).await;
        }
    }
    // A snooze that is always said again would go on for ever, so those jobs are cancelled after three.
    stage.say(&format!("{} jobs that fail, snooze, panic and give up", book.accepted()));
    let snoozed = "select count(*) from attempt where outcome = 'snoozed'";
    world.reaches("three snoozes each", snoozed, each * 3, Duration::from_mins(1)).await?;
    cancel_snoozers(&world, &client).await?;
    hurry(&world, stage.pace.seconds(60, 120, 600)).await?;
    let mut figures = world.audit(&book, stage.pace.seconds(60, 180, 1_800)).await?;
    figures.extend(counted(&world, each).await?);
    figures.extend(waited(&world).await?);
    figures.push(Figure::none("backoffs outside their band, of 100,000", outside_their_band()));
    Ok(Ended::Seen(figures))
}

async fn cancel_snoozers(world: &World, client: &crate::client::Client) -> anyhow::Result<()> {
    let live = "select coalesce(json_agg(id), '[]') from job where tags @> array['snooze']";
    for id in world.database.json(live).await?.as_array().into_iter().flatten().filter_map(Value::as_str) {
        let path = format!("/v1/jobs/job_{}/cancel", id.replace('-', ""));
        client.change(reqwest::Method::POST, &path, &json!({})).await?;
    }
    Ok(())
}

/// The tenth attempt may be minutes away; how long attempts wait is seen with jobs that have fewer of them.
async fn hurry(world: &World, bound: Duration) -> anyhow::Result<()> {
    let failing = "from job where array_to_string(tags, ' ') like 'fails-%'";
    let now =
        format!("update job set scheduled_at = now() where pos is null and id in (select id {failing})");
    until("the jobs that fail to be given up", bound, || async {
        world.database.execute(&now).await.ok()?;
        (world.number(&format!("select count(*) {failing}")).await.ok()? == 0).then_some(())
    })
    .await
}

/// Runs that were begun, exactly.
async fn counted(world: &World, each: usize) -> anyhow::Result<Vec<Figure>> {
    let runs_of = |tag: &str| {
        format!(
            "select count(*) from attempt where started_at is not null and job_id in
                 (select job_id from attempt where final_state is not null and tags @> array['{tag}'])"
        )
    };
    let mut wrong = 0;
    for attempts in ATTEMPTS {
        let runs = world.number(&runs_of(&format!("fails-{attempts}"))).await?;
        wrong += runs.abs_diff(attempts * each);
    }
    let used = "select coalesce(sum(attempt), 0)::bigint from attempt where final_state is not null and tags @> array['snooze'] and started_at is not null and attempt > 1";
    let mut figures = vec![
        Figure::none("runs too many or too few, max_attempts 1 to 10", wrong),
        Figure::none("attempts used up by snoozes", world.number(used).await?),
        Figure::be("runs with Retry-After", world.number(&runs_of("after")).await?, each * 2),
    ];
    for (tag, state) in [("discard", "discarded"), ("cancel", "cancelled"), ("panic", "discarded")] {
        let ended = format!(
            "select count(*) from attempt where tags @> array['{tag}'] and final_state = '{state}' and attempt = 1"
        );
        figures.push(Figure::be(format!("{tag}: {state} after one run"), world.number(&ended).await?, each));
    }
    Ok(figures)
}

/// When they ran again.
async fn waited(world: &World) -> anyhow::Result<Vec<Figure>> {
    let again =
        "from attempt lost join attempt again on again.job_id = lost.job_id and again.fence = lost.fence + 1
                 where again.started_at is not null";
    let ms = "extract(epoch from again.started_at - lost.finished_at) * 1000";
    let policy = ProbeWork::POLICY.backoff;
    let early = format!(
        "select count(*) {again} and (lost.outcome = 'snoozed' or exists (select from attempt f where f.job_id = lost.job_id
         and f.tags @> array['after'])) and {ms} < {}", WAIT_S * 1_000 - 20
    );
    let late = format!(
        "select count(*) {again} and lost.outcome = 'retried' and exists (select from attempt f where f.job_id = lost.job_id
         and f.tags @> array['backoff']) and {ms} > least({} * 2 ^ (lost.attempt - 1), {}) + {LATE_MAX_MS}",
        policy.base_ms,
        u64::from(policy.cap_s) * 1_000
    );
    Ok(vec![
        Figure::none("run again before Retry-After or snooze", world.number(&early).await?),
        Figure::none("run again later than the backoff's band", world.number(&late).await?),
    ])
}

/// Draws of the policy itself that fall outside of `0 ..= min(cap, base × 2^(n-1))`.
fn outside_their_band() -> usize {
    let (backoff, mut rng) = (ProbeWork::POLICY.backoff, rand::rng());
    let most =
        |attempt: u32| (u128::from(backoff.base_ms) << (attempt - 1)).min(u128::from(backoff.cap_s) * 1_000);
    (0..SAMPLES)
        .filter(|sample| {
            let attempt = (sample % 20) as u32 + 1;
            backoff.delay(attempt as u16, &mut rng).as_millis() > most(attempt)
        })
        .count()
}
