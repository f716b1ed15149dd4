//! The sequences of the documentation, run as they stand against real processes.

use std::path::Path;

use testkit::Page;

use crate::{
    journeys::serve,
    world::{SOON, World},
};

async fn holds(page: &str) {
    let page = Page::read(&Path::new("../docs").join(page)).unwrap();
    let world = World::new().await;
    let worker = world.start(&[]);
    worker.ready().await;
    let (client, stop) = serve(&world).await;
    let environment = [("CREWLINE_URL", client.url.as_str()), ("CREWLINE_API_KEY", &client.key)];
    page.holds(&environment, SOON * 3).await.unwrap();
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
