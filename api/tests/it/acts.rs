//! What keys steer, in the log with before and after.

use reqwest::Method;
use serde_json::{Value, json};
use store::{
    audit::{self, Verified},
    verdict::Verdict,
};

use crate::{
    app::{Answer, TestApp, completed, fresh},
    notifications::{message, party},
    ops::log,
    webhooks_in::{OTHER, SECRET, path_of, send, source},
    webhooks_out::endpoint,
};

/// What was written down of an act, at its beginning and at its end.
struct Said {
    asked: Value,
    ended: Value,
}

impl TestApp {
    async fn act(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).header("idempotency-key", fresh()).json(body);
        Answer::of(request.send().await.unwrap()).await
    }

    /// Does it, and reads what the log says of it.
    async fn does(&self, word: &str, method: Method, path: &str, body: Value) -> Said {
        let answer = self.act(method, path, &body).await;
        assert!(answer.status.is_success(), "{word}: {}", answer.text);
        let log = log(self, self.tenant).await;
        let [.., asked, ended] = &log[..] else { unreachable!("{word} is not in the log") };
        for said in [asked, ended] {
            assert_eq!(said["action"], word, "{said}");
            assert!(said["by"].as_str().unwrap().starts_with("key_"), "{said}");
        }
        assert_eq!((&asked["outcome"], asked.get("after")), (&json!("asked"), None), "{word}");
        assert_eq!((&ended["outcome"], &ended["of"]), (&json!("done"), &asked["seq"]), "{word}");
        assert_eq!(ended["before"], asked["before"], "{word}");
        assert!(ended.get("after").is_some() && ended["target"].is_string(), "{ended}");
        Said { asked: asked.clone(), ended: ended.clone() }
    }

    async fn posts(&self, word: &str, path: &str, body: Value) -> Said {
        self.does(word, Method::POST, path, body).await
    }

    async fn deletes(&self, word: &str, path: &str) -> Said {
        self.does(word, Method::DELETE, path, Value::Null).await
    }

    async fn assert_whole(&self) {
        let verified = audit::verify(&self.owner, Some(self.tenant)).await.unwrap();
        assert!(matches!(verified, Verified::Whole { entries, .. } if entries > 0), "{verified:?}");
    }
}

fn discarded() -> Verdict {
    Verdict::Discarded { problem: jobs::failure::Problem::new("broken", "as expected") }
}

