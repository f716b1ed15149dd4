//! Thousands of lines at once. What a claim reads follows from how many lines there are, not from what stands in them, and it
//! reads each of them a few times, whatever limits there are.

use store::{
    enqueue::NewJob,
    limits::{self, Algorithm, Limit, Rate},
};

use crate::world::{World, probe};

const LANES: i64 = 10_000;
const JOBS_A_LANE: i64 = 5;
/// What a worker with as many free slots asks for.
const WANTED: i64 = 100;
/// Rows that may be read for each job that is wanted, on top of what is read for each line.
const MORE: i64 = 10;

/// One line for each of so many tenants.
const OF_TENANTS: &str = "
    insert into tenant (id, slug, name) select gen_random_uuid(), 'many-' || nth, 'Many' from generate_series(1, $lanes) nth;
    select lane_for(id, 'default', 2::smallint, 0::smallint, 'probe.work', '', 0) from tenant where name = 'Many';";
/// One line for each of so many keys of one tenant.
const OF_KEYS: &str = "
    select lane_for(id, 'default', 2::smallint, 0::smallint, 'probe.work', 'key/' || nth, 0)
    from tenant, generate_series(1, $lanes) nth where slug = 'acme';";
/// Jobs in each of them.
const JOBS: &str = "
    insert into job (tenant_id, id, pos, created_at, scheduled_at, lane_id, kind_version, max_attempts, kind, args)
    select lane.tenant_id, gen_random_uuid(), nextval('job_pos'), now(), now(), lane.id, 1, 3, lane.kind, '{}'
    from generate_series(1, $jobs), lane;";

const NONE: Limit =
    Limit { name: String::new(), queue: None, kind: None, key: None, concurrency: None, rate: None };

/// One claim as workers make it, who settle for plans that hold however full a table is; and the rows that it read and wrote.
const CLAIM: &str = "
    begin;
    drop table if exists rows_read;
    set local role crewline_worker;
    set local plan_cache_mode = force_generic_plan;
    set local enable_seqscan = off;
    set local enable_bitmapscan = off;
    select from claim_jobs('default', 0::smallint, $wanted, gen_random_uuid(), 'w', 30000);
    reset role;
    create table rows_read as select relname, seq_tup_read + coalesce(idx_tup_fetch, 0) as rows,
        n_tup_ins + n_tup_upd + n_tup_del as written from pg_stat_xact_user_tables;
    commit;";

impl World {
    async fn lanes(&self, of: &str) {
        let number = |sql: &str, name: &str, value: i64| sql.replace(name, &value.to_string());
        for sql in [number(of, "$lanes", LANES), number(JOBS, "$jobs", JOBS_A_LANE), "analyze".into()] {
            self.database.execute(&sql).await.unwrap();
        }
        let waiting = self.database.number("select count(*) from job").await.unwrap();
        assert_eq!(waiting, LANES * JOBS_A_LANE);
    }

    /// Claims; answers how many jobs there were, and how many rows of a table were read for them.
    async fn read_by_a_claim(&self) -> (i64, impl Fn(&str) -> i64) {
        let claimed = "select coalesce(sum(cardinality(job_ids)), 0)::bigint from lease";
        let before = self.database.number(claimed).await.unwrap();
        self.database.execute(&CLAIM.replace("$wanted", &WANTED.to_string())).await.unwrap();
        let read = self.database.json("select json_object_agg(relname, rows) from rows_read").await.unwrap();
        let rows = move |table: &str| read[table].as_i64().unwrap_or_default();
        (self.database.number(claimed).await.unwrap() - before, rows)
    }
}

#[tokio::test]
async fn of_thousands_of_tenants_only_those_in_front_are_looked_into() {
    let world = World::new().await;
    world.lanes(OF_TENANTS).await;
    for _ in 0..3 {
        let (claimed, read) = world.read_by_a_claim().await;
        assert_eq!(claimed, WANTED);
        assert!(read("lane") <= LANES + WANTED * MORE, "{} rows of lanes", read("lane"));
        assert!(read("job") <= WANTED * MORE, "{} rows of jobs", read("job"));
    }
}

#[tokio::test]
async fn of_thousands_of_keys_only_who_stands_first_is_looked_at() {
    let world = World::new().await;
    world.lanes(OF_KEYS).await;
    for _ in 0..3 {
        let (claimed, read) = world.read_by_a_claim().await;
        assert_eq!(claimed, WANTED);
        assert!(read("lane") <= LANES * 2 + WANTED * MORE, "{} rows of lanes", read("lane"));
        assert!(read("job") <= LANES + WANTED * MORE, "{} rows of jobs", read("job"));
    }
}

