//! Those who do work, their bookings, and matching over HTTP. Nobody ranks or asks here.

use chrono::{TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, fresh};

pub(crate) async fn send(app: &TestApp, method: Method, path: &str, body: &Value) -> Answer {
    Answer::of(app.request(method, path).json(body).send().await.unwrap()).await
}

/// So many hours after the beginning of a day ahead.
pub(crate) fn at(hours: i64) -> String {
    let day = (Utc::now() + TimeDelta::days(9)).date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
    (day + TimeDelta::hours(hours)).to_rfc3339()
}

pub(crate) async fn party(app: &TestApp) -> String {
    app.post("/v1/parties", &json!({"name": "Ada"})).await.body["id"].as_str().unwrap().to_owned()
}

async fn technician(app: &TestApp) -> String {
    let id = party(app).await;
    let member = json!({"roles": ["technician"], "timezone": "UTC"});
    let set = send(app, Method::PUT, &format!("/v1/parties/{id}/membership"), &member).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    id
}

fn booking(party: &str, status: &str) -> Value {
    json!({"reference": "project/1", "status": status, "starts_at": at(9), "ends_at": at(11), "parties": [party]})
}

fn visit() -> Value {
    json!({"role": "technician", "starts_at": at(9), "ends_at": at(11)})
}

#[tokio::test]
async fn what_cannot_be_said_of_somebody_is_refused_with_the_field() {
    let app = TestApp::start().await;
    let path = format!("/v1/parties/{}/membership", party(&app).await);
    let window = |from: &str, until: &str| json!([{"from": from, "until": until}]);
    for (change, pointer) in [
        (json!({"roles": []}), "/roles"),
        (json!({"roles": ["A b"]}), "/roles"),
        (json!({"sites": ["Lyon"]}), "/sites"),
        (json!({"skills": [{"name": "x", "level": 6}]}), "/skills/0/level"),
        (json!({"skills": [{"name": "x", "level": 1}, {"name": "x", "level": 1}]}), "/skills/1/name"),
        (json!({"timezone": "Vienna"}), "/timezone"),
        (json!({"home": {"latitude": 148.2, "longitude": 16.4}}), "/home"),
        (json!({"radius_km": 0}), "/radius_km"),
        (json!({"radius_km": 501}), "/radius_km"),
        (json!({"visits_per_day": 0}), "/visits_per_day"),
        (json!({"hours": {"week": {"monday": []}}}), "/hours/week/monday"),
        (json!({"hours": {"week": {"mon": window("17:00", "09:00")}}}), "/hours/week/mon"),
        (
            json!({"hours": {"overrides": {"2026-12-24": window("09:00", "24:01")}}}),
            "/hours/overrides/2026-12-24",
        ),
    ] {
        let mut body = json!({"roles": ["technician"], "timezone": "UTC"});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = send(&app, Method::PUT, &path, &body).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer], "{change}");
    }
    let hours = json!({"week": {"mon": window("00:00", "24:00"), "tue": [], "wed": [], "thu": [], "fri": [], "sat": [],
        "sun": []}, "overrides": {"2026-12-24": []}});
    let body = json!({"roles": ["technician"], "timezone": "UTC", "hours": hours, "radius_km": 500});
    let set = send(&app, Method::PUT, &path, &body).await;
    assert_eq!((&set.body["hours"], &set.body["radius_km"]), (&hours, &json!(500)), "{}", set.text);
    assert_eq!(app.get("/v1/memberships").await.body["memberships"][0], set.body);
    assert_eq!(app.get(&path).await.body, set.body);
}

