//! F2: a process that dies at each named point of a job's journey.

use std::time::Duration;

use serde_json::{Value, json};

use super::Ended;
use crate::{
    client::Client,
    figure::Figure,
    load::{self, Book, working},
    picture,
    stage::Stage,
    world::{Scene, World},
};

/// The points, and what has to be worked on for each of them to be passed: a plain job; one that brings follow-up jobs
/// with its verdict, which is settled on its own; a picture.
const POINTS: [(&str, Work); 12] = [
    ("before-claim", Work::Plain),
    ("after-claim", Work::Plain),
    ("before-settle", Work::Plain),
    ("after-settle", Work::Plain),
    ("before-settle", Work::WithFollowUps),
    ("after-settle", Work::WithFollowUps),
    ("before-claim", Work::Picture),
    ("after-claim", Work::Picture),
    ("before-put", Work::Picture),
    ("after-put", Work::Picture),
    ("before-settle", Work::Picture),
    ("after-settle", Work::Picture),
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

impl Work {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::WithFollowUps => " with follow-ups",
            Self::Picture => " with pictures",
        }
    }
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
            for body in bodies(&world, &client, work, count).await? {
                let told = load::submit(&client, &book, body).await;
                anyhow::ensure!(told.job().is_some(), "a job was not accepted: {told:?}");
            }
            deaths += world.die(&doomed_at(point, work), count).await?;
            let _heir = world.workers(1, &[]).await?;
            world.quiet(Duration::from_mins(1)).await?;
        }
        let name = format!("deaths {point}{}", work.name());
        figures.push(Figure::at_least(name, deaths, wanted));
    }
    let pictures = picture::verify(&world, &client).await?;
    let follow_ups = "select count(*) from attempt where final_state is not null and metadata is null and kind = 'probe.work'";
    let parents =
        "select count(*) from attempt where final_state is not null and (args ->> 'follow_ups')::int = 2";
    let (follow_ups, parents) = (world.number(follow_ups).await?, world.number(parents).await?);
    // What died after its verdict left a lease with nothing under it, which goes with a sweep.
    let _heir = world.workers(1, &[]).await?;
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

/// What to submit. Pictures have been looked into by then, so that whoever dies does so at the job itself.
async fn bodies(world: &World, client: &Client, work: Work, count: usize) -> anyhow::Result<Vec<Value>> {
    let follow_ups = json!({ "kind": "probe.work", "args": { "follow_ups": 2 }, "max_attempts": 20 });
    match work {
        Work::Plain => return Ok(vec![working(0); count]),
        Work::WithFollowUps => return Ok(vec![follow_ups; count]),
        Work::Picture => {}
    }
    let _looking = world.workers(1, &["--queues", "media", "--concurrency", "media=2"]).await?;
    let mut assets = Vec::with_capacity(count);
    for _ in 0..count {
        assets.push(picture::asset(client, picture::png(48)?).await?);
    }
    for asset in &assets {
        picture::looked_into(client, asset).await?;
    }
    world.quiet(Duration::from_mins(1)).await?;
    Ok(assets.iter().map(|asset| picture::job(asset)).collect())
}

/// A slot for one job, and an end at `point`. They do not sweep: what they leave is for the heir.
fn doomed_at(point: &str, work: Work) -> [&str; 8] {
    let (queue, slots) = if work == Work::Picture { ("media", "media=1") } else { ("default", "default=1") };
    ["--die-at", point, "--queues", queue, "--concurrency", slots, "--sweep-ms", "600000"]
}
