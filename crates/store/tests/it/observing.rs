//! What people see of the last hour: sums, queues, failures.

use chrono::{TimeDelta, Utc};
use jobs::{Queue, UserId, failure::Problem};
use store::{
    limits,
    observing::{self, HISTOGRAM_STEPS_MS},
    presence::{self, Presence},
    users::{self, UserRole},
    verdict::Verdict,
    weights,
};

use crate::world::{World, done, probe};

fn failed(code: &str, message: &str) -> Verdict {
    Verdict::Discarded { problem: Problem::new(code, message) }
}

/// As if everything had happened some minutes ago.
async fn earlier(world: &World) {
    world.database.execute("update tenant set created_at = created_at - interval '1 hour'").await.unwrap();
    world
        .database
        .execute(
            "update attempt set finished_at = finished_at - interval '3 min', started_at = started_at - interval '3 min',
                scheduled_at = scheduled_at - interval '3 min'",
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn a_minute_that_is_over_is_summed_up_once() {
    let world = World::new().await;
    for verdict in [done(), done(), failed("trouble", "x")] {
        world.enqueue(probe()).await;
        let job = world.claim_one().await;
        assert!(world.settle(&job, verdict).await);
    }
    earlier(&world).await;
    let ran = "update attempt set started_at = finished_at - interval '4.2 s'";
    world.database.execute(ran).await.unwrap();
    while observing::sum_up(&world.worker, 10).await.unwrap() > 0 {}
    assert_eq!(observing::sum_up(&world.worker, 10).await.unwrap(), 0, "nothing is left");
    let since = Utc::now() - TimeDelta::hours(1);
    let minutes = observing::minutes(&world.api, world.tenant, since).await.unwrap();
    let sum = |of: fn(&observing::Minute) -> i32| minutes.iter().map(of).sum::<i32>();
    assert_eq!((sum(|m| m.completed), sum(|m| m.failed), sum(|m| m.discarded)), (2, 1, 1));
    assert!(minutes.iter().all(|m| m.queue == "default" && m.kind == "probe.work"));
    assert!(minutes.iter().all(|m| m.run_ms.len() == HISTOGRAM_STEPS_MS.len() + 1));
    assert_eq!(
        minutes.iter().flat_map(|m| &m.run_ms).sum::<i32>(),
        3,
        "each is in one place of the histogram"
    );
    let held = "select sum(slot_ms)::bigint from work_minute";
    assert_eq!(
        world.database.number(held).await.unwrap(),
        3 * 4_200,
        "each held its slot for as long as it ran"
    );
    let steps = world.database.json("select to_json(histogram_steps())").await.unwrap();
    assert_eq!(steps, serde_json::json!(HISTOGRAM_STEPS_MS));

    let other = world.tenant("other").await;
    assert!(observing::minutes(&world.api, other, since).await.unwrap().is_empty());
    let later = Utc::now().date_naive() + chrono::Days::new(30);
    assert!(observing::forget_sums(&world.worker, later).await.unwrap() > 0);
}

#[tokio::test]
async fn workers_tell_whether_redis_answers_and_are_missed_when_they_fall_silent() {
    let world = World::new().await;
    let says = async |worker, reaches_redis| {
        let listens_to = &[(Queue::Default, 8)];
        let myself =
            Presence { worker, host: "den", version: "1", listens_to, memory_bytes: None, reaches_redis };
        presence::here(&world.worker, myself).await.unwrap();
        observing::workers(&world.api).await.unwrap()
    };
    let seen = says("w1", true).await;
    assert_eq!((seen.here, seen.silent, seen.without_redis, seen.redis_lost_at), (1, 0, 0, None));
    let lost = says("w1", false).await;
    assert_eq!((lost.here, lost.without_redis, lost.redis_lost_at.is_some()), (1, 1, true));
    let still = says("w1", false).await;
    assert_eq!(still.redis_lost_at, lost.redis_lost_at, "the time is that of the first beat without it");
    assert_eq!(says("w1", true).await, seen);

    says("w2", false).await;
    world
        .database
        .execute("update worker set seen_at = now() - interval '1 min' where name = 'w2'")
        .await
        .unwrap();
    let silent = observing::workers(&world.api).await.unwrap();
    assert_eq!((silent.here, silent.silent, silent.without_redis), (1, 1, 0));
    world.database.execute("update worker set seen_at = now() - interval '1 hour'").await.unwrap();
    assert_eq!(observing::workers(&world.api).await.unwrap().silent, 0, "that is long ago");
}

#[tokio::test]
async fn queues_tell_what_waits_and_who_listens() {
    let world = World::new().await;
    for _ in 0..3 {
        world.enqueue(probe()).await;
    }
    world.claim_one().await;
    let listens_to = &[(Queue::Default, 8)];
    let myself = Presence {
        worker: "w1",
        host: "den",
        version: "1.0+abc",
        listens_to,
        memory_bytes: Some(4096),
        reaches_redis: true,
    };
    assert!(!presence::here(&world.worker, myself).await.unwrap());
    let queues = observing::queues(&world.api, world.tenant).await.unwrap();
    assert_eq!(queues.len(), 1);
    assert_eq!((queues[0].queue.as_str(), queues[0].waiting, queues[0].running), ("default", 2, 1));
    assert!(queues[0].oldest_at.is_some());
    let heard = observing::listeners(&world.api).await.unwrap();
    assert_eq!((heard[0].queue.as_str(), heard[0].workers, heard[0].slots), ("default", 1, 8));
    let other = world.tenant("other").await;
    assert!(observing::queues(&world.api, other).await.unwrap().is_empty());

    let user = UserId::new();
    world
        .owner
        .transact(None, async |tx| users::add(tx, user, "op@acme.test", "Op", "x").await)
        .await
        .unwrap();
    let shares =
        async |most| observing::shares(&world.api, user, TimeDelta::minutes(15), most).await.unwrap();
    assert!(shares(10).await.is_empty());
    world
        .owner
        .transact(None, async |tx| users::grant(tx, user, None, UserRole::Viewer, false).await)
        .await
        .unwrap();
    let found = shares(10).await;
    assert_eq!((found[0].slug.as_str(), found[0].oldest_at.is_some()), ("acme", true));
    assert_eq!((found[0].shares_in_all, found[0].starving_in_all), (1, 0));
    world
        .database
        .execute("insert into share (tenant_id, queue) select id, 'default' from tenant where slug = 'other'")
        .await
        .unwrap();
    world.database.execute("update job set scheduled_at = now() - interval '20 min'").await.unwrap();
    let found = shares(1).await;
    assert_eq!((found.len(), found[0].slug.as_str()), (1, "acme"), "who waits comes first");
    assert_eq!((found[0].shares_in_all, found[0].starving_in_all), (2, 1), "and all are counted");
}

#[tokio::test]
async fn kinds_tell_what_waits_and_what_runs() {
    let world = World::new().await;
    for _ in 0..3 {
        world.enqueue(probe()).await;
    }
    world.claim_one().await;
    let kinds = async |tenant| observing::kinds(&world.api, tenant).await.unwrap();
    let found = kinds(world.tenant).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind.as_str(), found[0].waiting, found[0].running), ("probe.work", 2, 1));
    assert!(found[0].oldest_at.is_some());
    while !world.claim(10).await.is_empty() {}
    let found = kinds(world.tenant).await;
    assert_eq!((found[0].waiting, found[0].running, found[0].oldest_at), (0, 3, None));
    assert!(kinds(world.tenant("other").await).await.is_empty());
}

