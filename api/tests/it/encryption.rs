//! Tenants that are encrypted, as their clients and their operator see it.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::app::{TestApp, fresh};

const ONE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const TWO: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn tenant(app: &TestApp, arguments: &[&str], keys: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_api"));
    command.env_clear().env("DATABASE_URL", app.database_url()).arg("tenant").args(arguments);
    for (name, key) in ["CREWLINE_MASTER_KEY", "CREWLINE_MASTER_KEY_PREVIOUS"].into_iter().zip(keys) {
        command.env(name, key);
    }
    command.output().unwrap()
}

#[track_caller]
fn says(output: &Output, words: &str) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), words);
}

#[track_caller]
fn refuses(output: &Output, words: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains(words), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_turns_it_on_and_changes_keys() {
    let app = TestApp::start().await;
    refuses(&tenant(&app, &["encrypt", "acme"], &[]), "CREWLINE_MASTER_KEY");
    refuses(&tenant(&app, &["encrypt", "acme"], &["hunter2"]), "32 random bytes");
    let on = "acme is encrypted: everywhere within 10 s, and what waits by and by";
    refuses(&tenant(&app, &["rotate", "acme"], &[ONE]), "not encrypted");
    says(&tenant(&app, &["encrypt", "acme"], &[ONE]), on);
    refuses(&tenant(&app, &["encrypt", "acme"], &[ONE]), "encrypted already");
    refuses(&tenant(&app, &["rotate", "acme"], &[TWO]), "is needed");
    let rotated = "acme seals with data key 2 from now on; 1 older keys were wrapped anew";
    says(&tenant(&app, &["rotate", "acme"], &[TWO, ONE]), rotated);
    let rotated =
        "acme seals with data key 3 from now on; 0 older keys were wrapped anew\n0 secrets were sealed anew";
    says(&tenant(&app, &["rotate", "--all"], &[TWO]), rotated);

    let mut serve = Command::new(env!("CARGO_BIN_EXE_api"));
    serve.env_clear().env("DATABASE_URL", app.database_url()).env("AWS_S3_BUCKET", "b");
    serve.env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s").args([
        "serve",
        "--listen",
        "127.0.0.1:0",
    ]);
    refuses(&serve.output().unwrap(), "CREWLINE_MASTER_KEY");
    refuses(&serve.env("CREWLINE_MASTER_KEY", ONE).output().unwrap(), "CREWLINE_MASTER_KEY");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_an_encrypted_tenant_sees_no_difference() {
    let mut app = TestApp::start().await;
    assert!(tenant(&app, &["encrypt", "acme"], &[ONE]).status.success());
    app.serve_with_key(ONE).await;
    assert_eq!(app.get("/readyz").await.body["keys"], "ok");
    let (key, body) = (fresh(), json!({"kind": "probe.work", "args": {"echo": "rosebud"}}));
    let first = app.post_keyed("/v1/jobs", &body, &key).await;
    assert_eq!(first.body["args"]["echo"], "rosebud");
    assert_eq!(app.post_keyed("/v1/jobs", &body, &key).await.text, first.text, "the answer that was kept");
    let job = app.get(&format!("/v1/jobs/{}", first.body["id"].as_str().unwrap())).await;
    assert_eq!(job.body["args"]["echo"], "rosebud");

    let large = app.submit(json!({"args": {"ballast": "rosebud".repeat(20_000)}})).await;
    let job = app.get(&format!("/v1/jobs/{large}")).await.body;
    // What S3 has is of no use to a client: the URL is ours, and asks for the key.
    assert_eq!(job["args_url"], format!("http://crewline.test/v1/jobs/{large}/args"));
    let args = app.get(&format!("/v1/jobs/{large}/args")).await.body;
    assert_eq!(args["ballast"], "rosebud".repeat(20_000));
    let listed = app.blobs.list(&format!("{}/p/", app.tenant), 10).await.unwrap().objects;
    let bytes = app.blobs.get(&listed[0].key, 1_000_000).await.unwrap();
    assert!(serde_json::from_slice::<Value>(&bytes).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_the_key_says_so_and_serves_the_others() {
    let mut app = TestApp::start().await;
    assert!(tenant(&app, &["encrypt", "acme"], &[ONE]).status.success());
    app.serve_with_key(ONE).await;
    let sealed = app.submit(json!({"args": {"echo": "rosebud"}})).await;
    let stranger = app.stranger().await;
    app.serve_with_key(TWO).await;

    let ready = app.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), &ready.body["keys"]), (503, &json!("missing")));
    let read = app.get(&format!("/v1/jobs/{sealed}")).await.problem(503, "unavailable");
    assert!(!read.text.contains("rosebud") && read.header("retry-after").is_some());
    app.post("/v1/jobs", &json!({"kind": "probe.work"})).await.problem(503, "unavailable");
    app.key = stranger;
    app.submit(json!({})).await;
}
