//! What rules for alerts look at, when they turn, and who is told.

use chrono::Utc;
use jobs::{JobId, Measure, PartyId, Queue};
use store::{
    alerts::{self, NewRule, Put, Rule, RuleState},
    enqueue::NewJob,
    matches::{self, Decided},
    pauses::{self, Scope},
    presence::{self, Presence},
};

use crate::{
    matching::{decide, request, wanted},
    world::{World, done, probe},
};

const RULES_MAX: i64 = 50;

/// A rule that turns at once.
fn rule(name: &str, measure: Measure, threshold: i32) -> NewRule {
    NewRule {
        name: name.into(),
        measure,
        queue: None,
        kind: None,
        threshold,
        window_s: 600,
        fire_after_s: 0,
        resolve_after_s: 0,
        recipients: Vec::new(),
        by: "test".into(),
    }
}

impl World {
    async fn watch(&self, new: &NewRule) {
        let put = alerts::put(&self.api, self.tenant, new, RULES_MAX).await.unwrap();
        assert!(matches!(put, Put::Done(_)), "{put:?}");
    }

    /// The only rule, after workers have looked: what was measured, and how it stands.
    async fn looked(&self) -> (Option<i64>, RuleState) {
        alerts::look(&self.worker, None).await.unwrap();
        let rules = alerts::list(&self.api, self.tenant).await.unwrap();
        assert_eq!(rules.len(), 1, "{rules:?}");
        (rules[0].value, rules[0].state())
    }

    /// As if `job` had been able to run for ten minutes.
    async fn waited(&self, job: JobId) {
        let sql =
            format!("update job set scheduled_at = now() - interval '10 min' where id = '{}'", job.as_uuid());
        self.database.execute(&sql).await.unwrap();
    }

    /// So many attempts in one minute, that many minutes ago.
    async fn went(&self, minutes_ago: i32, completed: i32, failed: i32, discarded: i32) {
        let sql = format!(
            "insert into work_minute (tenant_id, minute, queue, kind, completed, failed, discarded, wait_ms, run_ms)
             values ('{}', date_trunc('minute', now()) - {minutes_ago} * interval '1 min', 'default', 'probe.work',
                 {completed}, {failed}, {discarded}, '{{}}', '{{}}')",
            self.tenant.as_uuid()
        );
        self.database.execute(&sql).await.unwrap();
    }
}

#[tokio::test]
async fn a_queue_is_late_until_its_first_job_begins_and_both_is_told() {
    let world = World::new().await;
    let tenant = world.tenant.as_uuid();
    let party = PartyId::new();
    for sql in [
        format!(
            "insert into webhook_endpoint (id, tenant_id, url, event_types, secret, created_by)
             values (gen_random_uuid(), '{tenant}', 'https://example.com/', '{{*}}', 'x', 'x')"
        ),
        format!(
            "insert into party (id, tenant_id, name, locale) values ('{}', '{tenant}', 'Ada', 'en')",
            party.as_uuid()
        ),
    ] {
        world.database.execute(&sql).await.unwrap();
    }
    world.watch(&NewRule { recipients: vec![party], ..rule("late", Measure::QueueAge, 300) }).await;
    assert_eq!(world.looked().await, (Some(0), RuleState::Quiet));
    let job = world.enqueue(probe()).await;
    assert_eq!(world.looked().await.1, RuleState::Quiet, "it has just come");
    world.waited(job).await;
    let (value, state) = world.looked().await;
    assert!(value.unwrap() >= 600 && state == RuleState::Firing, "{value:?} {state:?}");
    let found = alerts::alerts(&world.api, world.tenant, None, 10).await.unwrap();
    assert_eq!((found.len(), found[0].rule.as_str(), found[0].resolved_at), (1, "late", None));
    assert_eq!(found[0].recipients(), [party]);
    assert_eq!(world.looked().await.1, RuleState::Firing, "and is not told again");

    let claimed = world.claim(10).await;
    assert!(claimed.iter().any(|claimed| claimed.id == job));
    assert_eq!(world.looked().await, (Some(0), RuleState::Quiet));
    let alert = alerts::alert(&world.api, world.tenant, found[0].id()).await.unwrap().unwrap();
    assert!(alert.resolved_at.is_some() && alert.worst >= alert.value, "{alert:?}");
    let told = "select jsonb_agg(type order by created_at, id) from webhook_message";
    assert_eq!(
        world.database.json(told).await.unwrap(),
        serde_json::json!(["alert.firing", "alert.resolved"])
    );
    let jobs = "select count(*) from job where kind = 'alert.send'";
    assert_eq!(world.database.number(jobs).await.unwrap(), 2);

    let other = world.tenant("other").await;
    assert!(alerts::list(&world.api, other).await.unwrap().is_empty());
    assert!(alerts::alerts(&world.api, other, None, 10).await.unwrap().is_empty());
    assert!(alerts::alert(&world.api, other, alert.id()).await.unwrap().is_none());
    assert_eq!(alerts::prune(&world.worker, Utc::now().date_naive()).await.unwrap(), 0);
    let tomorrow = Utc::now().date_naive() + chrono::Days::new(1);
    assert_eq!(alerts::prune(&world.worker, tomorrow).await.unwrap(), 1);
}

