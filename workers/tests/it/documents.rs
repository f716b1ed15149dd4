//! The sequences of the documentation, run as they stand against real processes.

use std::path::Path;

use testkit::{Dav, DavServer, Page};

use crate::{
    calendars::linkable,
    journeys::{key, serve},
    world::{SOON, Worker, World},
};

const PAGES: &str = "../docs";

async fn holds(page: &str) {
    let world = World::new().await;
    let worker = world.start(&[]);
    holds_in(&world, &worker, page, &[]).await;
}

async fn holds_in(world: &World, worker: &Worker, page: &str, more: &[(&str, &str)]) {
    worker.ready().await;
    let (client, stop) = serve(world).await;
    let usual = [("CREWLINE_URL", client.url.as_str()), ("CREWLINE_API_KEY", &client.key)];
    let page = Page::read(&Path::new(PAGES).join(page)).unwrap();
    page.holds(&world.scratch(), &[&usual, more].concat(), SOON * 3).await.unwrap();
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn queues() {
    let world = World::new().await;
    let worker = world.start(&[]);
    let root = key(&world, "installation").await;
    holds_in(&world, &worker, "queues.md", &[("CREWLINE_INSTALLATION_KEY", &root)]).await;
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
async fn alerts() {
    holds("alerts.md").await;
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
