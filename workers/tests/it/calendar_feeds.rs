//! iCalendar files: read from others, and shown to them.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::State as Shared,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use calendar::{EVENTS_MAX, read};
use chrono::DateTime;
use jobs::BookingId;
use matching::Span;
use reqwest::StatusCode;
use serde_json::json;
use store::people;
use testkit::{Dav, DavServer, eventually};

use crate::{
    calendars::{ahead, book, busy, cancel, link, linkable, looked, reads},
    journeys::serve,
    world::SOON,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_shows_what_is_booked_and_changes_only_when_that_does() {
    let (world, _worker, party) = linkable().await;
    let (client, stop) = serve(&world).await;
    let booking = book(&world, party, ahead(5)).await;
    let (status, made) = client.post("/v1/calendar-feeds", json!({ "party": party })).await;
    assert_eq!(status, 201, "{made}");
    let url = made["url"].as_str().unwrap();
    let ask = async |etag: &str| client.http.get(url).header("if-none-match", etag).send().await.unwrap();
    let bookings = async || {
        let answer = ask("").await;
        let is_there = answer.status() == StatusCode::OK;
        let etag = answer.headers().get("etag").map(|etag| etag.to_str().unwrap().to_owned());
        let text = answer.text().await.unwrap();
        let of = |event: &calendar::Event| event.ours.as_ref().unwrap().booking;
        is_there.then(|| {
            (read(text.as_bytes(), None).unwrap().iter().map(of).collect::<Vec<_>>(), etag.unwrap(), text)
        })
    };
    let (shown, etag, text) = eventually("the feed to be there", SOON, bookings).await;
    assert_eq!(shown, [booking]);
    assert!(text.contains("SUMMARY:12 Elm Street\\, rear"), "{text}");
    assert_eq!(ask(&etag).await.status(), StatusCode::NOT_MODIFIED);
    let second = book(&world, party, ahead(6)).await;
    let both = async || bookings().await.filter(|(shown, ..)| *shown == [booking, second]);
    let (_, other, _) = eventually("the second to be shown", SOON, both).await;
    assert_ne!(other, etag);
    cancel(&world, second).await;
    let one = async || bookings().await.filter(|(shown, ..)| *shown == [booking]);
    let (_, again, same) = eventually("it to be gone", SOON, one).await;
    assert_eq!((again, same), (etag, text), "the same bookings are the same bytes");
    let (status, _) = client.get_with_status("/c/nothing.ics").await;
    assert_eq!(status, 404);
    let path = format!("{}/v1/calendar-feeds/{}", client.url, made["id"].as_str().unwrap());
    assert_eq!(client.http.delete(path).bearer_auth(&client.key).send().await.unwrap().status(), 204);
    assert_eq!(ask("").await.status(), StatusCode::NOT_FOUND);
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_icalendar_file_at_an_address_takes_time() {
    let (world, _worker, party) = linkable().await;
    let server = DavServer::start(Dav::Radicale).unwrap();
    let http = reqwest::Client::new();
    let during = ahead(5);
    let [from, until] = [during.from, during.until].map(|at| at.format("%Y%m%dT%H%M%SZ"));
    // Named as a booking of another tenant's would be, or of another installation's: it takes their time as anything does.
    let name = format!("{}@crewline", BookingId::new());
    let calendar = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{name}\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART:{from}\r\nDTEND:{until}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    assert!(read(calendar.as_bytes(), None).unwrap()[0].ours.is_some());
    let put =
        http.put(server.calendar()).basic_auth("ada", Some("secret")).header("content-type", "text/calendar");
    assert!(put.body(calendar).send().await.unwrap().status().is_success());
    let id = link(&world, party, ("ics", &server.calendar(), "secret")).await;
    eventually("the file to be read", SOON, async || looked(&world, id).await.read_at).await;
    assert_eq!(busy(&world, party).await, [(during.from, during.until)]);
}

/// A file at an address, or where it is instead; and how it was asked for.
#[derive(Default)]
struct File {
    text: String,
    number: u32,
    leads_to: Option<String>,
    /// Whether with a password, and which was seen before.
    asked: Vec<(bool, Option<String>)>,
}

type Shelf = Arc<Mutex<File>>;

async fn answer(Shared(shelf): Shared<Shelf>, headers: HeaderMap) -> Response {
    let mut file = shelf.lock().unwrap();
    let seen = headers.get(header::IF_NONE_MATCH).map(|etag| etag.to_str().unwrap().to_owned());
    file.asked.push((headers.contains_key(header::AUTHORIZATION), seen.clone()));
    if let Some(to) = &file.leads_to {
        return (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to.clone())]).into_response();
    }
    let etag = format!("\"{}\"", file.number);
    if seen.as_ref() == Some(&etag) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(header::ETAG, etag)], file.text.clone()).into_response()
}

