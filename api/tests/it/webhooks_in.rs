//! Webhooks that come in, over HTTP. Nobody looks at them here but the tests.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, future::join_all, stream};
use jobs::kinds::webhook_process::WebhookProcess;
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use store::verdict::Verdict;
use webhooks::{SigningKey, sign};

use crate::app::{Answer, TestApp, settings};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A source that signs as Standard Webhooks wants it.
pub(crate) async fn source(app: &TestApp, more: Value) -> Value {
    let mut body = json!({"name": "resend", "scheme": {"type": "standard_webhooks"}, "secret": SECRET});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = app.post("/v1/webhook-sources", &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.body
}

pub(crate) fn path_of(source: &Value, rest: &str) -> String {
    format!("/v1/webhook-sources/{}{rest}", source["id"].as_str().unwrap())
}

/// Sends `body` as the message `id`, signed with `secret` so many seconds from now.
pub(crate) async fn send(
    app: &TestApp,
    source: &Value,
    id: &str,
    body: &str,
    secret: &str,
    after_s: i64,
) -> Answer {
    send_to(&app.http, &app.url(&hook_of(source)), id, body, secret, after_s).await
}

fn hook_of(source: &Value) -> String {
    format!("/v1/hooks/{}", source["id"].as_str().unwrap())
}

async fn send_to(http: &Client, url: &str, id: &str, body: &str, secret: &str, after_s: i64) -> Answer {
    let key = SigningKey::parse(secret).unwrap();
    let headers = sign(id, chrono::Utc::now().timestamp() + after_s, body.as_bytes(), &[key]).unwrap();
    let request = http.post(url).header("content-type", "application/json").body(body.to_owned());
    let request = request
        .header("webhook-id", headers.id)
        .header("webhook-timestamp", headers.timestamp)
        .header("webhook-signature", headers.signature)
        .header("authorization", "Bearer something");
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_webhook_is_kept_once_with_the_job_that_will_look_at_it() {
    let app = TestApp::start().await;
    let source = source(&app, json!({})).await;
    assert_eq!(source["url"], format!("http://crewline.test/v1/hooks/{}", source["id"].as_str().unwrap()));
    assert!(!source.to_string().contains(SECRET));
    let body = r#"{"type": "email.bounced", "data": {"id": "em_1"}}"#;
    let first = send(&app, &source, "msg_1", body, SECRET, 0).await;
    assert_eq!(
        (first.status, &first.body["duplicate"]),
        (StatusCode::ACCEPTED, &json!(false)),
        "{}",
        first.text
    );
    let again = send(&app, &source, "msg_1", body, SECRET, 0).await;
    assert_eq!((again.status, &again.body["duplicate"]), (StatusCode::OK, &json!(true)));
    assert_eq!(first.body["event"], again.body["event"]);

    let claimed = app.claim().await;
    let args: WebhookProcess = serde_json::from_value(claimed[0].args.inline().unwrap().clone()).unwrap();
    assert_eq!(
        (claimed.len(), args.event.to_string()),
        (1, first.body["event"].as_str().unwrap().to_owned())
    );
    let event = app.get(&path_of(&source, &format!("/events/{}", args.event))).await.body;
    assert_eq!((&event["event_type"], &event["state"]), (&json!("email.bounced"), &json!("received")));
    let kept = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        event["body_base64"].as_str().unwrap(),
    );
    assert_eq!(kept.unwrap(), body.as_bytes(), "byte for byte");
    let headers = event["headers"].as_object().unwrap();
    assert!(headers.contains_key("webhook-id") && !headers.contains_key("webhook-signature"));
    assert!(!headers.contains_key("authorization"));
}

/// What ten thousand deliveries are put in order by.
const SEED: u64 = 46;

#[tokio::test]
async fn ten_thousand_deliveries_in_any_order_and_at_once_are_one_job_per_event() {
    const EVENTS: usize = 2_000;
    const COPIES: usize = 5;
    // On a busy machine a connection may wait for its next message, and is not to be cut off then.
    let settings = api::Settings { header_read_timeout_ms: 30_000, ..settings() };
    let mut app = TestApp::start_with(settings).await;
    let source = source(&app, json!({})).await;
    let addresses = [app.address, app.another_server().await];
    // Every other event comes five times at the same moment, the others at any.
    let at_once = (0..EVENTS).step_by(2).map(|event| vec![event; COPIES]);
    let alone = (1..EVENTS).step_by(2).flat_map(|event| vec![vec![event]; COPIES]);
    let mut order: Vec<Vec<usize>> = at_once.chain(alone).collect();
    order.shuffle(&mut StdRng::seed_from_u64(SEED));
    let answers: Vec<(usize, u16, String)> = stream::iter(order)
        .map(|group| {
            let (app, source) = (&app, &source);
            join_all(group.into_iter().enumerate().map(move |(nth, event)| async move {
                let url = format!("http://{}{}", addresses[(event + nth) % 2], hook_of(source));
                let body = format!(r#"{{"type": "t", "n": {event}}}"#);
                let answer = send_to(&app.http, &url, &format!("msg_{event}"), &body, SECRET, 0).await;
                (event, answer.status.as_u16(), answer.body["event"].to_string())
            }))
        })
        .buffer_unordered(8)
        .concat()
        .await;
    assert_eq!(answers.len(), EVENTS * COPIES);
    let mut kept: HashMap<usize, (usize, HashSet<String>)> = HashMap::new();
    for (event, status, id) in answers {
        assert!(matches!(status, 200 | 202), "{event}: {status}");
        let (first, ids) = kept.entry(event).or_default();
        *first += usize::from(status == 202);
        ids.insert(id);
    }
    let is_once = |(first, ids): &(usize, HashSet<String>)| *first == 1 && ids.len() == 1;
    assert!(kept.len() == EVENTS && kept.values().all(is_once), "one is first, and all hear of its event");
    let jobs = "select count(*) from job where kind = 'webhook.process'";
    assert_eq!(app.number(jobs).await, EVENTS as i64, "one job per event");
}

#[tokio::test]
async fn what_is_not_believed_is_refused_and_the_operator_sees_why() {
    let app = TestApp::start().await;
    let source = source(&app, json!({})).await;
    let refusals = path_of(&source, "/refusals");
    let latest = async || app.get(&refusals).await.body["refusals"][0]["code"].clone();
    // Refusals are written down once in a tenth of a second, so each is waited for.
    for (secret, after_s, code) in
        [(OTHER, 0, "wrong_signature"), (SECRET, -400, "too_old"), (SECRET, 400, "too_new")]
    {
        crate::app::eventually(async || {
            let refused = send(&app, &source, "msg_1", "{}", secret, after_s).await;
            let refused = refused.problem(401, "signature_refused");
            assert!(!refused.text.contains(code), "the sender is told nothing");
            (latest().await == code).then_some(())
        })
        .await;
    }
    let url = app.url(&format!("/v1/hooks/{}", source["id"].as_str().unwrap()));
    let large = app.http.post(&url).body(vec![b'x'; 256 * 1024 + 1]).send().await.unwrap();
    Answer::of(large).await.problem(413, "payload_too_large");
    let nobody = app.url(&format!("/v1/hooks/{}", jobs::WebhookSourceId::new()));
    Answer::of(app.http.post(nobody).body("{}").send().await.unwrap()).await.problem(404, "not_found");
    assert!(app.claim().await.is_empty());
    let told = app.get(&refusals).await.text;
    assert!(!told.contains("webhook-signature") && !told.contains("something"), "{told}");

    let disabled = app.post(&path_of(&source, "/disable"), &json!({})).await;
    assert_eq!(disabled.body["state"], "disabled");
    send(&app, &source, "msg_2", "{}", SECRET, 0).await.problem(404, "not_found");
    app.post(&path_of(&source, "/enable"), &json!({})).await;
    assert_eq!(send(&app, &source, "msg_2", "{}", SECRET, 0).await.status, StatusCode::ACCEPTED);
}

/// Sends `body` as the message `id`, with the signature of `signed`.
async fn send_packed(app: &TestApp, source: &Value, id: &str, body: &[u8], signed: &[u8]) -> Answer {
    let key = SigningKey::parse(SECRET).unwrap();
    let headers = sign(id, chrono::Utc::now().timestamp(), signed, &[key]).unwrap();
    let url = app.url(&format!("/v1/hooks/{}", source["id"].as_str().unwrap()));
    let request = app.http.post(url).header("content-encoding", "gzip").body(body.to_vec());
    let request = request
        .header("webhook-id", headers.id)
        .header("webhook-timestamp", headers.timestamp)
        .header("webhook-signature", headers.signature);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_packed_body_is_what_was_signed_or_it_is_not_believed() {
    const PLAIN: &[u8] = br#"{"type": "email.bounced"}"#;
    // What gzip makes of it, packed once.
    const PACKED: &str = "H4sIAAAAAAACA6tWKqksSFWyUlBKzU3MzNFLyi/NS05NUaoFAGDJq6IZAAAA";
    let app = TestApp::start().await;
    let source = source(&app, json!({})).await;
    let packed = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, PACKED).unwrap();
    let refused = send_packed(&app, &source, "msg_1", &packed, PLAIN).await;
    refused.problem(401, "signature_refused");
    let taken = send_packed(&app, &source, "msg_1", &packed, &packed).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.text);
    let path = path_of(&source, &format!("/events/{}", taken.body["event"].as_str().unwrap()));
    let kept = app.get(&path).await.body;
    assert_eq!(kept["body_base64"], PACKED, "byte for byte");
}

#[tokio::test]
async fn a_source_that_sends_too_much_is_told_to_wait_and_others_are_not() {
    let settings = api::Settings { webhooks_per_source_max: 3, ..settings() };
    let app = TestApp::start_with(settings).await;
    let (loud, calm) = (source(&app, json!({})).await, source(&app, json!({"name": "calm"})).await);
    // What is not believed counts as well.
    for (number, secret) in [SECRET, OTHER, SECRET].into_iter().enumerate() {
        let status = send(&app, &loud, &format!("msg_{number}"), "{}", secret, 0).await.status;
        assert_eq!(status.is_success(), secret == SECRET);
    }
    let refused = send(&app, &loud, "msg_4", "{}", SECRET, 0).await.problem(429, "rate_limited");
    let wait_s: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait_s), "{wait_s}");
    assert_eq!(send(&app, &calm, "msg_1", "{}", SECRET, 0).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn while_a_secret_changes_both_hold() {
    let app = TestApp::start().await;
    let source = source(&app, json!({})).await;
    let rotate = async |secret: &str, overlap_s: u32| {
        app.post(&path_of(&source, "/secret"), &json!({"secret": secret, "overlap_s": overlap_s})).await
    };
    assert!(rotate(OTHER, 3_600).await.body["previous_secret_until"].is_string());
    assert_eq!(send(&app, &source, "msg_1", "{}", SECRET, 0).await.status, StatusCode::ACCEPTED);
    assert_eq!(send(&app, &source, "msg_2", "{}", OTHER, 0).await.status, StatusCode::ACCEPTED);
    let third = "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";
    assert!(rotate(third, 0).await.body["previous_secret_until"].is_null());
    send(&app, &source, "msg_3", "{}", OTHER, 0).await.problem(401, "signature_refused");
    assert_eq!(send(&app, &source, "msg_3", "{}", third, 0).await.status, StatusCode::ACCEPTED);
    assert_eq!(rotate("short", 0).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn sources_and_rules_that_can_never_work_are_refused() {
    let app = TestApp::start().await;
    let standard = json!({"type": "standard_webhooks"});
    for (body, pointer) in [
        (json!({"name": "A b", "scheme": standard, "secret": SECRET}), "/name"),
        (json!({"name": "a", "scheme": standard}), "/secret"),
        (json!({"name": "a", "scheme": standard, "secret": "whsec_x"}), "/secret"),
        (json!({"name": "a", "scheme": {"type": "sns"}, "secret": "x"}), "/secret"),
        (json!({"name": "a", "scheme": standard, "secret": SECRET, "window_s": 0}), "/window_s"),
        (json!({"name": "a", "scheme": standard, "secret": SECRET, "order_pointer": "id"}), "/order_pointer"),
        (
            json!({"name": "a", "scheme": standard, "secret": SECRET, "sequence_pointer": "/at"}),
            "/sequence_pointer",
        ),
        (
            json!({"name": "a", "scheme": standard, "secret": SECRET, "order_pointer": "/id", "sequence_pointer": "at"}),
            "/sequence_pointer",
        ),
        (
            json!({
                "name": "a", "scheme": standard, "secret": SECRET, "order_pointer": "/id", "sequence_pointer": "/at",
                "feedback": "email"}),
            "/sequence_pointer",
        ),
        (
            json!({"name": "a", "secret": "x", "scheme": {
                "type": "generic", "header": "no header", "algorithm": "sha256", "encoding": "hex"}}),
            "/scheme/header",
        ),
    ] {
        let refused = app.post("/v1/webhook-sources", &body).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer], "{body}");
    }
    let source = source(&app, json!({})).await;
    let taken = json!({"name": "resend", "scheme": standard, "secret": SECRET});
    app.post("/v1/webhook-sources", &taken).await.problem(409, "name_taken");
    let rules = path_of(&source, "/rules");
    for (rule, pointer) in [
        (json!({"event_type": "", "kind": "probe.work"}), "/event_type"),
        (json!({"event_type": "*", "kind": "no.kind"}), "/kind"),
        (
            json!({"event_type": "*", "kind": "probe.work", "args": {"surprise": {"pointer": "/a"}}}),
            "/args/surprise",
        ),
        (
            json!({"event_type": "*", "kind": "probe.work", "args": {"work_ms": {"constant": "x"}}}),
            "/args/work_ms",
        ),
        (
            json!({"event_type": "*", "kind": "probe.work", "args": {"work_ms": {"constant": 999_999_999}}}),
            "/args/work_ms",
        ),
        (json!({"event_type": "*", "kind": "media.scan"}), "/args"),
    ] {
        let refused = app.post(&rules, &rule).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer], "{rule}");
    }
    let fits = json!({"event_type": "a.*", "kind": "media.scan", "args": {"asset": {"pointer": "/asset"}}});
    let made = app.post(&rules, &fits).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let path = format!("{rules}/{}", made.body["id"].as_str().unwrap());
    assert_eq!(app.request(Method::DELETE, &path).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(app.get(&rules).await.body["rules"], json!([]));
}

