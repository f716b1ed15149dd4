//! The page `/docs` has a `curl` for every endpoint. Each is run as it stands, but those whose answers do not end.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::app::{TestApp, settings};

/// Answers that do not end, the key that the calls are made with, and counts, which no server of a test has.
const NOT_RUN: [&str; 6] =
    ["follow_job", "follow_all", "follow_inbox", "revoke_key", "revoke_tenant_key", "metrics"];
/// Whose body names something that has to be there.
const NAMES_SOMETHING: [&str; 5] =
    ["set_brand", "create_delivery", "assign_error_group", "create_booking", "request_match"];

/// The call on the page, as a shell reads it.
fn call(page: &str, operation: &str) -> String {
    let section = page.split(&format!("<section id=\"{operation}\">")).nth(1).unwrap();
    let text = section.split("<pre tabindex=\"0\">").nth(1).unwrap().split("</pre>").next().unwrap();
    text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// The method and the body of a call.
fn read(call: &str) -> (String, Option<Value>) {
    let after = |flag: &str| call.split(flag).nth(1);
    let json = after("--json '").map(|rest| rest.split("' \\\n").next().unwrap().replace("'\\''", "'"));
    let body = json.map(|json| serde_json::from_str(&json).unwrap());
    let has_body = body.is_some() || call.contains("--data-binary");
    let method = after("-X ").map(|rest| rest.split(' ').next().unwrap());
    (method.unwrap_or(if has_body { "POST" } else { "GET" }).to_owned(), body)
}

/// The status of the answer, and the answer.
async fn run(call: &str, key: &str) -> (String, String) {
    let call = call.replacen("curl", "curl -s -w '\\n%{http_code}'", 1);
    let told = Command::new("bash")
        .args(["-c", &call])
        .env("CREWLINE_KEY", key)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let text = String::from_utf8_lossy(&told.await.unwrap().stdout).into_owned();
    let (answer, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), answer.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_has_a_call_that_can_be_made() {
    let mut settings = settings();
    "http://crewline.example".clone_into(&mut settings.public_url);
    let app = TestApp::start_with(settings).await;
    let page = app.http.get(app.url("/docs")).send().await.unwrap().text().await.unwrap();
    let key = app.key_of(app.tenant, &["admin", "installation"]).await;
    let document = api::document();
    let (mut wrong, mut made) = (Vec::new(), 0);
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let call = call(&page, id);
            let (said, body) = read(&call);
            assert!(said.eq_ignore_ascii_case(method), "{id}: {call}");
            let content = &operation["requestBody"]["content"];
            assert_eq!(body.is_some(), content.get("application/json").is_some(), "{id}: {call}");
            let url = call.rsplit("http://crewline.example").next().unwrap();
            assert!(!url.contains(['{', '}', '$']), "{id}: {url}");
            assert_eq!(url.split('/').count(), path.split('/').count(), "{id}: {url}");
            if NOT_RUN.contains(&id) {
                continue;
            }
            let call = call.replace("http://crewline.example", &app.url(""));
            let (status, answer) = run(&call, &key).await;
            made += 1;
            let is_described = |status: &str| operation["responses"].get(status).is_some();
            let fits = is_described(&status) || (is_described("default") && status.starts_with('4'));
            // What is not there is no fault of the call. What cannot be read is.
            let is_misread = status == "400" || answer.contains("\"invalid_body\"");
            if !fits || is_misread && !NAMES_SOMETHING.contains(&id) {
                wrong.push(format!("{id}: {call}\n{status} {answer}"));
            }
        }
    }
    assert!(made > 100 && wrong.is_empty(), "{} of {made}: {}", wrong.len(), wrong.join("\n\n"));
}
