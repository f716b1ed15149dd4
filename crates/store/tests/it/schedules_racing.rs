//! Many processes that look at the same schedules, and some that die while they do: a slot has one job.

use std::time::Duration;

use futures::future::join_all;
use store::{Role, schedules};
use testkit::eventually;

use crate::{
    schedules::{far_from_now, wanted},
    world::World,
};

const SOON: Duration = Duration::from_secs(20);

/// Slots that have several jobs, jobs without a slot, and slots without the job they name.
const WRONG: &str = "select
    (select count(*) from (select job_id from schedule_fire where job_id is not null group by 1 having count(*) > 1) x)
  + (select count(*) from job where not exists (select from schedule_fire f where f.job_id = job.id))
  + (select count(*) from schedule_fire f where f.job_id is not null and not exists (select from job where job.id = f.job_id))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedulers_that_race_make_one_job_of_a_slot() {
    let world = World::new().await;
    for name in ["a", "b", "c", "d", "e"] {
        world.schedule(&wanted(name, "* * * * * *")).await;
    }
    // The second process has connections of its own, as another machine would.
    let dbs = [world.worker.clone(), world.database.db(Role::Worker).unwrap()];
    for _ in 0..4 {
        world.be_late("30 s").await;
        let rounds = join_all((0..12).map(|n| schedules::fire_due(&dbs[n % 2]))).await;
        let mut slots: Vec<_> = rounds
            .into_iter()
            .flat_map(|round| round.unwrap().fired)
            .map(|fired| (fired.schedule, fired.slot))
            .collect();
        let count = slots.len();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), count, "two were told of one slot");
    }
    let fires = world.database.number("select count(*) from schedule_fire").await.unwrap();
    let jobs = world.database.number("select count(*) from job").await.unwrap();
    assert!(fires >= 5 * 31 && fires == jobs, "{fires} slots, {jobs} jobs");
    assert_eq!(world.database.number(WRONG).await.unwrap(), 0);
}

#[tokio::test]
async fn a_slot_that_was_decided_about_gets_no_second_job() {
    let world = World::new().await;
    world.schedule(&wanted("a", &far_from_now())).await;
    world.alter("next_fire_at = next_fire_at - interval '1 day'").await;
    assert_eq!(world.fire().await.fired.len(), 1);
    // As if the move to the next slot had been lost, or somebody had turned it back.
    world.alter("next_fire_at = next_fire_at - interval '1 day'").await;
    let round = world.fire().await;
    assert!(round.fired.is_empty() && !round.is_full);
    assert_eq!(world.claim(10).await.len(), 1);
    assert!(world.fire().await.fired.is_empty(), "it has moved on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_dies_in_the_middle_leaves_nothing_half_done() {
    let world = World::new().await;
    world.schedule(&wanted("a", &far_from_now())).await;
    world.alter("next_fire_at = next_fire_at - interval '1 day'").await;
    // Somebody holds the ledger, so that the scheduler has the schedule and waits with the job in its hand.
    let mut holder = world.owner.begin().await.unwrap();
    sqlx::query("lock table job in share mode").execute(&mut *holder).await.unwrap();
    let dies = tokio::spawn({
        let db = world.worker.clone();
        async move { schedules::fire_due(&db).await }
    });
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    eventually("the scheduler to wait", SOON, || async {
        (world.database.number(waits).await.unwrap() == 1).then_some(())
    })
    .await;
    let other = schedules::fire_due(&world.worker).await.unwrap();
    assert!(other.fired.is_empty(), "nobody waits for it, and nobody does it twice");
    let killed = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                  where datname = current_database() and wait_event_type = 'Lock'";
    assert_eq!(world.database.number(killed).await.unwrap(), 1);
    let error = dies.await.unwrap().unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    holder.rollback().await.unwrap();
    assert_eq!(world.database.number("select count(*) from schedule_fire").await.unwrap(), 0);
    // The one that was killed lets go of the schedule when the server has ended it, which is later than the error.
    let next = || async { Some(world.fire().await.fired.len()).filter(|fired| *fired > 0) };
    assert_eq!(eventually("the next one to do it", SOON, next).await, 1);
    assert_eq!((world.claim(10).await.len(), world.database.number(WRONG).await.unwrap()), (1, 0));
}
