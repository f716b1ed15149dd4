//! When somebody could, what is looked for, given to somebody else, and looked at by other rules. Tests rank and ask here, as a
//! worker would.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use jobs::{MatchRequestId, OfferId};
use matching::rank;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::{
    matches::{self, Decided, Pick},
    people::{self, CANDIDATES_MAX, Needs},
};

use crate::{
    app::{Answer, TestApp, fresh},
    bookings::{at, party, send},
};

/// Whatever looking for somebody writes to.
const TABLES: [&str; 10] = [
    "match_request",
    "match_receipt",
    "offer",
    "booking",
    "booking_resource",
    "occupied",
    "evidence",
    "job",
    "message",
    "webhook_message",
];

/// Somebody who starts from so many degrees north, on the meridian of the visits.
async fn technician(app: &TestApp, latitude: f64) -> String {
    let id = party(app).await;
    let home = json!({"latitude": latitude, "longitude": 16.37});
    let member = json!({"roles": ["technician"], "timezone": "UTC", "home": home});
    let set = send(app, Method::PUT, &format!("/v1/parties/{id}/membership"), &member).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    id
}

/// Where a request for a visit of two hours is, and which it is.
async fn sought(app: &TestApp, hour: i64, client: &str) -> (String, MatchRequestId) {
    let place = json!({"latitude": 48.2, "longitude": 16.37});
    let visit = json!({"role": "technician", "place": place, "starts_at": at(hour), "ends_at": at(hour + 2)});
    let body = json!({"reference": "12 Elm Street", "visit": visit, "client": client});
    let made = app.post("/v1/match-requests", &body).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.text);
    let id = made.body["id"].as_str().unwrap().parse().unwrap();
    (made.header("location").unwrap().to_owned(), id)
}

/// Asks the first who could do it, as a worker would; nobody when nobody is left.
async fn ask(app: &TestApp, id: MatchRequestId) -> Option<OfferId> {
    let request = matches::request(&app.worker, app.tenant, id).await.unwrap().unwrap();
    let needs = Needs {
        during: request.visit.during,
        place: request.visit.place,
        client: request.client(),
        company: request.company(),
        request: Some(id),
        role: request.visit.role.clone(),
        most: CANDIDATES_MAX,
    };
    let pool = people::pool(&app.worker, app.tenant, &needs).await.unwrap();
    let ranking = rank(&request.visit, &pool.candidates, &request.terms);
    let pick = |row: &matching::Ranked| Pick { party: row.party, answer_s: 900, tells: None };
    let picks: Vec<Pick> = ranking.ranked.iter().map(pick).collect();
    let round = (id, request.round);
    let decided = matches::decide(&app.worker, app.tenant, round, &ranking, &picks).await.unwrap();
    let offer = match decided {
        Decided::Offered(offer) => Some(offer),
        _ => None,
    };
    assert!(offer.is_some() || decided == Decided::Nobody, "{decided:?}");
    offer
}

async fn accept(app: &TestApp, offer: OfferId) {
    let said = app.post(&format!("/v1/offers/{offer}/accept"), &json!({})).await;
    assert_eq!((said.status, &said.body["state"]), (StatusCode::OK, &json!("accepted")), "{}", said.text);
}

/// How a request stands, and each who was asked.
async fn stands(app: &TestApp, path: &str) -> (Value, Vec<Value>) {
    let looked = app.get(path).await.body;
    let offers = looked["offers"].as_array().unwrap();
    (looked["state"].clone(), offers.iter().map(|offer| offer["state"].clone()).collect())
}

/// How many rows there are of everything, and a number that changes with what they say.
async fn rows(app: &TestApp) -> Vec<(&'static str, i64, i64)> {
    let mut rows = Vec::new();
    for table in TABLES {
        let count = app.number(&format!("select count(*) from {table}")).await;
        let said = format!(
            "select coalesce(hashtextextended(string_agg(t::text, ',' order by t::text), 0), 0) from {table} t"
        );
        rows.push((table, count, app.number(&said).await));
    }
    rows
}