#[tokio::test]
async fn what_steers_work_is_in_the_log_with_before_and_after() {
    let app = TestApp::start().await;
    let job = app.submit(json!({})).await;
    let job = format!("/v1/jobs/{job}");
    let said = app.posts("job.cancel", &format!("{job}/cancel"), json!({})).await.ended;
    assert_eq!(
        (&said["before"]["state"], &said["after"]["state"]),
        (&json!("available"), &json!("cancelled"))
    );
    let said = app.posts("job.retry", &format!("{job}/retry"), json!({})).await.ended;
    assert_eq!(
        (&said["before"]["state"], &said["after"]["state"]),
        (&json!("cancelled"), &json!("available"))
    );
    assert_eq!(Some(said["target"].as_str().unwrap()), job.rsplit('/').next());

    let limit = |at_once| json!({ "queue": "media", "concurrency": at_once });
    let said = app.does("limit", Method::PUT, "/v1/limits/films", limit(2)).await.ended;
    assert_eq!((&said["before"], &said["after"][0]["concurrency"]), (&json!([]), &json!(2)));
    app.does("limit", Method::PUT, "/v1/limits/others", limit(9)).await;
    let said = app.does("limit", Method::PUT, "/v1/limits/films", limit(3)).await.ended;
    assert_eq!((&said["before"][0]["concurrency"], &said["after"][0]["concurrency"]), (&json!(2), &json!(3)));
    let said = app.deletes("limit", "/v1/limits/films").await.ended;
    assert_eq!((&said["before"][0]["concurrency"], &said["after"]), (&json!(3), &json!([])));

    let said =
        app.posts("pause", "/v1/pauses", json!({ "queue": "media", "reason": "no paper" })).await.ended;
    assert_eq!((&said["before"], &said["after"][0]["reason"]), (&json!([]), &json!("no paper")));
    let pause = format!("/v1/pauses/{}", said["after"][0]["id"].as_str().unwrap());
    let said = app.deletes("resume", &pause).await.ended;
    assert_eq!((&said["before"][0]["queue"], &said["after"]), (&json!("media"), &json!([])));

    let care = "/v1/dead-letters/probe.work/care";
    let said = app.does("kind_care.set", Method::PUT, care, json!({ "owner": "media team" })).await.ended;
    assert_eq!((&said["before"], &said["after"][0]["owner"]), (&json!([]), &json!("media team")));
    let said = app.deletes("kind_care.remove", care).await.ended;
    assert_eq!((&said["before"][0]["owner"], &said["after"]), (&json!("media team"), &json!([])));
    let said = app.does("retention.set", Method::PUT, "/v1/retention", json!({ "days": 14 })).await.ended;
    assert_eq!((&said["before"]["days"], &said["after"]["days"]), (&json!(null), &json!(14)));

    let lost = message(&app, &party(&app).await, "email", "unknown").await;
    let resolve = format!("/v1/messages/{lost}/resolve");
    let said = app.posts("message.resolve", &resolve, json!({ "outcome": "sent" })).await.ended;
    assert_eq!((&said["before"]["state"], &said["after"]["state"]), (&json!("unknown"), &json!("sent")));
    app.assert_whole().await;
}

#[tokio::test]
async fn who_lets_a_held_file_go_is_in_the_log_with_what_was_found_in_it() {
    let app = TestApp::start().await;
    let (asset, tenant) = (jobs::AssetId::new(), app.tenant);
    app.execute(&format!(
        "insert into asset (id, tenant_id, sha256, bytes, media_type, object_key, state, finding, scanned_at)
         values ('{}', '{tenant}', repeat('0', 64), 1, 'image/jpeg', '{tenant}/o/x', 'infected', 'Some.Virus', now())",
        asset.as_uuid(),
        tenant = tenant.as_uuid(),
    ))
    .await;
    let release = format!("/v1/assets/{asset}/release");
    let said = app.posts("asset.release", &release, json!({ "reason": "a false alarm" })).await.ended;
    assert_eq!(said["target"], json!(asset));
    let seen = |of: &Value| json!([of["state"], of["finding"], of["released_because"]]);
    assert_eq!(
        (seen(&said["before"]), seen(&said["after"])),
        (json!(["infected", "Some.Virus", null]), json!(["clean", "Some.Virus", "a false alarm"]))
    );

    let path = format!("/v1/assets/{asset}");
    let said =
        app.does("asset.change", Method::PATCH, &path, json!({ "license": "one listing" })).await.ended;
    assert_eq!(
        (&said["before"]["license"], &said["after"]["license"]),
        (&json!(null), &json!("one listing"))
    );
    let said = app.deletes("asset.delete", &path).await.ended;
    assert_eq!((&said["before"]["license"], &said["after"]), (&json!("one listing"), &json!(null)));
    app.assert_whole().await;
}

