//! What operators do beyond one job: errors, bulk operations that have begun, limits, care, workflows, webhooks.

use chrono::{TimeDelta, Utc};
use jobs::UserId;
use serde_json::json;

use crate::world::World;

/// Submits jobs that are given up at once.
async fn fails(world: &World, jobs: usize) {
    for _ in 0..jobs {
        let endings = r#"endings=["discard"]"#;
        assert_eq!(world.crewline(&["submit", "probe.work", "--set", endings, "--wait"]).await.code, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_grouped_and_retried_together() {
    let world = World::working().await;
    assert_eq!(world.done(&["--json", "errors", "list"]).await, "");
    fails(&world, 2).await;
    let groups = world.crewline(&["--json", "errors", "list"]).await.json();
    assert_eq!((groups.len(), &groups[0]["given_up"]), (1, &json!(2)));
    let fingerprint = groups[0]["fingerprint"].as_str().unwrap();
    assert!(world.done(&["errors", "show", fingerprint]).await.contains("probe.work"));
    assert!(world.done(&["errors", "list"]).await.contains(fingerprint));
    let versions = world.crewline(&["--json", "errors", "versions", fingerprint]).await.json();
    assert_eq!((versions.len(), &versions[0]["failures"]), (1, &json!(2)), "{versions:?}");
    let counted = world.crewline(&["--json", "errors", "retry", fingerprint, "--dry-run"]).await.json();
    assert_eq!((&counted[0]["count"], &counted[0]["dry_run"]), (&json!(2), &json!(true)));
    let done = world.crewline(&["--json", "errors", "retry", fingerprint, "--wait"]).await;
    assert_eq!((done.code, &done.json()[0]["changed"]), (0, &json!(2)), "{}", done.err);
    for (command, state) in [("resolve", "resolved"), ("ignore", "ignored"), ("reopen", "open")] {
        let say = ["--json", "errors", command, fingerprint, "--note", "new paper"];
        let said = world.crewline(&say).await.json();
        assert_eq!((&said[0]["state"], &said[0]["note"]), (&json!(state), &json!("new paper")));
    }
    assert_eq!(world.crewline(&["errors", "assign", fingerprint]).await.code, 5, "the key is nobody's");
    let ann = UserId::new();
    let hers = world.key_for(ann).await;
    let assigned = world.crewline_with(&hers, &["--json", "errors", "assign", fingerprint]).await;
    assert_eq!(assigned.json()[0]["assignee"], format!("{ann}@acme.test"), "{}", assigned.err);
    let nobody = world.crewline(&["--json", "errors", "assign", fingerprint, "--nobody"]).await.json();
    assert!(nobody[0].get("assignee").is_none(), "{nobody:?}");
    for unknown in
        [["errors", "show", "0123456789abcdef"], ["errors", "retry", "x"], ["errors", "resolve", "x"]]
    {
        assert_eq!(world.crewline(&unknown).await.code, 3, "{unknown:?}");
    }

    assert!(world.done(&["dead-letters", "list"]).await.starts_with("KIND"));
    let care = ["--json", "dead-letters", "care", "probe.work", "--owner", "probe team", "--within", "24"];
    let said = world.crewline(&care).await.json();
    assert_eq!((&said[0]["owner"], &said[0]["look_after_s"]), (&json!("probe team"), &json!(86_400)));
    world.done(&["dead-letters", "uncare", "probe.work"]).await;
    assert_eq!(
        world.crewline(&["dead-letters", "care", "probe.work"]).await.code,
        5,
        "something has to be said"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_followed_confirmed_stopped_and_taken_back() {
    let world = World::idle().await;
    let tomorrow = (Utc::now() + TimeDelta::days(1)).to_rfc3339();
    world.done(&["submit", "probe.work", "--at", &tomorrow]).await;
    let begin = async || {
        let cancel = ["--json", "bulk", "cancel", "--state", "scheduled"];
        world.crewline(&cancel).await.json()[0]["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(world.crewline(&["four-eyes", "show"]).await.code, 3);
    assert!(world.done(&["four-eyes", "set", "0"]).await.contains("more_than"));
    let (ann, bob) = (world.key_for(UserId::new()).await, world.key_for(UserId::new()).await);
    let id = begin().await;
    let steer = async |key: &str, how: &str| {
        let told = world.crewline_with(key, &["--json", "operations", how, &id]).await;
        (told.code, told.json().pop().map(|operation| operation["state"].clone()).unwrap_or_default())
    };
    assert_eq!(steer(&world.key, "show").await, (0, json!("waiting")));
    assert_eq!(steer(&world.key, "confirm").await.0, 4, "this key was made for nobody");
    assert_eq!(steer(&ann, "confirm").await, (0, json!("waiting")), "she takes it on");
    assert_eq!(steer(&ann, "confirm").await.0, 4);
    assert_eq!(steer(&bob, "confirm").await, (0, json!("running")));
    assert_eq!(steer(&bob, "pause").await, (0, json!("paused")));
    assert_eq!(steer(&bob, "resume").await, (0, json!("running")));
    assert_eq!(steer(&bob, "stop").await, (0, json!("cancelled")));
    assert_eq!(steer(&bob, "resume").await.0, 6);
    assert_eq!(steer(&bob, "undo").await.0, 0);
    assert_eq!(world.crewline(&["operations", "show", "blk_x"]).await.code, 3);
    assert_eq!(world.crewline(&["--json", "operations", "list", "--limit", "1"]).await.json().len(), 1);
    world.done(&["four-eyes", "off"]).await;
    assert_eq!(world.crewline(&["four-eyes", "off"]).await.code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_presets_are_set_listed_and_removed() {
    let world = World::idle().await;
    let set =
        ["--json", "limits", "set", "stripe", "--key", "stripe/*", "--rate", "100/60", "--concurrency", "4"];
    let limit = world.crewline(&set).await.json();
    assert_eq!((&limit[0]["concurrency"], &limit[0]["rate"]["count"]), (&json!(4), &json!(100)));
    assert!(world.done(&["limits"]).await.contains("stripe/*"));
    assert_eq!(world.done(&["limits"]).await, world.done(&["limits", "list"]).await);
    let quotas = world.crewline(&["--json", "quotas"]).await.json();
    assert_eq!(
        (&quotas[0]["limit"], &quotas[0]["rate_count"], &quotas[0]["used_up"]),
        (&json!("stripe"), &json!(100), &json!(false))
    );
    for wrong in [&["limits", "set", "x"][..], &["limits", "set", "x", "--rate", "many"]] {
        assert_eq!(world.crewline(wrong).await.code, 2, "{wrong:?}");
    }
    world.done(&["limits", "remove", "stripe"]).await;
    assert_eq!(world.crewline(&["limits", "remove", "stripe"]).await.code, 3);

    world.done(&["match-presets", "set", "winter", "--terms", r#"{"fairness_band": 500}"#]).await;
    assert!(world.done(&["match-presets", "list"]).await.contains("winter"));
    let terms = ["match-presets", "set", "winter", "--terms", r#"{"fairness_band": "much"}"#];
    assert_eq!(world.crewline(&terms).await.code, 2);
    world.done(&["match-presets", "remove", "winter"]).await;
    assert_eq!(world.crewline(&["match-presets", "remove", "winter"]).await.code, 3);
    assert!(world.done(&["promises"]).await.starts_with("JOB"));
    assert!(world.done(&["alerts"]).await.starts_with("RULE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_and_webhooks_are_steered() {
    let world = World::idle().await;
    let body = r#"{"name": "two", "steps": [{"name": "one", "kind": "probe.work"}]}"#;
    let begun = world.crewline(&["--json", "call", "POST", "/v1/workflows", "--body", body]).await.json();
    let workflow = begun[0]["id"].as_str().unwrap();
    assert!(world.done(&["workflows", "list", "--state", "running"]).await.contains(workflow));
    world.done(&["workflows", "cancel", workflow]).await;
    assert!(world.done(&["workflows", "show", workflow]).await.contains("cancel"));
    assert_eq!(world.crewline(&["workflows", "retry", "wfl_x"]).await.code, 3);

    let body = r#"{"url": "https://hooks.example.com/in", "event_types": ["job.discarded"]}"#;
    let made = world.crewline(&["--json", "call", "POST", "/v1/webhook-endpoints", "--body", body]).await;
    let endpoint = made.json()[0]["id"].as_str().unwrap().to_owned();
    assert!(world.done(&["webhooks", "endpoints"]).await.contains("hooks.example.com"));
    let delivery = world.done(&["webhooks", "test", &endpoint]).await;
    assert!(world.done(&["webhooks", "deliveries", &endpoint]).await.contains(&delivery));
    let disabled = world.crewline(&["--json", "webhooks", "disable", &endpoint]).await.json();
    assert_eq!(disabled[0]["state"], "disabled");
    let enabled = world.crewline(&["--json", "webhooks", "enable", &endpoint]).await.json();
    assert_eq!(enabled[0]["state"], "enabled");
    assert!(world.done(&["webhooks", "sources"]).await.starts_with("ID"));
    let day = "2026-01-01T00:00:00Z";
    let typed =
        ["webhooks", "deliveries", &endpoint, "--event-type", "webhook_endpoint.test", "--since", day];
    assert!(world.done(&typed).await.contains(&delivery));
    assert!(!world.done(&["webhooks", "deliveries", &endpoint, "--until", day]).await.contains(&delivery));
    let told = world.done(&["webhooks", "recover", &endpoint, "--since", day]).await;
    assert_eq!(told, "0 are sent again.", "it is on its way");
    assert_eq!(world.crewline(&["webhooks", "recover", &endpoint]).await.code, 2, "since when?");
    for unknown in [
        &["webhooks", "events", "whs_x"][..],
        &["webhooks", "resend", &endpoint, "whd_x"],
        &["webhooks", "recover", "whe_x", "--since", day],
        &["webhooks", "replay-range", "whs_x", "--state", "parked"],
    ] {
        assert_eq!(world.crewline(unknown).await.code, 3, "{unknown:?}");
    }
}