#[tokio::test]
async fn other_rules_are_tried_on_what_was_and_nothing_is_written() {
    let app = TestApp::start().await;
    let (near, far, client) = (technician(&app, 48.2).await, technician(&app, 48.3).await, party(&app).await);
    let relation = format!("/v1/parties/{client}/relations/{far}");
    let said = send(&app, Method::PUT, &relation, &json!({"word": "preferred"})).await;
    assert_eq!(said.status, StatusCode::NO_CONTENT);
    let mut ids = Vec::new();
    for hour in [9, 13] {
        let (path, id) = sought(&app, hour, &client).await;
        accept(&app, ask(&app, id).await.unwrap()).await;
        assert_eq!(app.get(&path).await.body["offers"][0]["party"], json!(far));
        ids.push(id);
    }
    let before = rows(&app).await;
    assert!(before.iter().any(|(table, count, _)| *table == "match_receipt" && *count == 2));
    let weights = json!({"availability": 10, "preferred": 0, "reliability": 20, "distance": 60, "skill": 10});
    let tried = async |terms: &Value| {
        let body = json!({"terms": terms, "requests": 2});
        let tried = app.post("/v1/match-requests/what-if", &body).await;
        assert_eq!(tried.status, StatusCode::OK, "{}", tried.text);
        tried.body
    };
    let moved =
        |id: MatchRequestId| json!({"request": id, "was": far, "would_be": near, "moved": 2, "left_out": 0});
    let expected = json!({"requests": 2, "other_first": 2, "each": [moved(ids[1]), moved(ids[0])]});
    assert_eq!(tried(&json!({"weights": weights})).await, expected);
    assert_eq!(tried(&json!({})).await["other_first"], json!(0), "by the rules that it was made by");
    assert_eq!(rows(&app).await, before);
}

#[tokio::test]
async fn somebody_else_is_looked_for_once_somebody_said_yes() {
    let app = TestApp::start().await;
    technician(&app, 48.2).await;
    technician(&app, 48.3).await;
    let client = party(&app).await;
    let (path, id) = sought(&app, 9, &client).await;
    let other = async |body: Value| app.post(&format!("{path}/reassign"), &body).await;
    let refused = async |state: &str| {
        let refused = other(json!({})).await.problem(409, "no_way");
        assert_eq!(refused.body["current"]["state"], json!(state));
    };
    refused("ranking").await;
    let first = ask(&app, id).await.unwrap();
    refused("offered").await;
    accept(&app, first).await;
    let begun = other(json!({})).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.text);
    assert_eq!((&begun.body["state"], &begun.body["round"]), (&json!("ranking"), &json!(2)));
    refused("ranking").await;
    let second = ask(&app, id).await.unwrap();
    assert_eq!(stands(&app, &path).await.1, ["accepted", "sent"], "somebody stays booked");
    accept(&app, second).await;
    assert_eq!(stands(&app, &path).await, (json!("confirmed"), vec![json!("withdrawn"), json!("accepted")]));
    // Let go of at once, and nobody is left.
    let begun = other(json!({"release_now": true})).await;
    assert_eq!((begun.status, &begun.body["round"]), (StatusCode::ACCEPTED, &json!(3)), "{}", begun.text);
    assert_eq!(stands(&app, &path).await.1, ["withdrawn", "withdrawn"]);
    assert_eq!(app.number("select count(*) from occupied").await, 0);
    assert_eq!(ask(&app, id).await, None);
    refused("needs_dispatch").await;

    let unknown = format!("/v1/match-requests/{}/reassign", MatchRequestId::new());
    app.post(&unknown, &json!({})).await.problem(404, "not_found");
    let stranger = app.stranger().await;
    let theirs = app.http.post(app.url(&format!("{path}/reassign"))).bearer_auth(&stranger);
    let theirs = theirs.header("idempotency-key", fresh()).json(&json!({})).send().await.unwrap();
    Answer::of(theirs).await.problem(404, "not_found");
}

/// The beginning of a Monday ahead.
fn monday() -> DateTime<Utc> {
    let day = (Utc::now() + TimeDelta::days(9)).date_naive();
    let monday = day + TimeDelta::days(i64::from((7 - day.weekday().num_days_from_monday()) % 7));
    monday.and_hms_opt(0, 0, 0).unwrap().and_utc()
}

