//! Parties, templates, messages and links to unsubscribe over HTTP. Nobody decides or sends here.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, fresh};

pub(crate) async fn party(app: &TestApp) -> String {
    let made = app.post("/v1/parties", &json!({"name": "Ada", "locale": "de-AT"})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.body["id"].as_str().unwrap().to_owned()
}

async fn send(app: &TestApp, method: Method, path: &str, body: &Value) -> Answer {
    Answer::of(app.request(method, path).json(body).send().await.unwrap()).await
}

fn row(id: &str) -> String {
    id.split_once('_').unwrap().1.to_owned()
}

/// A message of the tenant's in `state`, with one try.
pub(crate) async fn message(app: &TestApp, party: &str, channel: &str, state: &str) -> String {
    let id = jobs::MessageId::new();
    let (row, tenant, party) = (id.as_uuid(), app.tenant.as_uuid(), row(party));
    app.execute(&format!(
        "insert into message (id, tenant_id, party_id, request_id, channel, category, template, template_version, locale,
             content_sha256, dedupe_key, state, decisions, content, scheduled_at)
         values ('{row}', '{tenant}', '{party}', '{row}', '{channel}', 'operational', 'x', 0, 'en', 'x', 'x', '{state}',
             '[{{\"rule\": 1, \"said\": \"x\"}}]', '{{\"in_app\": {{\"title\": \"Hi\", \"body\": \"there\", \"url\": null}}}}',
             now());
         insert into effect (tenant_id, key, try, message_id, job_id, state, provider, ended_at)
         values ('{tenant}', '{id}', 1, '{row}', '{row}', 'unknown', 'smtp', now())"
    ))
    .await;
    id.to_string()
}