#[tokio::test]
async fn what_was_promised_is_late_when_the_promise_is_and_what_is_paused_never() {
    let world = World::new().await;
    world.watch(&rule("late", Measure::QueueAge, 300)).await;
    let promised = world.enqueue(NewJob { promise_s: Some(3_600), ..probe() }).await;
    world.waited(promised).await;
    assert_eq!(world.looked().await, (Some(0), RuleState::Quiet), "there is most of an hour left");
    world.database.execute("update job set due_at = now() - interval '6 min'").await.unwrap();
    let (value, _) = world.looked().await;
    assert!((360..420).contains(&value.unwrap()), "{value:?}");

    let scope = Scope { queue: Some(Queue::Default), kind: None };
    pauses::pause(&world.api, Some(world.tenant), &scope, "x", "x", None).await.unwrap();
    assert_eq!(world.looked().await, (Some(0), RuleState::Quiet));
    world.watch(&NewRule { queue: Some(Queue::Media), ..rule("late", Measure::QueueAge, 300) }).await;
    assert_eq!(world.looked().await.0, Some(0), "and nothing waits elsewhere");
}

#[tokio::test]
async fn more_goes_wrong_than_the_day_before() {
    let world = World::new().await;
    world.watch(&rule("failing", Measure::ErrorRate, 10)).await;
    world.went(1, 9, 10, 0).await;
    assert_eq!(world.looked().await.0, Some(0), "nineteen attempts tell nothing");
    world.went(3, 9, 12, 0).await;
    assert_eq!(world.looked().await, (Some(55), RuleState::Firing));
    world.went(60, 50, 50, 0).await;
    assert_eq!(world.looked().await, (Some(5), RuleState::Quiet), "half of it always goes wrong");
    world
        .watch(&NewRule { kind: Some("media.scan".into()), ..rule("failing", Measure::ErrorRate, 10) })
        .await;
    assert_eq!(world.looked().await.0, Some(0));
}

#[tokio::test]
async fn what_is_given_up_and_who_falls_silent_is_counted() {
    let world = World::new().await;
    world.watch(&rule("dead", Measure::DeadLetters, 3)).await;
    world.went(2, 0, 2, 2).await;
    world.went(30, 0, 9, 9).await;
    assert_eq!(world.looked().await, (Some(2), RuleState::Quiet), "the rest is longer ago");
    world.went(1, 0, 1, 1).await;
    assert_eq!(world.looked().await, (Some(3), RuleState::Firing));

    assert!(alerts::remove(&world.api, world.tenant, "dead").await.unwrap());
    assert!(!alerts::remove(&world.api, world.tenant, "dead").await.unwrap());
    let found = alerts::alerts(&world.api, world.tenant, None, 10).await.unwrap();
    assert!(found[0].resolved_at.is_some(), "what a rule found ends with it");

    world.watch(&rule("gone", Measure::SilentWorkers, 1)).await;
    let listens_to = &[(Queue::Default, 8)];
    let myself = Presence {
        worker: "w1",
        host: "here",
        version: "1",
        listens_to,
        memory_bytes: None,
        reaches_redis: true,
    };
    presence::here(&world.worker, myself).await.unwrap();
    assert_eq!(world.looked().await, (Some(0), RuleState::Quiet));
    world.database.execute("update worker set seen_at = now() - interval '1 min'").await.unwrap();
    assert_eq!(world.looked().await, (Some(1), RuleState::Firing));
    world.watch(&NewRule { queue: Some(Queue::Media), ..rule("gone", Measure::SilentWorkers, 1) }).await;
    assert_eq!(world.looked().await, (Some(0), RuleState::Quiet), "it never listened there");
    presence::gone(&world.worker, "w1").await.unwrap();
}

