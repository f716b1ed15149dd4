//! Calendars outside over HTTP. Nobody reads or writes them here.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, fresh};

pub(crate) async fn technician(app: &TestApp) -> String {
    let id = app.post("/v1/parties", &json!({"name": "Ada"})).await.body["id"].as_str().unwrap().to_owned();
    let member = json!({"roles": ["technician"], "timezone": "UTC"});
    let set = app.request(Method::PUT, &format!("/v1/parties/{id}/membership")).json(&member);
    assert_eq!(set.send().await.unwrap().status(), StatusCode::OK);
    id
}

fn wanted(party: &str, more: &Value) -> Value {
    let mut body = json!({"party": party, "provider": "caldav", "url": "https://dav.example.com/ada/",
        "username": "ada", "password": "rosebud"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn what_opens_a_calendar_is_taken_and_never_shown() {
    let app = TestApp::start().await;
    let party = technician(&app).await;
    let (key, body) = (fresh(), wanted(&party, &json!({})));
    let made = app.post_keyed("/v1/calendar-links", &body, &key).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert!(!made.text.contains("rosebud") && made.body["state"] == "linking" && made.body["stale"] == true);
    assert_eq!((&made.body["host"], &made.body["write"]), (&json!("dav.example.com"), &json!(true)));
    assert_eq!(app.post_keyed("/v1/calendar-links", &body, &key).await.text, made.text);
    let path = format!("/v1/calendar-links/{}", made.body["id"].as_str().unwrap());
    assert_eq!(app.get(&path).await.body, made.body);
    let feed = json!({"party": party, "provider": "ics", "url": "webcal://example.com/secret.ics"});
    let feed = app.post("/v1/calendar-links", &feed).await;
    assert_eq!((feed.status, &feed.body["write"]), (StatusCode::CREATED, &json!(false)), "{}", feed.text);
    let list = format!("/v1/parties/{party}/calendar-links");
    let first = app.get(&format!("{list}?limit=1")).await.body;
    assert_eq!(first["links"][0], feed.body);
    let next = first["next"].as_str().unwrap();
    assert_eq!(app.get(&format!("{list}?limit=1&cursor={next}")).await.body["links"][0], made.body);
    assert_eq!(app.post(&format!("{path}/pull"), &json!({})).await.status, StatusCode::ACCEPTED);
    assert_eq!(
        Answer::of(app.request(Method::DELETE, &path).send().await.unwrap()).await.status,
        StatusCode::NO_CONTENT
    );
    app.get(&path).await.problem(404, "not_found");
    app.post(&format!("{path}/pull"), &json!({})).await.problem(404, "not_found");
}

#[tokio::test]
async fn what_cannot_be_linked_is_refused_with_the_field() {
    let app = TestApp::start().await;
    let party = technician(&app).await;
    for (more, pointer) in [
        (json!({"url": "http://example.com/"}), "/url"),
        (json!({"url": "https://10.0.0.1/"}), "/url"),
        (json!({"url": "https://ada:rosebud@example.com/"}), "/url"),
        (json!({"url": format!("https://example.com/{}", "x".repeat(2_000))}), "/url"),
        (json!({"username": ""}), "/username"),
        (json!({"username": null}), "/password"),
        (json!({"password": "a\u{0}b"}), "/password"),
        (json!({"password": "x".repeat(1_025)}), "/password"),
        (json!({"email": "x".repeat(321)}), "/email"),
        (json!({"provider": "ics", "write": true}), "/write"),
        (json!({"provider": "exchange"}), "/provider"),
        (json!({"url": null}), "/url"),
        (json!({"refresh_token": "x"}), "/refresh_token"),
        (json!({"calendar": "x"}), "/calendar"),
    ] {
        let refused = app.post("/v1/calendar-links", &wanted(&party, &more)).await;
        assert_eq!(refused.problem(422, "invalid_body").pointers(), [pointer], "{more}");
    }
    let nobody = wanted("pty_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f", &json!({}));
    app.post("/v1/calendar-links", &nobody).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_calendar_with_a_provider_is_linked_by_its_token_which_is_never_shown() {
    let app = TestApp::start().await;
    let party = technician(&app).await;
    for provider in ["google", "microsoft", "cronofy"] {
        let token = |token: &Value| json!({"party": party, "provider": provider, "refresh_token": token});
        let made = app.post("/v1/calendar-links", &token(&json!("rosebud"))).await;
        assert_eq!((made.status, &made.body["write"]), (StatusCode::CREATED, &json!(true)), "{}", made.text);
        let only_read = json!({"party": party, "provider": provider, "refresh_token": "x", "write": false});
        assert_eq!(app.post("/v1/calendar-links", &only_read).await.body["write"], false);
        assert!(!made.text.contains("rosebud") && made.body["provider"] == provider, "{}", made.text);
        for none in [json!(null), json!(""), json!("x".repeat(4_097))] {
            let refused = app.post("/v1/calendar-links", &token(&none)).await;
            assert_eq!(refused.problem(422, "invalid_body").pointers(), ["/refresh_token"]);
        }
        let by_password = json!({"party": party, "provider": provider, "refresh_token": "x", "url": "https://example.com/"});
        let refused = app.post("/v1/calendar-links", &by_password).await;
        assert_eq!(refused.problem(422, "invalid_body").pointers(), ["/url"]);
    }
}

#[tokio::test]
async fn feeds_are_made_listed_and_ended() {
    let app = TestApp::start().await;
    let party = technician(&app).await;
    let made = app.post("/v1/calendar-feeds", &json!({ "party": party })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let url = made.body["url"].as_str().unwrap().strip_prefix("http://crewline.test").unwrap().to_owned();
    let bare = async |path: &str| {
        Answer::of(app.http.get(format!("http://{}{path}", app.address)).send().await.unwrap()).await
    };
    assert!(
        bare(&url).await.problem(503, "unavailable").header("retry-after").is_some(),
        "nobody wrote it yet"
    );
    for wrong in ["/c/x.ics", url.strip_suffix(".ics").unwrap(), "/c/%00.ics"] {
        bare(wrong).await.problem(404, "not_found");
    }
    let listed = app.get(&format!("/v1/parties/{party}/calendar-feeds")).await.body;
    assert_eq!((&listed["feeds"][0]["id"], &listed["feeds"][0]["url"]), (&made.body["id"], &Value::Null));
    let path = format!("/v1/calendar-feeds/{}", made.body["id"].as_str().unwrap());
    assert_eq!(
        Answer::of(app.request(Method::DELETE, &path).send().await.unwrap()).await.status,
        StatusCode::NO_CONTENT
    );
    bare(&url).await.problem(404, "not_found");
    let nobody = json!({"party": "pty_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f"});
    app.post("/v1/calendar-feeds", &nobody).await.problem(404, "not_found");
    assert_eq!(app.get("/v1/calendar-conflicts?all=true").await.body, json!({"conflicts": [], "next": null}));
    let none = "/v1/calendar-conflicts/ccf_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f/resolve";
    app.post(none, &json!({"keep": "ours"})).await.problem(404, "not_found");
    app.post(none, &json!({"keep": "both"})).await.problem(422, "invalid_body");
}

#[tokio::test]
async fn guests_of_a_booking_are_invited_listed_and_invited_no_more() {
    let app = TestApp::start().await;
    let (party, guest) = (technician(&app).await, technician(&app).await);
    let booking = json!({"reference": "12 Elm Street", "status": "confirmed", "parties": [party],
        "starts_at": chrono::Utc::now() + chrono::TimeDelta::days(3), "ends_at": chrono::Utc::now() + chrono::TimeDelta::days(4)});
    let booking = app.post("/v1/bookings", &booking).await;
    assert_eq!(booking.status, StatusCode::CREATED, "{}", booking.text);
    let path = format!("/v1/bookings/{}/invitations", booking.body["id"].as_str().unwrap());
    let refused = app.post(&path, &json!({"party": guest})).await;
    assert_eq!(refused.problem(422, "invalid_body").pointers(), ["/party"], "they have no address");
    let contact = json!({"channel": "email", "address": "grace@example.com"});
    let added = app.post(&format!("/v1/parties/{guest}/contact-points"), &contact).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    let (key, body) = (fresh(), json!({"party": guest}));
    let made = app.post_keyed(&path, &body, &key).await;
    assert_eq!((made.status, &made.body["address"]), (StatusCode::CREATED, &json!("grace@example.com")));
    assert_eq!(app.post_keyed(&path, &body, &key).await.text, made.text);
    assert_eq!(app.get(&path).await.body, json!({"invitations": [made.body], "next": null}));
    let one = format!("/v1/invitations/{}", made.body["id"].as_str().unwrap());
    for _ in 0..2 {
        let gone = Answer::of(app.request(Method::DELETE, &one).send().await.unwrap()).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(app.get(&path).await.body["invitations"][0]["withdrawn"], true);
    let nowhere = "/v1/bookings/bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f/invitations";
    app.post(nowhere, &json!({"party": guest})).await.problem(404, "not_found");
    let nobody = "/v1/invitations/inv_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f";
    Answer::of(app.request(Method::DELETE, nobody).send().await.unwrap()).await.problem(404, "not_found");
}