#[tokio::test]
async fn how_long_tenants_waited_is_for_those_who_watch_all_of_it() {
    let world = World::new().await;
    world
        .database
        .execute(
            "insert into work_minute (tenant_id, minute, queue, kind, completed, failed, discarded, wait_ms, run_ms, slot_ms)
             select id, now() - n * interval '10 min', 'default', 'kind.' || n, 3, 0, 0,
                 array[n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], '{}', 1000 * n from tenant, generate_series(1, 3) n",
        )
        .await
        .unwrap();
    let user = UserId::new();
    world
        .owner
        .transact(None, async |tx| users::add(tx, user, "op@acme.test", "Op", "x").await)
        .await
        .unwrap();
    let since = Utc::now() - TimeDelta::minutes(25);
    let waited = async |slugs: &[&str]| observing::waited(&world.api, user, slugs, since).await.unwrap();
    assert!(waited(&["acme"]).await.is_empty());
    world
        .owner
        .transact(None, async |tx| users::grant(tx, user, None, UserRole::Viewer, false).await)
        .await
        .unwrap();
    let found = waited(&["acme", "nobody"]).await;
    assert_eq!((found.len(), found[0].slug.as_str(), found[0].queue.as_str()), (1, "acme", "default"));
    assert_eq!(found[0].wait_ms, [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4], "of two minutes");
    assert_eq!(found[0].slot_ms, 3_000);
    assert!(waited(&["nobody"]).await.is_empty());
}

