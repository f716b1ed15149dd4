//! F2: a process that dies at each named point of a job's journey.

use std::time::Duration;

use serde_json::{Value, json};

use super::Ended;
use crate::{
    figure::Figure,
    load::{self, Book, working},
    picture,
    stage::Stage,
    world::{Scene, World},
};

/// The points, and what has to be worked on for each of them to be passed: a plain job; one that brings follow-up jobs
/// with its verdict, which is settled on its own; a picture.
const POINTS: [(&str, Work); 8] = [
    ("before-claim", Work::Plain),
    ("after-claim", Work::Plain),
    ("before-settle", Work::Plain),
    ("after-settle", Work::Plain),
    ("before-settle", Work::WithFollowUps),
    ("after-settle", Work::WithFollowUps),
    ("before-put", Work::Picture),
    ("after-put", Work::Picture),
];
/// Processes that die at a time.
const AT_A_TIME: usize = 8;
const LEASE: Duration = Duration::from_millis(800);
const SWEEP: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Plain,
    WithFollowUps,
    Picture,
}

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let wanted = stage.pace.pick(2, 8, 1_000);
    let scene = Scene { lease: LEASE, sweep: SWEEP, ..Scene::of(stage)? };
    let world = World::set(stage, scene).await?;
    let client = world.tenant("acme").await?;
    let book = Book::default();
    let mut figures = Vec::new();
    for (point, work) in POINTS {
        let mut deaths = 0;
        while deaths < wanted {
            let count = AT_A_TIME.min(wanted - deaths);
            stage.say(&format!("{point}: {deaths} of {wanted} died"));
            for _ in 0..count {
                let told = load::submit(&client, &book, body(work, &client).await?).await;
                anyhow::ensure!(told.job().is_some(), "a job was not accepted: {told:?}");
            }
            deaths += world.die(&doomed_at(point, work), count).await?;
            let _heir = world.workers(1, &[]).await?;
            world.quiet(Duration::from_mins(1)).await?;
        }
        let name =
            if work == Work::WithFollowUps { format!("{point} with follow-ups") } else { point.to_owned() };
        figures.push(Figure::at_least(format!("deaths {name}"), deaths, wanted));
    }
    let pictures = picture::verify(&world, &client).await?;
    let follow_ups = "select count(*) from attempt where final_state is not null and metadata is null and kind = 'probe.work'";
    let parents =
        "select count(*) from attempt where final_state is not null and (args ->> 'follow_ups')::int = 2";
    let (follow_ups, parents) = (world.number(follow_ups).await?, world.number(parents).await?);
    let mut all = world.audit(&book, Duration::from_secs(30)).await?;
    all.extend(figures);
    all.extend([
        Figure::be("follow-up jobs", follow_ups, parents * 2),
        Figure::none(
            "jobs given up",
            world.number("select count(*) from attempt where final_state <> 'completed'").await?,
        ),
        Figure::tell("pictures fetched", pictures.pictures),
        Figure::none("pictures missing or damaged", pictures.wrong + pictures.empty),
        Figure::none("picture rows twice", world.number(picture::TWICE).await?),
    ]);
    Ok(Ended::Seen(all))
}

async fn body(work: Work, client: &crate::client::Client) -> anyhow::Result<Value> {
    Ok(match work {
        Work::Plain => working(0),
        Work::WithFollowUps => {
            json!({ "kind": "probe.work", "args": { "follow_ups": 2 }, "max_attempts": 20 })
        }
        Work::Picture => picture::job(&picture::asset(client, picture::png(48)?).await?),
    })
}

/// A slot for one job, and an end at `point`. They do not sweep: what they leave is for the heir.
fn doomed_at(point: &str, work: Work) -> [&str; 8] {
    let (queue, slots) = if work == Work::Picture { ("media", "media=1") } else { ("default", "default=1") };
    ["--die-at", point, "--queues", queue, "--concurrency", slots, "--sweep-ms", "600000"]
}