#[tokio::test]
async fn what_a_tenant_sets_is_in_the_log_with_what_stood_there_before() {
    let app = TestApp::start().await;
    let path = "/v1/templates/welcome/de";
    let source = json!({ "subject": "Hallo", "lines": ["Schön, dass du da bist."] });
    let said = app.does("template.write", Method::PUT, path, source.clone()).await.ended;
    assert_eq!((&said["before"], &said["after"]), (&json!(null), &json!({ "version": 1 })));
    let said = app.does("template.write", Method::PUT, path, source).await.ended;
    assert_eq!((&said["before"]["version"], &said["after"]["version"]), (&json!(1), &json!(2)));
    let odd = app.act(Method::PUT, "/v1/templates/%00/de", &json!({})).await;
    assert!(odd.status.is_client_error(), "{}", odd.text);

    let path = "/v1/match-presets/house";
    let said = app.does("match_preset.set", Method::PUT, path, json!({ "terms": {} })).await.ended;
    assert_eq!((&said["before"], &said["after"][0]["version"]), (&json!([]), &json!(1)));
    let said = app.deletes("match_preset.remove", path).await.ended;
    assert_eq!((&said["before"][0]["name"], &said["after"]), (&json!("house"), &json!([])));

    let (asset, tenant) = (jobs::AssetId::new(), app.tenant.as_uuid());
    app.execute(&format!(
        "insert into asset (id, tenant_id, sha256, bytes, media_type, object_key, state, scanned_at)
         values ('{}', '{tenant}', repeat('0', 64), 1, 'image/png', '{tenant}/o/x', 'clean', now())",
        asset.as_uuid(),
    ))
    .await;
    let said = app.does("brand.set", Method::PUT, "/v1/brand", json!({ "asset": asset })).await.ended;
    assert_eq!((&said["before"], &said["after"]["asset"]), (&json!(null), &json!(asset)));
    let said = app.deletes("brand.remove", "/v1/brand").await.ended;
    assert_eq!((&said["before"]["asset"], &said["after"]), (&json!(asset), &json!(null)));
    app.assert_whole().await;
}

#[tokio::test]
async fn bulk_operations_are_in_the_log_from_their_beginning() {
    let app = TestApp::start().await;
    for _ in 0..2 {
        app.submit(json!({})).await;
    }
    assert_eq!(app.work(discarded()).await, 2);
    let path = "/v1/bulk-operations";
    let wanted = |action, state, dry_run| json!({ "action": action, "filter": { "states": [state] }, "dry_run": dry_run });
    let looked = app.act(Method::POST, path, &wanted("retry", "discarded", true)).await;
    assert_eq!(
        (looked.status.as_u16(), log(&app, app.tenant).await.len()),
        (200, 0),
        "looking changes nothing"
    );

    let said = app.posts("bulk.begin", path, wanted("retry", "discarded", false)).await;
    assert_eq!(said.asked["asked"]["filter"]["states"], json!(["discarded"]));
    assert_eq!((&said.ended["before"], &said.ended["after"]["state"]), (&json!(null), &json!("running")));
    let operation = format!("{path}/{}", said.ended["target"].as_str().unwrap());
    for (word, step, before, after) in [
        ("bulk.pause", "pause", "running", "paused"),
        ("bulk.resume", "resume", "paused", "running"),
        ("bulk.cancel", "cancel", "running", "cancelled"),
    ] {
        let said = app.posts(word, &format!("{operation}/{step}"), json!({})).await.ended;
        assert_eq!((&said["before"]["state"], &said["after"]["state"]), (&json!(before), &json!(after)));
    }
    app.submit(json!({})).await;
    let said = app.posts("bulk.begin", path, wanted("cancel", "available", false)).await.ended;
    let operation = format!("{path}/{}", said["target"].as_str().unwrap());
    crate::app::eventually(async || {
        store::bulk::step(&app.worker).await.unwrap();
        (app.get(&operation).await.body["state"] == "completed").then_some(())
    })
    .await;
    let said = app.posts("bulk.undo", &format!("{operation}/undo"), json!({})).await.ended;
    assert_eq!((&said["before"]["state"], &said["after"]["changed"]), (&json!("completed"), &json!(1)));
    app.assert_whole().await;
}