#[tokio::test]
async fn a_booking_is_made_once_and_moved_under_what_was_seen() {
    let app = TestApp::start().await;
    let who = technician(&app).await;
    let (key, body) = (fresh(), booking(&who, "confirmed"));
    let made = app.post_keyed("/v1/bookings", &body, &key).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let again = app.post_keyed("/v1/bookings", &body, &key).await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), (Some("true"), &made.body));
    app.post_keyed("/v1/bookings", &booking(&who, "pencil"), &key)
        .await
        .problem(422, "idempotency_key_reused");
    let taken = app.post("/v1/bookings", &body).await;
    assert_eq!(taken.body["busy"], json!([who]), "{}", taken.text);
    let path = made.header("location").unwrap().to_owned();
    let moved = app.post(&format!("{path}/move"), &json!({"to": "active", "version": 7})).await;
    assert_eq!(
        (&moved.body["code"], &moved.body["current"]["version"]),
        (&json!("changed_meanwhile"), &json!(1))
    );
    app.post(&format!("{path}/move"), &json!({"to": "pencil", "version": 1})).await.problem(409, "no_way");
    app.post(&format!("{path}/move"), &json!({"to": "x", "version": 1})).await.problem(422, "invalid_body");
    app.post(&format!("{path}/challenge"), &json!({"version": 1})).await.problem(409, "no_way");
    let listed = app.get(&format!("/v1/bookings?party={who}")).await.body;
    assert_eq!(listed["bookings"][0]["id"], made.body["id"]);
    for (change, pointer) in [
        (json!({"reference": " "}), "/reference"),
        (json!({"status": "offered"}), "/status"),
        (json!({"ends_at": at(9)}), "/ends_at"),
        (json!({"starts_at": "1999-01-01T00:00:00Z", "ends_at": "1999-01-01T01:00:00Z"}), "/starts_at"),
        (json!({"before_minutes": 481}), "/before_minutes"),
        (json!({"held_until": at(1)}), "/held_until"),
        (json!({"parties": []}), "/parties"),
        (json!({"parties": [who, who]}), "/parties"),
        (json!({"parties": ["pty_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f"]}), "/parties/0"),
    ] {
        let mut body = body.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = app.post("/v1/bookings", &body).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer], "{change}");
    }
}

#[tokio::test]
async fn what_cannot_be_looked_for_is_refused_with_the_field() {
    let app = TestApp::start().await;
    technician(&app).await;
    for (body, pointer) in [
        (json!({"visit": visit(), "until": at(8)}), "/until"),
        (json!({"visit": visit(), "until": at(24 * 40), "step_minutes": 60}), "/until"),
        (json!({"visit": visit(), "until": at(24 * 20), "step_minutes": 5}), "/step_minutes"),
        (
            json!({"visit": {"role": "T", "starts_at": at(9), "ends_at": at(11)}, "until": at(9)}),
            "/visit/role",
        ),
    ] {
        let refused = app.post("/v1/slots", &body).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer], "{body}");
    }
    let found = app.post("/v1/slots", &json!({"visit": visit(), "until": at(10)})).await;
    assert_eq!(
        (found.body["slots"].as_array().unwrap().len(), &found.body["more_in_reach"]),
        (3, &json!(false))
    );
    let weights =
        json!({"availability": 30, "preferred": 25, "reliability": 20, "distance": 15, "skill": 11});
    let stranger = "pty_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f";
    for (change, pointer) in [
        (json!({"terms": {"weights": weights}}), "/terms/weights"),
        (json!({"terms": {"fairness_band": 10_001}}), "/terms/fairness_band"),
        (json!({"link": "javascript:alert(1)"}), "/link"),
        (json!({"visit": {"role": "t", "starts_at": at(9), "ends_at": at(34)}}), "/visit/ends_at"),
        (json!({"client": stranger}), "/client"),
        (json!({"preset": "house"}), "/preset"),
        (json!({"preset": "A house"}), "/preset"),
        (json!({"preset": "house", "terms": {}}), "/preset"),
    ] {
        let mut body = json!({"reference": "12 Elm Street", "visit": visit()});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = app.post("/v1/match-requests", &body).await.problem(422, "invalid_body");
        assert_eq!(refused.pointers(), [pointer], "{change}");
    }
    let made = app.post("/v1/match-requests", &json!({"reference": "12 Elm Street", "visit": visit()})).await;
    assert_eq!(
        (made.status, &made.body["state"]),
        (StatusCode::ACCEPTED, &json!("ranking")),
        "{}",
        made.text
    );
    let path = made.header("location").unwrap().to_owned();
    app.get(&format!("{path}/rankings/1")).await.problem(404, "not_found");
    app.get("/v1/match-requests?state=lost").await.problem(400, "invalid_parameter");
    let listed = app.get("/v1/match-requests?state=ranking").await.body;
    assert_eq!(listed["match_requests"][0]["id"], made.body["id"]);
    assert_eq!(app.post(&format!("{path}/cancel"), &json!({})).await.body["state"], "cancelled");
    app.post("/v1/match-requests/what-if", &json!({"terms": {}, "requests": 101}))
        .await
        .problem(422, "invalid_body");
    let what_if = app.post("/v1/match-requests/what-if", &json!({"terms": {}})).await.body;
    assert_eq!(what_if, json!({"requests": 0, "other_first": 0, "each": []}));
}

