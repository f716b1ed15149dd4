//! Groups of failures: since when, under which version, and what people said of them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{JobId, Queue, TenantId, UserId, failure::Problem};
use serde_json::json;
use store::{
    audit,
    claim::{Pick, claim},
    error_groups::{self, ErrorGroup, Said},
    observing,
    presence::{self, Presence},
    users::{self, UserRole},
    verdict::Verdict,
};

use crate::world::{World, probe};

/// A job that is given up with this error.
async fn fails(world: &World, code: &str, message: &str) -> JobId {
    let id = world.enqueue(probe()).await;
    let job = world.claim_one().await;
    assert!(world.settle(&job, Verdict::Discarded { problem: Problem::new(code, message) }).await);
    id
}

async fn groups(world: &World) -> Vec<ErrorGroup> {
    of_tenant(world, world.tenant, Utc::now() - TimeDelta::hours(1)).await
}

async fn of_tenant(world: &World, tenant: TenantId, since: DateTime<Utc>) -> Vec<ErrorGroup> {
    error_groups::list(&world.api, tenant, since).await.unwrap()
}

/// As if everything had happened some minutes ago, and that was summed up.
async fn summed_up(world: &World) {
    for sql in [
        "update tenant set created_at = created_at - interval '1 hour'",
        "update attempt set finished_at = finished_at - interval '3 min', started_at = started_at - interval '3 min'
         where finished_at > now() - interval '2 min'",
    ] {
        world.database.execute(sql).await.unwrap();
    }
    while observing::sum_up(&world.worker, observing::MINUTES_MAX).await.unwrap() > 0 {}
}

#[tokio::test]
async fn failures_are_grouped_by_kind_and_code() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for (code, message) in
        [("timeout", "the printer"), ("timeout", "the scanner"), ("odd", "it's 100% <odd>")]
    {
        ids.push(fails(&world, code, message).await);
    }
    let found = groups(&world).await;
    let said: Vec<_> = found.iter().map(|of| (of.code.as_str(), of.failures, of.given_up)).collect();
    assert_eq!(said, [("odd", 1, 1), ("timeout", 2, 2)], "the latest first");
    assert_eq!((found[1].last_job(), found[1].message.as_deref()), (Some(ids[1]), Some("the scanner")));
    let other = world.tenant("other").await;
    assert!(of_tenant(&world, other, Utc::now() - TimeDelta::hours(1)).await.is_empty());
}

#[tokio::test]
async fn a_group_keeps_since_when_it_is_known_and_under_which_version() {
    let world = World::new().await;
    world
        .database
        .execute(
            "insert into version_seen (version, first_at)
             values ('1.0', now() - interval '1 day'), ('1.1', now() - interval '1 hour'), ('2.0', now() + interval '1 hour')",
        )
        .await
        .unwrap();
    fails(&world, "odd", "once").await;
    assert_eq!(groups(&world).await[0].came_with.as_deref(), Some("1.1"));
    summed_up(&world).await;
    let first_at = groups(&world).await[0].first_at;
    fails(&world, "odd", "twice").await;
    let found = groups(&world).await;
    assert_eq!(
        (found.len(), found[0].failures, found[0].first_at),
        (1, 2, first_at),
        "before it is summed up"
    );
    // As if history had been dropped: what is known stays.
    summed_up(&world).await;
    world.database.execute("delete from attempt").await.unwrap();
    let found = groups(&world).await;
    assert_eq!((found[0].failures, found[0].lately, found[0].first_at), (1, 0, first_at));
    assert_eq!((found[0].last_job(), found[0].message.as_deref()), (None, None));
    assert!(of_tenant(&world, world.tenant, Utc::now()).await.is_empty(), "nothing has failed since");
}

