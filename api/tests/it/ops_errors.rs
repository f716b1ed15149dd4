//! What people say of errors, and who looks after them.

use api::UserRole;
use jobs::failure::Problem;
use reqwest::StatusCode;
use serde_json::json;
use store::verdict::Verdict;

use crate::{
    app::{Answer, TestApp},
    ops::{Person, log},
};

async fn fails(app: &TestApp) {
    app.submit(json!({})).await;
    assert_eq!(app.work(Verdict::Discarded { problem: Problem::new("odd", "the <printer>") }).await, 1);
}

/// Where the page of the only group is.
fn link(page: &str) -> String {
    let (_, after) = page.split_once("href=\"/ops/t/acme/errors/").expect("a group");
    format!("/ops/t/acme/errors/{}", after.split('"').next().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_mended_comes_back_and_is_ignored() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    let bob = Person::signed_in(&app, "bob", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    app.execute("insert into version_seen (version, first_at) values ('1.1+abc', now() - interval '1 day')")
        .await;
    fails(&app).await;
    let (_, page) = ann.page("/ops/t/acme/errors").await;
    assert!(page.contains("under 1.1+abc") && !page.contains("Ignored and resolved"), "{page}");
    let path = link(&page);
    let (status, page) = bob.page(&path).await;
    assert!(status.is_success() && page.contains("the &lt;printer&gt;"), "{page}");
    assert!(!page.contains("/state\"") && !page.contains("/assign\""), "a viewer only looks: {page}");

    let say = format!("{path}/state");
    let mended = [("state", "resolved"), ("note", "new <paper>")];
    assert_eq!(bob.post(&say, &mended).await.0, StatusCode::FORBIDDEN);
    assert_eq!(ann.post(&say, &mended).await, (StatusCode::SEE_OTHER, path.clone()));
    assert!(ann.page(&path).await.1.contains("new &lt;paper&gt;"));
    let (_, page) = ann.page("/ops/t/acme/errors").await;
    assert!(
        page.contains("Ignored and resolved") && page.contains("✓") && page.contains("to be looked at"),
        "{page}"
    );
    fails(&app).await;
    let (_, page) = ann.page("/ops/t/acme/errors").await;
    assert!(page.contains("regressed") && !page.contains("Ignored and resolved"), "{page}");
    assert_eq!(ann.post(&say, &[("state", "ignored"), ("note", " ")]).await.0, StatusCode::SEE_OTHER);
    assert!(ann.page("/ops/t/acme/errors").await.1.contains("Ignored and resolved"));

    let endless = "x".repeat(501);
    for wrong in [[("state", "odd"), ("note", "")], [("state", "open"), ("note", endless.as_str())]] {
        assert_eq!(ann.post(&say, &wrong).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{wrong:?}");
    }
    for unknown in ["0123456789abcdef", "x"] {
        let path = format!("/ops/t/acme/errors/{unknown}");
        assert_eq!(ann.page(&path).await.0, StatusCode::NOT_FOUND);
        assert_eq!(ann.post(&format!("{path}/state"), &mended).await.0, StatusCode::NOT_FOUND);
    }
    assert_eq!(app.number("select count(*) from error_group").await, 1, "nothing was made up");
    let noted = log(&app, app.tenant).await;
    let asked = noted.iter().find(|said| said["asked"]["state"] == "ignored").unwrap();
    let after = noted.iter().find(|said| said["after"]["state"] == "ignored").unwrap();
    assert_eq!(
        (&asked["action"], &asked["before"]["state"], &asked["before"]["note"]),
        (&json!("error.judge"), &json!("resolved"), &json!("new <paper>"))
    );
    assert_eq!((&after["after"]["code"], &after["after"]["by"]), (&json!("odd"), &json!(ann.email)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_given_to_somebody_who_steers_here() {
    let app = TestApp::start().await;
    let steers = [(Some(app.tenant), UserRole::TenantOperator, false)];
    let ann = Person::signed_in(&app, "ann", &steers).await;
    let cid = Person::new(&app, "cid", &steers).await;
    let bob = Person::new(&app, "bob", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    fails(&app).await;
    let path = link(&ann.page("/ops/t/acme/errors").await.1);
    let (_, page) = ann.page(&path).await;
    assert!(page.contains(&cid.email) && !page.contains(&bob.email), "{page}");
    let assign = format!("{path}/assign");
    let to = async |to: String| ann.post(&assign, &[("to", to.as_str())]).await.0;
    assert_eq!(to(cid.id.to_string()).await, StatusCode::SEE_OTHER);
    assert!(ann.page("/ops/t/acme/errors").await.1.contains("with cid@acme.test"));
    for wrong in [bob.id.to_string(), jobs::UserId::new().to_string(), "x".to_owned()] {
        assert_eq!(to(wrong.clone()).await, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    assert_eq!(to(ann.id.to_string()).await, StatusCode::SEE_OTHER);
    assert_eq!(to(String::new()).await, StatusCode::SEE_OTHER);
    assert!(!ann.page("/ops/t/acme/errors").await.1.contains("with ann"));
    let log = log(&app, app.tenant).await;
    let given = log.iter().find(|said| said["after"]["assignee"] == "cid@acme.test").unwrap();
    assert_eq!((&given["outcome"], &given["after"]["state"]), (&json!("done"), &json!("open")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_has_the_same_groups_and_the_filter_that_retries_them() {
    let app = TestApp::start().await;
    let none = app.get("/v1/errors").await;
    assert_eq!(
        (none.status, &none.body["errors"], &none.body["exact"]),
        (StatusCode::OK, &json!([]), &json!(true))
    );
    fails(&app).await;
    fails(&app).await;
    let found = app.get("/v1/errors").await.body;
    let group = &found["errors"][0];
    assert_eq!((found["errors"].as_array().unwrap().len(), &found["looked_at"]), (1, &json!(2)));
    assert_eq!(
        (&group["kind"], &group["code"], &group["state"]),
        (&json!("probe.work"), &json!("odd"), &json!("open"))
    );
    assert_eq!((&group["failures"], &group["given_up"]), (&json!(2), &json!(2)));
    assert_eq!(group["message"], "the <printer>");
    let last = format!("/v1/jobs/{}", group["last_job"].as_str().unwrap());
    assert_eq!(app.get(&last).await.body["state"], "discarded");

    let one = format!("/v1/errors/{}", group["fingerprint"].as_str().unwrap());
    assert_eq!(&app.get(&one).await.body, group);
    assert_eq!(app.get("/v1/errors/0123456789abcdef").await.status, StatusCode::NOT_FOUND);

    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    let path = link(&ann.page("/ops/t/acme/errors").await.1);
    assert!(path.ends_with(group["fingerprint"].as_str().unwrap()), "{path}");
    ann.post(&format!("{path}/state"), &[("state", "ignored"), ("note", "known")]).await;
    let said = app.get("/v1/errors").await.body["errors"][0].clone();
    assert_eq!(
        (&said["state"], &said["note"], &said["said_by"]),
        (&json!("ignored"), &json!("known"), &json!(ann.email))
    );

    let retry = json!({ "action": "retry", "filter": group["given_up_filter"], "expected_count": 2 });
    assert_eq!(app.post("/v1/bulk-operations", &retry).await.body["matched"], 2);
    let stranger =
        app.http.get(app.url("/v1/errors")).bearer_auth(app.stranger().await).send().await.unwrap();
    assert_eq!(Answer::of(stranger).await.body["errors"], json!([]));
    let writer = app.key_of(app.tenant, &["jobs:write"]).await;
    let refused = app.http.get(app.url("/v1/errors")).bearer_auth(writer).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_tells_under_which_versions_it_was_seen() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    fails(&app).await;
    let path = link(&ann.page("/ops/t/acme/errors").await.1);
    let versions = format!("/v1/errors/{}/versions", path.rsplit('/').next().unwrap());
    assert_eq!(app.get(&versions).await.body, json!({ "versions": [] }), "nobody said of what they are");
    assert!(!ann.page(&path).await.1.contains("Under which versions"));
    app.execute(
        "insert into worker_seen (name, version) values ('wrk_test', '1.1+<abc>');
         insert into error_version (tenant_id, kind, code, version, failures, first_at, last_at)
         select id, 'probe.work', 'odd', '1.0', 1234, now() - interval '2 days', now() - interval '1 day' from tenant",
    )
    .await;
    let told = app.get(&versions).await.body;
    let said: Vec<_> =
        told["versions"].as_array().unwrap().iter().map(|of| (&of["version"], &of["failures"])).collect();
    assert_eq!(said, [(&json!("1.1+<abc>"), &json!(1)), (&json!("1.0"), &json!(1234))]);
    assert_eq!((&told["first_version"], &told["last_version"]), (&json!("1.0"), &json!("1.1+<abc>")));
    let (_, page) = ann.page(&path).await;
    for part in ["Under which versions", "<dt>First version</dt><dd>1.0</dd>", "1.1+&lt;abc&gt;", "1,234"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(app.get("/v1/errors/0123456789abcdef/versions").await.status, StatusCode::NOT_FOUND);
    let stranger = app.http.get(app.url(&versions)).bearer_auth(app.stranger().await).send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_say_of_errors_what_people_do_and_it_stands_in_the_same_log() {
    let app = TestApp::start().await;
    let steers = [(Some(app.tenant), UserRole::TenantOperator, false)];
    let (ann, cid) = (Person::new(&app, "ann", &steers).await, Person::new(&app, "cid", &steers).await);
    let bob = Person::new(&app, "bob", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    fails(&app).await;
    let group = app.get("/v1/errors").await.body["errors"][0]["fingerprint"].as_str().unwrap().to_owned();
    let put = async |key: &str, path: &str, body: serde_json::Value| {
        let url = app.url(&format!("/v1/errors/{path}"));
        Answer::of(app.http.put(url).bearer_auth(key).json(&body).send().await.unwrap()).await
    };
    let (state, assignee) = (format!("{group}/state"), format!("{group}/assignee"));
    let said = put(&app.key, &state, json!({ "state": "resolved", "note": " new paper " })).await.body;
    assert_eq!((&said["state"], &said["note"]), (&json!("resolved"), &json!("new paper")));
    fails(&app).await;
    assert_eq!(app.get("/v1/errors").await.body["errors"][0]["state"], "regressed");
    let said = put(&app.key, &state, json!({ "state": "ignored" })).await.body;
    assert_eq!((&said["state"], said.get("note")), (&json!("ignored"), None));

    let hers = app.key_for(app.tenant, &["queue:operate"], Some(ann.id)).await;
    assert_eq!(put(&hers, &assignee, json!({})).await.body["assignee"], ann.email, "hers is her key");
    let to_cid = json!({ "email": cid.email.to_uppercase() });
    assert_eq!(put(&app.key, &assignee, to_cid).await.body["assignee"], cid.email);
    let nobody =
        app.request(reqwest::Method::DELETE, &format!("/v1/errors/{assignee}")).send().await.unwrap();
    let nobody = Answer::of(nobody).await;
    assert!(nobody.status.is_success() && nobody.body.get("assignee").is_none(), "{}", nobody.text);

    for (path, wrong, pointer) in [
        (&state, json!({ "state": "regressed" }), "/state"),
        (&state, json!({ "state": "open", "note": "x".repeat(501) }), "/note"),
        (&state, json!({ "state": "open", "note": "a\u{0}b" }), "/note"),
        (&assignee, json!({}), "/email"),
        (&assignee, json!({ "email": bob.email }), "/email"),
        (&assignee, json!({ "email": "\u{0}" }), "/email"),
    ] {
        let refused = put(&app.key, path, wrong).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer], "{path}");
    }
    let reader = app.key_of(app.tenant, &["jobs:read", "jobs:write"]).await;
    let open = json!({ "state": "open" });
    put(&reader, &state, open.clone()).await.problem(403, "missing_scope");
    put(&app.stranger().await, &state, open.clone()).await.problem(404, "not_found");
    put(&app.key, "0123456789abcdef/state", open).await.problem(404, "not_found");

    let log = log(&app, app.tenant).await;
    let acts: Vec<_> = log.iter().map(|said| said["action"].as_str().unwrap_or_default()).collect();
    assert_eq!(
        acts,
        ["error.judge", "error.judge", "error.assign", "error.assign", "error.assign", "change"],
        "what failed is not there"
    );
    assert_eq!(log[5]["outcome"], "refused");
    assert_eq!(
        (&log[1]["before"]["note"], &log[1]["after"]["state"], &log[1]["target"]),
        (&json!("new paper"), &json!("ignored"), &json!(group))
    );
    assert_eq!(log[4]["before"]["assignee"], cid.email);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_watches_all_sees_whom_else_it_fails_for() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(None, UserRole::Viewer, false)]).await;
    let bob = Person::signed_in(&app, "bob", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    fails(&app).await;
    app.execute(
        "insert into tenant (id, slug, name) values (gen_random_uuid(), 'homes', 'Homes <2>');
         insert into error_group (tenant_id, kind, code, failures, first_at, last_at)
         select id, 'probe.work', 'odd', 1234, now() - interval '1 day', now() from tenant where slug in ('acme', 'homes')",
    )
    .await;
    let path = link(&ann.page("/ops/t/acme/errors").await.1);
    let page = ann.page(&path).await.1;
    assert!(page.contains("Whom it concerns") && page.contains("Homes &lt;2&gt;"), "{page}");
    assert!(page.contains("2 tenants") && page.contains(&path.replace("acme", "homes")), "{page}");
    let page = bob.page(&path).await.1;
    assert!(!page.contains("Whom it concerns") && !page.contains("Homes"), "{page}");
}