#[tokio::test]
async fn a_visit_without_anybody_is_told_of_until_it_is_called_off_or_over() {
    let world = World::new().await;
    world.watch(&rule("nobody", Measure::NeedsDispatch, 1)).await;
    let id = request(&world, wanted()).await;
    assert_eq!(world.looked().await, (Some(0), RuleState::Quiet), "somebody is looked for");
    assert_eq!(decide(&world, id, 1, 900).await, Decided::Nobody);
    assert_eq!(world.looked().await, (Some(1), RuleState::Firing));
    assert!(matches!(
        matches::cancel(&world.api, world.tenant, id).await.unwrap(),
        matches::Cancelled::Done(_)
    ));
    assert_eq!(world.looked().await, (Some(0), RuleState::Quiet));

    let late = request(&world, wanted()).await;
    assert_eq!(decide(&world, late, 1, 900).await, Decided::Nobody);
    assert_eq!(world.looked().await.1, RuleState::Firing);
    let over = "update match_request set visit = jsonb_set(visit, '{during,until}', to_jsonb(now() - interval '1 min'))";
    world.database.execute(over).await.unwrap();
    assert_eq!(world.looked().await, (Some(0), RuleState::Quiet), "nobody can come any more");

    let other = world.tenant("other").await;
    let theirs = format!(
        "update match_request set tenant_id = '{}', visit = jsonb_set(visit, '{{during,until}}', to_jsonb(now() + interval '1 h'))",
        other.as_uuid()
    );
    world.database.execute(&theirs).await.unwrap();
    assert_eq!(world.looked().await, (Some(0), RuleState::Quiet), "it is another house's");
}

#[tokio::test]
async fn nobody_is_told_before_it_has_lasted() {
    let world = World::new().await;
    let lasting = NewRule { fire_after_s: 60, resolve_after_s: 60, ..rule("late", Measure::QueueAge, 300) };
    world.watch(&lasting).await;
    let job = world.enqueue(probe()).await;
    world.waited(job).await;
    assert_eq!(world.looked().await.1, RuleState::Pending);
    let later = "update alert_rule set turning_since = turning_since - interval '1 min'";
    world.database.execute(later).await.unwrap();
    assert_eq!(world.looked().await.1, RuleState::Firing);
    let claimed = world.claim_one().await;
    assert_eq!(world.looked().await.1, RuleState::Resolving);
    world.settle(&claimed, done()).await;
    world.database.execute(later).await.unwrap();
    assert_eq!(world.looked().await.1, RuleState::Quiet);
}

#[tokio::test]
async fn rules_are_bounded_and_all_of_them_are_looked_at() {
    let world = World::new().await;
    let put = async |name: &str, most| {
        alerts::put(&world.api, world.tenant, &rule(name, Measure::DeadLetters, 1), most).await.unwrap()
    };
    for number in 0..25 {
        assert!(matches!(put(&format!("rule-{number:02}"), 25).await, Put::Done(_)));
    }
    assert_eq!(put("one-more", 25).await, Put::TooMany);
    assert!(matches!(put("rule-07", 25).await, Put::Done(_)), "in place of the one that is there");
    let stranger = NewRule { recipients: vec![PartyId::new()], ..rule("x", Measure::DeadLetters, 1) };
    assert_eq!(alerts::put(&world.api, world.tenant, &stranger, RULES_MAX).await.unwrap(), Put::NoParty);

    let first = alerts::look(&world.worker, None).await.unwrap();
    assert_eq!(first.looked, 20);
    let second = alerts::look(&world.worker, first.next).await.unwrap();
    assert_eq!((second.looked, second.next), (5, None));
    let rules: Vec<Rule> = alerts::list(&world.api, world.tenant).await.unwrap();
    assert!(rules.iter().all(|rule| rule.looked_at.is_some() && rule.updated_by == "test"));
}
