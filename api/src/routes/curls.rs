//! A `curl` for every endpoint: as it stands it can be run, with ids that are examples.

use std::fmt::Write as _;

use chrono::{Days, NaiveTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

/// Schemas within schemas that are followed for an example.
const DEPTH_MAX: usize = 8;
/// What every id of an example ends with.
const ID: &str = "0192f3c47a1b7c3d8e4f5a6b7c8d9e0f";
/// In how many days what is asked for is to be.
const AHEAD: Days = Days::new(7);
/// How ids begin, by where they stand.
const PREFIXES: [(&str, &str); 26] = [
    ("absences", "abs"),
    ("assets", "ast"),
    ("bookings", "bkg"),
    ("bulk-operations", "blk"),
    ("calendar-conflicts", "ccf"),
    ("calendar-feeds", "cfd"),
    ("calendar-links", "cal"),
    ("contact-points", "cpt"),
    ("deliveries", "dlv"),
    ("events", "whe"),
    ("hooks", "whs"),
    ("inbox", "msg"),
    ("invitations", "inv"),
    ("jobs", "job"),
    ("keys", "key"),
    ("match-requests", "mrq"),
    ("messages", "msg"),
    ("offers", "off"),
    ("parties", "pty"),
    ("pauses", "pau"),
    ("rules", "whr"),
    ("schedules", "sch"),
    ("uploads", "upl"),
    ("webhook-endpoints", "wep"),
    ("webhook-sources", "whs"),
    ("workflows", "wfl"),
];

/// The call of an operation.
pub(super) fn curl(base: &str, path: &str, method: &str, operation: &Value, document: &Value) -> String {
    let mut line = "curl".to_owned();
    let body = body(operation, document);
    // What has JSON with it is a POST unless it says something else.
    let usual = if body.is_some() { "POST" } else { "GET" };
    if method != usual {
        let _ = write!(line, " -X {method}");
    }
    let answers = operation["responses"].as_object().into_iter().flatten();
    if answers.clone().any(|(_, answer)| answer["content"].get("text/event-stream").is_some()) {
        line.push_str(" -N");
    }
    if answers.clone().any(|(status, _)| status.starts_with('3')) {
        line.push_str(" -L");
    }
    if operation["security"].is_array() {
        line.push_str(" -H \"Authorization: Bearer $CREWLINE_KEY\"");
    }
    if parameters(operation, "header").any(|header| header["name"] == "Idempotency-Key") {
        line.push_str(" -H \"Idempotency-Key: order-1017\"");
    }
    match body {
        Some(Sent::Json(body)) => {
            let _ = write!(line, " \\\n  --json '{}'", body.to_string().replace('\'', "'\\''"));
        }
        Some(Sent::Bytes) => line.push_str(" \\\n  --data-binary '{\"type\": \"email.bounced\"}'"),
        None => {}
    }
    let _ = write!(line, " \\\n  \"{base}{}{}\"", placed(path, operation), query(operation));
    line
}

enum Sent {
    Json(Value),
    Bytes,
}

fn body(operation: &Value, document: &Value) -> Option<Sent> {
    let content = &operation["requestBody"]["content"];
    let json = &content["application/json"];
    if json.is_null() {
        return content.is_object().then_some(Sent::Bytes);
    }
    let given = json.get("example").cloned();
    Some(Sent::Json(given.unwrap_or_else(|| example("", &json["schema"], document, 0))))
}

fn parameters<'a>(operation: &'a Value, place: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = operation["parameters"].as_array().into_iter().flatten();
    all.filter(move |parameter| parameter["in"] == place)
}

/// The path with examples in the places it leaves open.
fn placed(path: &str, operation: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.split('/') {
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let before = parts.last().map(String::as_str).unwrap_or_default();
        let part = name.map_or_else(|| part.to_owned(), |name| in_place_of(name, before, operation));
        parts.push(part);
    }
    parts.join("/")
}

fn in_place_of(name: &str, before: &str, operation: &Value) -> String {
    let given = parameters(operation, "path").find(|parameter| parameter["name"] == name);
    let given = given.and_then(|parameter| parameter["example"].as_str());
    if name == "about" {
        // Nobody prefers or blocks themselves.
        return format!("pty_{}", ID.replace("e0f", "e10"));
    }
    let prefix = if name == "delivery" { Some("whd") } else { None };
    let prefix =
        prefix.or_else(|| PREFIXES.iter().find(|(place, _)| *place == before).map(|(_, prefix)| *prefix));
    match (given, prefix) {
        (Some(given), _) => given.to_owned(),
        (None, Some(prefix)) => format!("{prefix}_{ID}"),
        (None, None) => match name {
            "kind" => "probe.work",
            "locale" => "de-AT",
            "queue" => "media",
            "round" => "1",
            "slug" => "acme",
            "fingerprint" => "9f86d081884c7d65",
            _ => "nightly",
        }
        .to_owned(),
    }
}

