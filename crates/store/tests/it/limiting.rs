//! Limits and pauses: never exceeded, nothing leaked, whoever dies.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{TimeDelta, Utc};
use jobs::{JobId, Queue, State};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use store::{
    claim::{self, Claimed, Pick},
    enqueue::NewJob,
    limits::{self, Algorithm, Limit, Rate},
    pauses::{self, Scope},
    release, rescue, settle,
    verdict::{Settle, Verdict},
    why,
};

use crate::world::{LEASE, NO_LEASE, World, done, probe, retry_now};

fn keyed(key: &str) -> NewJob {
    NewJob { concurrency_key: Some(key.to_owned()), ..probe() }
}

fn concurrency(name: &str, most: u32) -> Limit {
    let none = None::<String>;
    Limit {
        name: name.into(),
        queue: none.clone(),
        kind: none.clone(),
        key: none,
        concurrency: Some(most),
        rate: None,
    }
}

fn rate(name: &str, rate: Rate) -> Limit {
    Limit { rate: Some(rate), concurrency: None, ..concurrency(name, 1) }
}

impl World {
    async fn limit(&self, limit: Limit) {
        assert!(limits::set(&self.api, self.tenant, &limit, "tester", 100).await.unwrap());
    }

    async fn fill(&self, jobs: usize, new: impl Fn(usize) -> NewJob) -> Vec<JobId> {
        let new: Vec<NewJob> = (0..jobs).map(new).collect();
        self.enqueue_all(self.tenant, &new).await;
        new.iter().map(|job| job.id).collect()
    }

    /// Settles one job of a lease whose others go on.
    async fn ends(&self, job: &Claimed, verdict: Verdict) -> bool {
        !settle::settle(&self.worker, &[Settle::of(job, verdict)], &[]).await.unwrap().is_empty()
    }