#[tokio::test]
async fn a_group_keeps_under_which_versions_it_was_seen() {
    let world = World::new().await;
    let fails_under = async |worker: &str, version: &str| {
        let listens_to = &[(Queue::Default, 8)];
        let presence =
            Presence { worker, host: "den", version, listens_to, memory_bytes: None, reaches_redis: true };
        presence::here(&world.worker, presence).await.unwrap();
        world.enqueue(probe()).await;
        let lease = Duration::from_mins(1);
        let job =
            claim(&world.worker, Queue::Default, Pick::Regular, 1, worker, lease).await.unwrap().remove(0);
        assert!(world.settle(&job, Verdict::Discarded { problem: Problem::new("odd", "x") }).await);
        presence::gone(&world.worker, worker).await.unwrap();
    };
    let seen = async || {
        let group = groups(&world).await.remove(0);
        let versions = error_groups::versions(&world.api, world.tenant, &group, 10).await.unwrap();
        versions.into_iter().map(|one| (one.version, one.failures, one.first_at)).collect::<Vec<_>>()
    };
    fails_under("old", "1.0").await;
    let before = seen().await;
    assert_eq!((before[0].0.as_str(), before[0].1), ("1.0", 1), "before it is summed up");
    summed_up(&world).await;
    fails_under("old again", "1.0").await;
    fails_under("new", "1.1").await;
    let found = seen().await;
    assert_eq!(
        found.iter().map(|(of, count, _)| (of.as_str(), *count)).collect::<Vec<_>>(),
        [("1.1", 1), ("1.0", 2)]
    );
    assert!(found[1].2 < found[0].2);
    // As if history had been dropped: what was summed up stays.
    summed_up(&world).await;
    world.database.execute("delete from attempt").await.unwrap();
    assert_eq!(seen().await[0], ("1.0".to_owned(), 1, found[1].2));
    let kept = "select count(*) from worker_seen";
    world.database.execute("update worker_seen set first_at = now() - interval '3 days'").await.unwrap();
    fails_under("live", "1.1").await;
    world.database.execute("update work_summed set until = until - interval '1 min'").await.unwrap();
    while observing::sum_up(&world.worker, observing::MINUTES_MAX).await.unwrap() > 0 {}
    assert_eq!(world.database.number(kept).await.unwrap(), 1, "workers of long ago are forgotten");
    let other = world.tenant("other").await;
    let group = groups(&world).await.remove(0);
    assert!(error_groups::versions(&world.api, other, &group, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_mended_comes_back_when_it_fails_again() {
    let world = World::new().await;
    fails(&world, "odd", "once").await;
    let group = groups(&world).await.remove(0);
    assert_eq!((group.said().unwrap(), group.is_back()), (Said::Open, false));
    let say = async |said: Said, note: Option<&'static str>| {
        let noted = json!({ "action": "error.judge", "after": said.name() });
        error_groups::say(&world.api, world.tenant, &group, said, note, "ann@acme.test", Some(&noted))
            .await
            .unwrap();
        groups(&world).await.remove(0)
    };
    let found = say(Said::Resolved, Some("new paper")).await;
    assert_eq!((found.said().unwrap(), found.is_back()), (Said::Resolved, false));
    assert_eq!((found.note.as_deref(), found.said_by.as_deref()), (Some("new paper"), Some("ann@acme.test")));
    fails(&world, "odd", "again").await;
    assert!(groups(&world).await[0].is_back());
    let found = say(Said::Ignored, None).await;
    assert_eq!((found.said().unwrap(), found.is_back(), found.note), (Said::Ignored, false, None));
    fails(&world, "odd", "and again").await;
    assert!(!groups(&world).await[0].is_back(), "what is ignored stays so");
    let log = audit::list(&world.api, world.tenant, None, 10).await.unwrap();
    assert!(log.len() == 2 && log[0].entry.contains("ignored"), "each word is written down: {log:?}");
    let other = world.tenant("other").await;
    assert!(of_tenant(&world, other, Utc::now() - TimeDelta::hours(1)).await.is_empty());
}

#[tokio::test]
async fn a_group_is_given_to_those_who_steer() {
    let world = World::new().await;
    let add = async |email: &str, tenant, role| {
        let user = UserId::new();
        world
            .owner
            .transact(None, async |tx| {
                users::add(tx, user, email, "x", "x").await?;
                users::grant(tx, user, tenant, role, false).await
            })
            .await
            .unwrap();
        user
    };
    let here = Some(world.tenant);
    let ann = add("ann@acme.test", here, UserRole::TenantOperator).await;
    add("bob@acme.test", here, UserRole::Viewer).await;
    add("eve@acme.test", Some(world.tenant("other").await), UserRole::TenantOperator).await;
    let operator = add("op@acme.test", None, UserRole::Operator).await;
    let steering = error_groups::operators(&world.api, world.tenant).await.unwrap();
    assert_eq!(
        steering.iter().map(|one| (one.id(), one.email.as_str())).collect::<Vec<_>>(),
        [(ann, "ann@acme.test")]
    );

    fails(&world, "odd", "once").await;
    let group = groups(&world).await.remove(0);
    for (to, email) in
        [(Some(ann), Some("ann@acme.test")), (Some(operator), Some("op@acme.test")), (None, None)]
    {
        error_groups::assign(&world.api, world.tenant, &group, to, None).await.unwrap();
        let found = groups(&world).await.remove(0);
        assert_eq!((found.assignee_id(), found.assignee.as_deref()), (to, email));
        assert_eq!(found.said().unwrap(), Said::Open);
    }
}

#[tokio::test]
async fn whom_an_error_concerns_is_for_those_who_watch_all() {
    let world = World::new().await;
    let other = world.tenant("other").await;
    for code in ["odd", "odd", "timeout"] {
        fails(&world, code, "once").await;
    }
    summed_up(&world).await;
    world
        .database
        .execute(&format!(
            "insert into error_group (tenant_id, kind, code, failures, first_at, last_at)
             select '{}', kind, code, 5, first_at, last_at from error_group where code = 'odd'",
            other.as_uuid()
        ))
        .await
        .unwrap();
    let add = async |email: &str, tenant| {
        let user = UserId::new();
        let adding = world.owner.transact(None, async |tx| {
            users::add(tx, user, email, "x", "x").await?;
            users::grant(tx, user, tenant, UserRole::Viewer, false).await
        });
        adding.await.unwrap();
        user
    };
    let (ann, bob) = (add("ann@acme.test", None).await, add("bob@acme.test", Some(world.tenant)).await);
    let hour = Utc::now() - TimeDelta::hours(1);
    let odd = groups(&world).await.into_iter().find(|group| group.code == "odd").unwrap();
    let affected =
        async |user, since, most| error_groups::affected(&world.api, user, &odd, since, most).await.unwrap();
    let seen = affected(ann, hour, 10).await;
    let told: Vec<_> = seen.iter().map(|of| (of.slug.as_str(), of.failures, of.in_all)).collect();
    assert_eq!(told, [("other", 5, 2), ("acme", 2, 2)]);
    assert_eq!(affected(ann, hour, 1).await, seen[..1]);
    assert!(affected(ann, Utc::now(), 10).await.is_empty(), "nothing has failed since");
    assert!(affected(bob, hour, 10).await.is_empty(), "others are none of theirs");
}
