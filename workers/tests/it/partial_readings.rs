//! Calendars that come in parts, of which one may be missing: nothing is taken before all of it is there.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::State as Shared,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{SecondsFormat, TimeDelta, Utc};
use testkit::{Dav, DavServer, eventually};

use crate::{
    calendars::{ahead as days, busy, link as link_to, linkable, looked, reads},
    matching::technician,
    providers::{Provider, hours, link, serve, start},
    world::{SOON, World},
};

/// Hours ahead that no calendar is read to.
const OUTSIDE: i64 = 24 * 400;

/// Up to where a link was read.
async fn token(world: &World) -> serde_json::Value {
    world.database.json("select to_jsonb(token) from calendar_link").await.unwrap()
}

#[tokio::test]
async fn what_breaks_off_between_two_parts_is_read_again_from_where_it_was() {
    let (world, provider) = (World::new().await, serve().await);
    let _worker = start(&world, &provider);
    let party = technician(&world, 0.0).await;
    for (id, at) in [("a", 30), ("b", 40)] {
        provider.notes(id, Some(at));
    }
    let id = link(&world, party, "google").await;
    reads(&world, id, "all to be read", async || hours(&world, party).await == [30, 40]).await;
    let before = token(&world).await;
    for (id, at) in [("a", None), ("c", Some(50)), ("d", Some(60))] {
        provider.notes(id, at);
    }
    provider.kept().breaks_at = Some((1, 400));
    reads(&world, id, "it to break off", async || looked(&world, id).await.problem.is_some()).await;
    assert_eq!((token(&world).await, hours(&world, party).await), (before, vec![30, 40]), "all or nothing");
    provider.kept().breaks_at = None;
    reads(&world, id, "the rest to be read", async || hours(&world, party).await == [40, 50, 60]).await;
    assert_eq!(provider.kept().fulls, 1, "from where it was");
}

#[tokio::test]
async fn who_takes_back_what_they_allowed_in_the_middle_is_believed_what_they_said_before() {
    let (world, provider) = (World::new().await, serve().await);
    let _worker = start(&world, &provider);
    let party = technician(&world, 0.0).await;
    provider.notes("a", Some(30));
    let id = link(&world, party, "google").await;
    reads(&world, id, "it to be read", async || hours(&world, party).await == [30]).await;
    provider.notes("a", None);
    provider.notes("b", Some(40));
    provider.kept().breaks_at = Some((1, 403));
    reads(&world, id, "it to be refused", async || looked(&world, id).await.is_refused).await;
    assert_eq!(hours(&world, party).await, [30]);
}

#[tokio::test]
async fn what_is_told_without_its_times_is_where_it_is_when_it_is_asked_for() {
    let (world, provider) = (World::new().await, serve().await);
    let _worker = start(&world, &provider);
    let party = technician(&world, 0.0).await;
    for (id, at) in [("away", 30), ("near", 40), ("off", 50), ("stays", 60)] {
        provider.notes(id, Some(at));
    }
    let id = link(&world, party, "microsoft").await;
    reads(&world, id, "all to be read", async || hours(&world, party).await == [30, 40, 50, 60]).await;
    for (id, at) in [("away", Some(OUTSIDE)), ("near", Some(41)), ("other", Some(OUTSIDE)), ("off", None)] {
        provider.kept().hollow.push(id.to_owned());
        provider.notes(id, at);
    }
    reads(&world, id, "what changed to be read", async || hours(&world, party).await == [41, 60]).await;
    assert_eq!((looked(&world, id).await.doubts, provider.kept().fulls), (0, 1));
}