#[tokio::test]
async fn rules_of_the_house_have_a_name_and_a_request_keeps_their_version() {
    let app = TestApp::start().await;
    let weights = json!({"availability": 0, "preferred": 0, "reliability": 0, "distance": 100, "skill": 0});
    let path = "/v1/match-presets/house";
    let set = async |body: &Value| send(&app, Method::PUT, path, body).await;
    let made = set(&json!({"terms": {"weights": weights}})).await;
    assert_eq!((made.status, &made.body["version"]), (StatusCode::OK, &json!(1)), "{}", made.text);
    let sought = json!({"reference": "12 Elm Street", "visit": visit(), "preset": "house"});
    let request = app.post("/v1/match-requests", &sought).await;
    assert_eq!(request.status, StatusCode::ACCEPTED, "{}", request.text);
    let seen = set(&json!({"terms": {}})).await.problem(409, "changed_meanwhile");
    assert_eq!(seen.body["current"]["version"], 1);
    assert_eq!(set(&json!({"version": 1, "terms": {"fairness_band": 50}})).await.body["version"], 2);
    let looked = app.get(request.header("location").unwrap()).await.body;
    assert_eq!((&looked["preset"], &looked["preset_version"]), (&json!("house"), &json!(1)));
    assert_eq!((&looked["terms"]["weights"], &looked["terms"]["fairness_band"]), (&weights, &json!(0)));
    let listed = app.get("/v1/match-presets").await.body;
    assert_eq!(
        (&listed["presets"][0]["name"], &listed["presets"][0]["version"]),
        (&json!("house"), &json!(2))
    );
    let wrong = json!({"version": 2, "terms": {"weights": {"availability": 99, "preferred": 0, "reliability": 0,
        "distance": 0, "skill": 0}}});
    set(&wrong).await.problem(422, "invalid_body");
    send(&app, Method::PUT, "/v1/match-presets/A%20b", &json!({"terms": {}}))
        .await
        .problem(400, "invalid_parameter");
    let removed = async || send(&app, Method::DELETE, path, &json!({})).await;
    assert_eq!(removed().await.status, StatusCode::NO_CONTENT);
    removed().await.problem(404, "not_found");
    set(&json!({"version": 2, "terms": {}})).await.problem(404, "not_found");
    assert_eq!(app.get(request.header("location").unwrap()).await.body["preset_version"], 1);
}

#[tokio::test]
async fn what_cannot_be_noted_of_somebody_is_refused_with_the_field() {
    let app = TestApp::start().await;
    let who = technician(&app).await;
    let blink =
        json!({"starts_at": "2026-12-01T09:00:00.0000001Z", "ends_at": "2026-12-01T09:00:00.0000002Z"});
    let refused = app.post(&format!("/v1/parties/{who}/absences"), &blink).await.problem(422, "invalid_body");
    assert_eq!(refused.pointers(), ["/ends_at"], "shorter than what is kept");
    let calendar = json!({"busy": [blink]});
    let refused = send(&app, Method::PUT, &format!("/v1/parties/{who}/calendar"), &calendar).await;
    assert_eq!(refused.problem(422, "invalid_body").pointers(), ["/busy/0/ends_at"]);
    app.post(&format!("/v1/parties/{who}/ratings"), &json!({"stars": 6})).await.problem(422, "invalid_body");
    let self_love =
        send(&app, Method::PUT, &format!("/v1/parties/{who}/relations/{who}"), &json!({"word": "preferred"}))
            .await;
    self_love.problem(422, "invalid_body");
}

