//! History that tenants asked not to keep.

use chrono::{Days, NaiveDate, Utc};
use jobs::{JobId, TenantId};
use store::{
    retention::{self, Rules},
    verdict::Verdict,
};

use crate::{
    workflows::step,
    world::{World, done, probe},
};

fn rules(days: Option<u16>, kinds: &[(&str, u16)]) -> Rules {
    Rules { days, kinds: kinds.iter().map(|(kind, days)| ((*kind).to_owned(), *days)).collect() }
}

fn days_ago(days: u64) -> NaiveDate {
    Utc::now().date_naive() - Days::new(days)
}

impl World {
    async fn ended(&self) -> JobId {
        let id = self.enqueue(probe()).await;
        let claimed = self.claim_one().await;
        assert!(self.settle(&claimed, done()).await);
        id
    }

    async fn backdate(&self, job: JobId, days: u32) {
        for (table, column) in [("attempt", "finished_at"), ("job_log", "logged_at")] {
            let sql = format!(
                "update {table} set {column} = {column} - interval '{days} days' where job_id = '{}'",
                job.as_uuid()
            );
            self.database.execute(&sql).await.unwrap();
        }
    }

    /// Lets go all that may be, of the last twenty days; answers how much.
    async fn prune(&self, tenant: TenantId) -> usize {
        let mut sum = 0;
        for day in (0..20).map(days_ago) {
            let mut after = None;
            loop {
                let (pruned, reached) = retention::prune(&self.worker, tenant, day, after).await.unwrap();
                sum += pruned;
                after = reached;
                if after.is_none() {
                    break;
                }
            }
        }
        sum
    }

    async fn rows(&self, table: &str) -> i64 {
        self.database.number(&format!("select count(*) from {table}")).await.unwrap()
    }
}

#[tokio::test]
async fn rules_are_set_as_a_whole_and_are_their_tenants() {
    let world = World::new().await;
    let other = world.tenant("other").await;
    assert_eq!(retention::of_tenant(&world.api, world.tenant).await.unwrap(), Rules::default());
    let first = rules(Some(14), &[("probe.work", 3), ("media.rendition", 30)]);
    retention::set(&world.api, world.tenant, &first).await.unwrap();
    assert_eq!(retention::of_tenant(&world.api, world.tenant).await.unwrap(), first);
    assert_eq!(first.span(), Some((3, 30)));
    assert_eq!(retention::of_tenant(&world.api, other).await.unwrap(), Rules::default());
    let second = rules(None, &[("probe.work", 7)]);
    retention::set(&world.api, world.tenant, &second).await.unwrap();
    retention::set(&world.api, other, &first).await.unwrap();
    let all = retention::of_all(&world.worker).await.unwrap();
    assert_eq!((&all[&world.tenant], &all[&other]), (&second, &first));
    retention::set(&world.api, world.tenant, &Rules::default()).await.unwrap();
    assert_eq!(retention::of_all(&world.worker).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_rule_lets_go_goes_with_its_words_and_nothing_else_does() {
    let world = World::new().await;
    let (old, young) = (world.ended().await, world.ended().await);
    let says = |job: JobId| {
        format!(
            "insert into job_log (tenant_id, job_id, fence, attempt, level, message)
             values ('{}', '{}', 0, 1, 'info', 'x')",
            world.tenant.as_uuid(),
            job.as_uuid()
        )
    };
    for job in [old, young] {
        world.database.execute(&says(job)).await.unwrap();
    }
    world.backdate(old, 5).await;
    world.backdate(young, 2).await;

    // A live job that failed long ago: that attempt goes, the job and its arguments stay.
    let live = world.enqueue(probe()).await;
    let claimed = world.claim_one().await;
    let problem = jobs::failure::Problem::new("x", "y");
    let later = Verdict::Retried { problem, delay: std::time::Duration::from_hours(1) };
    assert!(world.settle(&claimed, later).await);
    world.backdate(live, 5).await;

    assert_eq!(world.prune(world.tenant).await, 0, "nobody asked for it");
    retention::set(&world.api, world.tenant, &rules(Some(4), &[("probe.work", 10)])).await.unwrap();
    assert_eq!(world.prune(world.tenant).await, 0, "the kind has a rule of its own");
    let other = world.tenant("other").await;
    retention::set(&world.api, other, &rules(Some(1), &[])).await.unwrap();
    assert_eq!(world.prune(other).await, 0, "of another tenant");

    retention::set(&world.api, world.tenant, &rules(Some(10), &[("probe.work", 4)])).await.unwrap();
    assert_eq!(world.prune(world.tenant).await, 2);
    assert_eq!((world.rows("attempt").await, world.rows("job_log").await), (1, 1));
    assert!(world.job(live).await.args.0.inline().is_some());
    let left = format!("select count(*) from attempt where job_id = '{}'", young.as_uuid());
    assert_eq!(world.database.number(&left).await.unwrap(), 1);
}

#[tokio::test]
async fn a_day_is_looked_through_in_pages() {
    const ROWS: i64 = 1_250;
    let world = World::new().await;
    let many = format!(
        "insert into attempt (tenant_id, job_id, fence, attempt, kind_version, max_attempts, priority, created_at,
             scheduled_at, finished_at, outcome, final_state, kind, queue, key, promise_s)
         select '{}', gen_random_uuid(), 0, 1, 1, 1, 1, at, at, at, 'completed', 'completed',
             case when n % 5 = 0 then 'other.kind' else 'probe.work' end, 'default', '', 0
         from generate_series(1, {ROWS}) n, (select now() - interval '6 days' as at) long_ago",
        world.tenant.as_uuid()
    );
    world.database.execute(&many).await.unwrap();
    retention::set(&world.api, world.tenant, &rules(None, &[("probe.work", 1)])).await.unwrap();
    let (first, reached) = retention::prune(&world.worker, world.tenant, days_ago(6), None).await.unwrap();
    assert!(first <= 500 && reached.is_some());
    assert_eq!(first + world.prune(world.tenant).await, 1_000);
    assert_eq!(world.rows("attempt").await, ROWS / 5, "kinds without a rule stay");
}

#[tokio::test]
async fn a_workflow_that_runs_keeps_what_its_steps_left() {
    let world = World::new().await;
    let workflow = world.begin_workflow(vec![step("first", &[], 1), step("second", &[0], 1)]).await;
    world.run(|_| done()).await;
    let long_ago = "update attempt set finished_at = finished_at - interval '9 days'";
    world.database.execute(long_ago).await.unwrap();
    retention::set(&world.api, world.tenant, &rules(Some(1), &[])).await.unwrap();
    assert_eq!(world.prune(world.tenant).await, 0);
    let over = format!(
        "update workflow set state = 'cancelled', finished_at = now() where id = '{}'",
        workflow.as_uuid()
    );
    world.database.execute(&over).await.unwrap();
    assert_eq!(world.prune(world.tenant).await, 1);
}
