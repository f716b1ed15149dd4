//! What keys without `payloads:read` see of what jobs hold: nothing, on any route.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::{
    logs::{Level, Said, say},
    verdict::Verdict,
};

use crate::{
    app::{Answer, TestApp, fresh},
    webhooks_in::{SECRET, send, source},
    webhooks_out::endpoint,
};

/// In everything that is a payload, and nowhere else.
const WORD: &str = "abracadabra";
/// As base64 has it, wherever in a text it begins.
const ENCODED: [&str; 3] = ["YWJyYWNhZGFicm", "FicmFjYWRhYnJh", "hYnJhY2FkYWJyY"];
/// Streams of everything, which do not end.
const ENDLESS: [&str; 2] = ["follow_all", "follow_inbox"];
/// What a key without the scope for it may do as well.
const EVERYTHING_ELSE: [&str; 5] =
    ["jobs:write", "jobs:read", "private:read", "queue:operate", "installation"];

/// A tenant that has something of everything.
struct Planted {
    app: TestApp,
    job: String,
    schedule: String,
    workflow: String,
    message: String,
    party: String,
    source: String,
    event: String,
    endpoint: String,
    delivery: String,
}

impl Planted {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let said = json!({"args": {"echo": WORD}, "metadata": {"note": WORD}, "unique": {"key": "once", "seconds": 3_600}});
        let job = app.submit(said).await;
        let claimed = app.claim().await.remove(0);
        let line = Said::Line { level: Level::Info, message: format!("it said {WORD}") };
        say(&app.worker, &[(claimed.clone(), line)]).await.unwrap();
        let verdict = Verdict::Completed { result: json!({"echo": WORD}).into() };
        let settle = store::verdict::Settle::of(&claimed, verdict);
        store::settle::settle(&app.worker, &[settle], &[claimed.lease]).await.unwrap();
        let id = |answer: &Answer| {
            assert!(answer.status.is_success(), "{}", answer.text);
            answer.body["id"].as_str().unwrap().to_owned()
        };
        let of = json!({"name": "nightly", "cron": "@daily", "kind": "probe.work", "args": {"echo": WORD}, "metadata": {"note": WORD}});
        let schedule = id(&app.post("/v1/schedules", &of).await);
        let steps = json!([{"name": "one", "kind": "probe.work", "args": {"echo": WORD}}]);
        let of = json!({"name": "shoot", "metadata": {"note": WORD}, "steps": steps});
        let workflow = id(&app.post("/v1/workflows", &of).await);
        let party = id(&app.post("/v1/parties", &json!({"name": "Ada"})).await);
        let line = json!({"in_app": {"title": WORD, "body": WORD, "url": null}});
        crate::notifications::message(&app, &party, "in_app", "sent").await;
        app.execute(&format!("update message set content = '{line}'")).await;
        let message = crate::notifications::message(&app, &party, "email", "unknown").await;
        app.execute(&format!("update message set content = '{{\"email\": {{\"subject\": \"{WORD}\"}}}}' where channel = 'email'"))
            .await;
        let sender = source(&app, json!({})).await;
        let sent =
            send(&app, &sender, "msg_1", &json!({"type": "a", "of": WORD}).to_string(), SECRET, 0).await;
        let (source, event) = (sender["id"].as_str().unwrap(), sent.body["event"].as_str().unwrap());
        let (source, event) = (source.to_owned(), event.to_owned());
        let told = endpoint(&app, json!({})).await;
        let endpoint = told["id"].as_str().unwrap().to_owned();
        let test = app.post(&format!("/v1/webhook-endpoints/{endpoint}/test"), &json!({})).await;
        let delivery = test.body["delivery"].as_str().unwrap().to_owned();
        app.execute(&format!("update webhook_message set data = '{{\"metadata\": \"{WORD}\"}}'")).await;
        Self { app, job, schedule, workflow, message, party, source, event, endpoint, delivery }
    }

    /// `path` with ids of what is there.
    fn placed(&self, path: &str) -> String {
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            let before = parts.last().copied().unwrap_or_default();
            parts.push(match (part, before) {
                ("{id}", "jobs") => &self.job,
                ("{id}", "schedules") => &self.schedule,
                ("{id}", "workflows") => &self.workflow,
                ("{id}", "messages") => &self.message,
                ("{id}", "parties" | "inbox") => &self.party,
                ("{id}", "webhook-sources") => &self.source,
                ("{event}", _) => &self.event,
                ("{id}", "webhook-endpoints") => &self.endpoint,
                ("{delivery}", _) => &self.delivery,
                ("{kind}", _) => "probe.work",
                ("{slug}", _) => "acme",
                (part, _) if part.starts_with('{') => "none",
                (part, _) => part,
            });
        }
        match path {
            "/v1/inbox" => format!("{path}?party={}", self.party),
            _ => parts.join("/"),
        }
    }

    async fn ask(&self, key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = self.app.http.request(method, self.app.url(path)).bearer_auth(key);
        let request = request.header("idempotency-key", fresh());
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        Answer::of(request.send().await.unwrap()).await
    }

    /// What shows the word to this key, of everything that can be looked at.
    async fn shown(&self, key: &str) -> BTreeSet<String> {
        let (document, mut shown) = (api::document(), BTreeSet::new());
        for (path, operations) in document["paths"].as_object().unwrap() {
            let id = operations["get"]["operationId"].as_str();
            let Some(id) = id.filter(|id| !ENDLESS.contains(id)) else { continue };
            let answer = self.ask(key, Method::GET, &self.placed(path), None).await;
            if tells(&answer) {
                shown.insert(id.to_owned());
            }
        }
        shown
    }
}