/// What the query has to say.
fn query(operation: &Value) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for parameter in parameters(operation, "query").filter(|parameter| parameter["required"] == true) {
        let name = parameter["name"].as_str().unwrap_or_default();
        let value = parameter["example"].as_str().map_or_else(|| format!("pty_{ID}"), str::to_owned);
        query.append_pair(name, &value);
    }
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

/// Something that `schema` describes, in the member `name`: the example it has, or one made of those of its members. Of what may be left out only that
/// which has an example of its own.
fn example(name: &str, schema: &Value, document: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    let of = |schema: &Value| example(name, schema, document, depth + 1);
    if let Some(given) = schema.get("example").or_else(|| schema["examples"].get(0)) {
        return given.clone();
    }
    if let Some(path) = schema["$ref"].as_str() {
        return of(document.pointer(path.trim_start_matches('#')).unwrap_or(&Value::Null));
    }
    if let Some(word) = schema["enum"].get(0).or_else(|| schema.get("const")) {
        return word.clone();
    }
    for several in ["oneOf", "anyOf"] {
        let one = schema[several].as_array().into_iter().flatten().find(|one| one["type"] != "null");
        if let Some(one) = one {
            return of(one);
        }
    }
    match kind(schema) {
        "object" => object(schema, document, depth),
        "array" => json!([of(&schema["items"])]),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| 1.into()),
        "boolean" => false.into(),
        "string" if schema["format"] == "date-time" => moment(name).into(),
        "string" => "a word".into(),
        _ => Value::Null,
    }
}

/// A morning to come, in which something begins or ends; or one that is gone, since which something is asked for.
fn moment(name: &str) -> String {
    let hour = if name.starts_with("end") || name == "until" { 11 } else { 9 };
    let day = Utc::now().date_naive();
    let day = if name == "since" { day - AHEAD } else { day + AHEAD };
    let at = day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(hour);
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn kind(schema: &Value) -> &str {
    let several = schema["type"].as_array().into_iter().flatten().find(|kind| *kind != "null");
    several.unwrap_or(&schema["type"]).as_str().unwrap_or_default()
}

fn object(schema: &Value, document: &Value, depth: usize) -> Value {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let has_example = |member: &Value| member.get("example").is_some() || member.get("examples").is_some();
    let members = schema["properties"].as_object().into_iter().flatten();
    let told = members.filter(|(name, member)| required.contains(&name.as_str()) || has_example(member));
    let told = told.map(|(name, member)| (name.clone(), example(name, member, document, depth + 1)));
    Value::Object(told.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{curl, example, moment};

    #[test]
    fn an_example_is_made_of_those_of_its_members() {
        let document =
            json!({ "components": { "schemas": { "Word": { "type": "string", "enum": ["a", "b"] } } } });
        let schema = json!({
            "type": "object", "required": ["word", "count", "at", "list"],
            "properties": {
                "word": { "$ref": "#/components/schemas/Word" }, "count": { "type": "integer", "minimum": 3 },
                "at": { "type": ["string", "null"], "format": "date-time" },
                "list": { "type": "array", "items": { "oneOf": [{ "type": "null" }, { "type": "boolean" }] } },
                "told": { "type": "string", "example": "x" }, "silent": { "type": "string" },
            },
        });
        let made = json!({
            "word": "a", "count": 3, "at": moment("at"), "list": [false], "told": "x",
        });
        assert_eq!(example("", &schema, &document, 0), made);
        assert!(moment("ends_at") > moment("starts_at") && moment("since") < moment("at"));
    }

    #[test]
    fn a_call_says_its_method_and_leaves_nothing_open() {
        let asks = |operation| curl("http://x", "/v1/jobs/{id}/a/{slug}", "DELETE", &operation, &json!({}));
        let said = asks(json!({ "security": [], "responses": {} }));
        let id = "job_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f";
        let wanted = format!(
            "curl -X DELETE -H \"Authorization: Bearer $CREWLINE_KEY\" \\\n  \"http://x/v1/jobs/{id}/a/acme\""
        );
        assert_eq!(said, wanted);
        let with = json!({
            "requestBody": { "content": { "application/json": { "example": { "a": "it's" } } } }, "responses": {},
        });
        assert!(asks(with).contains(r#"--json '{"a":"it'\''s"}'"#));
    }
}
