//! The other half of the server that answers as Google, Microsoft and Cronofy document: what is written.

use std::collections::HashMap;

use axum::{
    Json, Router,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use crate::providers::{Kept, LetIn, Provider, ahead};

/// An entry: so many hours after the tests began, or as it was written.
#[derive(Debug, Clone)]
pub(crate) enum Noted {
    At(i64),
    Written(Value),
}

impl Noted {
    /// Google remembers what was taken out.
    pub(crate) fn is_there(&self) -> bool {
        !matches!(self, Self::Written(value) if value["status"] == "cancelled")
    }
}

/// What goes wrong with a write.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It is answered so, and not written.
    Answers(u16),
    /// It is written, and nobody is told.
    Lost,
    /// A person changes the entry a moment before.
    Overtaken,
}

/// The delta of Microsoft does not tell what nobody may ask it for.
pub(crate) fn without_seal(mut value: Value) -> Value {
    value.as_object_mut().unwrap().remove("singleValueExtendedProperties");
    value
}

/// An entry of Microsoft's, so many hours after the tests began.
pub(crate) fn at_microsoft(id: &str, hours: i64) -> Value {
    let time = |hours: i64| json!({"dateTime": ahead(hours).format("%Y-%m-%dT%H:%M:%S.0000000").to_string(), "timeZone": "UTC"});
    json!({"id": id, "@odata.etag": format!("W/\"{hours}\""), "type": "singleInstance", "showAs": "busy",
        "start": time(hours), "end": time(hours + 1)})
}

impl Kept {
    /// An entry as it was written last, also one that was taken out and is remembered.
    fn last(&self, id: &str) -> Option<Value> {
        match self.entries.iter().rev().find(|(known, _)| known == id)? {
            (_, Some(Noted::Written(value))) => Some(value.clone()),
            _ => None,
        }
    }

    fn keep(&mut self, id: &str, mut value: Value) -> Value {
        let number = self.entries.len();
        value["etag"] = json!(format!("\"{number}\""));
        value["@odata.etag"] = json!(format!("W/\"{number}\""));
        self.entries.push((id.to_owned(), Some(Noted::Written(value.clone()))));
        value
    }

    /// The entry of a booking, and what it is called.
    pub(crate) fn entry(&self, booking: &str) -> Option<(String, Value)> {
        self.shown(true, 0).into_iter().find_map(|(id, noted)| match noted? {
            Noted::Written(value) if value.to_string().contains(booking) => Some((id, value)),
            _ => None,
        })
    }

    /// As a person does, with a calendar program.
    pub(crate) fn change(&mut self, id: &str, with: impl FnOnce(&mut Value)) {
        let mut value = self.last(id).unwrap();
        with(&mut value);
        self.keep(id, value);
    }

    fn is_as_seen(&self, id: &str, headers: &HeaderMap) -> bool {
        let value = self.last(id).unwrap_or_default();
        let said = headers.get("if-match").expect("nothing is written over unseen").to_str().unwrap();
        [&value["etag"], &value["@odata.etag"]].iter().any(|etag| **etag == said)
    }
}

/// As RFC 7396 has it.
fn merge(value: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        value.clone_from(patch);
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    for (name, new) in patch {
        if new.is_null() {
            value.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut value[name], new);
        }
    }
}

impl Provider {
    /// Does what is asked for, or what goes wrong instead.
    fn writes(&self, id: &str, does: impl FnOnce(&mut Kept) -> (u16, Value)) -> Response {
        let mut kept = self.kept();
        kept.writes += 1;
        let fault = kept.faults.pop();
        let answer = |status: u16, body: Value| {
            let status = StatusCode::from_u16(status).unwrap();
            if body.is_null() { status.into_response() } else { (status, Json(body)).into_response() }
        };
        match fault {
            Some(Fault::Answers(status)) => {
                let after = [("retry-after", "4")];
                return (StatusCode::from_u16(status).unwrap(), after, Json(json!({"error": {}})))
                    .into_response();
            }
            Some(Fault::Overtaken) => kept.change(id, |value| {
                let name = if value["subject"].is_string() { "subject" } else { "summary" };
                value[name] = json!("Mine");
            }),
            _ => {}
        }
        let (status, body) = does(&mut kept);
        let status = if matches!(fault, Some(Fault::Lost)) { 504 } else { status };
        answer(status, body)
    }
}

pub(crate) async fn insert(LetIn(provider): LetIn, Json(mut asked): Json<Value>) -> Response {
    let id = asked["id"].as_str().unwrap().to_owned();
    assert!(id.bytes().all(|byte| matches!(byte, b'a'..=b'v' | b'0'..=b'9')) && id.len() >= 5, "{id}");
    assert_eq!(asked.get("iCalUID"), None, "one goes without the other");
    provider.writes(&id.clone(), |kept| {
        if kept.last(&id).is_some() {
            return (409, json!({"error": {"code": 409, "errors": [{"reason": "duplicate"}]}}));
        }
        asked["iCalUID"] = json!(format!("{id}@google.com"));
        (200, kept.keep(&id, asked))
    })
}

async fn google_get(LetIn(provider): LetIn, Path(id): Path<String>) -> Response {
    provider
        .kept()
        .last(&id)
        .map_or(StatusCode::NOT_FOUND.into_response(), |value| Json(value).into_response())
}

