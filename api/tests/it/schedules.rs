//! Schedules over HTTP. Nobody fires them here but the tests.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, completed, fresh};

fn body(name: &str) -> Value {
    json!({
        "name": name, "cron": "30 2 * * MON-FRI", "timezone": "Europe/Berlin", "kind": "probe.work",
        "args": {"echo": name, "work_ms": 0, "endings": [], "follow_ups": 0}, "tags": ["nightly"], "metadata": {"owner": "ops"}
    })
}

impl TestApp {
    async fn make(&self, body: &Value) -> String {
        let made = self.post("/v1/schedules", body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        format!("/v1/schedules/{}", made.body["id"].as_str().unwrap())
    }

    async fn patch(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(body).send().await.unwrap()).await
    }

    async fn as_key(&self, key: &str, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.http.request(method, self.url(path)).bearer_auth(key);
        Answer::of(request.header("idempotency-key", fresh()).json(body).send().await.unwrap()).await
    }

    /// Lets the schedule come due by making its slots seconds, and fires.
    async fn fire(&self, path: &str) {
        let changed = self.patch(path, &json!({"cron": "* * * * * *"})).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
        crate::app::eventually(async || {
            let round = store::schedules::fire_due(&self.worker).await.unwrap();
            (!round.fired.is_empty()).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_schedule_is_made_read_and_told_in_plain_words() {
    let app = TestApp::start().await;
    let (key, body) = (fresh(), body("nightly"));
    let made = app.post_keyed("/v1/schedules", &body, &key).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let path = format!("/v1/schedules/{}", made.body["id"].as_str().unwrap());
    assert_eq!(made.header("location"), Some(path.as_str()));
    let again = app.post_keyed("/v1/schedules", &body, &key).await;
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &made.text));

    let read = app.get(&path).await.body;
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(&read[field], value, "{field}");
    }
    assert_eq!(read["description"], "At 02:30, on Monday, Tuesday, Wednesday, Thursday, and Friday.");
    assert_eq!((&read["overlap"], &read["catch_up"]), (&json!("allow"), &json!("one")));
    assert_eq!((&read["catch_up_max"], &read["catch_up_age_s"]), (&json!(10), &json!(86_400)));
    assert_eq!((&read["version"], &read["last_fire_at"]), (&json!(1), &Value::Null));
    let fires = read["next_fires"].as_array().unwrap();
    assert_eq!((fires.len(), &fires[0]["at"]), (10, &read["next_fire_at"]));
    assert!(fires.iter().all(|slot| slot["local"].as_str().unwrap().contains("T02:30:00+0")), "{fires:?}");
    assert!(read["created_by"].as_str().unwrap().starts_with("key_"));

    app.post_keyed("/v1/schedules", &json!({"name": "x"}), &key).await.problem(422, "invalid_body");
    app.post_keyed("/v1/schedules", &self::body("other"), &key).await.problem(422, "idempotency_key_reused");
    app.post("/v1/schedules", &body).await.problem(409, "name_taken");
}

#[tokio::test]
async fn what_is_wrong_is_pointed_at() {
    let app = TestApp::start().await;
    let wrong = json!({
        "name": "Nightly!", "cron": "30 25 * * *", "timezone": "europe/berlin", "kind": "probe.work",
        "args": {"work_ms": 600_001}, "queue": "media", "max_attempts": 51, "tags": [""],
        "catch_up_max": 101, "catch_up_age_s": 1
    });
    let refused = app.post("/v1/schedules", &wrong).await.problem(422, "invalid_body");
    let mut pointers = refused.pointers();
    pointers.sort_unstable();
    let wanted = [
        "/args/work_ms",
        "/catch_up_age_s",
        "/catch_up_max",
        "/cron",
        "/max_attempts",
        "/name",
        "/queue",
        "/tags/0",
        "/timezone",
    ];
    assert_eq!(pointers, wanted);
    let detail = |pointer: &str| {
        let errors = refused.body["errors"].as_array().unwrap();
        let error = errors.iter().find(|error| error["pointer"] == pointer).unwrap();
        error["detail"].as_str().unwrap().to_owned()
    };
    assert!(
        detail("/cron").starts_with("field 2 (hour), \"25\": number out of bounds"),
        "{}",
        detail("/cron")
    );
    assert!(detail("/timezone").ends_with("write Europe/Berlin"));

    for (field, value) in [
        ("overlap", json!("sometimes")),
        ("catch_up", json!(3)),
        ("args", json!([])),
        ("kind", json!("no.such")),
        ("cron", json!("0 0 30 2 *")),
        ("priority", json!(9)),
    ] {
        let mut body = body("a");
        body[field] = value;
        let refused = app.post("/v1/schedules", &body).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [format!("/{field}")]);
    }
    let mut unknown = body("a");
    unknown["colour"] = json!("red");
    app.post("/v1/schedules", &unknown).await.problem(422, "invalid_body");
    let unkeyed = app.request(Method::POST, "/v1/schedules").json(&body("a")).send().await.unwrap();
    Answer::of(unkeyed).await.problem(400, "idempotency_key_required");
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_minds_the_version() {
    let app = TestApp::start().await;
    let path = app.make(&body("a")).await;
    app.make(&body("b")).await;
    let before = app.get(&path).await.body;
    let changed = app.patch(&path, &json!({"priority": 1, "args": {"work_ms": 5}, "version": 1})).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(changed.body["args"], json!({"echo": "a", "work_ms": 5, "endings": [], "follow_ups": 0}));
    assert_eq!((&changed.body["priority"], &changed.body["version"]), (&json!(1), &json!(2)));
    assert_eq!(changed.body["next_fire_at"], before["next_fire_at"]);
    app.patch(&path, &json!({"priority": 2, "version": 1})).await.problem(409, "changed_meanwhile");
    app.patch(&path, &json!({"name": "b"})).await.problem(409, "name_taken");

    let back = app.patch(&path, &json!({"priority": null, "metadata": null, "cron": "@hourly"})).await.body;
    assert!(back.get("priority").is_none() && back.get("metadata").is_none());
    assert_ne!(back["next_fire_at"], before["next_fire_at"]);
    assert_eq!(back["description"], "At minute 0 past every hour.");

    for (patch, pointer) in [
        (json!({"cron": "x"}), "/cron"),
        (json!({"version": "one"}), "/version"),
        (json!({"args": {"surprise": 1}}), "/args/surprise"),
        (json!({"next_fire_at": "2030-01-01T00:00:00Z"}), "/next_fire_at"),
    ] {
        let refused = app.patch(&path, &patch).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer], "{}", refused.text);
    }
    assert_eq!(app.get(&path).await.body["version"], 3, "nothing was changed by what was refused");
}