/// Shows a file from then on; answers where.
async fn show(file: File) -> (Shelf, String) {
    let shelf = Arc::new(Mutex::new(file));
    let router = Router::new().fallback(answer).with_state(shelf.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/work.ics", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (shelf, url)
}

/// A calendar with so many entries, all of the same time.
fn entries(count: usize, during: Span) -> String {
    let [from, until] = [during.from, during.until].map(|at| at.format("%Y%m%dT%H%M%SZ"));
    let entry = format!("BEGIN:VEVENT\r\nUID:a\r\nDTSTART:{from}\r\nDTEND:{until}\r\nEND:VEVENT\r\n");
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n", entry.repeat(count))
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_calendar_is_too_large_to_be_read_is_not_taken_for_free() {
    let (world, _worker, party) = linkable().await;
    let during = ahead(5);
    let (shelf, url) = show(File { text: entries(EVENTS_MAX + 1, during), ..File::default() }).await;
    let id = link(&world, party, ("ics", &url, "secret")).await;
    let why = format!("more than {EVENTS_MAX} entries");
    let says_so = async || looked(&world, id).await.problem.is_some_and(|problem| problem.contains(&why));
    reads(&world, id, "it to be too large", async || says_so().await).await;
    assert!(looked(&world, id).await.is_stale);
    // What rankings go by: it was never read.
    let read_at = async || {
        let member = people::membership(&world.api, world.tenant, party).await.unwrap().unwrap();
        member.calendar_read_at.unwrap()
    };
    assert_eq!(read_at().await, DateTime::UNIX_EPOCH);
    let shows = |number, count| {
        let mut file = shelf.lock().unwrap();
        (file.number, file.text) = (number, entries(count, during));
    };
    shows(1, 1);
    reads(&world, id, "it to be read", async || looked(&world, id).await.problem.is_none()).await;
    assert_eq!(busy(&world, party).await, [(during.from, during.until)]);
    let last = read_at().await;
    // What it said before holds, and grows old.
    shows(2, EVENTS_MAX + 1);
    reads(&world, id, "it to be too large again", async || says_so().await).await;
    assert_eq!((busy(&world, party).await.len(), read_at().await), (1, last));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_elsewhere_is_followed_without_its_password_and_sent_once() {
    let (world, _worker, party) = linkable().await;
    let (first, later) = (ahead(5), ahead(6));
    let (there, elsewhere) = show(File { text: entries(1, first), ..File::default() }).await;
    let (here, url) = show(File { leads_to: Some(elsewhere), ..File::default() }).await;
    let id = link(&world, party, ("ics", &url, "secret")).await;
    let is_at = async |during: Span| busy(&world, party).await == [(during.from, during.until)];
    reads(&world, id, "it to be read", async || is_at(first).await).await;
    let is_known = async || there.lock().unwrap().asked.last() == Some(&(false, Some("\"0\"".to_owned())));
    reads(&world, id, "it to be as before", is_known).await;
    assert!(is_at(first).await && looked(&world, id).await.problem.is_none());
    {
        let mut file = there.lock().unwrap();
        (file.number, file.text) = (1, entries(1, later));
    }
    reads(&world, id, "it to be moved", async || is_at(later).await).await;
    let has_password = |shelf: &Shelf| shelf.lock().unwrap().asked.iter().any(|(with, _)| *with);
    assert!(has_password(&here) && !has_password(&there));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_led_round_and_round_says_so_and_keeps_what_was_read() {
    let (world, _worker, party) = linkable().await;
    let during = ahead(5);
    let (shelf, url) = show(File { text: entries(1, during), ..File::default() }).await;
    let id = link(&world, party, ("ics", &url, "secret")).await;
    let problem = async || looked(&world, id).await.problem;
    reads(&world, id, "it to be read", async || !busy(&world, party).await.is_empty()).await;
    let leads = |to: &str| shelf.lock().unwrap().leads_to = Some(to.to_owned());
    leads("/work.ics");
    let goes_round = async || problem().await.is_some_and(|why| why.contains("again and again"));
    reads(&world, id, "it to be led round", goes_round).await;
    leads("ftp://127.0.0.1/work.ics");
    let changes = async || problem().await.is_some_and(|why| !why.contains("again and again"));
    reads(&world, id, "it to be led to what is no address", changes).await;
    assert_eq!(busy(&world, party).await, [(during.from, during.until)]);
    shelf.lock().unwrap().leads_to = None;
    reads(&world, id, "it to be read again", async || problem().await.is_none()).await;
}
