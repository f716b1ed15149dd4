//! Server-sent events: one job, all jobs, and coming back after a break.

use std::{collections::BTreeMap, time::Duration};

use futures::StreamExt;
use jobs::failure::Problem;
use reqwest::Method;
use serde_json::{Value, json};
use store::{
    logs::{Level, Said, say},
    settle::settle,
    verdict::{Settle, Verdict},
};

use crate::app::{Answer, BOUND, TestApp, completed, settings};

/// An open stream of events.
pub(crate) struct Events {
    bytes: futures::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl Events {
    pub(crate) async fn open(app: &TestApp, path: &str, last: Option<&str>) -> Self {
        Self::open_as(app, &app.key, path, last).await
    }

    async fn open_as(app: &TestApp, key: &str, path: &str, last: Option<&str>) -> Self {
        let mut request = app.http.get(app.url(path)).bearer_auth(key);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { bytes: response.bytes_stream().boxed(), text: String::new() }
    }

    /// The next event; none when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let fields: BTreeMap<String, String> = block
                    .lines()
                    .filter_map(|line| line.split_once(": "))
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                let rest = rest.to_owned();
                self.text = rest;
                if let (Some(name), Some(id)) = (fields.get("event"), fields.get("id")) {
                    let data = serde_json::from_str(&fields["data"]).unwrap();
                    return Some(Event { name: name.clone(), id: id.clone(), data });
                }
                continue;
            }
            let more = tokio::time::timeout(BOUND, self.bytes.next()).await.expect("the stream is silent")?;
            self.text.push_str(std::str::from_utf8(&more.ok()?).unwrap());
        }
    }

    async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn line(text: &str) -> Said {
    Said::Line { level: Level::Info, message: text.to_owned() }
}

#[tokio::test]
async fn a_job_is_followed_to_its_end_and_resumed() {
    let app = TestApp::start().await;
    let id = app.submit(json!({})).await;
    let path = format!("/v1/jobs/{id}/events");
    let mut events = Events::open(&app, &path, None).await;
    let first = events.next().await.unwrap();
    assert_eq!((first.name.as_str(), first.data["state"].as_str()), ("state", Some("available")));

    let job = app.claim().await.remove(0);
    let progress = Said::Progress { percent: 40, message: "halfway".to_owned() };
    say(&app.worker, &[(job.clone(), progress), (job.clone(), line("one")), (job.clone(), line("two"))])
        .await
        .unwrap();
    let told: Vec<Event> = vec![
        events.next().await.unwrap(),
        events.next().await.unwrap(),
        events.next().await.unwrap(),
        events.next().await.unwrap(),
    ];
    let names: Vec<&str> = told.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["state", "progress", "log", "log"]);
    assert_eq!(told[0].data["state"], "running");
    assert_eq!(told[1].data, json!({"percent": 40, "message": "halfway"}));
    assert_eq!(told[2].data["message"], "one");

    say(&app.worker, &[(job.clone(), line("three"))]).await.unwrap();
    settle(&app.worker, &[Settle::of(&job, completed())], &[job.lease]).await.unwrap();
    let rest = events.rest().await;
    let names: Vec<&str> = rest.iter().map(|event| event.name.as_str()).collect();
    assert!(names == ["log", "state", "end"] || names == ["state", "log", "state", "end"], "{names:?}");
    assert_eq!(rest.last().unwrap().data["result"]["echo"], "hello");

    // Coming back with the id of "one": the lines after it, the state again, and the end.
    let resumed = Events::open(&app, &path, Some(&told[2].id)).await.rest().await;
    let said: Vec<_> = resumed
        .iter()
        .filter(|event| event.name == "log")
        .map(|event| event.data["message"].clone())
        .collect();
    assert_eq!(said, ["two", "three"]);
    assert_eq!(resumed.last().unwrap().name, "end");
    let request = app.request(Method::GET, &path).header("last-event-id", "x").send().await.unwrap();
    Answer::of(request).await.problem(400, "invalid_parameter");
}

#[tokio::test]
async fn all_jobs_are_followed_and_nothing_is_missed_after_a_break() {
    let app = TestApp::start().await;
    let mut events = Events::open(&app, "/v1/events", None).await;
    let mut ended = Vec::new();
    for n in 0..3 {
        ended.push(app.submit(json!({})).await);
        let verdict = if n == 1 {
            Verdict::Discarded { problem: Problem::new("broken", "it broke") }
        } else {
            completed()
        };
        app.work(verdict).await;
    }
    let told = [events.next().await.unwrap(), events.next().await.unwrap(), events.next().await.unwrap()];
    assert_eq!(told.clone().map(|event| event.data["job"].as_str().unwrap().to_owned()).to_vec(), ended);
    assert_eq!(
        told.clone().map(|event| event.data["outcome"].clone()),
        ["completed", "discarded", "completed"]
    );
    assert!(told[0].id.ends_with(&format!("-{}-0", ended[0])), "{}", told[0].id);
    drop(events);

    let fourth = app.submit(json!({})).await;
    app.work(completed()).await;
    let mut resumed = Events::open(&app, "/v1/events", Some(&told[2].id)).await;
    let mut seen = Vec::new();
    while !seen.iter().any(|event: &Event| event.data["job"] == fourth.as_str()) {
        seen.push(resumed.next().await.unwrap());
    }
    // What was told before the break may be told again; within one connection nothing is told twice.
    let mut ids: Vec<_> = seen.iter().map(|event| event.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), seen.len());

    let other = app.stranger().await;
    let mut theirs = Events::open_as(&app, &other, "/v1/events", None).await;
    app.submit(json!({})).await;
    app.work(completed()).await;
    resumed.next().await.unwrap();
    let silent = tokio::time::timeout(Duration::from_millis(300), theirs.next()).await;
    assert!(silent.is_err(), "another tenant hears nothing");
}

#[tokio::test]
async fn streams_are_limited_and_end_when_the_server_stops() {
    let mut app = TestApp::start_with(api::Settings { streams_max: 2, ..settings() }).await;
    let id = app.submit(json!({})).await;
    let path = format!("/v1/jobs/{id}/events");
    let mut first = Events::open(&app, &path, None).await;
    let second = Events::open(&app, "/v1/events", None).await;
    app.get(&path).await.problem(429, "too_many_streams");
    drop(second);
    let mut third = crate::app::eventually(async || {
        let response = app.request(Method::GET, "/v1/events").send().await.unwrap();
        (response.status() == 200).then_some(response)
    })
    .await;
    assert_eq!(first.next().await.unwrap().name, "state");
    assert!(third.chunk().await.unwrap().is_some());
    app.stop().await;
    assert_eq!(first.next().await, None);
}
