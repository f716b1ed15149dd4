//! What kinds call private, for those who see payloads and for those who see that too.

use api::UserRole;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::verdict::Verdict;

use crate::{
    app::{Answer, TestApp, fresh},
    ops::Person,
};

const COVER: &str = "•••";
/// Where somebody lives.
const ADDRESS: &str = "7 Abracadabra Lane";

fn address() -> Value {
    json!({"kind": "geo.geocode", "args": {"address": ADDRESS, "countries": ["at"]}})
}

/// A job about where somebody lives, which found it.
async fn found(app: &TestApp) -> String {
    let job = app.post("/v1/jobs", &address()).await;
    let result = json!({
        "position": {"latitude": 48.2, "longitude": 16.3}, "timezone": "Europe/Vienna", "precision": "building",
        "sure": true, "address": ADDRESS,
    });
    assert_eq!(app.work(Verdict::Completed { result: result.into() }).await, 1, "{}", job.text);
    job.body["id"].as_str().unwrap().to_owned()
}

/// From now on somebody sees what is private in the tenant of `app`, too.
pub(crate) async fn show_private(app: &TestApp, person: &Person) {
    let grant = async |tx: &mut _| store::users::show_private(tx, person.id, Some(app.tenant)).await;
    app.owner.transact(None, grant).await.unwrap();
}