    /// Running jobs by concurrency key, from the leases alone: not the way the claim counts.
    async fn running_with(&self, key: &str) -> i64 {
        self.database
            .number(&format!(
                "select count(*) from lease cross join lateral unnest(lease.job_ids, lease.fences) as h (id, fence)
                 join job on job.id = h.id and job.fence = h.fence join lane on lane.id = job.lane_id
                 where '{key}' in ('', lane.key)"
            ))
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn no_more_run_at_once_than_a_limit_allows_and_an_end_makes_room() {
    let world = World::new().await;
    world.limit(concurrency("all", 3)).await;
    world.fill(10, |_| probe()).await;
    let held = world.claim(10).await;
    assert_eq!(held.len(), 3);
    assert!(held.iter().all(|job| job.limited));
    assert!(world.claim(10).await.is_empty());
    assert_eq!(
        release::waiting(&world.worker).await.unwrap()[0].jobs,
        0,
        "no ticket rings for what is held back"
    );
    assert!(world.ends(&held[0], done()).await);
    assert!(world.ends(&held[1], retry_now()).await);
    assert_eq!(world.claim(10).await.len(), 2);
    assert!(limits::remove(&world.api, world.tenant, "all").await.unwrap());
    assert_eq!(world.claim(10).await.len(), 5);
}

#[tokio::test]
async fn each_key_has_its_own_line() {
    let world = World::new().await;
    world.limit(Limit { key: Some("customer/*".into()), ..concurrency("one-each", 1) }).await;
    world.fill(30, |n| keyed(&format!("customer/{}", n % 3))).await;
    world.fill(5, |_| keyed("other")).await;
    let held = world.claim(50).await;
    let mut running = BTreeMap::new();
    for job in &held {
        *running.entry(job.limited).or_insert(0) += 1;
    }
    assert_eq!(running, BTreeMap::from([(true, 3), (false, 5)]), "a key that is full holds back no other");
}

#[tokio::test]
async fn claims_at_the_same_time_do_not_exceed_a_limit_across_queues() {
    let world = Arc::new(World::new().await);
    world.limit(concurrency("everything", 5)).await;
    for queue in [Queue::Default, Queue::Media, Queue::MediaBulk] {
        world.fill(40, |_| NewJob { queue, ..probe() }).await;
    }
    let claims = (0..24).map(|n| {
        let world = world.clone();
        tokio::spawn(async move {
            let queue = Queue::ALL[n % 3];
            claim::claim(&world.worker, queue, Pick::Regular, 2, "w", LEASE).await.unwrap().len()
        })
    });
    let taken = futures::future::join_all(claims).await;
    assert_eq!(taken.into_iter().map(Result::unwrap).sum::<usize>(), 5);
}

#[tokio::test]
async fn a_bucket_lets_its_burst_go_and_then_its_rate() {
    let world = World::new().await;
    let slow = Rate { algorithm: Algorithm::Bucket, count: 1, period_s: 3_600.0, burst: 4 };
    world.limit(rate("slowly", slow)).await;
    world.fill(10, |_| probe()).await;
    assert_eq!(world.claim(3).await.len(), 3);
    assert_eq!(world.claim(10).await.len(), 1);
    assert!(world.claim(10).await.is_empty());
    let ready_in = release::waiting(&world.worker).await.unwrap()[0].ready_in.unwrap();
    assert!((3_500..=3_600).contains(&ready_in.as_secs()), "{ready_in:?}");
    // What the bucket holds is in the ledger: an hour later one more may begin.
    let hour = "with aged as (update bucket set filled_at = filled_at - interval '1 h' returning 1) select count(*) from aged";
    assert_eq!(world.database.number(hour).await.unwrap(), 1);
    assert_eq!(world.claim(10).await.len(), 1);
}

#[tokio::test]
async fn a_limit_that_is_full_for_another_reason_than_its_rate_is_not_asked_again_at_once() {
    let world = World::new().await;
    let fast = Rate { algorithm: Algorithm::Bucket, count: 1, period_s: 3_600.0, burst: 10 };
    world.limit(Limit { concurrency: Some(1), ..rate("both", fast) }).await;
    world.fill(5, |_| probe()).await;
    assert_eq!(world.claim(5).await.len(), 1);
    let waiting = async || release::waiting(&world.worker).await.unwrap().remove(0);
    let held = waiting().await;
    assert_eq!((held.jobs, held.ready_in), (0, None), "there are tokens left: the end of a job says when");
    // Two lanes under one rate: what the first takes of it, the second need not wait for by the clock.
    let world = World::new().await;
    let tokens = Rate { algorithm: Algorithm::Bucket, count: 1, period_s: 3_600.0, burst: 2 };
    world.limit(rate("shared", tokens)).await;
    world.fill(4, |at| keyed(if at % 2 == 0 { "a" } else { "b" })).await;
    let held = release::waiting(&world.worker).await.unwrap().remove(0);
    assert_eq!((held.jobs, held.ready_in), (2, None));
}

#[tokio::test]
async fn what_is_left_of_a_rate_is_forgotten_when_it_is_whole_again() {
    let world = World::new().await;
    let slow = Rate { algorithm: Algorithm::Bucket, count: 1, period_s: 60.0, burst: 4 };
    world.limit(rate("slowly", slow)).await;
    world.fill(1, |_| probe()).await;
    world.claim(1).await;
    let left = async || {
        store::housekeeping::forget_expired(&world.worker).await.unwrap();
        world.database.number("select count(*) from bucket").await.unwrap()
    };
    assert_eq!(left().await, 1, "a minute has not passed");
    world.database.execute("update bucket set filled_at = filled_at - interval '239 s'").await.unwrap();
    assert_eq!(left().await, 1, "nor four");
    world.database.execute("update bucket set filled_at = filled_at - interval '2 s'").await.unwrap();
    assert_eq!(left().await, 0);
}

#[tokio::test]
async fn a_window_lets_its_count_go_and_begins_anew() {
    let world = World::new().await;
    let hourly = Rate { algorithm: Algorithm::Window, count: 3, period_s: 2_678_400.0, burst: 3 };
    world.limit(rate("monthly", hourly)).await;
    world.fill(10, |_| probe()).await;
    assert_eq!(world.claim(10).await.len(), 3);
    assert!(world.claim(10).await.is_empty());
    let past = "with aged as (update bucket set filled_at = filled_at - interval '31 d' returning 1) select count(*) from aged";
    assert_eq!(world.database.number(past).await.unwrap(), 1);
    assert_eq!(world.claim(10).await.len(), 3);
}

#[tokio::test]
async fn pauses_hold_what_they_name_until_they_are_over() {
    let world = World::new().await;
    let other = world.tenant("other").await;
    let mine = world.enqueue(probe()).await;
    let theirs = probe();
    world.enqueue_all(other, std::slice::from_ref(&theirs)).await;
    let pause = |scope: Scope, until| {
        let (api, tenant) = (world.api.clone(), world.tenant);
        async move { pauses::pause(&api, Some(tenant), &scope, "stock-taking", "ann", until).await.unwrap() }
    };
    let kind = |kind: &str| Scope { kind: Some(kind.into()), ..Scope::default() };
    let queue = |queue| Scope { queue: Some(queue), ..Scope::default() };

    let paused = pause(kind("probe.work"), None).await;
    pause(kind("media.rendition"), None).await;
    pause(queue(Queue::Media), None).await;
    assert_eq!(world.claim(5).await.iter().map(|job| job.id).collect::<Vec<_>>(), [theirs.id]);
    assert!(pauses::resume(&world.api, world.tenant, paused).await.unwrap());
    assert!(!pauses::resume(&world.api, world.tenant, paused).await.unwrap());
    assert_eq!(world.claim_one().await.id, mine);

    let next = world.enqueue(probe()).await;
    pause(Scope::default(), Some(Utc::now() + TimeDelta::hours(1))).await;
    assert!(world.claim(5).await.is_empty());
    pause(Scope::default(), Some(Utc::now() - TimeDelta::seconds(1))).await;
    assert_eq!(world.claim_one().await.id, next);
    assert_eq!(pauses::forget_expired(&world.worker).await.unwrap(), 1);

    let last = world.enqueue(probe()).await;
    let all =
        pauses::pause(&world.owner, None, &queue(Queue::Default), "moving house", "ops", None).await.unwrap();
    assert!(world.claim(5).await.is_empty());
    assert!(
        !pauses::resume(&world.api, world.tenant, all).await.unwrap(),
        "a tenant ended everybody's pause"
    );
    let seen = pauses::list(&world.api, world.tenant).await.unwrap();
    assert!(seen.iter().any(|pause| pause.whole_installation && pause.reason == "moving house"));
    assert!(pauses::resume_for_all(&world.owner, all).await.unwrap());
    assert_eq!(world.claim_one().await.id, last);
}

#[tokio::test]
async fn why_names_the_pause_the_limit_and_the_line() {
    let world = World::new().await;
    world.limit(concurrency("two", 2)).await;
    let jobs = world.fill(6, |_| probe()).await;
    let held = world.claim(10).await;
    let scope = Scope { kind: Some("probe.work".into()), ..Scope::default() };
    pauses::pause(&world.api, Some(world.tenant), &scope, "audit", "ann", None).await.unwrap();
    let facts = why::facts(&world.api, world.tenant, jobs[4]).await.unwrap().unwrap();
    assert!(facts.available && facts.passed == Some(false));
    assert_eq!((facts.ahead_in_line, facts.workers), (2, 0));
    assert_eq!(facts.pauses[0].reason, "audit");
    let limit = &facts.limits[0];
    assert!(limit.is_exhausted());
    assert_eq!((limit.running, limit.concurrency), (Some(2), Some(2)));
    let mut holders = limit.holders();
    holders.sort();
    let mut running: Vec<JobId> = held.iter().map(|job| job.id).collect();
    running.sort();
    assert_eq!(holders, running);
    let stranger = world.tenant("stranger").await;
    assert!(why::facts(&world.api, stranger, jobs[4]).await.unwrap().is_none());
}

/// Random claims, ends, deaths and rescues: at no moment do more run than the limits allow, and in the end all are done.
#[tokio::test]
async fn limits_hold_through_deaths_and_leak_nothing() {
    for seed in 0..3 {
        let world = World::new().await;
        let mut rng = StdRng::seed_from_u64(seed);
        world.limit(concurrency("tenant", 6)).await;
        world.limit(Limit { key: Some("k*".into()), ..concurrency("key", 2) }).await;
        let keys = ["k1", "k2", "k3"];
        let all = world.fill(60, |n| keyed(keys[n % 3])).await;
        let mut held: Vec<Claimed> = Vec::new();
        for _ in 0..150 {
            match rng.random_range(0..6) {
                0..=2 => {
                    let pick =
                        *[Pick::Regular, Pick::Regular, Pick::Suspect, Pick::Alone].choose(&mut rng).unwrap();
                    let ttl = if rng.random_bool(0.3) { NO_LEASE } else { LEASE };
                    let wanted = rng.random_range(1..5);
                    held.extend(
                        claim::claim(&world.worker, Queue::Default, pick, wanted, "w", ttl).await.unwrap(),
                    );
                }
                3 | 4 if !held.is_empty() => {
                    let job = held.swap_remove(rng.random_range(0..held.len()));
                    world.ends(&job, if rng.random_bool(0.7) { done() } else { retry_now() }).await;
                }
                _ => drop(rescue::rescue(&world.worker, rescue::From::Anyone).await.unwrap()),
            }
            release::promote_due(&world.worker).await.unwrap();
            assert!(world.running_with("").await <= 6, "seed {seed}: the tenant's limit was exceeded");
            for key in keys {
                assert!(world.running_with(key).await <= 2, "seed {seed}: the limit of {key} was exceeded");
            }
        }
        for job in held {
            world.ends(&job, done()).await;
        }
        for _ in 0..200 {
            rescue::rescue(&world.worker, rescue::From::Anyone).await.unwrap();
            release::promote_due(&world.worker).await.unwrap();
            for pick in [Pick::Regular, Pick::Suspect, Pick::Alone] {
                for job in claim::claim(&world.worker, Queue::Default, pick, 9, "w", LEASE).await.unwrap() {
                    world.ends(&job, done()).await;
                }
            }
        }
        for job in all {
            let state = world.state(job).await;
            assert!(matches!(state, State::Completed | State::Discarded), "seed {seed}: {job} is {state}");
        }
    }
}
