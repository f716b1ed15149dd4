//! iCalendar files: read from others, and shown to them.

use calendar::read;
use jobs::BookingId;
use reqwest::StatusCode;
use serde_json::json;
use testkit::{Dav, DavServer, eventually};

use crate::{
    calendars::{ahead, book, busy, cancel, link, linkable, looked},
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
