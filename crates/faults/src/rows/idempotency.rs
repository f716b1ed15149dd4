//! F14: many clients with one key, at two processes of the API that are killed in turn.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures::future::join_all;
use jobs::JobId;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::{Barrier, Mutex};
use tokio_util::sync::CancellationToken;

use super::Ended;
use crate::{
    client::{Client, Told},
    figure::Figure,
    load::{Book, working},
    stage::Stage,
    world::{World, answers},
};

const CLIENTS: usize = 64;
const KEYS_AT_ONCE: usize = 4;
const PATIENCE: Duration = Duration::from_mins(1);
const KILL_EVERY: Duration = Duration::from_millis(1_500);

#[derive(Default)]
struct Seen {
    rounds: usize,
    /// Rounds in which clients were told of more than one job, or of none.
    wrong: usize,
    /// Clients that were never told.
    untold: usize,
    in_flight: usize,
    /// Other bodies under the same key that were not refused with 422.
    not_refused: usize,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.rounds += other.rounds;
        self.wrong += other.wrong;
        self.untold += other.untold;
        self.in_flight += other.in_flight;
        self.not_refused += other.not_refused;
    }
}

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let rounds = stage.pace.pick(4, 50, 10_000);
    let world = World::open(stage).await?;
    let first = world.tenant("acme").await?;
    let address = testkit::free_address()?;
    let second = first.at(&format!("http://{address}"));
    let other_api = world.another_api(address)?;
    answers(address, "/readyz").await?;
    let _workers = world.workers(1, &["--queues", "default"]).await?;
    let book = Book::default();
    let world = Arc::new(Mutex::new(world));
    let stop = CancellationToken::new();
    let killing = tokio::spawn(kill_in_turn(world.clone(), other_api, address, stop.clone()));
    let mut seen = Seen::default();
    while seen.rounds < rounds {
        let keys = (rounds - seen.rounds).min(KEYS_AT_ONCE);
        let clients = [first.clone(), second.clone()];
        let played = join_all((0..keys).map(|_| play(&clients, &book))).await;
        for round in played {
            seen.add(&round);
        }
        stage.say(&format!("{} of {rounds} keys", seen.rounds));
    }
    stop.cancel();
    let kills = killing.await??;
    let world =
        Arc::into_inner(world).ok_or_else(|| anyhow::anyhow!("somebody else has the world"))?.into_inner();
    let mut figures = world.audit(&book, Duration::from_mins(1)).await?;
    let keys = world
        .number("select count(distinct metadata ->> 'mark') from attempt where final_state is not null")
        .await?;
    let jobs = world.number("select count(*) from attempt where final_state is not null").await?;
    figures.extend([
        Figure::be("keys", keys, rounds),
        Figure::be("jobs", jobs, rounds),
        Figure::tell("clients a key", CLIENTS),
        Figure::tell("kills of the API", kills),
        Figure::none("rounds with more than one answer", seen.wrong),
        Figure::none("clients never told", seen.untold),
        Figure::at_least("answers 409 while the first was under way", seen.in_flight, 1),
        Figure::none("other bodies not refused with 422", seen.not_refused),
    ]);
    Ok(Ended::Seen(figures))
}

/// One key, all clients at once, half of them at each process; then another body under the same key.
async fn play(clients: &[Client; 2], book: &Book) -> Seen {
    let mut seen = Seen::default();
    let mark = book.mark();
    let (key, body) = (format!("round-{mark}"), with_mark(working(0), &mark));
    let start = Arc::new(Barrier::new(CLIENTS));
    let asks = (0..CLIENTS).map(|number| {
        let (client, key, body, start) =
            (clients[number % 2].clone(), key.clone(), body.clone(), start.clone());
        tokio::spawn(async move {
            start.wait().await;
            client.submit("/v1/jobs", &key, &body, PATIENCE).await
        })
    });
    let told: Vec<Told> = join_all(asks).await.into_iter().flatten().collect();
    let jobs: HashSet<JobId> = told.iter().filter_map(Told::job).collect();
    seen.rounds += 1;
    seen.wrong += usize::from(jobs.len() != 1);
    seen.untold += told.iter().filter(|told| told.job().is_none()).count() + (CLIENTS - told.len());
    seen.in_flight +=
        told.iter().flat_map(|told| &told.before).filter(|before| before.starts_with("409")).count();
    if let Some(one) = told.iter().find(|told| told.job().is_some()) {
        book.note(mark.clone(), one);
    }
    let other = clients[0].submit("/v1/jobs", &key, &with_mark(working(1), &mark), PATIENCE).await;
    let is_refused = matches!(other.answer, Some((StatusCode::UNPROCESSABLE_ENTITY, _)));
    seen.not_refused += usize::from(!is_refused);
    seen
}

fn with_mark(mut body: Value, mark: &str) -> Value {
    body["metadata"] = json!({ "mark": mark });
    body
}

/// Kills one process of the API, starts it again, then the other; until `stop`. Answers how often.
async fn kill_in_turn(
    world: Arc<Mutex<World>>,
    mut other: crate::process::Process,
    address: std::net::SocketAddr,
    stop: CancellationToken,
) -> anyhow::Result<usize> {
    let mut kills = 0;
    while stop.run_until_cancelled(tokio::time::sleep(KILL_EVERY)).await.is_some() {
        let mut world = world.lock().await;
        if kills % 2 == 0 {
            world.kill_api();
            world.start_api().await?;
        } else {
            drop(other);
            other = world.another_api(address)?;
            answers(address, "/readyz").await?;
        }
        kills += 1;
    }
    Ok(kills)
}
