//! Submitting, following, looking.

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_from_submission_to_result() {
    let world = World::working().await;
    let told = world
        .crewline(&[
            "--json",
            "submit",
            "probe.work",
            "--set",
            "work_ms=300",
            "--set",
            "echo=hello",
            "--tag",
            "a",
            "--wait",
        ])
        .await;
    assert_eq!(told.code, 0, "{}", told.err);
    let job = &told.json()[0];
    assert_eq!((&job["state"], &job["result"]["echo"]), (&json!("completed"), &json!("hello")));
    let id = job["id"].as_str().unwrap();
    let shown = world.crewline(&["--json", "show", id]).await.json();
    assert_eq!((&shown[0]["args"]["work_ms"], &shown[0]["tags"]), (&json!(300), &json!(["a"])));
    assert_eq!(world.crewline(&["--json", "result", id]).await.json()[0]["echo"], "hello");
    assert_eq!(world.done(&["logs", id]).await.lines().count(), 10);
    assert!(world.done(&["attempts", id]).await.contains("completed"));
    assert!(world.done(&["show", id]).await.contains("state         completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_a_job_is_the_exit_code() {
    let world = World::working().await;
    let endings = r#"endings=["discard"]"#;
    let told = world.crewline(&["--json", "submit", "probe.work", "--set", endings, "--wait"]).await;
    assert_eq!((told.code, &told.json()[0]["state"]), (1, &json!("discarded")));
    let id = told.json()[0]["id"].as_str().unwrap().to_owned();
    let result = world.crewline(&["--json", "result", &id]).await;
    assert_eq!(result.code, 6, "it has no result");
    let error: Value = serde_json::from_str(&result.err).unwrap();
    assert_eq!(
        (&error["problem"]["code"], &error["problem"]["status"]),
        (&json!("job_discarded"), &json!(410))
    );

    assert_eq!(world.crewline(&["retry", &id]).await.code, 0);
    assert_eq!(world.crewline(&["watch", &id]).await.code, 0, "only the first attempt was told to fail");
    let slow = world.done(&["submit", "probe.work", "--set", "work_ms=60000"]).await;
    assert_eq!(world.crewline(&["watch", &slow, "--timeout", "1"]).await.code, 8);
    assert_eq!(world.crewline(&["cancel", &slow]).await.code, 0);
    assert_eq!(world.crewline(&["watch", &slow]).await.code, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_its_exit_code() {
    let world = World::idle().await;
    let (reader, id) = (world.key_of(&["jobs:read"]).await, "job_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f");
    assert_eq!(world.crewline(&["show", id]).await.code, 3);
    assert_eq!(world.crewline(&["show", "../keys"]).await.code, 3, "whatever it is, it is no other path");
    assert_eq!(world.crewline_with(&reader, &["submit", "probe.work"]).await.code, 4);
    assert_eq!(world.crewline_with("crw_no_key", &["jobs"]).await.code, 4);
    assert_eq!(world.crewline(&["submit", "no.kind"]).await.code, 5);
    assert_eq!(world.crewline(&["submit", "probe.work", "--args", "[]"]).await.code, 2);
    assert_eq!(world.crewline(&["no-command"]).await.code, 2);
    let called = world.crewline(&["--json", "jobs", "--limit", "many"]).await;
    let error: Value = serde_json::from_str(&called.err).unwrap();
    assert!(called.code == 2 && error["error"].as_str().unwrap().contains("--limit"), "{error}");
    assert_eq!(world.crewline(&["jobs", "--url", "nowhere"]).await.code, 2);
    assert_eq!(world.crewline(&["jobs", "--url", "http://127.0.0.1:1"]).await.code, 7);
    let told = world.crewline(&["submit", "probe.work", "--set", "work_ms=-1"]).await;
    assert!(told.err.contains("/args/work_ms"), "{}", told.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_makes_one_job_and_lists_follow_their_pages() {
    let world = World::idle().await;
    let submit = ["submit", "probe.work", "--key", "order-1", "--tag", "once"];
    let first = world.done(&submit).await;
    assert_eq!(world.done(&submit).await, first);
    for number in 0..4 {
        let at = format!("echo=number {number}");
        world.done(&["submit", "probe.work", "--set", &at, "--tag", "many"]).await;
    }
    assert_eq!(world.done(&["jobs", "--tag", "once"]).await.lines().count(), 2, "a heading and one job");
    let listed = world.crewline(&["--json", "jobs", "--limit", "3"]).await.json();
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|job| job["state"] == "available"), "nobody works here");
    assert!(world.done(&["why", &first]).await.contains("worker"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_cloned_and_what_changes_is_shown() {
    let world = World::working().await;
    let given = r#"{"echo": "one", "work_ms": 5}"#;
    let first = world.done(&["submit", "probe.work", "--args", given, "--tag", "nightly"]).await;
    let told = world.crewline(&["clone", &first, "--set", "echo=two", "--dry-run"]).await;
    assert!(told.out.contains("-   \"echo\": \"one\"") && told.out.contains("+   \"echo\": \"two\""));
    let clone = ["clone", &first, "--set", "echo=two", "--args", r#"{"work_ms": null}"#, "--key", "one-call"];
    let told = world.crewline(&clone).await;
    assert!(told.code == 0 && told.err.contains("+   \"echo\": \"two\""), "{}", told.err);
    let second = told.out.trim_end().to_owned();
    assert_eq!(world.done(&clone).await, second, "the same call is one job");
    let waited = world.crewline(&["--json", "clone", &second, "--set", "echo=three", "--wait"]).await;
    assert_eq!((waited.code, waited.err.as_str()), (0, ""), "scripts are told nothing on the way");
    let third = &waited.json()[0];
    assert_eq!((&third["state"], &third["args"]["echo"]), (&json!("completed"), &json!("three")));
    assert_eq!((&third["metadata"]["clone_of"], &third["tags"]), (&json!(second), &json!(["nightly"])));
    let shown = world.crewline(&["--json", "clone", &first, "--set", "work_ms=9", "--dry-run"]).await.json();
    assert_eq!((&shown[0]["before"]["work_ms"], &shown[0]["after"]["work_ms"]), (&json!(5), &json!(9)));
    assert_eq!(world.crewline(&["clone", &first, "--set", "/echo/x=1"]).await.code, 5, "the kind refuses it");
    assert_eq!(world.crewline(&["clone", "job_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f"]).await.code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_found_by_words_by_times_and_by_what_they_were_given() {
    let world = World::working().await;
    let submit = ["--json", "submit", "probe.work", "--wait", "--set"];
    let rose = world.crewline(&[&submit[..], &["echo=rose bud"]].concat()).await.json()[0]["id"].clone();
    let lost = world.crewline(&[&submit[..], &[r#"endings=["discard"]"#]].concat()).await.json()[0].clone();
    let found = async |arguments: &[&str]| {
        let told = world.crewline(&[&["--json", "jobs"], arguments].concat()).await;
        assert_eq!(told.code, 0, "{}", told.err);
        told.json().iter().map(|job| job["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(found(&["--holds", "echo=rose bud"]).await, std::slice::from_ref(&rose));
    assert!(found(&["--holds", "echo=rose"]).await.is_empty());
    let words = lost["error"]["message"].as_str().unwrap();
    assert_eq!(found(&["--words", words]).await, [lost["id"].clone()]);
    assert_eq!(found(&["--words", rose.as_str().unwrap()]).await, [rose]);
    let (since, until) = (["--since", "2026-01-01T00:00:00Z"], ["--ended-until", "2026-01-01T00:00:00Z"]);
    assert_eq!(found(&since).await.len(), 2);
    assert!(found(&until).await.is_empty());
    assert_eq!(world.crewline(&["jobs", "--holds", "echo"]).await.code, 2);
    assert_eq!(world.crewline(&["jobs", "--since", "soon"]).await.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_becomes_the_argument_asset() {
    let world = World::idle().await;
    let photo = world.folder().join("photo.jpg");
    std::fs::copy("/usr/share/backgrounds/mate/nature/TwoWings.jpg", &photo).unwrap();
    let job = world.done(&["submit", "media.rendition", "--asset", photo.to_str().unwrap()]).await;
    let args = world.crewline(&["--json", "show", &job]).await.json()[0]["args"].clone();
    let asset = format!("/v1/assets/{}", args["asset"].as_str().unwrap());
    let asset = world.crewline(&["--json", "call", "GET", &asset]).await.json();
    assert_eq!((&asset[0]["media_type"], &asset[0]["filename"]), (&json!("image/jpeg"), &json!("photo.jpg")));
    let text = world.folder().join("notes.txt");
    assert_eq!(world.crewline(&["upload", text.to_str().unwrap()]).await.code, 2);
}
