//! Pauses, schedules, bulk operations, and what watches.

use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_waits_until_it_is_resumed() {
    let world = World::working().await;
    let pause =
        world.done(&["pause", "--kind", "probe.work", "--reason", "no paper", "--minutes", "60"]).await;
    assert!(world.done(&["pauses"]).await.contains("no paper"));
    let job = world.done(&["submit", "probe.work"]).await;
    assert!(world.done(&["why", &job]).await.contains("no paper"));
    world.done(&["resume", &pause]).await;
    assert_eq!(world.crewline(&["watch", &job]).await.code, 0);
    assert_eq!(world.crewline(&["resume", &pause]).await.code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_made_held_run_and_removed() {
    let world = World::working().await;
    let preview = world.done(&["schedules", "preview", "0 3 * * *", "--timezone", "Europe/Berlin"]).await;
    assert_eq!(preview.lines().count(), 11, "{preview}");
    let add = [
        "schedules",
        "add",
        "nightly",
        "--cron",
        "0 3 * * *",
        "--kind",
        "probe.work",
        "--args",
        "{\"echo\":\"x\"}",
    ];
    let id = world.done(&add).await;
    assert_eq!(world.crewline(&add).await.code, 6, "the name is taken");
    assert!(world.done(&["schedules", "list"]).await.contains("nightly"));
    world.done(&["schedules", "pause", &id, "--reason", "stocktaking"]).await;
    assert!(world.done(&["schedules", "show", &id]).await.contains("stocktaking"));
    world.done(&["schedules", "resume", &id]).await;
    let run = world.crewline(&["--json", "schedules", "run", &id]).await.json();
    let job = run[0]["job"].as_str().unwrap();
    assert_eq!(world.crewline(&["watch", job]).await.code, 0);
    assert!(world.done(&["schedules", "fires", &id]).await.contains("manual"));
    world.done(&["schedules", "remove", &id]).await;
    assert_eq!(world.crewline(&["schedules", "show", &id]).await.code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_jobs_are_counted_and_then_steered_at_once() {
    let world = World::working().await;
    for _ in 0..3 {
        let endings = r#"endings=["discard"]"#;
        assert_eq!(world.crewline(&["submit", "probe.work", "--set", endings, "--wait"]).await.code, 1);
    }
    let counted =
        world.crewline(&["--json", "bulk", "retry", "--state", "discarded", "--dry-run"]).await.json();
    assert_eq!(counted[0]["count"], 3, "{counted:?}");
    let done =
        world.crewline(&["--json", "bulk", "retry", "--state", "discarded", "--expect", "3", "--wait"]).await;
    assert_eq!((done.code, &done.json()[0]["changed"]), (0, &json!(3)), "{}", done.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_is_seen_and_measured() {
    let world = World::working().await;
    let measured = world.crewline(&["--json", "bench", "--jobs", "30", "--at-once", "4"]);
    let (seen, measured) = tokio::join!(world.crewline(&["--json", "top", "--rounds", "2"]), measured);
    let measured = &measured.json()[0];
    assert_eq!((&measured["jobs"], &measured["not_completed"]), (&json!(30), &json!(0)));
    assert!(measured["p50_ms"].as_f64().unwrap() <= measured["p99_ms"].as_f64().unwrap());
    let last = seen.json().pop().unwrap();
    assert_eq!(last["last_minute"][0]["kind"], "probe.work", "{last}");
    assert!(world.done(&["limits"]).await.starts_with("NAME"));
    assert!(world.done(&["kinds"]).await.contains("media.rendition"));
    assert!(world.done(&["kind", "probe.work"]).await.contains("args_schema"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_and_keys_are_made_as_far_as_the_key_may() {
    let world = World::idle().await;
    let root = world.key_of(&["installation"]).await;
    let set = ["--json", "tenants", "set", "homes", "--name", "Homes", "--weight", "media=2"];
    assert_eq!(world.crewline(&set).await.code, 4, "an admin of one tenant makes no others");
    let made = world.crewline_with(&root, &set).await;
    assert_eq!(made.json()[0]["weights"], json!({ "media": 2.0 }), "{}", made.err);
    assert!(world.crewline_with(&root, &["tenants", "list"]).await.out.contains("homes"));
    assert!(world.crewline_with(&root, &["tenants", "show", "homes"]).await.out.contains("Homes"));
    let add = ["keys", "add", "first", "--scope", "admin", "--tenant", "homes"];
    let key = world.crewline_with(&root, &add).await.out.trim_end().to_owned();
    let laptop =
        world.crewline_with(&key, &["--json", "keys", "add", "laptop", "--scope", "jobs:read"]).await;
    assert_eq!(laptop.code, 0, "{}", laptop.err);
    assert_eq!(world.crewline_with(&key, &["--json", "keys", "list"]).await.json().len(), 2);
    let weigh = ["--json", "tenants", "weigh", "homes", "media", "6", "--minutes", "60"];
    assert_eq!(world.crewline(&weigh).await.code, 4);
    let weighed = world.crewline_with(&root, &weigh).await.json();
    assert_eq!((&weighed[0]["weight"], &weighed[0]["usual_weight"]), (&json!(6.0), &json!(2.0)));
    assert!(world.crewline_with(&root, &["tenants", "weighed"]).await.out.contains("homes"));
    for code in [0, 3] {
        assert_eq!(world.crewline_with(&root, &["tenants", "unweigh", "homes", "media"]).await.code, code);
    }
    let id = laptop.json()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.crewline_with(&root, &["keys", "revoke", &id, "--tenant", "homes"]).await.code, 0);
    assert_eq!(world.crewline_with(&key, &["keys", "revoke", "key_x"]).await.code, 3);
    let listed = world.crewline_with(&root, &["keys", "list", "--tenant", "homes"]).await.out;
    assert!(listed.contains("laptop") && !listed.contains(&key[17..]), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_drained_and_what_was_done_is_read_and_verified() {
    let world = World::working().await;
    let root = world.key_of(&["installation"]).await;
    let crewline = async |arguments: &[&str]| world.crewline_with(&root, arguments).await;
    assert_eq!(world.crewline(&["workers"]).await.code, 4);
    let name = loop {
        if let Some(worker) = crewline(&["--json", "workers"]).await.json().pop() {
            assert_eq!(
                (&worker["queues"][0]["queue"], &worker["draining"]),
                (&json!("default"), &json!(false))
            );
            break worker["name"].as_str().unwrap().to_owned();
        }
    };
    let listed = crewline(&["workers"]).await.out;
    assert!(listed.starts_with("NAME") && listed.contains(&name) && listed.contains("default "), "{listed}");
    assert_eq!(crewline(&["drain", "wrk_x"]).await.code, 3);
    assert!(crewline(&["drain", &name]).await.out.contains("claims nothing more"));
    let done =
        crewline(&["--json", "audit", "list", "--installation", "--action", "worker.drain"]).await.json();
    assert_eq!((done.len(), &done[0]["target"]), (1, &json!(name)));
    assert!(crewline(&["audit", "verify", "--installation"]).await.out.starts_with("whole, 1 entries, "));

    world.done(&["limits", "set", "stripe", "--concurrency", "4"]).await;
    world.done(&["limits", "remove", "stripe"]).await;
    let list = ["--json", "audit", "list", "--action", "limit", "--target", "stripe", "--limit", "3"];
    let done = world.crewline(&list).await.json();
    assert_eq!((done.len(), &done[0]["said"]["before"][0]["concurrency"]), (3, &json!(4)));
    assert!(world.done(&["audit", "list"]).await.starts_with("SEQ"));
    assert_eq!(world.crewline_with(&root, &["audit", "list"]).await.code, 4);
    let whole = world.crewline(&["--json", "audit", "verify"]).await;
    // Besides those four, a key was refused the workers, and another this log.
    assert_eq!((whole.code, &whole.json()[0]["entries"]), (0, &json!(6)), "{}", whole.err);
    world.execute("update audit_entry set entry = replace(entry, 'stripe', 'Stripe') where seq = 3").await;
    let broken = world.crewline(&["--json", "audit", "verify"]).await;
    assert_eq!((broken.code, &broken.json()[0]["broken_at"]), (1, &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_for_alerts_and_messages_nobody_knows_of_are_steered() {
    let world = World::idle().await;
    let set = [
        "--json",
        "alerts",
        "set",
        "late",
        "--measure",
        "queue_age",
        "--threshold",
        "300",
        "--queue",
        "media",
    ];
    let rule = world.crewline(&set).await;
    assert_eq!((rule.code, &rule.json()[0]["threshold"]), (0, &json!(300)), "{}", rule.err);
    assert!(world.done(&["alerts", "rules"]).await.contains("late"));
    assert!(world.done(&["alerts", "show", "late"]).await.contains("queue_age"));
    assert_eq!(world.done(&["alerts"]).await, world.done(&["alerts", "list"]).await);
    let wrong = ["alerts", "set", "late", "--measure", "moods", "--threshold", "1"];
    assert_eq!(world.crewline(&wrong).await.code, 5);
    assert_eq!(world.crewline(&["alerts", "set", "late"]).await.code, 2);
    world.done(&["alerts", "remove", "late"]).await;
    for unknown in [["alerts", "remove", "late"], ["alerts", "show", "late"], ["messages", "show", "msg_x"]] {
        assert_eq!(world.crewline(&unknown).await.code, 3, "{unknown:?}");
    }

    let body = r#"{"name": "Ada", "locale": "de-AT"}"#;
    let party = world.crewline(&["--json", "call", "POST", "/v1/parties", "--body", body]).await.json();
    let party = party[0]["id"].as_str().unwrap();
    let lost = [world.lost_message(party).await, world.lost_message(party).await];
    let unknown = ["--json", "messages", "list", "--state", "unknown", "--party", party];
    assert_eq!(world.crewline(&unknown).await.json().len(), 2);
    for (id, found, state) in [(&lost[0], "sent", "sent"), (&lost[1], "give-up", "failed")] {
        let resolved = world.crewline(&["--json", "messages", "resolve", id, found]).await;
        assert_eq!((resolved.code, &resolved.json()[0]["state"]), (0, &json!(state)), "{}", resolved.err);
        assert_eq!(world.crewline(&["messages", "resolve", id, found]).await.code, 6, "it is known");
    }
    assert!(world.done(&["messages", "show", &lost[0]]).await.contains("sent"));
    assert_eq!(world.crewline(&["messages", "resolve", &lost[0], "perhaps"]).await.code, 2);
}