#[tokio::test]
async fn strangers_find_none_of_it() {
    let app = TestApp::start().await;
    let (who, client) = (technician(&app).await, party(&app).await);
    let off = app
        .post(&format!("/v1/parties/{who}/absences"), &json!({"starts_at": at(1), "ends_at": at(2)}))
        .await;
    let related = send(
        &app,
        Method::PUT,
        &format!("/v1/parties/{client}/relations/{who}"),
        &json!({"word": "preferred"}),
    )
    .await;
    assert_eq!((off.status, related.status), (StatusCode::CREATED, StatusCode::NO_CONTENT));
    assert_eq!(
        app.get(&format!("/v1/parties/{client}/relations")).await.body["relations"][0]["about"],
        json!(who)
    );
    assert_eq!(
        app.get(&format!("/v1/parties/{who}/absences")).await.body["absences"][0]["id"],
        off.body["id"]
    );
    let booked =
        app.post("/v1/bookings", &booking(&who, "pencil")).await.body["id"].as_str().unwrap().to_owned();
    let request = app.post("/v1/match-requests", &json!({"reference": "x", "visit": visit()})).await;
    let request = request.header("location").unwrap().to_owned();
    let stranger = app.stranger().await;
    let (absence, code) = (off.body["id"].as_str().unwrap(), json!({"code": "x"}));
    for (method, path, body) in [
        (Method::GET, format!("/v1/parties/{who}/membership"), json!({})),
        (Method::DELETE, format!("/v1/parties/{who}/membership"), json!({})),
        (Method::GET, format!("/v1/parties/{who}/reliability"), json!({})),
        (Method::DELETE, format!("/v1/absences/{absence}"), json!({})),
        (Method::PUT, format!("/v1/parties/{who}/calendar"), json!({"busy": []})),
        (Method::POST, format!("/v1/parties/{who}/absences"), json!({"starts_at": at(1), "ends_at": at(2)})),
        (Method::DELETE, format!("/v1/parties/{client}/relations/{who}"), json!({})),
        (Method::POST, format!("/v1/parties/{who}/ratings"), json!({"stars": 1})),
        (Method::POST, format!("/v1/parties/{who}/account-code"), json!({})),
        (Method::PUT, format!("/v1/parties/{who}/account"), code),
        (Method::GET, format!("/v1/bookings/{booked}"), json!({})),
        (Method::POST, format!("/v1/bookings/{booked}/move"), json!({"to": "released", "version": 1})),
        (Method::POST, format!("/v1/bookings/{booked}/challenge"), json!({"version": 1})),
        (Method::GET, request.clone(), json!({})),
        (Method::POST, format!("{request}/cancel"), json!({})),
        (Method::GET, format!("/v1/offers/{}", jobs::OfferId::new()), json!({})),
        (Method::POST, format!("/v1/offers/{}/accept", jobs::OfferId::new()), json!({})),
    ] {
        let asked = app
            .http
            .request(method, app.url(&path))
            .bearer_auth(&stranger)
            .header("idempotency-key", fresh())
            .json(&body);
        let asked = asked.send().await.unwrap();
        assert_eq!(asked.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let code = app.post(&format!("/v1/parties/{who}/account-code"), &json!({})).await;
    assert_eq!((code.status, code.body["code"].as_str().unwrap().len()), (StatusCode::CREATED, 64));
    let wrong = send(&app, Method::PUT, &format!("/v1/parties/{who}/account"), &json!({"code": "x"})).await;
    assert_eq!(wrong.problem(422, "invalid_body").pointers(), ["/code"]);
}

#[tokio::test]
async fn who_says_again_under_one_key_that_somebody_is_off_or_did_well_says_it_once() {
    let app = TestApp::start().await;
    let who = technician(&app).await;
    let (absences, ratings) = (format!("/v1/parties/{who}/absences"), format!("/v1/parties/{who}/ratings"));
    for (path, body, other) in [
        (
            &absences,
            json!({"starts_at": at(1), "ends_at": at(2)}),
            json!({"starts_at": at(1), "ends_at": at(3)}),
        ),
        (&ratings, json!({"stars": 4}), json!({"stars": 5})),
    ] {
        let key = fresh();
        let first = app.post_keyed(path, &body, &key).await;
        let again = app.post_keyed(path, &body, &key).await;
        assert!(first.status.is_success() && first.header("idempotent-replayed").is_none(), "{}", first.text);
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        app.post_keyed(path, &other, &key).await.problem(422, "idempotency_key_reused");
        let bare = app.request(Method::POST, path).json(&body).send().await.unwrap();
        Answer::of(bare).await.problem(400, "idempotency_key_required");
    }
    assert_eq!(app.get(&absences).await.body["absences"].as_array().unwrap().len(), 1);
    let another = technician(&app).await;
    let key = fresh();
    for party in [&who, &another] {
        let path = format!("/v1/parties/{party}/ratings");
        let rated = app.post_keyed(&path, &json!({"stars": 4}), &key).await;
        assert!(
            if party == &who { rated.status == StatusCode::NO_CONTENT } else { rated.status == 422 },
            "{party}"
        );
    }
}