#[tokio::test]
async fn limits_and_pauses_of_others_are_not_looked_through() {
    let world = World::new().await;
    world.lanes(OF_TENANTS).await;
    let of_everybody = "
        insert into limit_rule (id, tenant_id, name, concurrency, updated_by)
        select gen_random_uuid(), id, 'all', 50, 'tester' from tenant;
        insert into pause (id, tenant_id, kind, reason, paused_by)
        select gen_random_uuid(), id, 'media.scan', 'audit', 'tester' from tenant;
        analyze;";
    world.database.execute(of_everybody).await.unwrap();
    for _ in 0..3 {
        let (claimed, read) = world.read_by_a_claim().await;
        assert_eq!(claimed, WANTED);
        // Whether any of them is a rate is asked once; and each line is asked whether it is paused.
        let (limits, pauses) = (read("limit_rule"), read("pause"));
        assert!(read("lane") <= LANES + WANTED * MORE, "{} rows of lanes", read("lane"));
        assert!(limits <= LANES + WANTED * MORE, "{limits} rows of limits");
        assert!(pauses <= LANES + WANTED * MORE, "{pauses} rows of pauses");
    }
}

#[tokio::test]
async fn limits_count_once_and_not_for_every_line() {
    let world = World::new().await;
    world.lanes(OF_KEYS).await;
    let most = Some(u32::try_from(WANTED * 2).unwrap());
    let slow = Rate { algorithm: Algorithm::Bucket, count: 1, period_s: 2_678_400.0, burst: 1_000_000 };
    for limit in [
        Limit { name: "each".into(), key: Some("key/*".into()), concurrency: Some(1), ..NONE },
        Limit { name: "all".into(), concurrency: most, ..NONE },
        Limit { name: "slowly".into(), rate: Some(slow), ..NONE },
    ] {
        assert!(limits::set(&world.api, world.tenant, &limit, "tester", 100).await.unwrap());
    }
    // Twice there is room; then everything that waits is held back by the tenant's limit, then by its rate.
    for wanted in [WANTED, WANTED, 0, 0] {
        let (claimed, read) = world.read_by_a_claim().await;
        assert_eq!(claimed, wanted);
        assert!(read("lane") <= LANES * 3 + WANTED * MORE, "{} rows of lanes", read("lane"));
        assert!(read("job") <= LANES * 2 + WANTED * MORE, "{} rows of jobs", read("job"));
        if wanted == 0 {
            limits::remove(&world.api, world.tenant, "all").await.unwrap();
            world
                .database
                .execute("update bucket set tokens = 0, filled_at = clock_timestamp()")
                .await
                .unwrap();
        }
    }
    // And where every key that has a turn has its one job already.
    limits::remove(&world.api, world.tenant, "slowly").await.unwrap();
    let full = "delete from job where pos > (select cursor from lane where lane.id = job.lane_id)
                    and lane_id in (select id from lane where cursor = 0)";
    world.database.execute(full).await.unwrap();
    let (claimed, read) = world.read_by_a_claim().await;
    assert_eq!(claimed, 0);
    assert!(read("lane") <= LANES * 3 + WANTED * MORE, "{} rows of lanes", read("lane"));
}

#[tokio::test]
async fn a_claim_writes_a_row_for_all_its_jobs_and_none_for_each() {
    let world = World::new().await;
    let jobs: Vec<NewJob> = (0..2 * WANTED).map(|_| probe()).collect();
    world.enqueue_all(world.tenant, &jobs).await;
    for _ in 0..2 {
        let (claimed, _) = world.read_by_a_claim().await;
        assert_eq!(claimed, WANTED);
        let written = "select json_object_agg(relname, written) from rows_read where written > 0";
        let written = world.database.json(written).await.unwrap();
        let rows: Vec<i64> =
            written.as_object().unwrap().values().map(|rows| rows.as_i64().unwrap()).collect();
        assert_eq!((written.get("job"), &written["lease"]), (None, &serde_json::json!(1)), "{written}");
        assert!(
            rows.iter().sum::<i64>() < WANTED / 10,
            "the cursor of the line, and whose turn it is: {written}"
        );
    }
}