#[tokio::test]
async fn plans_and_rules_for_alerts_are_in_the_log_with_before_and_after() {
    let app = TestApp::start().await;
    let schedule = json!({ "name": "nightly", "cron": "30 2 * * *", "kind": "probe.work", "args": {} });
    let said = app.posts("schedule.create", "/v1/schedules", schedule).await.ended;
    assert_eq!((&said["before"], &said["after"]["cron"]), (&json!(null), &json!("30 2 * * *")));
    let path = format!("/v1/schedules/{}", said["target"].as_str().unwrap());
    let said = app.does("schedule.change", Method::PATCH, &path, json!({ "cron": "0 3 * * *" })).await.ended;
    assert_eq!(
        (&said["before"]["cron"], &said["after"]["cron"]),
        (&json!("30 2 * * *"), &json!("0 3 * * *"))
    );
    let said =
        app.posts("schedule.pause", &format!("{path}/pause"), json!({ "reason": "stock" })).await.ended;
    assert_eq!((&said["before"]["reason"], &said["after"]["reason"]), (&json!(null), &json!("stock")));
    let said = app.posts("schedule.resume", &format!("{path}/resume"), json!({})).await.ended;
    assert_eq!((&said["before"]["reason"], &said["after"]["reason"]), (&json!("stock"), &json!(null)));
    let said = app.posts("schedule.run", &format!("{path}/run"), json!({})).await.ended;
    assert_eq!(
        (&said["after"]["name"], path.rsplit('/').next()),
        (&json!("nightly"), said["target"].as_str())
    );
    let said = app.deletes("schedule.remove", &path).await.ended;
    assert_eq!((&said["before"]["name"], &said["after"]), (&json!("nightly"), &json!(null)));

    let rule = "/v1/alert-rules/late";
    let late = json!({ "measure": "queue_age", "threshold": 60 });
    let said = app.does("alert_rule.set", Method::PUT, rule, late).await.ended;
    assert_eq!((&said["before"], &said["after"][0]["threshold"]), (&json!([]), &json!(60)));
    let said = app.deletes("alert_rule.remove", rule).await.ended;
    assert_eq!((&said["before"][0]["threshold"], &said["after"]), (&json!(60), &json!([])));

    let workflow = json!({ "name": "shoot", "steps": [{ "name": "a", "kind": "probe.work" }] });
    let begun = app.post("/v1/workflows", &workflow).await;
    let path = begun.header("location").unwrap().to_owned();
    let said = app.posts("workflow.cancel", &format!("{path}/cancel"), json!({})).await.ended;
    assert!(
        said["before"]["cancel_requested_at"].is_null() && said["after"]["cancel_requested_at"].is_string()
    );
    app.assert_whole().await;
}

