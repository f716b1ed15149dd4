//! F20: cancelling what waits, what runs, what a process works on, and what comes between steps.

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use jobs::JobId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Ended;
use crate::{
    client::Client,
    figure::{Figure, percentile},
    film,
    load::{self, Book, working},
    picture,
    stage::{Stage, until},
    world::World,
};

const SLOTS: [&str; 4] =
    ["--queues", "default,media,media_bulk", "--concurrency", "default=64,media=1,media_bulk=1"];
const STOPPED_MAX: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(30);
/// Large enough that the decoder has not finished when it is told to stop.
const SIDE_PX: u32 = 8_000;
/// Long enough for the same, and too short to be made in parts.
const FILM_S: u32 = 15;
const STEPS: usize = 40;
const RUNNING: usize = 60;

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let book = Book::default();
    stage.say("jobs that wait");
    let mut figures = waiting(&client, &book, stage.pace.pick(20, 200, 2_000)).await?;
    let workers = world.workers(1, &SLOTS).await?;
    let mut took = Vec::new();
    for round in 1..=stage.pace.pick(1, 5, 100) {
        stage.say(&format!("jobs that run, round {round}"));
        took.extend(running(&world, &client, &book).await?);
    }
    figures.extend([
        Figure::tell("running jobs stopped", took.len()),
        Figure::within("stopped after, p99", percentile(&mut took, 0.99), STOPPED_MAX),
        Figure::within("stopped after, slowest", percentile(&mut took, 1.0), SOON),
    ]);
    let worker = workers[0].process.id();
    let rounds = stage.pace.pick(1, 5, 50);
    let mut gone_after = Vec::new();
    for round in 1..=rounds {
        stage.say(&format!("a decoder at work, round {round} of {rounds}"));
        let asset = picture::asset(&client, picture::plain_png(SIDE_PX)?).await?;
        let job = picture::job(&asset);
        gone_after.push(at_work(&world, &client, &book, (&asset, job), worker, computes).await?);
    }
    figures.push(Figure::tell("decoders stopped", gone_after.len()));
    figures.push(gone_within("their processes and files gone after, slowest", gone_after));
    let mut gone_after = Vec::new();
    for round in 1..=rounds {
        stage.say(&format!("a film being made, round {round} of {rounds}"));
        let asset = film::asset(&client, FILM_S).await?;
        let job = film::job(&asset);
        gone_after.push(at_work(&world, &client, &book, (&asset, job), worker, makes_films).await?);
    }
    figures.push(Figure::tell("films stopped", gone_after.len()));
    figures.push(gone_within("their processes and files gone after, slowest, of films", gone_after));
    let made = world.number("select count(*) from rendition").await?;
    figures.push(Figure::none("pictures of cancelled jobs", made));
    figures.extend(between_steps(stage, &world, &client).await?);
    let mut all = world.audit(&book, SOON).await?;
    // A picture is scanned and looked into by itself, and nobody cancels that.
    let otherwise =
        "select count(*) from attempt where final_state is not null and final_state <> 'cancelled' and workflow_id is null
             and kind not in ('media.scan', 'media.probe')";
    all.push(Figure::none("ended otherwise", world.number(otherwise).await?));
    all.extend(figures);
    Ok(Ended::Seen(all))
}

/// Cancels a job; answers the status, 200 when it waited and 202 when its worker has to be told.
async fn cancel(client: &Client, job: &str) -> anyhow::Result<StatusCode> {
    let (status, body, _) =
        client.ask(Method::POST, &format!("/v1/jobs/{job}/cancel"), Some(&json!({}))).await?;
    anyhow::ensure!(status.is_success(), "cancelling {job} was answered with {status}: {body}");
    Ok(status)
}

async fn waiting(client: &Client, book: &Book, count: usize) -> anyhow::Result<Vec<Figure>> {
    let mut at_once = 0;
    for number in 0..count {
        let mut job = working(0);
        if number % 2 == 1 {
            job["scheduled_at"] = json!(Utc::now() + chrono::TimeDelta::hours(1));
        }
        let told = load::submit(client, book, job).await;
        let id = told.job().map(|job| job.to_string()).unwrap_or_default();
        at_once += usize::from(cancel(client, &id).await? == StatusCode::OK);
    }
    Ok(vec![Figure::be("waiting jobs cancelled at once", at_once, count)])
}

