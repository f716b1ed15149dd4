//! The description, for machines and for people.

use reqwest::StatusCode;
use serde_json::Value;

use crate::app::{Answer, TestApp};

async fn open(app: &TestApp, path: &str) -> Answer {
    Answer::of(app.http.get(app.url(path)).send().await.unwrap()).await
}

/// Every `$ref` of a document that points into it.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            // A schema with an id of its own is the root of its references.
            if members.contains_key("$id") {
                return;
            }
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.push(reference.clone());
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// What the client is made from.
const COMMITTED: &str = include_str!("../../../crates/client/openapi.json");

#[test]
fn the_client_is_made_from_what_is_served() {
    let committed: Value = serde_json::from_str(COMMITTED).unwrap();
    let is_current = committed == api::document();
    assert!(is_current, "cargo run -p api -- openapi > crates/client/openapi.json, and look at what changed");
}

/// Whose table of endpoints is the list of routes.
const DOCUMENTED: &str = include_str!("../../../docs/api.md");

#[tokio::test]
async fn the_description_has_every_route_and_no_loose_ends() {
    let app = TestApp::start().await;
    let answer = open(&app, "/openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("application/json")));
    let document = &answer.body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut operations: Vec<String> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations.push(format!("{} {path}", method.to_uppercase()));
            assert!(operation["summary"].is_string() && operation["operationId"].is_string(), "{path}");
            // Whoever sends us webhooks has no key: they sign.
            if path.starts_with("/v1") && !path.starts_with("/v1/hooks/") {
                assert!(operation["security"].is_array(), "{path} does not say that it needs a key");
                assert!(
                    operation["responses"]["default"].is_object(),
                    "{path} does not describe its problems"
                );
                // The route is there: whatever it answers without a key, it is not "no such path".
                let method = method.to_uppercase().parse().unwrap();
                let url = app.url(&path.replace("{id}", "x").replace("{kind}", "x"));
                let status = app.http.request(method, url).send().await.unwrap().status();
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
            }
        }
    }
    operations.sort();
    let mut expected: Vec<&str> = DOCUMENTED
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|endpoint| endpoint.contains(" /"))
        .collect();
    expected.sort_unstable();
    assert_eq!(operations, expected);
    let mut found = Vec::new();
    references(document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} points nowhere");
    }
    for spec in jobs::specs() {
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas[format!("{}.args", spec.kind)], spec.args_schema);
    }
}

#[tokio::test]
async fn pages_hold_everything_and_load_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    let docs = open(&app, "/docs").await;
    assert_eq!(
        (docs.status, docs.header("content-type")),
        (StatusCode::OK, Some("text/html; charset=utf-8"))
    );
    assert!(docs.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    let document = open(&app, "/openapi.json").await.body;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(docs.text.contains(&format!("id=\"{}\"", operation["operationId"].as_str().unwrap())));
            assert!(docs.text.contains(&format!("{} {path}", method.to_uppercase())));
        }
    }
    for spec in jobs::specs() {
        assert!(docs.text.contains(&format!("id=\"{}\"", spec.kind)));
    }
    let problems = open(&app, "/docs/problems").await;
    for code in api::Code::ALL {
        assert!(problems.text.contains(&format!("id=\"{}\"", code.word())));
    }
    for page in [&docs.text, &problems.text] {
        assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("style=\""));
    }
    assert_eq!(open(&app, "/docs/style.css").await.header("content-type"), Some("text/css; charset=utf-8"));
}
