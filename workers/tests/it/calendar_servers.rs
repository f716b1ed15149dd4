//! Calendar servers that answer otherwise than Radicale and Xandikos do, as their standards let them.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::{
    Router,
    extract::State as Shared,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use matching::Span;

use crate::calendars::{ahead, busy, link, linkable, looked, reads};

/// How a server says that it does not know a question.
const UNKNOWN: &str = r#"<D:error xmlns:D="DAV:"><D:supported-report/></D:error>"#;

/// An entry: where it is, how, and when.
struct Noted(&'static str, u32, Span);

#[derive(Default)]
struct Said {
    /// What it answers to a question for changes.
    changes: (u16, String),
    entries: Vec<Noted>,
    /// Where a calendar was looked for.
    looked: Vec<String>,
}

#[derive(Clone, Default)]
struct Server(Arc<Mutex<Said>>);

impl Server {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap()
    }

    fn says(&self, changes: (u16, String), entries: Vec<Noted>) {
        let mut said = self.said();
        (said.changes, said.entries) = (changes, entries);
    }

    /// Serves from then on; answers where.
    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        url
    }
}

fn list(inside: &str) -> String {
    format!(r#"<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{inside}</multistatus>"#)
}

/// One thing of a list, and what it says of it.
fn one(href: &str, said: &str) -> String {
    format!("<response><href>{href}</href><propstat><prop>{said}</prop></propstat></response>")
}

fn etag(number: u32) -> String {
    format!("<getetag>\"{number}\"</getetag>")
}

fn data(Noted(href, number, during): &Noted) -> String {
    let [from, until] = [during.from, during.until].map(|at| at.format("%Y%m%dT%H%M%SZ"));
    let file = format!(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:{number}\nDTSTART:{from}\nDTEND:{until}\nEND:VEVENT\nEND:VCALENDAR"
    );
    one(href, &format!("{}<C:calendar-data>{file}</C:calendar-data>", etag(*number)))
}

/// Leads from its root to the calendar, by every way that there is.
fn find(path: &str) -> Response {
    let led = |status: StatusCode, to: &'static str| {
        (status, [(header::LOCATION, to)], String::new()).into_response()
    };
    let tells = |inside: &str| (StatusCode::MULTI_STATUS, list(inside)).into_response();
    let calendar = "<resourcetype><collection/><C:calendar/></resourcetype>";
    match path {
        "/" => StatusCode::NOT_FOUND.into_response(),
        "/.well-known/caldav" => led(StatusCode::MOVED_PERMANENTLY, "/dav"),
        "/dav" => led(StatusCode::TEMPORARY_REDIRECT, "/dav/"),
        "/dav/" => {
            tells(&one(path, "<current-user-principal><href>/dav/ada/</href></current-user-principal>"))
        }
        "/dav/ada/" => {
            tells(&one(path, "<C:calendar-home-set><href>/books/ada/</href></C:calendar-home-set>"))
        }
        "/books/ada/" => {
            let journals = r#"<C:supported-calendar-component-set><C:comp name="VJOURNAL"/></C:supported-calendar-component-set>"#;
            let folder = one(path, "<resourcetype><collection/></resourcetype>");
            let journals = one("/books/ada/journals/", &format!("{calendar}{journals}"));
            tells(&format!("{folder}{journals}{}", one("/books/ada/visits/", calendar)))
        }
        calendar_itself => tells(&one(calendar_itself, calendar)),
    }
}