#[tokio::test]
async fn a_window_that_stayed_where_it_was_for_a_week_is_opened_anew() {
    let (world, provider) = (World::new().await, serve().await);
    let _worker = start(&world, &provider);
    let party = technician(&world, 0.0).await;
    provider.notes("near", Some(30));
    provider.notes("far", Some(40));
    provider.kept().hollow.push("far".into());
    let id = link(&world, party, "microsoft").await;
    reads(&world, id, "what is near to be read", async || hours(&world, party).await == [30]).await;
    // By now it would be in a window that is opened, and nobody tells of it in the one that is.
    provider.kept().hollow.clear();
    let opened = |days| (Utc::now() - TimeDelta::days(days)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let (week, before) = (opened(6), opened(8));
    let since = async |opened: &str| {
        let aged =
            format!("update calendar_link set token = '{opened}' || substr(token, position(' ' in token))");
        world.database.execute(&aged).await.unwrap();
    };
    let is_kept = async || {
        let is_so = token(&world).await.as_str().unwrap().starts_with(&week);
        if !is_so {
            since(&week).await;
        }
        is_so
    };
    reads(&world, id, "what changed to be read", is_kept).await;
    assert_eq!((hours(&world, party).await, provider.kept().fulls), (vec![30], 1));
    let is_anew = async || {
        let is_so = hours(&world, party).await == [30, 40];
        if !is_so {
            since(&before).await;
        }
        is_so
    };
    reads(&world, id, "all to be read anew", is_anew).await;
    assert_eq!(provider.kept().fulls, 2);
    assert!(token(&world).await.as_str().unwrap() > before.as_str(), "and stays there for another week");
}

impl Provider {
    /// Answers again, as if nobody had asked before; it may have forgotten what they asked.
    fn answers_again(&self, is_forgetful: bool) {
        let mut kept = self.kept();
        (kept.holds_at, kept.is_forgetful) = (None, is_forgetful);
        kept.parts.clear();
    }

    /// Somebody asks for a part of a list.
    pub(crate) async fn comes_to(&self, part: usize) {
        let is_held = {
            let mut kept = self.kept();
            kept.parts.push(part);
            kept.holds_at == Some(part)
        };
        if is_held {
            std::future::pending::<()>().await;
        }
    }
}

#[tokio::test]
async fn a_list_whose_reader_is_killed_is_gone_on_with_from_the_part_it_came_to() {
    for name in ["google", "microsoft", "cronofy"] {
        for is_forgetful in [false, true] {
            let (world, provider) = (World::new().await, serve().await);
            let worker = start(&world, &provider);
            let party = technician(&world, 0.0).await;
            for (id, at) in [("a", 30), ("b", 40), ("c", 50)] {
                provider.notes(id, Some(at));
            }
            provider.kept().holds_at = Some(2);
            link(&world, party, name).await;
            let comes = async || (provider.kept().parts == [0, 1, 2]).then_some(());
            eventually("the last part to be asked for", SOON, comes).await;
            assert!(hours(&world, party).await.is_empty(), "{name}: all or nothing");
            worker.kill();
            provider.answers_again(is_forgetful);
            let _worker = start(&world, &provider);
            let is_read = async || (hours(&world, party).await == [30, 40, 50]).then_some(());
            eventually("all to be read", SOON, is_read).await;
            let wanted: &[usize] = if is_forgetful { &[2, 0, 1, 2] } else { &[2] };
            assert_eq!(provider.kept().parts, wanted, "{name}");
            let left = "select count(*) from calendar_part";
            assert_eq!(world.database.number(left).await.unwrap(), 0, "{name}");
        }
    }
}

/// A server that tells of one entry at a time, and with 507 that there is more.
#[derive(Clone, Default)]
struct Slow(Arc<Mutex<Vec<String>>>);

async fn answer(Shared(slow): Shared<Slow>, method: Method, body: String) -> Response {
    let list = |inside: String| {
        let xml = format!(
            r#"<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{inside}</multistatus>"#
        );
        (StatusCode::MULTI_STATUS, xml).into_response()
    };
    let one = |name: &str, more: &str| {
        format!(
            "<response><href>/cal/{name}.ics</href><propstat><prop><getetag>\"{name}\"</getetag>{more}</prop></propstat></response>"
        )
    };
    if method == Method::from_bytes(b"PROPFIND").unwrap() {
        return list("<response><href>/cal/</href><propstat><prop><resourcetype><collection/><C:calendar/></resourcetype></prop></propstat></response>".into());
    }
    if !body.contains("sync-collection") {
        let names = ["a", "b"].into_iter().filter(|name| body.contains(&format!("/cal/{name}.ics")));
        let data = |name: &str| {
            let at = days(if name == "a" { 3 } else { 4 });
            let [from, until] = [at.from, at.until].map(|at| at.format("%Y%m%dT%H%M%SZ"));
            format!(
                "<C:calendar-data>BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:{name}\nDTSTART:{from}\nDTEND:{until}\nEND:VEVENT\nEND:VCALENDAR</C:calendar-data>"
            )
        };
        return list(names.map(|name| one(name, &data(name))).collect());
    }
    let since = body.split("<sync-token>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    slow.0.lock().unwrap().push(since.clone());
    let more = "<response><href>/cal/</href><status>HTTP/1.1 507 Insufficient Storage</status></response>";
    match since.as_str() {
        "" => list(format!("{}{more}<sync-token>1</sync-token>", one("a", ""))),
        "1" => list(format!("{}<sync-token>2</sync-token>", one("b", ""))),
        _ => list("<sync-token>2</sync-token>".into()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_cut_is_asked_for_to_its_end() {
    let (world, _worker, party) = linkable().await;
    let slow = Slow::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/cal/", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(slow.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let id = link_to(&world, party, ("caldav", &url, "secret")).await;
    reads(&world, id, "both to be read", async || busy(&world, party).await.len() == 2).await;
    assert_eq!(slow.0.lock().unwrap()[..2], ["", "1"]);
    assert_eq!(token(&world).await, "2", "the last word, and none before");
    reads(&world, id, "nothing to change", async || slow.0.lock().unwrap().last().unwrap() == "2").await;
    assert_eq!(busy(&world, party).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_that_was_moved_away_says_so_and_another_is_not_taken_for_it() {
    let (world, _worker, party) = linkable().await;
    let server = DavServer::start(Dav::Radicale).unwrap();
    let http = reqwest::Client::new();
    let does = async |method: &[u8], url: String, body: String| {
        let method = reqwest::Method::from_bytes(method).unwrap();
        let asked = http.request(method, url).basic_auth("ada", Some("secret"));
        asked.header("content-type", "text/calendar").body(body).send().await.unwrap().status()
    };
    assert_eq!(does(b"MKCALENDAR", server.calendar(), String::new()).await, 201);
    let during = days(5);
    let [from, until] = [during.from, during.until].map(|at| at.format("%Y%m%dT%H%M%SZ"));
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART:{from}\r\nDTEND:{until}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    assert_eq!(does(b"PUT", format!("{}a.ics", server.calendar()), text).await, 201);
    // By the address of the server: which calendar it was is kept.
    let id = link_to(&world, party, ("caldav", &server.url(), "secret")).await;
    eventually("it to be read", SOON, async || (busy(&world, party).await.len() == 1).then_some(())).await;
    assert_eq!(does(b"DELETE", server.calendar(), String::new()).await, 200);
    assert_eq!(does(b"MKCALENDAR", format!("{}ada/another/", server.url()), String::new()).await, 201);
    reads(&world, id, "it to be missed", async || looked(&world, id).await.problem.is_some()).await;
    assert_eq!(busy(&world, party).await, [(during.from, during.until)], "what it said before holds");
}
