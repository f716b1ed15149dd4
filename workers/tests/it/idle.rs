//! A worker that has nothing to do: what it asks of the ledger, counted by Postgres.

use store::testing::TestDatabase;
use testkit::{PostgresServer, eventually};

use crate::world::{SOON, World};

const COUNTING: [&str; 2] = ["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track=top"];
/// What workers asked, as their role. Whoever counts is another.
const ASKED: &str = "from pg_stat_statements where userid = 'crewline_worker'::regrole";
/// Rows of the ledger that anybody wrote.
const WRITTEN: &str =
    "select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint from pg_stat_user_tables
    where relname in ('job', 'lane', 'lease', 'share', 'pace') or relname like 'attempt%'";
/// A worker says that it is there every five seconds; so many statements may lie between two times. Leases are looked at every
/// quarter of a second here, which production does every five.
const STATEMENTS_A_BEAT_MAX: i64 = 400;
const BEATS: i64 = 2;

#[tokio::test]
async fn an_idle_worker_asks_a_bounded_number_of_times_and_claims_nothing() {
    let postgres = PostgresServer::start_with(&COUNTING).unwrap();
    let world = World::on(TestDatabase::create_at(postgres.url()).await).await;
    world.database.execute("create extension pg_stat_statements").await.unwrap();
    // As many slots as there may be: what is asked does not follow from them.
    let worker = world.start(&["--queues", "default,media", "--concurrency", "default=4096,media=64"]);
    worker.ready().await;
    let number = async |sql: &str| world.database.number(sql).await.unwrap();
    let beats =
        format!("select coalesce(sum(calls), 0)::bigint {ASKED} and query like '%insert into worker (%'");
    let beat = async |wanted: i64| {
        let look = || async { (number(&beats).await >= wanted).then_some(()) };
        eventually(&format!("the worker to say {wanted} times that it is there"), SOON, look).await;
    };
    // What is done once at the start is behind it.
    beat(2).await;
    world.database.execute("select pg_stat_statements_reset()").await.unwrap();
    let written = number(WRITTEN).await;
    beat(BEATS).await;
    let asked = number(&format!("select coalesce(sum(calls), 0)::bigint {ASKED}")).await;
    let claims = format!("select coalesce(sum(calls), 0)::bigint {ASKED} and query like '%claim_jobs%'");
    assert_eq!(number(&claims).await, 0, "nobody rang");
    assert_eq!(number(WRITTEN).await, written, "nothing of the ledger is written");
    let most = STATEMENTS_A_BEAT_MAX * BEATS;
    let list = format!(
        "select json_agg(t) from (select calls, left(query, 90) as query {ASKED} order by calls desc) t"
    );
    assert!(
        asked <= most,
        "{asked} statements, at most {most}: {:#}",
        world.database.json(&list).await.unwrap()
    );
}