#[tokio::test]
async fn what_was_said_about_an_address_can_be_read() {
    let app = TestApp::start().await;
    let party = app.post_keyed("/v1/parties", &json!({"name": "Ada"}), &fresh()).await;
    let contacts = format!("{}/contact-points", party.header("location").unwrap());
    let added = app.post(&contacts, &json!({"channel": "email", "address": "ada@example.com"})).await;
    let ledger = format!("/v1/contact-points/{}/consent", added.body["id"].as_str().unwrap());
    for said in
        [json!({"word": "granted", "category": "bulk"}), json!({"word": "stop"}), json!({"word": "released"})]
    {
        assert_eq!(app.post(&ledger, &said).await.status, StatusCode::NO_CONTENT);
    }
    let words = |page: &Value| -> Vec<String> {
        let all = page["consents"].as_array().unwrap().iter();
        all.map(|said| said["word"].as_str().unwrap().to_owned()).collect()
    };
    let page = app.get(&format!("{ledger}?limit=2")).await;
    assert_eq!(words(&page.body), ["released", "stop"]);
    let next = format!("{ledger}?limit=2&cursor={}", page.body["next"].as_str().unwrap());
    assert_eq!(page.header("link"), Some(format!("<{next}>; rel=\"next\"").as_str()));
    let last = app.get(&next).await.body;
    assert_eq!((words(&last), &last["next"]), (vec!["granted".to_owned()], &Value::Null));
    assert_eq!(last["consents"][0]["category"], "bulk");
    assert!(last["consents"][0]["source"].as_str().unwrap().starts_with("key_"), "{last}");
    app.get(&format!("{ledger}?cursor=x")).await.problem(400, "invalid_parameter");
    let stranger = app.http.request(Method::GET, app.url(&ledger)).bearer_auth(app.stranger().await);
    assert_eq!(stranger.send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_party_is_noted_changed_and_forgotten() {
    let app = TestApp::start().await;
    let body = json!({"name": " Ada ", "timezone": "Europe/Vienna", "quiet_hours": {"from": "22:00", "until": "08:00"}});
    let key = fresh();
    let made = app.post_keyed("/v1/parties", &body, &key).await;
    let again = app.post_keyed("/v1/parties", &body, &key).await;
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &made.text));
    assert_eq!(
        (made.status, &made.body["name"], &made.body["locale"]),
        (StatusCode::CREATED, &json!("Ada"), &json!("en"))
    );
    assert_eq!(made.body["quiet_hours"], body["quiet_hours"]);
    let path = made.header("location").unwrap().to_owned();
    let read = app.get(&path).await.body;
    assert_eq!(read["contact_points"][0]["channel"], "in_app");
    let changed = send(&app, Method::PUT, &path, &json!({"name": "Ada L"})).await.body;
    assert_eq!((&changed["name"], &changed["quiet_hours"]), (&json!("Ada L"), &Value::Null));
    assert_eq!(app.get("/v1/parties").await.body["parties"][0]["id"], made.body["id"]);

    let contacts = format!("{path}/contact-points");
    let mail = json!({"channel": "email", "address": "ada@example.com", "verified": true});
    let added = app.post(&contacts, &mail).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    app.post(&contacts, &mail).await.problem(409, "name_taken");
    let hook = json!({"channel": "chat", "address": "https://hooks.slack.com/services/secret"});
    let hook = app.post(&contacts, &hook).await;
    assert_eq!(hook.body["address"], "https://hooks.slack.com", "the rest is a secret");

    let contact = format!("/v1/contact-points/{}", added.body["id"].as_str().unwrap());
    for (word, category) in [("granted", json!("bulk")), ("hard_bounce", Value::Null)] {
        let said =
            app.post(&format!("{contact}/consent"), &json!({"word": word, "category": category})).await;
        assert_eq!(said.status, StatusCode::NO_CONTENT, "{}", said.text);
    }
    assert_eq!(app.get(&path).await.body["contact_points"][1]["suppressed"], "hard_bounce");
    app.post(&format!("{contact}/consent"), &json!({"word": "released"})).await;
    assert_eq!(app.get(&path).await.body["contact_points"][1]["suppressed"], Value::Null);

    let preferences = format!("{path}/preferences");
    let wanted = json!({"channels": {"social": ["in_app"], "bulk": []}});
    assert_eq!(send(&app, Method::PUT, &preferences, &wanted).await.body, wanted);
    assert_eq!(app.get(&preferences).await.body, wanted);

    let stranger = app.stranger().await;
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::DELETE, contact.clone()),
        (Method::GET, preferences.clone()),
    ] {
        let request = app.http.request(method, app.url(&path)).bearer_auth(&stranger);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::NOT_FOUND, "{path}");
    }
    for gone in [&contact, &path] {
        let removed = app.request(Method::DELETE, gone).send().await.unwrap();
        assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    }
    assert_eq!(app.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_cannot_be_noted_is_refused_with_the_field() {
    let app = TestApp::start().await;
    for (body, pointer) in [
        (json!({"name": " "}), "/name"),
        (json!({"name": "x", "locale": "Deutsch"}), "/locale"),
        (json!({"name": "x", "timezone": "Vienna"}), "/timezone"),
        (json!({"name": "x", "quiet_hours": {"from": "22:00", "until": "22:00"}}), "/quiet_hours"),
        (json!({"name": "x", "quiet_hours": {"from": "24:00", "until": "08:00"}}), "/quiet_hours"),
    ] {
        let refused = app.post("/v1/parties", &body).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer], "{body}");
    }
    let contacts = format!("/v1/parties/{}/contact-points", party(&app).await);
    for (channel, address, pointer) in [
        ("email", "ada", "/address"),
        ("email", "a@b.c\r\nBcc: x@y.z", "/address"),
        ("sms", "066012345", "/address"),
        ("chat", "ftp://x", "/address"),
        ("push", "a-token", "/address"),
        ("push", &subscription("https://10.0.0.1/x"), "/address"),
        ("push", &subscription("https://push.example/1").replace("BLn9b", "BLn9"), "/address"),
        ("in_app", "x", "/channel"),
    ] {
        let refused = app.post(&contacts, &json!({"channel": channel, "address": address})).await;
        assert_eq!(refused.problem(422, "invalid_body").pointers(), [pointer], "{channel} {address}");
    }
    let browser = json!({"channel": "push", "address": subscription("https://push.example/secret")});
    let added = app.post(&contacts, &browser).await;
    assert_eq!((added.status, &added.body["address"]), (StatusCode::CREATED, &json!("https://push.example")));
}

/// What a browser hands out whose push service takes notices at `endpoint`.
fn subscription(endpoint: &str) -> String {
    let point = "BLn9b-VR0ca83knDNZ32dCHGyjJp-1riX9ZTN40MqV8K_LpQmLqxC_DoHvqvFXO_nGdAB4W9dogZb_sM-uV4JbY";
    let keys = json!({"p256dh": point, "auth": "_ordMnz7uTCmrpBTeUV4Bw"});
    json!({"endpoint": endpoint, "expirationTime": null, "keys": keys}).to_string()
}