#[tokio::test]
async fn a_schedule_is_held_and_goes_on() {
    let app = TestApp::start().await;
    let path = app.make(&body("a")).await;
    let pause = format!("{path}/pause");
    let refused = app.post(&pause, &json!({"reason": ""})).await.problem(422, "invalid_body");
    assert_eq!(refused.pointers(), ["/reason"]);
    let paused = app.post(&pause, &json!({"reason": "stocktaking"})).await.body;
    assert_eq!(paused["paused"]["reason"], "stocktaking");
    assert!(paused["paused"]["by"].as_str().unwrap().starts_with("key_"));
    assert_eq!((&paused["next_fire_at"], paused["next_fires"].as_array().unwrap().len()), (&Value::Null, 10));
    let resumed = app.post(&format!("{path}/resume"), &json!({})).await.body;
    assert!(resumed.get("paused").is_none() && resumed["next_fire_at"].is_string());
    assert_eq!(resumed["version"], 3);
}

#[tokio::test]
async fn a_run_by_hand_and_slots_are_told_with_their_jobs() {
    let app = TestApp::start().await;
    let path = app.make(&body("a")).await;
    let before = app.get(&path).await.body;
    let (run, key) = (format!("{path}/run"), fresh());
    let ran = app.post_keyed(&run, &json!({}), &key).await;
    assert_eq!(ran.status, StatusCode::ACCEPTED, "{}", ran.text);
    let job = format!("/v1/jobs/{}", ran.body["job"].as_str().unwrap());
    assert_eq!(ran.header("location"), Some(job.as_str()));
    let again = app.post_keyed(&run, &json!({}), &key).await;
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &ran.text));
    let found = app.get(&job).await.body;
    assert_eq!((&found["args"]["echo"], &found["tags"]), (&json!("a"), &json!(["nightly"])));
    assert_eq!(app.get(&path).await.body["next_fire_at"], before["next_fire_at"]);
    assert_eq!(app.work(completed()).await, 1);

    app.fire(&path).await;
    app.post(&format!("{path}/pause"), &json!({"reason": "enough"})).await;
    let fires = app.get(&format!("{path}/fires")).await.body["fires"].as_array().unwrap().clone();
    let last = fires.last().unwrap();
    assert_eq!((&last["outcome"], &last["slot"]), (&json!("manual"), &ran.body["at"]));
    assert!(last["by"].as_str().unwrap().starts_with("key_"));
    assert_eq!((&fires[0]["outcome"], fires[0].get("by")), (&json!("enqueued"), None));
    let scheduled = app.get(&format!("/v1/jobs/{}", fires[0]["job"].as_str().unwrap())).await.body;
    assert_eq!(scheduled["scheduled_at"], fires[0]["slot"]);

    let mut paged = Vec::new();
    let mut next = Some(String::new());
    while let Some(cursor) = next {
        let page = app.get(&format!("{path}/fires?limit=1{cursor}")).await;
        paged.extend(page.body["fires"].as_array().unwrap().clone());
        next = page.body["next"].as_str().map(|next| format!("&cursor={next}"));
        assert_eq!(page.header("link").is_some(), next.is_some());
    }
    assert_eq!(paged, fires);
    app.get(&format!("{path}/fires?cursor=x")).await.problem(400, "invalid_parameter");
}