/// A photographer with little time in the ten days from `first` on, and somebody with all of it who takes no photographs.
async fn photographer(app: &TestApp, first: DateTime<Utc>) -> (String, String) {
    let (who, other) = (party(app).await, party(app).await);
    let on = |day: i64, hour: i64| first + TimeDelta::days(day) + TimeDelta::hours(hour);
    let off = |from: DateTime<Utc>, until: DateTime<Utc>| json!({"starts_at": from, "ends_at": until});
    // Nine to five in Kathmandu, where no clock is ever moved, is from 03:15 until 11:15 in UTC.
    let (office, after_lunch) =
        (json!([{"from": "09:00", "until": "17:00"}]), json!([{"from": "13:00", "until": "17:00"}]));
    let mut week: BTreeMap<&str, &Value> =
        ["mon", "tue", "wed", "thu", "fri"].map(|day| (day, &office)).into();
    let free = json!([]);
    week.extend([("sat", &free), ("sun", &free)]);
    let hours = json!({"week": week, "overrides": {on(7, 0).date_naive().to_string(): after_lunch}});
    let photographer = json!({"roles": ["technician"], "timezone": "Asia/Kathmandu", "hours": hours,
        "skills": [{"name": "photo", "level": 4}]});
    for (id, body) in [(&who, photographer), (&other, json!({"roles": ["technician"], "timezone": "UTC"}))] {
        let set = send(app, Method::PUT, &format!("/v1/parties/{id}/membership"), &body).await;
        assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    }
    // Booked on Tuesday, off on Wednesday, a meeting on Thursday, and on Friday a pencil, which takes no time.
    for (status, from) in [("confirmed", on(1, 6)), ("pencil", on(4, 4))] {
        let body = json!({"reference": "project/1", "status": status, "starts_at": from,
            "ends_at": from + TimeDelta::hours(2), "parties": [who]});
        assert_eq!(app.post("/v1/bookings", &body).await.status, StatusCode::CREATED);
    }
    let absent = app.post(&format!("/v1/parties/{who}/absences"), &off(on(2, 0), on(3, 0))).await;
    let meeting = json!({"busy": [off(on(3, 7), on(3, 7) + TimeDelta::minutes(30))]});
    let told = send(app, Method::PUT, &format!("/v1/parties/{who}/calendar"), &meeting).await;
    assert_eq!((absent.status, told.status), (StatusCode::CREATED, StatusCode::NO_CONTENT));
    (who, other)
}

#[tokio::test]
async fn who_says_yes_and_comes_is_seen_to_be_reliable() {
    let app = TestApp::start().await;
    let (who, client) = (technician(&app, 48.2).await, party(&app).await);
    let path = format!("/v1/parties/{who}/reliability");
    let seen = app.get(&path).await.body;
    let nothing = json!({"reliability": 8_450, "visits": 0, "on_time": 0, "no_shows": 0, "ratings": 0, "stars": 0,
        "accepted": 0, "declined": 0, "silent": 0});
    assert_eq!(seen, nothing, "nobody was asked, so nobody knows whether they answer");
    let (_, id) = sought(&app, 9, &client).await;
    accept(&app, ask(&app, id).await.unwrap()).await;
    let rated = app.post(&format!("/v1/parties/{who}/ratings"), &json!({"stars": 5})).await;
    assert_eq!(rated.status, StatusCode::NO_CONTENT);
    let seen = app.get(&path).await.body;
    assert_eq!((&seen["accepted"], &seen["response_percent"]), (&json!(1), &json!(100)));
    assert_eq!((&seen["ratings"], &seen["stars"]), (&json!(1), &json!(5)));
    assert!(seen["reliability"].as_u64() > nothing["reliability"].as_u64());
}