/// Cancels jobs that run; answers how long each went on.
async fn running(world: &World, client: &Client, book: &Book) -> anyhow::Result<Vec<Duration>> {
    let before = book.promised().accepted;
    load::submit_many(client, book, vec![working(600_000); RUNNING]).await?;
    let held = "select coalesce(sum(cardinality(job_ids)), 0)::bigint from lease";
    world.reaches("all of them to run", held, RUNNING, SOON).await?;
    let mut told: HashMap<JobId, DateTime<Utc>> = HashMap::new();
    for (mark, job) in book.promised().accepted {
        if !before.contains_key(&mark) {
            told.insert(job, Utc::now());
            cancel(client, &job.to_string()).await?;
        }
    }
    world.quiet(SOON).await?;
    let ends = world
        .database
        .json(
            "select coalesce(json_agg(json_build_array(job_id, (extract(epoch from finished_at) * 1000)::bigint)), '[]')
             from attempt where final_state = 'cancelled'",
        )
        .await?;
    let went_on = |row: &Value| {
        let job = format!("{}_{}", JobId::PREFIX, row[0].as_str()?.replace('-', ""));
        let began = told.get(&job.parse().ok()?)?;
        (DateTime::from_timestamp_millis(row[1].as_i64()?)? - began).to_std().ok()
    };
    Ok(ends.as_array().into_iter().flatten().filter_map(went_on).collect())
}

/// Cancels a job while a process works on its asset; answers when the process and its files were gone.
async fn at_work(
    world: &World,
    client: &Client,
    book: &Book,
    (asset, job): (&str, Value),
    worker: u32,
    is_it: fn(u32) -> bool,
) -> anyhow::Result<Duration> {
    picture::looked_into(client, asset).await?;
    let told = load::submit(client, book, job).await;
    let id = told.job().map(|job| job.to_string()).unwrap_or_default();
    let process = until("a process to work", SOON, || async {
        (rooms(world) > 0).then(|| children(worker))?.into_iter().find(|child| is_it(*child))
    })
    .await?;
    let began = Instant::now();
    cancel(client, &id).await?;
    until("the process and its files to be gone", SOON, || async {
        (!children(worker).contains(&process) && rooms(world) == 0).then_some(())
    })
    .await?;
    let gone_after = began.elapsed();
    world.quiet(SOON).await?;
    Ok(gone_after)
}

fn gone_within(name: &'static str, mut gone_after: Vec<Duration>) -> Figure {
    Figure::within(name, percentile(&mut gone_after, 1.0), STOPPED_MAX)
}

/// Folders of attempts in the scratch folder.
fn rooms(world: &World) -> usize {
    std::fs::read_dir(world.scratch()).into_iter().flatten().count()
}

/// Processes that `parent` has started and that are alive.
fn children(parent: u32) -> Vec<u32> {
    let listed = Path::new("/proc").read_dir().into_iter().flatten().flatten();
    let is_child = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
        let mut fields = after_name.split(' ');
        fields.next() != Some("Z") && fields.next() == Some(&parent.to_string())
    };
    listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_child).collect()
}

/// Whether a process makes a film. Each film has one of its own.
fn makes_films(process: u32) -> bool {
    let words = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    words.split(|byte| *byte == 0).next().is_some_and(|program| program.ends_with(b"/films"))
}

/// Whether a process computes. A decoder that waits for its next picture does not.
fn computes(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R'))
}

/// Cancels workflows somewhere on their way. What has not begun then never does.
async fn between_steps(stage: &Stage, world: &World, client: &Client) -> anyhow::Result<Vec<Figure>> {
    let rounds: usize = stage.pace.pick(2, 20, 200);
    stage.say(&format!("{rounds} workflows on their way"));
    let step = |number: usize| {
        let after: Vec<String> =
            number.checked_sub(1).map(|before| format!("s{before}")).into_iter().collect();
        json!({ "name": format!("s{number}"), "kind": "probe.work", "args": { "work_ms": 20 }, "after": after })
    };
    let body = json!({ "name": "to be stopped", "steps": (0..STEPS).map(step).collect::<Vec<_>>() });
    let mut ended_otherwise = 0;
    for round in 0..rounds {
        let told = client.submit("/v1/workflows", &format!("chain-{round}"), &body, SOON).await;
        let id = told.answer.map(|(_, body)| body["id"].as_str().unwrap_or_default().to_owned());
        let path = format!("/v1/workflows/{}", id.unwrap_or_default());
        tokio::time::sleep(Duration::from_millis(300 + 10 * round as u64)).await;
        client.change(Method::POST, &format!("{path}/cancel"), &json!({})).await?;
        let ended = until("the workflow to stop", SOON, || async {
            client.get(&path).await.ok().filter(|shown| shown["state"] != "running")
        })
        .await?;
        ended_otherwise += usize::from(ended["state"] != "cancelled");
    }
    let begun_late = "select count(*) from attempt a join workflow w on w.id = a.workflow_id where a.created_at > w.finished_at";
    let never = "select count(*) from workflow_step where state = 'cancelled' and started_at is null";
    Ok(vec![
        Figure::be("workflows cancelled", rounds - ended_otherwise, rounds),
        Figure::at_least("steps that never began", world.number(never).await?, rounds),
        Figure::none("jobs made after their workflow was over", world.number(begun_late).await?),
    ])
}
