//! F9: Postgres restarted, away, blocked, refusing, and replaced by its standby.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use testkit::PostgresServer;

use super::Ended;
use crate::{
    figure::Figure,
    load::{Book, Load, working},
    pace::Pace,
    stage::{Stage, until},
    world::{Scene, World},
};

const SLOTS: [&str; 4] = ["--queues", "default", "--concurrency", "default=16"];
/// Runs per job, and requests per job, that a fault may cost at most: more would be a storm.
const STORM_MAX: f64 = 2.0;
const PER_S: f64 = 60.0;

/// Makes one statement in ten fail as a serialisable database would, at the tables where intake, claims and verdicts write.
const SERIALISATION_FAILURES: &str = "
    create function fail_sometimes() returns trigger language plpgsql as $$
    begin
        if random() < 0.1 then
            raise exception 'could not serialize access' using errcode = '40001';
        end if;
        return null;
    end $$;
    create trigger fail_sometimes before insert on job for each statement execute function fail_sometimes();
    create trigger fail_sometimes before insert on lease for each statement execute function fail_sometimes();
    create trigger fail_settling before delete on job for each statement execute function fail_sometimes();";
const NO_FAILURES: &str = "drop function fail_sometimes() cascade";

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let mut figures = Vec::new();
    // An outage begins and ends as a restart does.
    if stage.pace != Pace::Quick {
        figures.extend(play(stage, "restarts", restarts).await?);
    }
    figures.extend(play(stage, "outage", outage).await?);
    figures.extend(play(stage, "connections used up", used_up).await?);
    figures.extend(play(stage, "serialisation failures", failures).await?);
    figures.extend(play(stage, "failover", failover).await?);
    Ok(Ended::Seen(figures))
}

/// One fault under load, in a world of its own.
async fn play(
    stage: &Stage,
    part: &str,
    suffer: impl AsyncFn(&Stage, &World) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Figure>> {
    stage.say(part);
    let world = World::set(stage, Scene { way_to_postgres: true, ..Scene::of(stage)? }).await?;
    let client = world.tenant("acme").await?;
    let _workers = world.workers(2, &SLOTS).await?;
    let book = Book::default();
    let load = Load { per_s: PER_S, body: |_| working(50) }.begin_into(&client, book.clone());
    tokio::time::sleep(stage.pace.seconds(1, 5, 10)).await;
    suffer(stage, &world).await?;
    let back = Instant::now();
    tokio::time::sleep(stage.pace.seconds(1, 5, 10)).await;
    load.end().await;
    let audit = world.audit(&book, world.rerun_max() * 3 + Duration::from_mins(1)).await?;
    let drained = back.elapsed();
    let runs = world.number("select count(*) from attempt").await? as f64;
    let accepted = book.accepted().max(1) as f64;
    let mut figures = audit;
    figures.extend([
        Figure::none("refused for good", book.refused()),
        Figure::none("clients left without an answer", book.promised().unknown.len()),
        Figure::tell("requests asked again", book.asked_again()),
        Figure::at_most("requests per job", book.requests() as f64 / accepted, "", requests_max(stage, part)),
        Figure::at_most("runs per job", runs / accepted, "", STORM_MAX),
        Figure::tell_time("drained after", drained),
    ]);
    Ok(figures.into_iter().map(|figure| figure.of(part)).collect())
}

/// Clients ask again about once a second while Postgres is away: that, and no more.
fn requests_max(stage: &Stage, part: &str) -> f64 {
    if part == "outage" { STORM_MAX + away(stage).as_secs_f64() } else { STORM_MAX * 2.0 }
}

fn away(stage: &Stage) -> Duration {
    stage.pace.seconds(3, 30, 30)
}

async fn restarts(stage: &Stage, world: &World) -> anyhow::Result<()> {
    for _ in 0..stage.pace.pick(1, 4, 20) {
        tokio::task::block_in_place(|| world.postgres.stop().and_then(|()| world.postgres.begin()))?;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    Ok(())
}

async fn outage(stage: &Stage, world: &World) -> anyhow::Result<()> {
    tokio::task::block_in_place(|| world.postgres.stop())?;
    tokio::time::sleep(away(stage)).await;
    tokio::task::block_in_place(|| world.postgres.begin())
}

/// Somebody locks the table of jobs for longer than anybody waits: every connection is soon waiting for it.
async fn used_up(stage: &Stage, world: &World) -> anyhow::Result<()> {
    let seconds = stage.pace.pick(2, 15, 60);
    world
        .database
        .execute(&format!(
            "begin; lock table job in access exclusive mode; select pg_sleep({seconds}); commit"
        ))
        .await?;
    Ok(())
}

async fn failures(stage: &Stage, world: &World) -> anyhow::Result<()> {
    world.database.execute(SERIALISATION_FAILURES).await?;
    tokio::time::sleep(stage.pace.seconds(2, 15, 120)).await;
    world.database.execute(NO_FAILURES).await?;
    Ok(())
}

/// The primary dies as in a power cut. Its standby, which has confirmed every commit, takes over under the same address.
async fn failover(stage: &Stage, world: &World) -> anyhow::Result<()> {
    let standby = tokio::task::block_in_place(|| PostgresServer::standby_of(&world.postgres))?;
    world.database.execute("alter system set synchronous_standby_names = '*'").await?;
    world.database.execute("select pg_reload_conf()").await?;
    until("the standby to keep up", Duration::from_secs(30), || async {
        let synced = "select count(*) from pg_stat_replication where sync_state = 'sync'";
        world.number(synced).await.ok().filter(|standbys| *standbys == 1)
    })
    .await?;
    tokio::time::sleep(stage.pace.seconds(2, 10, 60)).await;
    tokio::task::block_in_place(|| world.postgres.stop())?;
    stage.say("the primary is dead");
    tokio::time::sleep(Duration::from_secs(3)).await;
    tokio::task::block_in_place(|| standby.promote())?;
    if let Some(way) = &world.way_to_postgres {
        way.lead_to(SocketAddr::from(([127, 0, 0, 1], standby.port())));
    }
    stage.say("the standby was promoted");
    world.keep(standby);
    Ok(())
}
