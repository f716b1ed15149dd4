//! Lists and logs.

use std::collections::BTreeSet;

use serde_json::json;
use store::{
    logs::{Level, Said, say},
    verdict::Verdict,
};

use crate::app::{TestApp, completed};

#[tokio::test]
async fn following_the_cursor_shows_every_job_once() {
    let app = TestApp::start().await;
    let mut made = BTreeSet::new();
    for n in 0..23 {
        made.insert(app.submit(json!({"tags": [if n % 2 == 0 { "even" } else { "odd & more" }]})).await);
        if n % 5 == 0 {
            app.work(completed()).await;
        }
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/jobs?limit=5".to_owned());
    loop {
        let page = app.get(&path).await;
        let jobs = page.body["jobs"].as_array().unwrap();
        assert!(jobs.len() <= 5 && jobs.iter().all(|job| job.get("args").is_none()));
        seen.extend(jobs.iter().map(|job| job["id"].as_str().unwrap().to_owned()));
        // A job that comes meanwhile does not move what is left.
        made.remove(&app.submit(json!({})).await);
        let Some(link) = page.header("link") else {
            assert!(page.body["next"].is_null());
            break;
        };
        assert!(link.contains(page.body["next"].as_str().unwrap()));
        path = link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
    }
    assert!(seen.is_sorted_by(|one, next| one > next), "newest first");
    assert_eq!(seen.len(), made.len());
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), made);

    let count = async |query: &str| {
        app.get(&format!("/v1/jobs?limit=200&{query}")).await.body["jobs"].as_array().unwrap().len()
    };
    assert_eq!(count("tag=even").await, 12);
    assert_eq!(count("tag=odd%20%26%20more").await, 11);
    assert_eq!(count("state=completed").await, 21);
    assert_eq!(count("state=completed&tag=even").await, 11);
    assert_eq!(count("kind=media.rendition").await, 0);
    assert_eq!(count("queue=default").await, 28);
}

#[tokio::test]
async fn jobs_are_found_by_words_by_times_and_by_what_they_were_given() {
    let app = TestApp::start().await;
    let lost = app.submit(json!({"args": {"echo": "rose bud"}})).await;
    let problem = jobs::failure::Problem::new("lost", "the courier forgot the parcel");
    app.work(Verdict::Discarded { problem }).await;
    let kept = app.submit(json!({"args": {"echo": "rose"}})).await;
    let found = async |query: &str| {
        let page = app.get(&format!("/v1/jobs?{query}")).await;
        assert_eq!(page.status, 200, "{query}: {}", page.text);
        assert!(page.body["next"].is_null() && page.body.get("looked_back_to").is_none(), "{}", page.text);
        let jobs = page.body["jobs"].as_array().unwrap().iter();
        jobs.map(|job| job["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("words=forgotten").await, [""; 0]);
    assert_eq!(found("words=courier%20parcel").await, std::slice::from_ref(&lost));
    assert_eq!(found(&format!("words={kept}")).await, std::slice::from_ref(&kept));
    assert_eq!(found("field=echo&holds=rose").await, std::slice::from_ref(&kept));
    assert_eq!(found("field=%2Fecho&holds=rose%20bud&words=parcel").await, std::slice::from_ref(&lost));
    let (past, ahead) = ("2026-01-01T00:00:00Z", "2099-01-01T00:00:00%2B01:00");
    assert_eq!(found(&format!("created_after={past}&created_before={ahead}")).await.len(), 2);
    assert_eq!(found(&format!("finished_after={past}&finished_before={ahead}")).await, [lost]);
    assert!(found(&format!("created_before={past}")).await.is_empty());
    for wrong in [
        "field=echo",
        "holds=rose",
        "words=%00",
        "created_after=soon",
        "created_after=1999-12-31T23:59:59Z",
        &format!("words={}", "x".repeat(201)),
        &format!("field={}&holds=x", "x".repeat(65)),
    ] {
        app.get(&format!("/v1/jobs?{wrong}")).await.problem(400, "invalid_parameter");
    }

    // The page after has what the page before was asked for.
    app.submit(json!({"args": {"echo": "rose"}})).await;
    let query = format!("/v1/jobs?limit=1&field=echo&holds=rose&created_after={past}");
    let page = app.get(&query).await;
    let link = page.header("link").unwrap();
    let path = link.strip_prefix('<').unwrap().split('>').next().unwrap();
    assert_eq!(app.get(path).await.body["jobs"][0]["id"], kept, "{path}");
}

#[tokio::test]
async fn log_lines_come_in_pages_and_attempts_in_order() {
    let app = TestApp::start().await;
    let id = app.submit(json!({})).await;
    let claimed = app.claim().await.remove(0);
    let line = |n: usize| Said::Line { level: Level::Info, message: format!("line {n}") };
    let said: Vec<_> = (0..5).map(|n| (claimed.clone(), line(n))).collect();
    say(&app.worker, &said).await.unwrap();
    let first = app.get(&format!("/v1/jobs/{id}/logs?limit=3")).await;
    let messages = |page: &serde_json::Value| -> Vec<String> {
        page["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["message"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(messages(&first.body), ["line 0", "line 1", "line 2"]);
    let rest = app.get(&format!("/v1/jobs/{id}/logs?after={}", first.body["next"])).await;
    assert_eq!((messages(&rest.body).len(), rest.body["next"].is_null()), (2, true));
    app.get(&format!("/v1/jobs/{id}/logs?limit=1001")).await.problem(400, "invalid_parameter");

    let problem = jobs::failure::Problem::new("flaky", "try again");
    let settle =
        store::verdict::Settle::of(&claimed, Verdict::Retried { problem, delay: std::time::Duration::ZERO });
    store::settle::settle(&app.worker, &[settle], &[claimed.lease]).await.unwrap();
    assert_eq!(app.get(&format!("/v1/jobs/{id}")).await.body["state"], "retryable");
    store::release::promote_due(&app.worker).await.unwrap();
    app.work(completed()).await;
    let attempts = app.get(&format!("/v1/jobs/{id}/attempts")).await;
    let outcomes: Vec<_> = attempts.body["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["retried", "completed"]);
    assert_eq!(attempts.body["attempts"][0]["error"]["code"], "flaky");
}

#[tokio::test]
async fn kinds_and_presets_describe_themselves() {
    let app = TestApp::start().await;
    let kinds = app.get("/v1/kinds").await;
    assert_eq!(kinds.body["kinds"].as_array().unwrap().len(), jobs::specs().len());
    let kind = app.get("/v1/kinds/media.rendition").await;
    assert_eq!(kind.body["queue"], "media");
    assert_eq!(kind.body["args_schema"]["$id"], "urn:crewline:media.rendition.args.v1");
    assert!(kind.body["example"]["asset"].is_string());
    let presets = app.get("/v1/presets").await;
    assert_eq!(presets.body["presets"][0]["id"], "listing@1");
}