#[tokio::test]
async fn webhooks_in_and_out_are_in_the_log_without_their_secrets() {
    let app = TestApp::start().await;
    let made = source(&app, json!({})).await;
    let at = |rest: &str| path_of(&made, rest);
    let said = app.posts("webhook_source.disable", &at("/disable"), json!({})).await.ended;
    assert!(said["before"]["disabled_at"].is_null() && said["after"]["disabled_at"].is_string());
    app.posts("webhook_source.enable", &at("/enable"), json!({})).await;
    let said = app.posts("webhook_source.secret", &at("/secret"), json!({ "secret": OTHER })).await.ended;
    assert!(said["after"]["previous_secret_until"].is_string(), "{said}");
    let rule = json!({ "event_type": "a.*", "kind": "probe.work" });
    let said = app.posts("webhook_rule.add", &at("/rules"), rule).await.ended;
    assert_eq!((&said["before"], &said["after"][0]["rule"]["kind"]), (&json!([]), &json!("probe.work")));
    let rule = at(&format!("/rules/{}", said["after"][0]["id"].as_str().unwrap()));
    assert_eq!(app.deletes("webhook_rule.remove", &rule).await.ended["after"], json!([]));
    let told = send(&app, &made, "msg_1", r#"{"type": "t"}"#, SECRET, 0).await;
    let event = at(&format!("/events/{}/replay", told.body["event"].as_str().unwrap()));
    app.work(completed()).await;
    let said = app.posts("webhook.replay", &event, json!({})).await.ended;
    assert_eq!((&said["before"]["replays"], &said["after"]["replays"]), (&json!(0), &json!(1)));
    let said = app.posts("webhook.replay_range", &at("/events/replay"), json!({ "state": "received" })).await;
    assert_eq!(
        (&said.ended["asked"]["state"], &said.ended["after"]["name"]),
        (&json!("received"), &json!("resend"))
    );
    assert_eq!(app.deletes("webhook_source.remove", &at("")).await.ended["after"], json!(null));

    let made = endpoint(&app, json!({})).await;
    let at = |rest: &str| format!("/v1/webhook-endpoints/{}{rest}", made["id"].as_str().unwrap());
    let said = app.posts("webhook_endpoint.disable", &at("/disable"), json!({})).await.ended;
    assert!(said["before"]["disabled_at"].is_null() && said["after"]["disabled_at"].is_string());
    app.posts("webhook_endpoint.enable", &at("/enable"), json!({})).await;
    app.posts("webhook_endpoint.secret", &at("/secret"), json!({})).await;
    app.posts("webhook_endpoint.test", &at("/test"), json!({})).await;
    app.work(completed()).await;
    app.execute("update webhook_delivery set state = 'failed'").await;
    let delivery = app.get(&at("/deliveries")).await.body["deliveries"][0]["id"].as_str().unwrap().to_owned();
    let said =
        app.posts("webhook.resend", &at(&format!("/deliveries/{delivery}/resend")), json!({})).await.ended;
    assert_eq!((&said["before"]["state"], &said["after"]["state"]), (&json!("failed"), &json!("pending")));
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    assert_eq!(app.posts("webhook.recover", &at("/recover"), since.clone()).await.asked["asked"], since);
    assert_eq!(app.deletes("webhook_endpoint.remove", &at("")).await.ended["after"], json!(null));

    let log: String = log(&app, app.tenant).await.iter().map(ToString::to_string).collect();
    for word in ["webhook_source.create", "webhook_endpoint.create"] {
        assert!(log.contains(word), "{word}");
    }
    assert!(!log.contains(SECRET) && !log.contains(OTHER) && !log.contains("whsec_"), "{log}");
    app.assert_whole().await;
}

#[tokio::test]
async fn what_fails_and_what_a_key_may_not_is_in_the_log_too() {
    let mut app = TestApp::start().await;
    let wrong = json!({ "reason": "" });
    app.act(Method::POST, "/v1/pauses", &wrong).await.problem(422, "invalid_body");
    app.act(Method::POST, "/v1/jobs/%00/cancel", &json!({})).await.problem(404, "not_found");
    let said = log(&app, app.tenant).await;
    assert_eq!((said.len(), &said[1]["outcome"], &said[1]["status"]), (4, &json!("failed"), &json!(422)));
    assert_eq!((&said[3]["outcome"], &said[3]["after"]), (&json!("failed"), &json!(null)));

    app.key = app.key_of(app.tenant, &["jobs:read"]).await;
    let pause = json!({ "reason": "none of yours" });
    app.act(Method::POST, "/v1/pauses", &pause).await.problem(403, "missing_scope");
    app.act(Method::POST, "/v1/jobs", &json!({ "kind": "probe.work" })).await.problem(403, "missing_scope");
    app.get("/v1/keys").await.problem(403, "missing_scope");
    let said = log(&app, app.tenant).await;
    let refused: Vec<_> = said[4..].iter().map(|said| (&said["action"], &said["target"])).collect();
    let [pause, change, see] = ["pause", "change", "see"].map(Value::from);
    let [pauses, jobs, keys] = ["/v1/pauses", "/v1/jobs", "/v1/keys"].map(Value::from);
    assert_eq!(refused, [(&pause, &pauses), (&change, &jobs), (&see, &keys)]);
    assert!(said[4..].iter().all(|said| said["outcome"] == "refused"));
    for _ in 0..40 {
        app.get("/v1/keys").await.problem(403, "missing_scope");
    }
    assert!(log(&app, app.tenant).await.len() < 4 + 35, "a flood does not fill the log");
    app.assert_whole().await;
}