async fn ask(app: &TestApp, key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let request = app.http.request(method, app.url(path)).bearer_auth(key).header("idempotency-key", fresh());
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_private_is_covered_wherever_it_is_shown() {
    let app = TestApp::start().await;
    let job = found(&app).await;
    let nightly =
        json!({"name": "nightly", "cron": "@daily", "kind": "geo.geocode", "args": {"address": ADDRESS}});
    assert_eq!(app.post("/v1/schedules", &nightly).await.status, StatusCode::CREATED);
    let scopes = ["jobs:write", "jobs:read", "payloads:read", "queue:operate"];
    let half = app.key_of(app.tenant, &scopes).await;
    for (path, pointer) in [
        (format!("/v1/jobs/{job}"), "/args/address"),
        (format!("/v1/jobs/{job}"), "/result/position"),
        (format!("/v1/jobs/{job}/args"), "/address"),
        (format!("/v1/jobs/{job}/result"), "/address"),
        ("/v1/schedules".to_owned(), "/schedules/0/args/address"),
    ] {
        let seen = ask(&app, &half, Method::GET, &path, None).await;
        assert_eq!(seen.body.pointer(pointer), Some(&json!(COVER)), "{path}: {}", seen.text);
        assert!(!seen.text.contains(ADDRESS), "{path}");
        let whole = app.get(&path).await;
        assert_ne!(whole.body.pointer(pointer), Some(&json!(COVER)), "{path}");
    }
    let seen = ask(&app, &half, Method::GET, &format!("/v1/jobs/{job}"), None).await.body;
    assert_eq!(
        (&seen["args"]["countries"], &seen["result"]["timezone"]),
        (&json!(["at"]), &json!("Europe/Vienna"))
    );
    let events = ask(&app, &half, Method::GET, &format!("/v1/jobs/{job}/events"), None).await.text;
    assert!(events.contains(COVER) && !events.contains(ADDRESS), "{events}");
    // Nor is it guessed.
    let query = "field=address&holds=7%20Abracadabra%20Lane";
    assert_eq!(app.get(&format!("/v1/jobs?{query}")).await.body["jobs"][0]["id"], job);
    let guessed = ask(&app, &half, Method::GET, &format!("/v1/jobs?{query}"), None).await.body;
    assert_eq!(guessed["jobs"], json!([]));
    let own = ask(&app, &half, Method::POST, "/v1/jobs", Some(&address())).await;
    assert_eq!(own.body["args"]["address"], ADDRESS, "what a key submits it has back: {}", own.text);
}

#[tokio::test]
async fn what_is_covered_goes_into_a_clone_as_long_as_nothing_else_changes() {
    let app = TestApp::start().await;
    let path = format!("/v1/jobs/{}/clone", found(&app).await);
    let half = app.key_of(app.tenant, &["jobs:write", "jobs:read", "payloads:read"]).await;
    for args in [json!({"countries": ["de"]}), json!({"countries": ["de"], "address": COVER})] {
        let refused = ask(&app, &half, Method::POST, &path, Some(&json!({ "args": args }))).await;
        let said = &refused.problem(403, "missing_scope").body;
        assert!(said["detail"].as_str().unwrap().contains("private:read"), "{said}");
    }
    for (args, kept) in [
        (json!({}), ADDRESS),
        (json!({"address": COVER, "countries": ["at"]}), ADDRESS),
        (json!({"countries": ["fr"], "address": "8 Hocus Court"}), "8 Hocus Court"),
    ] {
        let clone = ask(&app, &half, Method::POST, &path, Some(&json!({ "args": args }))).await;
        assert!(clone.status.is_success() && !clone.text.contains(ADDRESS), "{}", clone.text);
        let clone = app.get(&format!("/v1/jobs/{}", clone.body["id"].as_str().unwrap())).await.body;
        assert_eq!(clone["args"]["address"], kept, "{args}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboard_covers_it_too() {
    let app = TestApp::start().await;
    let job = found(&app).await;
    let roles = [(Some(app.tenant), UserRole::TenantOperator, true)];
    let ann = Person::signed_in(&app, "ann", &roles).await;
    let bob = Person::signed_in(&app, "bob", &roles).await;
    show_private(&app, &ann).await;
    let path = format!("/ops/t/acme/jobs/{job}");
    for page in [path.clone(), format!("{path}/clone")] {
        assert!(ann.page(&page).await.1.contains(ADDRESS), "{page}");
        let (status, covered) = bob.page(&page).await;
        assert!(status.is_success() && covered.contains(COVER) && !covered.contains(ADDRESS), "{covered}");
    }
    let clone = async |args: &str| bob.post(&format!("{path}/clone"), &[("key", "a"), ("args", args)]).await;
    let (status, told) = clone("{\"address\": \"•••\", \"countries\": [\"de\"]}").await;
    assert!(status == StatusCode::FORBIDDEN && told.contains("what is covered"), "{told}");
    let (status, to) = clone("{\"address\": \"•••\", \"countries\": [\"at\"]}").await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{to}");
    let (_, page) = bob.page(&to).await;
    assert!(page.contains("Nothing was changed") && !page.contains(ADDRESS), "{page}");
    let clone = app.get(&format!("/v1/jobs/{}", to.rsplit('/').next().unwrap())).await.body;
    assert_eq!((&clone["args"]["address"], &clone["args"]["countries"]), (&json!(ADDRESS), &json!(["at"])));
    let list = "/ops/t/acme/jobs?field=address&holds=7+Abracadabra+Lane";
    assert!(ann.page(list).await.1.contains(&job) && !bob.page(list).await.1.contains(&job));
}

#[tokio::test]
async fn what_a_schedule_hands_on_cannot_be_handed_elsewhere_unseen() {
    let app = TestApp::start().await;
    let nightly =
        json!({"name": "nightly", "cron": "@daily", "kind": "geo.geocode", "args": {"address": ADDRESS}});
    let path =
        format!("/v1/schedules/{}", app.post("/v1/schedules", &nightly).await.body["id"].as_str().unwrap());
    let half = app.key_of(app.tenant, &["jobs:write", "jobs:read", "payloads:read"]).await;
    let blind = app.key_of(app.tenant, &["jobs:write", "jobs:read", "private:read"]).await;
    let elsewhere = json!({"args": {"countries": ["de"]}});
    for (key, patch) in [(&half, &elsewhere), (&blind, &elsewhere), (&blind, &json!({"kind": "probe.work"}))]
    {
        ask(&app, key, Method::PATCH, &path, Some(patch)).await.problem(403, "missing_scope");
    }
    for key in [&half, &blind] {
        let changed = ask(&app, key, Method::PATCH, &path, Some(&json!({"cron": "@hourly"}))).await;
        assert!(changed.status.is_success() && !changed.text.contains(ADDRESS), "{}", changed.text);
        assert_eq!(app.get(&path).await.body["args"]["address"], ADDRESS);
    }
    let anew = json!({"args": {"countries": ["de"], "address": "8 Hocus Court"}});
    let changed = ask(&app, &half, Method::PATCH, &path, Some(&anew)).await;
    assert!(changed.status.is_success(), "{}", changed.text);
    assert_eq!(app.get(&path).await.body["args"]["address"], "8 Hocus Court");
    let changed = ask(&app, &half, Method::PATCH, &path, Some(&json!({"kind": "probe.work"}))).await;
    assert!(changed.status.is_success(), "{}", changed.text);
    let args = &app.get(&path).await.body["args"];
    assert!(args.get("address").is_none(), "of another kind they are other arguments: {args}");
}

#[tokio::test]
async fn what_somebody_is_told_is_private() {
    let app = TestApp::start().await;
    let party =
        app.post("/v1/parties", &json!({"name": "Ada"})).await.body["id"].as_str().unwrap().to_owned();
    let message = crate::notifications::message(&app, &party, "in_app", "sent").await;
    let said = json!({"in_app": {"title": ADDRESS, "body": ADDRESS, "url": null}});
    app.execute(&format!("update message set content = '{said}'")).await;
    let (one, inbox) = (format!("/v1/messages/{message}"), format!("/v1/inbox?party={party}"));
    assert!(app.get(&one).await.text.contains(ADDRESS) && app.get(&inbox).await.text.contains(ADDRESS));
    for scopes in [["jobs:read", "payloads:read"], ["jobs:read", "private:read"]] {
        let few = app.key_of(app.tenant, &scopes).await;
        let seen = ask(&app, &few, Method::GET, &one, None).await;
        assert!(seen.status.is_success() && !seen.text.contains(ADDRESS), "{}", seen.text);
        for path in [inbox.clone(), format!("/v1/inbox/events?party={party}")] {
            ask(&app, &few, Method::GET, &path, None).await.problem(403, "missing_scope");
        }
    }
    let roles = [(Some(app.tenant), UserRole::TenantOperator, true)];
    let ann = Person::signed_in(&app, "ann", &roles).await;
    let page = format!("/ops/t/acme/messages/{message}");
    assert!(!ann.page(&page).await.1.contains(ADDRESS));
    show_private(&app, &ann).await;
    assert!(ann.page(&page).await.1.contains(ADDRESS));
}