async fn google_patch(
    LetIn(provider): LetIn,
    headers: HeaderMap,
    Path(id): Path<String>,
    Json(asked): Json<Value>,
) -> Response {
    provider.writes(&id, |kept| {
        let Some(mut value) = kept.last(&id) else { return (404, Value::Null) };
        if !kept.is_as_seen(&id, &headers) {
            return (412, json!({"error": {"code": 412}}));
        }
        merge(&mut value, &asked);
        (200, kept.keep(&id, value))
    })
}

async fn google_delete(LetIn(provider): LetIn, headers: HeaderMap, Path(id): Path<String>) -> Response {
    provider.writes(&id, |kept| match kept.last(&id) {
        None => (404, Value::Null),
        Some(value) if value["status"] == "cancelled" => (410, json!({"error": {"code": 410}})),
        Some(_) if !kept.is_as_seen(&id, &headers) => (412, json!({"error": {"code": 412}})),
        Some(_) => {
            kept.change(&id, |value| value["status"] = json!("cancelled"));
            (204, Value::Null)
        }
    })
}

async fn create(LetIn(provider): LetIn, Json(mut asked): Json<Value>) -> Response {
    provider.writes("", |kept| {
        let is_made = |noted: &Option<Noted>| matches!(noted, Some(Noted::Written(value)) if value["transactionId"] == asked["transactionId"]);
        if kept.entries.iter().any(|(_, noted)| is_made(noted)) {
            return (409, json!({"error": {"code": "ErrorDuplicateTransactionId"}}));
        }
        let id = format!("AAMk-{}=", kept.entries.len());
        let merged = json!({"id": id, "iCalUId": format!("0400-{id}"), "type": "singleInstance"});
        merge(&mut asked, &merged);
        (201, kept.keep(&id, asked))
    })
}

async fn search(LetIn(provider): LetIn, Query(asked): Query<HashMap<String, String>>) -> Response {
    let filter = &asked["$filter"];
    assert!(filter.starts_with("singleValueExtendedProperties/Any(ep: ep/id eq 'String {"), "{filter}");
    let booking = filter.split('\'').find(|word| word.starts_with("bkg_")).unwrap();
    let found = provider.kept().entry(booking).map(|(_, value)| value);
    Json(json!({"value": found.into_iter().collect::<Vec<_>>()})).into_response()
}

async fn microsoft_get(
    LetIn(provider): LetIn,
    Path(id): Path<String>,
    Query(asked): Query<HashMap<String, String>>,
) -> Response {
    let is_expanded = asked.get("$expand").is_some_and(|wanted| wanted.contains("CrewlineSeal"));
    let shown = provider.kept().shown(true, 0);
    match shown.into_iter().find(|(known, _)| *known == id) {
        Some((_, Some(Noted::At(hours)))) => Json(at_microsoft(&id, hours)).into_response(),
        Some((_, Some(Noted::Written(value)))) if is_expanded => Json(value).into_response(),
        Some((_, Some(Noted::Written(value)))) => Json(without_seal(value)).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn microsoft_delete(LetIn(provider): LetIn, headers: HeaderMap, Path(id): Path<String>) -> Response {
    provider.writes(&id, |kept| {
        if kept.last(&id).is_none() {
            return (404, Value::Null);
        }
        if !kept.is_as_seen(&id, &headers) {
            return (412, json!({"error": {"code": "ErrorIrresolvableConflict"}}));
        }
        kept.entries.push((id.clone(), None));
        (204, Value::Null)
    })
}

async fn calendars() -> Response {
    let calendar = |id: &str, is_primary| json!({"calendar_id": id, "calendar_primary": is_primary, "calendar_readonly": false});
    Json(json!({"calendars": [calendar("cal_2", false), calendar("cal_1", true)]})).into_response()
}

/// Takes whatever comes, over whatever is there.
async fn upsert(LetIn(provider): LetIn, Json(asked): Json<Value>) -> Response {
    let id = asked["event_id"].as_str().unwrap().to_owned();
    provider.writes(&id, |kept| {
        let mut value = kept.last(&id).unwrap_or_else(|| json!({"calendar_id": "cal_1", "deleted": false}));
        merge(&mut value, &asked);
        kept.keep(&id, value);
        (202, Value::Null)
    })
}

async fn cronofy_delete(LetIn(provider): LetIn, Json(asked): Json<Value>) -> Response {
    let id = asked["event_id"].as_str().unwrap().to_owned();
    provider.writes(&id, |kept| {
        kept.entries.push((id.clone(), None));
        (202, Value::Null)
    })
}

pub(crate) fn router() -> Router<Provider> {
    let google = get(google_get).patch(google_patch).delete(google_delete);
    let microsoft = get(microsoft_get).patch(google_patch).delete(microsoft_delete);
    Router::new()
        .route("/calendar/v3/calendars/primary/events/{id}", google)
        .route("/v1.0/me/events", get(search).post(create))
        .route("/v1.0/me/events/{id}", microsoft)
        .route("/v1/calendars", get(calendars))
        .route("/v1/calendars/cal_1/events", post(upsert).delete(cronofy_delete))
}