#[tokio::test]
async fn failures_are_found_by_their_words_and_grouped() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for (code, message) in [
        ("timeout", "the printer did not answer"),
        ("timeout", "the scanner did not answer"),
        ("odd", "it's 100% <odd>"),
    ] {
        ids.push(world.enqueue(probe()).await);
        let job = world.claim_one().await;
        assert!(world.settle(&job, failed(code, message)).await);
    }
    let find = async |words: &str| {
        observing::failures_with(&world.api, world.tenant, words, None, 10).await.unwrap()
    };
    assert_eq!(find("printer").await, [ids[0]]);
    assert_eq!(find("answer").await, [ids[1], ids[0]], "the newest first");
    assert_eq!(find("answer -printer").await, [ids[1]]);
    assert!(find("nobody said this").await.is_empty());
    assert!(find("'; drop table job; --").await.is_empty() && find("&|!(").await.is_empty());
    let before =
        observing::failures_with(&world.api, world.tenant, "answer", Some(ids[1]), 10).await.unwrap();
    assert_eq!(before, [ids[0]]);
    let other = world.tenant("other").await;
    assert!(observing::failures_with(&world.api, other, "answer", None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_share_is_weighed_otherwise_for_a_while() {
    let world = World::new().await;
    let user = UserId::new();
    world
        .owner
        .transact(None, async |tx| {
            users::add(tx, user, "op@acme.test", "Op", "x").await?;
            users::grant(tx, user, None, UserRole::Viewer, false).await
        })
        .await
        .unwrap();
    world.enqueue(probe()).await;
    let weigh = async |weight| {
        weights::for_a_while(&world.api, user, "acme", Queue::Default, weight, 60).await.unwrap()
    };
    assert!(!weigh(3.0).await, "a viewer only looks");
    world
        .owner
        .transact(None, async |tx| users::grant(tx, user, None, UserRole::Operator, false).await)
        .await
        .unwrap();
    assert!(weigh(3.0).await && weigh(0.5).await);
    assert!(!weights::for_a_while(&world.api, user, "acme", Queue::Media, 2.0, 60).await.unwrap());
    let weighed = weights::list(&world.api, user).await.unwrap();
    assert_eq!((weighed.len(), weighed[0].weight, weighed[0].usual_weight), (1, 0.5, 1.0), "not 3");
    assert!(weights::list(&world.api, UserId::new()).await.unwrap().is_empty());
    assert_eq!(weights::end_those_over(&world.worker).await.unwrap(), 0);
    world.database.execute("update share set weight_until = now() - interval '1 s'").await.unwrap();
    assert_eq!(weights::end_those_over(&world.worker).await.unwrap(), 1);
    let usual = "select count(*) from share where weight = 1 and usual_weight is null";
    assert_eq!(world.database.number(usual).await.unwrap(), 1);

    assert!(weigh(2.0).await);
    assert!(weights::as_usual(&world.api, user, "acme", Queue::Default).await.unwrap());
    assert!(!weights::as_usual(&world.api, user, "acme", Queue::Default).await.unwrap(), "it is over");
    assert!(weigh(2.0).await);
    limits::weigh(&world.owner, world.tenant, Queue::Default, 5.0).await.unwrap();
    assert!(weights::list(&world.api, user).await.unwrap().is_empty(), "what is said for good holds");
}
