//! Who goes next: shares, priority that grows with waiting, promises, changing queues, and lanes that sleep.

use std::collections::BTreeMap;

use jobs::{Priority, Queue, TenantId, WebhookEventId, kinds::webhook_process::WebhookProcess};
use store::{
    claim::{self, Pick},
    enqueue::{Hop, NewJob},
    hop, lanes, limits, release,
};

use crate::world::{LEASE, World, done, probe, retry_now};

fn with_priority(priority: u8) -> NewJob {
    NewJob { priority: Priority::new(priority).unwrap(), ..probe() }
}

impl World {
    /// Puts the time at which waiting jobs could begin, and what was promised from then on, into the past.
    async fn age(&self, which: &str, seconds: u32) {
        let sql = format!(
            "with aged as (update job set scheduled_at = scheduled_at - {seconds} * interval '1 s',
                 due_at = due_at - {seconds} * interval '1 s', hop_at = hop_at - {seconds} * interval '1 s'
             from lane where lane.id = job.lane_id and {which} returning 1) select count(*) from aged"
        );
        assert!(self.database.number(&sql).await.unwrap() > 0, "nothing was aged");
    }

    async fn served(&self, claims: usize, wanted: u16) -> BTreeMap<TenantId, usize> {
        let mut served = BTreeMap::new();
        for _ in 0..claims {
            for job in self.claim(wanted).await {
                *served.entry(job.tenant).or_default() += 1;
                self.settle(&job, done()).await;
            }
        }
        served
    }

    async fn awake(&self) -> i64 {
        self.database.number("select count(*) from lane where asleep_since is null").await.unwrap()
    }
}

#[tokio::test]
async fn a_tenants_backlog_does_not_delay_another() {
    let world = World::new().await;
    let small = world.tenant("small").await;
    let backlog: Vec<NewJob> = (0..500).map(|_| probe()).collect();
    world.enqueue_all(world.tenant, &backlog).await;
    // The backlog has been worked at for a while when the other comes.
    world.served(5, 10).await;
    let few: Vec<NewJob> = (0..10).map(|_| probe()).collect();
    world.enqueue_all(small, &few).await;
    let served = world.served(2, 10).await;
    assert_eq!((served[&small], served[&world.tenant]), (10, 10));
}

#[tokio::test]
async fn shares_follow_the_weights() {
    let world = World::new().await;
    let heavy = world.tenant("heavy").await;
    limits::weigh(&world.owner, heavy, Queue::Default, 3.0).await.unwrap();
    for tenant in [world.tenant, heavy] {
        let jobs: Vec<NewJob> = (0..400).map(|_| probe()).collect();
        world.enqueue_all(tenant, &jobs).await;
    }
    let served = world.served(100, 4).await;
    assert!((290..=310).contains(&served[&heavy]), "{served:?}");
    assert_eq!(served[&heavy] + served[&world.tenant], 400);
}

#[tokio::test]
async fn who_was_away_gets_no_credit_for_it() {
    let world = World::new().await;
    let late = world.tenant("late").await;
    for tenant in [world.tenant, late] {
        let jobs: Vec<NewJob> = (0..300).map(|_| probe()).collect();
        world.enqueue_all(tenant, &jobs[..if tenant == late { 1 } else { 300 }]).await;
    }
    world.served(20, 10).await;
    let jobs: Vec<NewJob> = (0..200).map(|_| probe()).collect();
    world.enqueue_all(late, &jobs).await;
    let served = world.served(8, 10).await;
    assert!(served[&late] <= 50 && served[&world.tenant] >= 30, "{served:?}");
}

#[tokio::test]
async fn priority_decides_among_a_tenants_own_jobs_and_grows_with_waiting() {
    let world = World::new().await;
    let low = world.enqueue(with_priority(4)).await;
    let normal = world.enqueue(with_priority(2)).await;
    assert_eq!(world.claim_one().await.id, normal);
    let urgent = world.enqueue(with_priority(1)).await;
    assert_eq!(world.claim_one().await.id, urgent);
    // Three steps of five minutes each: now it is as urgent as any, and its lane was served longest ago.
    world.age("lane.priority = 4", 901).await;
    world.enqueue(with_priority(1)).await;
    assert_eq!(world.claim_one().await.id, low);
}

#[tokio::test]
async fn nothing_starves_however_much_goes_before_it() {
    let world = World::new().await;
    let low = world.enqueue(with_priority(4)).await;
    for claims in 1..=8 {
        world.enqueue(with_priority(1)).await;
        world.enqueue(with_priority(1)).await;
        let job = world.claim_one().await;
        world.settle(&job, done()).await;
        if job.id == low {
            return assert_eq!(claims, 8, "one claim in eight is the oldest job's");
        }
    }
    panic!("eight claims passed the oldest job by");
}

#[tokio::test]
async fn a_promise_at_risk_goes_first_and_then_time_left_decides() {
    let world = World::new().await;
    let promised = |seconds| NewJob { promise_s: Some(seconds), ..with_priority(3) };
    let relaxed = world.enqueue(promised(600)).await;
    let tight = world.enqueue(promised(60)).await;
    let urgent = world.enqueue(with_priority(1)).await;
    // 40 of 60 seconds are gone, and 40 of 600.
    world.age("lane.promise_s > 0", 40).await;
    let order = [world.claim_one().await.id, world.claim_one().await.id, world.claim_one().await.id];
    assert_eq!(order, [tight, urgent, relaxed]);
}