#[tokio::test]
async fn a_template_is_read_through_before_it_is_written() {
    let app = TestApp::start().await;
    let source = json!({"subject": "Hi {{ name }}", "lines": ["{{ order.address }}"]});
    let first = send(&app, Method::PUT, "/v1/templates/welcome/de-AT", &source).await;
    assert_eq!((first.status, &first.body["version"]), (StatusCode::OK, &json!(1)), "{}", first.text);
    assert_eq!(first.body["variables"], json!(["name", "order.address"]));
    let second = send(&app, Method::PUT, "/v1/templates/welcome/de-AT", &source).await;
    assert_eq!(second.body["version"], 2);
    let listed = app.get("/v1/templates").await.body;
    let names: Vec<_> = listed["templates"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(
        (names.len(), names[28]),
        (29, &json!("welcome")),
        "the product's fourteen in two languages, and ours"
    );
    let broken = json!({"subject": "Hi {{ name", "lines": []});
    let refused = send(&app, Method::PUT, "/v1/templates/welcome/de", &broken).await;
    assert_eq!(refused.problem(422, "invalid_body").pointers(), ["/subject"]);
    send(&app, Method::PUT, "/v1/templates/welcome/Deutsch", &source).await.problem(400, "invalid_parameter");

    let variables = json!({"name": "<b>Ada</b>", "order": {"address": "12 Elm Street"}});
    let shown = app.post("/v1/templates/preview", &json!({"source": source, "variables": variables})).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    let mail = &shown.body["contents"][0]["email"];
    assert_eq!(mail["subject"], "Hi <b>Ada</b>");
    assert!(!mail["html"].as_str().unwrap().contains("<b>Ada"), "{mail}");
    let lacking = app.post("/v1/templates/preview", &json!({"source": source})).await;
    let lacking = lacking.problem(422, "invalid_body");
    assert_eq!(lacking.body["errors"][0]["detail"], "the template needs name, order.address");
}

#[tokio::test]
async fn a_notification_is_a_job_and_its_fields_are_pointed_at() {
    let app = TestApp::start().await;
    let body = json!({"recipients": [party(&app).await], "template": "reminder", "category": "operational"});
    let key = fresh();
    let taken = app.post_keyed("/v1/notifications", &body, &key).await;
    assert_eq!(
        (taken.status, &taken.body["kind"]),
        (StatusCode::ACCEPTED, &json!("notify.plan")),
        "{}",
        taken.text
    );
    let again = app.post_keyed("/v1/notifications", &body, &key).await;
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &taken.text));
    for (field, value, pointer) in [
        ("recipients", json!([]), "/recipients"),
        ("category", json!("urgent"), "/category"),
        ("dedupe_s", json!(9_999_999), "/dedupe_s"),
    ] {
        let mut wrong = body.clone();
        wrong[field] = value;
        let refused = app.post("/v1/notifications", &wrong).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer], "{field}");
    }
    let subject = |version| json!({"version": version});
    let set = send(&app, Method::PUT, "/v1/subjects/order-1", &subject(2)).await;
    assert_eq!((set.status, &set.body["version"]), (StatusCode::OK, &json!(2)), "{}", set.text);
    let older = send(&app, Method::PUT, "/v1/subjects/order-1", &subject(1)).await;
    assert_eq!(older.body["version"], 2, "an older version changes nothing");
    let ended = send(&app, Method::PUT, "/v1/subjects/order-1", &json!({"version": 2, "ended": true})).await;
    assert!(ended.body["ended_at"].is_string());
}

