//! The API beside its own description, by a program that is nobody's friend: schemathesis asks every operation for what the
//! description allows, and for what it does not.

use std::{
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::json;
use tokio::process::Command;

use crate::app::{TestApp, completed};

/// What it does not ask for: answers that do not end, which `events` looks at; to revoke the key that it asks with, which
/// `administration` does; and counts, which no server of a test has.
const LEFT_OUT: [&str; 6] =
    ["follow_job", "follow_all", "follow_inbox", "revoke_key", "revoke_tenant_key", "metrics"];
/// Longest that it may take.
const BOUND: Duration = Duration::from_mins(5);

async fn schemathesis(arguments: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let fetched = Command::new(root.join("dev.d/vendors.sh")).stdout(Stdio::null()).status().await.unwrap();
    assert!(fetched.success(), "pip did not get schemathesis; dev.d/vendors.sh says why");
    let run = Command::new(root.join(".dev/vendors/contract/bin/schemathesis"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    tokio::time::timeout(BOUND, run).await.expect("schemathesis does not end").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_described_and_none_is_a_failure_of_ours() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        app.submit(json!({ "tags": ["x"] })).await;
    }
    app.work(completed()).await;
    let key = app.key_of(app.tenant, &["admin", "installation"]).await;
    let (description, key) = (app.url("/openapi.json"), format!("Authorization: Bearer {key}"));
    let mut arguments = vec![
        "run",
        &description,
        "--header",
        &key,
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        "--phases",
        "examples,fuzzing",
        "--max-examples",
        "15",
        "--seed",
        "1",
        "--generation-database",
        "none",
        // Side by side they would not ask the same every time.
        "--workers",
        "1",
        "--request-timeout",
        "20",
        "--no-color",
    ];
    for operation in LEFT_OUT {
        arguments.extend(["--exclude-operation-id", operation]);
    }
    let asked = schemathesis(&arguments).await;
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(asked.status.success(), "{said}");
}