async fn answer(Shared(server): Shared<Server>, uri: Uri, body: String) -> Response {
    let mut said = server.said();
    if body.contains("<resourcetype") {
        said.looked.push(uri.path().to_owned());
        return find(uri.path());
    }
    let (status, text) = if body.contains("<sync-collection") {
        said.changes.clone()
    } else if body.contains("<C:calendar-multiget") {
        (207, list(&said.entries.iter().map(data).collect::<String>()))
    } else {
        let entries = said.entries.iter().map(|Noted(href, number, _)| one(href, &etag(*number)));
        (207, list(&entries.collect::<String>()))
    };
    (StatusCode::from_u16(status).unwrap(), text).into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_knows_no_question_for_changes_is_asked_for_everything() {
    let (world, _worker, party) = linkable().await;
    let server = Server::default();
    let url = format!("{}/cal/", server.serve().await);
    let (first, second, later) = (ahead(3), ahead(4), ahead(5));
    server.says((403, UNKNOWN.into()), vec![Noted("/cal/a.ics", 1, first), Noted("/cal/b.ics", 2, second)]);
    let id = link(&world, party, ("caldav", &url, "secret")).await;
    let spans = async || {
        let mut spans = busy(&world, party).await;
        spans.sort_unstable();
        spans
    };
    let both = [(first.from, first.until), (second.from, second.until)];
    reads(&world, id, "both to be read", async || spans().await == both).await;
    // Others say so in other words.
    server.says((501, String::new()), vec![Noted("/cal/a.ics", 3, later)]);
    reads(&world, id, "one to be moved", async || spans().await == [(later.from, later.until)]).await;
    server.says((400, "no".into()), Vec::new());
    reads(&world, id, "all to be gone", async || spans().await.is_empty()).await;
    assert!(looked(&world, id).await.problem.is_none());
    // It does not let us in any more.
    server.said().changes = (403, "<html/>".into());
    reads(&world, id, "it to be refused", async || looked(&world, id).await.is_refused).await;
}

/// A list of changes up to a token.
fn told(inside: &str, token: u32) -> (u16, String) {
    (207, list(&format!("{inside}<sync-token>{token}</sync-token>")))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_known_however_its_server_spells_where_it_is() {
    let (world, _worker, party) = linkable().await;
    let server = Server::default();
    let url = format!("{}/ada@example.com/", server.serve().await);
    let (first, later) = (ahead(3), ahead(4));
    server.says(
        told(&one("/ada%40example.com/caf%c3%a9.ics", &etag(1)), 1),
        vec![Noted("/ada@example.com/café.ics", 1, first)],
    );
    let id = link(&world, party, ("caldav", &url, "secret")).await;
    let is_at = async |during: Span| busy(&world, party).await == [(during.from, during.until)];
    reads(&world, id, "it to be read", async || is_at(first).await).await;
    server.says(
        told(&one("/ada@example.com/caf%C3%A9.ics", &etag(2)), 2),
        vec![Noted("/ada%40example.com/caf%C3%A9.ics", 2, later)],
    );
    reads(&world, id, "it to be moved", async || is_at(later).await).await;
    // As it was kept before there was one spelling.
    let spell = "update calendar_object set href = replace(href, '%40', '@')";
    world.database.execute(spell).await.unwrap();
    reads(&world, id, "nothing to change", async || is_at(later).await).await;
    let odd = "select count(*) from calendar_object where position('@' in href) > 0";
    assert_eq!(world.database.number(odd).await.unwrap(), 0);
    let gone =
        "<response><href>/ada@example.com/café.ics</href><status>HTTP/1.1 404 Not Found</status></response>";
    server.said().changes = told(gone, 3);
    reads(&world, id, "it to be gone", async || busy(&world, party).await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_is_found_by_the_name_of_its_server() {
    let (world, _worker, party) = linkable().await;
    let server = Server::default();
    let url = format!("{}/", server.serve().await);
    let during = ahead(3);
    let (first, second) =
        (Noted("/books/ada/visits/a.ics", 1, during), Noted("/books/ada/visits/b.ics", 2, ahead(4)));
    server.says(told(&one(first.0, &etag(1)), 1), vec![first]);
    let id = link(&world, party, ("caldav", &url, "secret")).await;
    let is_read = async || busy(&world, party).await == [(during.from, during.until)];
    reads(&world, id, "it to be read", is_read).await;
    let way = ["/", "/.well-known/caldav", "/dav", "/dav/", "/dav/ada/", "/books/ada/"];
    assert_eq!(server.said().looked[..way.len()], way);
    let collection = world.database.json("select to_jsonb(collection) from calendar_link").await.unwrap();
    assert_eq!(
        collection,
        format!("{url}books/ada/visits/"),
        "and not that of journals, which is told first"
    );
    // From then on nobody looks for it.
    server.said().looked.clear();
    server.says(told(&one(second.0, &etag(2)), 2), vec![second]);
    reads(&world, id, "another to be read", async || busy(&world, party).await.len() == 2).await;
    assert!(server.said().looked.is_empty());
}