#[tokio::test]
async fn of_two_promises_at_risk_the_one_with_less_time_left_goes_first() {
    let world = World::new().await;
    let promised = |seconds| NewJob { promise_s: Some(seconds), ..probe() };
    let loose = world.enqueue(promised(600)).await;
    let tight = world.enqueue(promised(450)).await;
    let urgent = world.enqueue(with_priority(1)).await;
    // Two thirds of one are gone, and nine tenths of the other.
    world.age("lane.promise_s > 0", 400).await;
    let order = [world.claim_one().await.id, world.claim_one().await.id, world.claim_one().await.id];
    assert_eq!(order, [tight, loose, urgent]);
}

#[tokio::test]
async fn a_kind_may_carry_a_promise() {
    let world = World::new().await;
    let new = NewJob::of(&WebhookProcess { event: WebhookEventId::new(), replay: 0 }).unwrap();
    world.enqueue(new).await;
    let promised = "select extract(epoch from due_at - scheduled_at)::bigint from job";
    assert_eq!(world.database.number(promised).await.unwrap(), 60);
}

#[tokio::test]
async fn a_job_changes_queues_when_waiting_takes_too_long() {
    let world = World::new().await;
    let hopping = |queue| NewJob {
        queue,
        hop: Some(Hop { queue: Queue::Media, after_s: 60 }),
        concurrency_key: Some("disk".into()),
        ..probe()
    };
    let id = world.enqueue(hopping(Queue::MediaBulk)).await;
    assert_eq!(hop::hop(&world.worker).await.unwrap(), 0);
    world.age("true", 61).await;
    // One that runs already stays where it is.
    let running = world.enqueue(hopping(Queue::Default)).await;
    let held = world.claim_one().await;
    world.age("lane.queue = 'default'", 61).await;
    assert_eq!(hop::hop(&world.worker).await.unwrap(), 1);
    assert_eq!(
        (world.job(id).await.queue.as_str(), world.job(running).await.queue.as_str()),
        ("media", "default")
    );
    let claimed = claim::claim(&world.worker, Queue::Media, Pick::Regular, 5, "w", LEASE).await.unwrap();
    assert_eq!(claimed.iter().map(|job| job.id).collect::<Vec<_>>(), [id]);
    // Having to wait again, it goes over too.
    assert!(world.settle(&held, retry_now()).await);
    assert_eq!(hop::hop(&world.worker).await.unwrap(), 1);
    assert_eq!(world.job(running).await.queue, "media");
}

#[tokio::test]
async fn an_empty_lane_falls_asleep_and_every_way_into_it_wakes_it() {
    let world = World::new().await;
    let keyed = || NewJob { concurrency_key: Some("k".into()), ..probe() };
    let id = world.enqueue(keyed()).await;
    lanes::tidy(&world.worker).await.unwrap();
    assert_eq!(world.awake().await, 1, "a lane with a waiting job stays awake");
    let job = world.claim_one().await;
    lanes::tidy(&world.worker).await.unwrap();
    assert_eq!(world.awake().await, 1, "a lane with a running job stays awake");
    assert!(world.settle(&job, retry_now()).await);
    lanes::tidy(&world.worker).await.unwrap();
    assert_eq!(world.awake().await, 0, "what is not due stands in no line");

    release::promote_due(&world.worker).await.unwrap();
    let job = world.claim_one().await;
    assert_eq!(job.id, id);
    assert!(world.settle(&job, done()).await);
    lanes::tidy(&world.worker).await.unwrap();
    assert_eq!(world.awake().await, 0);
    world.enqueue(keyed()).await;
    let job = world.claim_one().await;
    assert!(world.settle(&job, done()).await);

    lanes::tidy(&world.worker).await.unwrap();
    store::retry::retry(&world.api, world.tenant, id).await.unwrap();
    assert_eq!(world.claim_one().await.id, id);
}

#[tokio::test]
async fn a_job_committed_into_a_lane_that_fell_asleep_is_found() {
    let world = World::new().await;
    let id = world.enqueue(probe()).await;
    let slept = "with slept as (update lane set asleep_since = clock_timestamp() returning 1) select count(*) from slept";
    world.database.number(slept).await.unwrap();
    assert!(world.claim(1).await.is_empty());
    lanes::tidy(&world.worker).await.unwrap();
    assert_eq!(world.claim_one().await.id, id);
}

#[tokio::test]
async fn a_key_that_nobody_came_back_with_leaves_nothing() {
    let world = World::new().await;
    let keyed = |key: &str| NewJob { concurrency_key: Some(key.into()), ..probe() };
    for key in ["gone", "scheduled"] {
        world.enqueue(keyed(key)).await;
        let job = world.claim_one().await;
        world.settle(&job, done()).await;
    }
    let later = chrono::Utc::now() + chrono::Duration::days(30);
    world.enqueue(NewJob { scheduled_at: later, ..keyed("scheduled") }).await;
    world.enqueue(probe()).await;
    lanes::tidy(&world.worker).await.unwrap();
    let aged = "with aged as (update lane set asleep_since = asleep_since - interval '25 h' returning 1)
                select count(*) from aged";
    world.database.number(aged).await.unwrap();
    lanes::tidy(&world.worker).await.unwrap();
    let left = |key: &str| format!("select count(*) from lane where key = '{key}'");
    for (key, lanes) in [("gone", 0), ("scheduled", 1), ("", 1)] {
        assert_eq!(world.database.number(&left(key)).await.unwrap(), lanes, "{key:?}");
    }
}
