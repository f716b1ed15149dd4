//! The sequences of the documentation, run as they stand against real processes.
//!
//! Every `sh` block of a page runs in one shell, in order. A `text` block after one is what it prints; `…` stands for
//! anything.

use std::{fmt::Write as _, path::Path, process::Stdio};

use testkit::{Dav, DavServer};
use tokio::process::Command;

use crate::{
    calendars::linkable,
    journeys::serve,
    world::{SOON, Worker, World},
};

const PAGE_OF: &str = "../docs";

/// The commands of a page, and what they should print.
struct Script {
    commands: String,
    prints: Vec<String>,
}

fn script(page: &str) -> Script {
    let text = std::fs::read_to_string(Path::new(PAGE_OF).join(page)).unwrap();
    let mut script = Script { commands: "set -euo pipefail\n".into(), prints: Vec::new() };
    let mut block = None;
    for line in text.lines() {
        match (block, line) {
            (None, "```sh" | "```text") => block = Some(line),
            (Some(_), "```") => block = None,
            (Some("```sh"), line) => writeln!(script.commands, "{line}").unwrap(),
            (Some(_), line) => script.prints.push(line.to_owned()),
            _ => {}
        }
    }
    script
}

/// Whether `line` is what `expected` describes.
fn fits(line: &str, expected: &str) -> bool {
    let mut rest = line;
    let mut parts = expected.split('…');
    let Some(first) = parts.next() else { return false };
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    for part in parts {
        if part.is_empty() {
            return true;
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

async fn holds(page: &str) {
    let world = World::new().await;
    let worker = world.start(&[]);
    holds_in(&world, &worker, page, &[]).await;
}

async fn holds_in(world: &World, worker: &Worker, page: &str, more: &[(&str, &str)]) {
    worker.ready().await;
    let (client, stop) = serve(world).await;
    let Script { commands, prints } = script(page);
    assert!(!prints.is_empty(), "{page} shows nothing");
    let run = Command::new("bash")
        .args(["-c", &commands])
        .env("CREWLINE_URL", &client.url)
        .env("CREWLINE_API_KEY", &client.key)
        .envs(more.iter().copied())
        .current_dir(world.scratch())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let run = tokio::time::timeout(SOON * 3, run).await.expect("the page's commands do not end").unwrap();
    let (printed, told) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    let printed: Vec<&str> = printed.lines().collect();
    assert!(run.status.success(), "{page}: {}\n{}\n{told}", run.status, printed.join("\n"));
    assert_eq!(printed.len(), prints.len(), "{page} prints\n{}\n{told}", printed.join("\n"));
    for (line, expected) in printed.iter().zip(&prints) {
        assert!(fits(line, expected), "{page} should print\n{expected}\nand prints\n{line}");
    }
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn queues() {
    holds("queues.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules() {
    holds("schedules.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_operations() {
    holds("bulk-operations.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads() {
    holds("payloads.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows() {
    holds("workflows.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks() {
    holds("webhooks.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications() {
    holds("notifications.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings() {
    holds("bookings.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn matching() {
    holds("matching.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn places() {
    holds("places.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calendars() {
    let (world, worker, _) = linkable().await;
    let server = DavServer::start(Dav::Radicale).unwrap();
    let url = server.url();
    let dav = [
        ("CREWLINE_DAV_URL", url.trim_end_matches('/')),
        ("CREWLINE_DAV_USER", "ada"),
        ("CREWLINE_DAV_PASSWORD", "secret"),
    ];
    holds_in(&world, &worker, "calendars.md", &dav).await;
}