fn tells(answer: &Answer) -> bool {
    answer.text.contains(WORD) || ENCODED.iter().any(|word| answer.text.contains(word))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_see_payloads_sees_none_on_any_route() {
    let planted = Planted::new().await;
    let app = &planted.app;
    let seeing = app.key_of(app.tenant, &["jobs:read", "payloads:read", "private:read"]).await;
    let shown: Vec<String> = planted.shown(&seeing).await.into_iter().collect();
    let payloads = [
        "follow_job",
        "get_args",
        "get_job",
        "get_message",
        "get_result",
        "get_schedule",
        "get_webhook_delivery",
        "get_webhook_event",
        "get_workflow",
        "list_schedules",
        "list_workflows",
        "read_inbox",
        "read_logs",
    ];
    assert_eq!(shown, payloads, "the word is where it was put");
    let blind = app.key_of(app.tenant, &EVERYTHING_ELSE).await;
    assert!(planted.shown(&blind).await.is_empty());

    let (job, schedule, workflow) = (&planted.job, &planted.schedule, &planted.workflow);
    for (method, path, body) in [
        (Method::POST, format!("/v1/jobs/{job}/retry"), None),
        (Method::POST, format!("/v1/jobs/{job}/cancel"), None),
        (Method::POST, format!("/v1/schedules/{schedule}/pause"), Some(json!({"reason": "x"}))),
        (Method::POST, format!("/v1/schedules/{schedule}/resume"), None),
        (Method::POST, format!("/v1/schedules/{schedule}/run"), None),
        (Method::PATCH, format!("/v1/schedules/{schedule}"), Some(json!({"cron": "@hourly"}))),
        (Method::POST, format!("/v1/workflows/{workflow}/cancel"), None),
        (Method::POST, format!("/v1/workflows/{workflow}/retry"), None),
        (Method::POST, format!("/v1/messages/{}/resolve", planted.message), Some(json!({"outcome": "sent"}))),
        // The same work as somebody else's.
        (
            Method::POST,
            "/v1/jobs".into(),
            Some(json!({"kind": "probe.work", "unique": {"key": "once", "seconds": 9}})),
        ),
        (
            Method::POST,
            "/v1/bulk-operations".into(),
            Some(
                json!({"action": "retry", "filter": {"states": ["completed", "cancelled"]}, "dry_run": true}),
            ),
        ),
    ] {
        let answer = planted.ask(&blind, method, &path, body.as_ref()).await;
        assert!(answer.status.is_success() && !tells(&answer), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_is_nothing_but_a_payload_is_refused_and_written_down() {
    let planted = Planted::new().await;
    let blind = planted.app.key_of(planted.app.tenant, &EVERYTHING_ELSE).await;
    let job = &planted.job;
    for path in [
        format!("/v1/jobs/{job}/args"),
        format!("/v1/jobs/{job}/result"),
        format!("/v1/jobs/{job}/logs"),
        format!("/v1/jobs?field=echo&holds={WORD}"),
        "/v1/jobs?holds=x".to_owned(),
    ] {
        planted.ask(&blind, Method::GET, &path, None).await.problem(403, "missing_scope");
    }
    let path = format!("/v1/jobs/{job}/clone");
    planted.ask(&blind, Method::POST, &path, Some(&json!({}))).await.problem(403, "missing_scope");
    let seen = planted.ask(&blind, Method::GET, &format!("/v1/jobs/{job}"), None).await;
    assert_eq!((seen.status, &seen.body["state"]), (StatusCode::OK, &json!("completed")));
    for hidden in ["args", "result", "metadata"] {
        assert!(seen.body.get(hidden).is_none(), "{}", seen.text);
    }
    // What a key submits it has back.
    let own = json!({"kind": "probe.work", "args": {"echo": "mine"}});
    let own = planted.ask(&blind, Method::POST, "/v1/jobs", Some(&own)).await;
    assert_eq!(own.body["args"]["echo"], "mine", "{}", own.text);
    let log = planted.app.get("/v1/audit").await;
    assert!(log.text.contains("refused") && !log.text.contains(WORD), "{}", log.text);
}