#[tokio::test]
async fn who_works_at_one_site_is_not_sent_to_another() {
    let app = TestApp::start().await;
    let [anywhere, here, there] =
        [technician(&app, 48.2).await, technician(&app, 48.2).await, technician(&app, 48.2).await];
    for (who, sites) in [(&here, json!(["lyon"])), (&there, json!(["nice", "graz"]))] {
        let member = json!({"roles": ["technician"], "timezone": "UTC", "sites": sites, "version": 1});
        let set = send(&app, Method::PUT, &format!("/v1/parties/{who}/membership"), &member).await;
        assert_eq!((set.status, &set.body["sites"]), (StatusCode::OK, &sites), "{}", set.text);
    }
    let found = async |site: Value| {
        let mut visit = json!({"role": "technician", "starts_at": at(9), "ends_at": at(11)});
        visit.as_object_mut().unwrap().extend(site.as_object().unwrap().clone());
        let found = app.post("/v1/slots", &json!({"visit": visit, "until": at(9), "step_minutes": 60})).await;
        assert_eq!(found.status, StatusCode::OK, "{}", found.text);
        (found.body["slots"][0]["parties"].clone(), found.body["excluded"].clone())
    };
    let out = |who: &str, at: &str| json!({"party": who, "reason": "inactive", "evidence": format!("is no technician at {at}")});
    let (parties, excluded) = found(json!({"site": "lyon"})).await;
    assert_eq!((parties, excluded), (json!([anywhere, here]), json!([out(&there, "lyon")])));
    let (parties, excluded) = found(json!({})).await;
    assert_eq!(
        (parties, excluded),
        (json!([anywhere]), json!([out(&here, "no site"), out(&there, "no site")]))
    );
    let wrong = json!({"role": "technician", "starts_at": at(9), "ends_at": at(11), "site": "Lyon 2"});
    let search = json!({"visit": wrong, "until": at(9), "step_minutes": 60});
    assert_eq!(app.post("/v1/slots", &search).await.problem(422, "invalid_body").pointers(), ["/visit/site"]);
}

#[tokio::test]
async fn ten_days_are_looked_through_for_a_photographer_who_has_two_hours() {
    let app = TestApp::start().await;
    let first = monday();
    let on = |day: i64, hour: i64| first + TimeDelta::days(day) + TimeDelta::hours(hour);
    let (who, other) = photographer(&app, first).await;
    let visit =
        json!({"role": "technician", "skills": ["photo"], "starts_at": on(0, 0), "ends_at": on(0, 2)});
    let search = json!({"visit": visit, "until": on(10, 0), "step_minutes": 60});
    let found = app.post("/v1/slots", &search).await;
    assert_eq!(found.status, StatusCode::OK, "{}", found.text);
    let begins = |slot: &Value| slot["starts_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    let (slots, not_offered) =
        (found.body["slots"].as_array().unwrap(), found.body["not_offered"].as_array().unwrap());
    let free: [&[i64]; 11] = [
        &[4, 5, 6, 7, 8, 9],
        &[4, 8, 9],
        &[],
        &[4, 5, 8, 9],
        &[4, 5, 6, 7, 8, 9],
        &[],
        &[],
        &[8, 9],
        &[4, 5, 6, 7, 8, 9],
        &[4, 5, 6, 7, 8, 9],
        &[],
    ];
    let free = free.iter().zip(0..).flat_map(|(hours, day)| hours.iter().map(move |hour| on(day, *hour)));
    assert_eq!(slots.iter().map(begins).collect::<Vec<_>>(), free.collect::<Vec<_>>());
    assert_eq!(slots.len() + not_offered.len(), 10 * 24 + 1, "every beginning is offered or says why not");
    for slot in slots {
        let who_could = (&slot["free"], &slot["parties"], &slot["refused"]);
        assert_eq!(who_could, (&json!(1), &json!([who]), &json!({"skill_missing": 1})), "{slot}");
    }
    for slot in not_offered {
        let begins = begins(slot);
        let is_busy = [on(1, 5), on(1, 6), on(1, 7), on(3, 6), on(3, 7)].contains(&begins);
        let why = if is_busy { "busy" } else { "outside_hours" };
        let refused = (&slot["free"], &slot["parties"], &slot["refused"]);
        assert_eq!(refused, (&json!(0), &json!([]), &json!({(why): 1, "skill_missing": 1})), "{begins}");
    }
    let excluded = json!([{"party": other, "reason": "skill_missing", "evidence": "photo"}]);
    assert_eq!((&found.body["excluded"], &found.body["more_in_reach"]), (&excluded, &json!(false)));
}