#[tokio::test]
async fn a_message_of_which_nobody_knows_is_listed_and_resolved_once() {
    let app = TestApp::start().await;
    let party = party(&app).await;
    let [lost, sent] = ["unknown", "sent"].map(|state| (state, "email"));
    let lost = message(&app, &party, lost.1, lost.0).await;
    let sent = message(&app, &party, sent.1, sent.0).await;
    let listed = app.get("/v1/messages?state=unknown").await.body;
    let ids: Vec<_> = listed["messages"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, [&json!(lost)]);
    app.get("/v1/messages?state=lost").await.problem(400, "invalid_parameter");
    let path = format!("/v1/messages/{lost}");
    let detail = app.get(&path).await.body;
    assert_eq!(
        (&detail["decisions"][0]["rule"], &detail["tries"][0]["state"]),
        (&json!(1), &json!("unknown"))
    );
    app.post(&format!("/v1/messages/{sent}/resolve"), &json!({"outcome": "sent"}))
        .await
        .problem(409, "message_settled");
    let again = app.post(&format!("{path}/resolve"), &json!({"outcome": "send_again"})).await;
    assert_eq!((again.status, &again.body["state"]), (StatusCode::OK, &json!("planned")), "{}", again.text);
    assert!(again.body["tries"][0]["resolved_by"].as_str().unwrap().starts_with("key_"));
    let jobs = app.get("/v1/jobs?kind=notify.send").await.body;
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1);
    app.post(&format!("{path}/resolve"), &json!({"outcome": "sent"})).await.problem(409, "message_settled");
    let stranger = app.stranger().await;
    let theirs = app.http.get(app.url(&path)).bearer_auth(&stranger).send().await.unwrap();
    assert_eq!(theirs.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_message_is_sent_again_once_the_job_that_sent_it_has_ended() {
    let app = TestApp::start().await;
    let party = party(&app).await;
    let lost = message(&app, &party, "email", "unknown").await;
    let job = app.post("/v1/jobs", &json!({"kind": "notify.send", "args": {"message": lost}})).await;
    let job = job.body["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/messages/{lost}/resolve");
    let held = app.post(&path, &json!({"outcome": "send_again"})).await.problem(409, "job_running");
    assert!(held.body["detail"].as_str().unwrap().contains(&job), "{}", held.text);
    assert_eq!(held.header("retry-after"), Some("1"));
    assert!(app.post(&format!("/v1/jobs/{job}/cancel"), &json!({})).await.status.is_success());
    let again = app.post(&path, &json!({"outcome": "send_again"})).await;
    assert_eq!((again.status, &again.body["state"]), (StatusCode::OK, &json!("planned")), "{}", again.text);
}

#[tokio::test]
async fn an_inbox_counts_what_is_unread() {
    let app = TestApp::start().await;
    let party = party(&app).await;
    let ids = [message(&app, &party, "in_app", "sent").await, message(&app, &party, "in_app", "sent").await];
    message(&app, &party, "in_app", "planned").await;
    let path = format!("/v1/inbox?party={party}");
    let inbox = app.get(&path).await.body;
    assert_eq!((&inbox["unread"], &inbox["lines"][0]["id"]), (&json!(2), &json!(ids[1])));
    assert_eq!(inbox["lines"][0]["title"], "Hi");
    let read = app.post(&format!("/v1/inbox/{}/read", ids[0]), &json!({})).await;
    assert_eq!(read.status, StatusCode::NO_CONTENT);
    let inbox = app.get(&path).await.body;
    assert_eq!((&inbox["unread"], inbox["lines"].as_array().unwrap().len()), (&json!(1), 2));
}

#[tokio::test]
async fn one_click_unsubscribes_and_looking_does_not() {
    let app = TestApp::start().await;
    let party = party(&app).await;
    let mail = json!({"channel": "email", "address": "ada@example.com", "verified": true});
    let contact = app.post(&format!("/v1/parties/{party}/contact-points"), &mail).await.body["id"].clone();
    let contact: jobs::ContactPointId = contact.as_str().unwrap().parse().unwrap();
    app.execute(&format!(
        "update contact_point set link_secret = sha256('x') where id = '{}'",
        contact.as_uuid()
    ))
    .await;
    let secret = hex::decode("2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881").unwrap();
    let link = app.url(&format!("/u/{}", notify::sign(&secret, contact, jobs::Category::Social)));
    let said = "select count(*) from consent";
    // As programs do that look at every link of a mail.
    let looked = app.http.get(&link).send().await.unwrap();
    assert_eq!(looked.status(), StatusCode::OK);
    let csp = looked.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(
        csp.starts_with("default-src 'none'") && looked.text().await.unwrap().contains("method=\"post\"")
    );
    assert_eq!(app.number(said).await, 0);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let mut request = app.http.post(&link).body("List-Unsubscribe=One-Click");
    for (name, value) in form {
        request = request.header(name, value);
    }
    let ended = request.send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::OK, "no redirect");
    assert_eq!(
        app.number("select count(*) from consent where category = 'social' and word = 'withdrawn'").await,
        1
    );
    for altered in [link.replace("social", "bulk"), format!("{link}x"), app.url("/u/x")] {
        let refused = app.http.post(&altered).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::NOT_FOUND, "{altered}");
    }
    assert_eq!(app.number(said).await, 1);
}