#[tokio::test]
async fn an_expression_is_tried_without_being_stored() {
    let app = TestApp::start().await;
    let ask = json!({"cron": "30 2 * * *", "timezone": "Europe/Berlin", "after": "2026-03-28T00:00:00Z"});
    let shown = app.post("/v1/schedules/preview", &ask).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    assert_eq!(shown.body["description"], "At 02:30.");
    let fires = shown.body["next_fires"].as_array().unwrap();
    assert_eq!(fires[1], json!({"at": "2026-03-29T01:00:00Z", "local": "2026-03-29T03:00:00+02:00"}));
    assert_eq!(fires.len(), 10);
    let refused = app.post("/v1/schedules/preview", &json!({"cron": "* * *"})).await;
    assert_eq!(refused.problem(422, "invalid_body").pointers(), ["/cron"]);
    assert_eq!(app.get("/v1/schedules").await.body["schedules"], json!([]));
}

#[tokio::test]
async fn lists_are_paged_and_removed_ones_are_gone() {
    let app = TestApp::start().await;
    for name in ["a", "b", "c"] {
        app.make(&body(name)).await;
    }
    let first = app.get("/v1/schedules?limit=2").await;
    let names = |page: &Value| -> Vec<String> {
        let found = page["schedules"].as_array().unwrap().iter();
        found.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&first.body), ["c", "b"]);
    let next = first.body["next"].as_str().unwrap();
    let rest = app.get(&format!("/v1/schedules?limit=2&cursor={next}")).await.body;
    assert_eq!((names(&rest), &rest["next"]), (vec!["a".to_owned()], &Value::Null));
    assert!(rest["schedules"][0].get("next_fires").is_none());
    let path = format!("/v1/schedules/{}", rest["schedules"][0]["id"].as_str().unwrap());
    let removed = app.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    app.get(&path).await.problem(404, "not_found");
    app.get(&format!("{path}/fires")).await.problem(404, "not_found");
    app.make(&body("a")).await;
}

#[tokio::test]
async fn each_endpoint_wants_its_scope_and_shows_nothing_to_strangers() {
    let app = TestApp::start().await;
    let path = app.make(&body("a")).await;
    let reason = json!({"reason": "x"});
    let endpoints = [
        (Method::POST, "/v1/schedules".to_owned(), body("z"), "jobs:write"),
        (Method::POST, "/v1/schedules/preview".to_owned(), json!({"cron": "@daily"}), "jobs:read"),
        (Method::GET, "/v1/schedules".to_owned(), json!({}), "jobs:read"),
        (Method::GET, path.clone(), json!({}), "jobs:read"),
        (Method::GET, format!("{path}/fires"), json!({}), "jobs:read"),
        (Method::PATCH, path.clone(), json!({}), "jobs:write"),
        (Method::POST, format!("{path}/pause"), reason, "queue:operate"),
        (Method::POST, format!("{path}/resume"), json!({}), "queue:operate"),
        (Method::POST, format!("{path}/run"), json!({}), "queue:operate"),
        (Method::DELETE, path.clone(), json!({}), "jobs:write"),
    ];
    let stranger = app.stranger().await;
    for (method, path, body, scope) in endpoints {
        let others = ["jobs:read", "jobs:write", "queue:operate"]
            .into_iter()
            .filter(|other| *other != scope && !(scope == "queue:operate" && *other == "jobs:write"));
        for other in others {
            let key = app.key_of(app.tenant, &[other]).await;
            let refused = app.as_key(&key, method.clone(), &path, &body).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path} with {other}");
        }
        if path.contains("sch_") {
            app.as_key(&stranger, method.clone(), &path, &body).await.problem(404, "not_found");
        }
        let key = app.key_of(app.tenant, &[scope]).await;
        let done = app.as_key(&key, method.clone(), &path, &body).await;
        assert!(done.status.is_success(), "{method} {path}: {}", done.text);
    }
    let seen = app.as_key(&stranger, Method::GET, "/v1/schedules", &json!({})).await;
    assert_eq!(seen.body["schedules"], json!([]));
}