#[tokio::test]
async fn nobody_sees_the_sources_of_another_tenant() {
    let app = TestApp::start().await;
    let source = source(&app, json!({})).await;
    let stranger = app.stranger().await;
    for (method, rest) in [
        (Method::GET, ""),
        (Method::GET, "/events"),
        (Method::GET, "/rules"),
        (Method::GET, "/refusals"),
        (Method::POST, "/disable"),
        (Method::POST, "/events/replay"),
        (Method::DELETE, ""),
    ] {
        let request = app.http.request(method, app.url(&path_of(&source, rest))).bearer_auth(&stranger);
        Answer::of(request.send().await.unwrap()).await.problem(404, "not_found");
    }
    let removed = app.request(Method::DELETE, &path_of(&source, "")).send().await.unwrap();
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    assert_eq!(app.get("/v1/webhook-sources").await.body["sources"], json!([]));
}

#[tokio::test]
async fn events_are_looked_at_again_one_by_one_or_by_filter() {
    let app = TestApp::start().await;
    let source = source(&app, json!({})).await;
    for (id, event_type) in [("msg_1", "a"), ("msg_2", "b"), ("msg_3", "a")] {
        let body = json!({"type": event_type}).to_string();
        assert_eq!(send(&app, &source, id, &body, SECRET, 0).await.status, StatusCode::ACCEPTED);
    }
    let done = Verdict::Completed { result: json!({}).into() };
    assert_eq!(app.work(done.clone()).await, 3);
    let replayed = app.post(&path_of(&source, "/events/replay"), &json!({"event_type": "a"})).await;
    assert_eq!(replayed.status, StatusCode::ACCEPTED, "{}", replayed.text);
    assert_eq!(replayed.body["events"].as_array().unwrap().len(), 2);
    let one = replayed.body["events"][0].as_str().unwrap();
    assert_eq!(app.work(done).await, 2);
    let again = app.post(&path_of(&source, &format!("/events/{one}/replay")), &json!({})).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    let claimed = app.claim().await;
    assert_eq!(claimed[0].args.inline().unwrap(), &json!({"event": one, "replay": 2}));
    let all = app.get(&path_of(&source, "/events")).await.body;
    let at = |nth: usize| all["events"][nth]["received_at"].clone();
    // Newest first: from the first one on, and before the last one.
    let range = json!({"since": at(2), "until": at(0)});
    let replayed = app.post(&path_of(&source, "/events/replay"), &range).await.body;
    assert_eq!(replayed["events"].as_array().unwrap().len(), 2, "{replayed}");
    let listed = app.get(&path_of(&source, "/events?event_type=a&limit=1")).await.body;
    assert_eq!((listed["events"].as_array().unwrap().len(), listed["next"].is_string()), (1, true));
}
