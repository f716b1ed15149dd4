//! Workers and calendar servers that end in the middle: what was read goes on from where it was, what was written is there once.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State as Shared},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use jobs::CalendarLinkId;
use store::calendars::{Conflict, Keep};
use testkit::{Dav, DavServer, eventually};

use crate::{
    calendars::{
        Person, ahead, book, cancel, conflict, link, linkable, looked, on_both, open_conflicts, reads,
        resolve,
    },
    world::{SOON, Worker, World},
};

/// Entries: as many as are kept together, and one more.
const ENTRIES: i64 = 101;
/// Bytes of a request or an answer.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where a gate keeps an answer back that its server gave, or the request itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// At a question for the entries of this name.
    Fetch(&'static str),
    /// At a request of this method.
    Method(&'static str),
    /// At such a request, and the server does not hear it either before the gate is opened.
    Before(&'static str),
}

#[derive(Default)]
struct Seen {
    stop: Option<Stop>,
    is_stopped: bool,
    /// How many entries were asked for.
    fetched: usize,
    /// How often something was not as it was seen.
    overtaken: usize,
}

/// Stands before a calendar server.
#[derive(Clone)]
struct Gate {
    server: String,
    url: String,
    http: reqwest::Client,
    seen: Arc<Mutex<Seen>>,
}

impl Gate {
    async fn before(server: &DavServer) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = Self {
            server: server.url().trim_end_matches('/').to_owned(),
            url: server.calendar().replace(
                server.url().trim_end_matches('/'),
                &format!("http://{}", listener.local_addr().unwrap()),
            ),
            http: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            seen: Arc::default(),
        };
        let router = Router::new().fallback(pass).with_state(gate.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        gate
    }

    fn stops(&self, stop: Stop) {
        *self.seen.lock().unwrap() = Seen { stop: Some(stop), ..Seen::default() };
    }

    fn opens(&self) {
        *self.seen.lock().unwrap() = Seen::default();
    }

    fn fetched(&self) -> usize {
        self.seen.lock().unwrap().fetched
    }

    fn overtaken(&self) -> usize {
        self.seen.lock().unwrap().overtaken
    }

    async fn holds(&self) {
        let holds = async || self.seen.lock().unwrap().is_stopped.then_some(());
        eventually("the gate to hold an answer", SOON, holds).await;
    }

    async fn is_opened(&self) {
        let is_open = || async { self.seen.lock().unwrap().stop.is_none().then_some(()) };
        eventually("the gate to be opened", SOON, is_open).await;
    }

    fn meets(&self, method: &str, body: &[u8]) -> Option<Stop> {
        let text = String::from_utf8_lossy(body);
        let is_fetch = text.contains("calendar-multiget");
        let mut seen = self.seen.lock().unwrap();
        seen.fetched += if is_fetch { text.matches("</href>").count() } else { 0 };
        let is_met = match seen.stop {
            Some(Stop::Fetch(name)) => is_fetch && text.contains(name),
            Some(Stop::Method(stopped) | Stop::Before(stopped)) => stopped == method,
            None => false,
        };
        seen.is_stopped |= is_met;
        seen.stop.filter(|_| is_met)
    }
}

/// The server is asked in any case, in the end; whoever asked may wait for its answer in vain.
async fn pass(Shared(gate): Shared<Gate>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BYTES_MAX).await.unwrap();
    let met = gate.meets(parts.method.as_str(), &body);
    if matches!(met, Some(Stop::Before(_))) {
        gate.is_opened().await;
    }
    let mut headers = parts.headers;
    for name in [header::HOST, header::CONTENT_LENGTH] {
        headers.remove(name);
    }
    let url = format!("{}{}", gate.server, parts.uri.path());
    let answer = gate.http.request(parts.method, url).headers(headers).body(body).send().await;
    let answered = match answer {
        Ok(answer) => {
            let (status, mut headers) = (answer.status(), answer.headers().clone());
            gate.seen.lock().unwrap().overtaken += usize::from(status == StatusCode::PRECONDITION_FAILED);
            for name in [header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::CONNECTION] {
                headers.remove(name);
            }
            (status, headers, Body::from(answer.bytes().await.unwrap()))
        }
        Err(_) => (StatusCode::BAD_GATEWAY, HeaderMap::new(), Body::empty()),
    };
    if matches!(met, Some(Stop::Fetch(_) | Stop::Method(_))) {
        std::future::pending::<()>().await;
    }
    answered.into_response()
}

fn again(world: &World) -> Worker {
    world.start(&["--webhooks-loopback", "true"])
}

async fn count(world: &World, what: &str) -> i64 {
    world.database.number(&format!("select count(*) from {what}")).await.unwrap()
}

async fn waits(world: &World, what: &str, wanted: i64) {
    eventually(what, SOON, async || (count(world, what).await == wanted).then_some(())).await;
}

/// The conflict that is found next.
async fn found(world: &World) -> Conflict {
    eventually("a conflict to be found", SOON, async || open_conflicts(world).await.pop()).await
}

async fn live(world: &World, id: CalendarLinkId) {
    reads(world, id, "it to be read", async || looked(world, id).await.problem.is_none()).await;
}

on_both!(
    a_reading_that_is_killed_goes_on_from_where_it_was,
    a_write_whose_answer_nobody_heard_is_there_once,
    a_server_that_ends_in_the_middle_is_believed_what_it_said,
    who_edits_between_a_look_and_a_write_is_not_written_over,
);

async fn a_reading_that_is_killed_goes_on_from_where_it_was(kind: Dav) {
    let (world, worker, party) = linkable().await;
    let server = DavServer::start(kind).unwrap();
    let person = Person::at(&server, kind).await;
    for n in 0..ENTRIES {
        person.notes(&format!("n{n:03}.ics"), ahead(2 + n)).await;
    }
    let gate = Gate::before(&server).await;
    // The last of them, by name.
    gate.stops(Stop::Fetch("n100.ics"));
    let id = link(&world, party, ("caldav", &gate.url, "secret")).await;
    gate.holds().await;
    assert_eq!((count(&world, "calendar_object").await, count(&world, "absence").await), (ENTRIES - 1, 0));
    worker.kill();
    gate.opens();
    let _worker = again(&world);
    waits(&world, "absence", ENTRIES).await;
    assert_eq!(gate.fetched(), 1, "the others were there");
    // Taken as a whole: what changes from then on is told by the server.
    person.notes("n000.ics", ahead(200)).await;
    gate.opens();
    let moved = "absence where lower(during) > now() + interval '190 days'";
    reads(&world, id, "the first to be moved", async || count(&world, moved).await == 1).await;
    assert_eq!((gate.fetched(), count(&world, "absence").await), (1, ENTRIES));
}

async fn a_write_whose_answer_nobody_heard_is_there_once(kind: Dav) {
    let (world, worker, party) = linkable().await;
    let server = DavServer::start(kind).unwrap();
    let person = Person::at(&server, kind).await;
    let gate = Gate::before(&server).await;
    let id = link(&world, party, ("caldav", &gate.url, "secret")).await;
    live(&world, id).await;
    gate.stops(Stop::Method("PUT"));
    let booking = book(&world, party, ahead(5)).await;
    gate.holds().await;
    let written = person.waits_for(booking).await;
    worker.kill();
    gate.opens();
    let worker = again(&world);
    waits(&world, "calendar_push where state = 'done'", 1).await;
    live(&world, id).await;
    assert!(open_conflicts(&world).await.is_empty() && count(&world, "absence").await == 0);
    assert_eq!(person.sees(booking).await, Some(written));
    gate.stops(Stop::Method("DELETE"));
    cancel(&world, booking).await;
    gate.holds().await;
    worker.kill();
    gate.opens();
    let _worker = again(&world);
    waits(&world, "calendar_push where state = 'done' and href is null", 1).await;
    live(&world, id).await;
    assert!(open_conflicts(&world).await.is_empty() && person.sees(booking).await.is_none());
    assert_eq!(count(&world, "calendar_object").await, 0);
}

async fn a_server_that_ends_in_the_middle_is_believed_what_it_said(kind: Dav) {
    let (world, _worker, party) = linkable().await;
    let mut server = DavServer::start(kind).unwrap();
    let gate = Gate::before(&server).await;
    let person = Person::at(&server, kind).await;
    person.notes("a.ics", ahead(5)).await;
    let id = link(&world, party, ("caldav", &gate.url, "secret")).await;
    waits(&world, "absence", 1).await;
    person.notes("b.ics", ahead(6)).await;
    server.kill();
    reads(&world, id, "it to be missed", async || looked(&world, id).await.problem.is_some()).await;
    assert_eq!(count(&world, "absence").await, 1, "what it said before holds");
    server.begin().unwrap();
    live(&world, id).await;
    reads(&world, id, "the second to be read", async || count(&world, "absence").await == 2).await;
}

async fn who_edits_between_a_look_and_a_write_is_not_written_over(kind: Dav) {
    let (world, _worker, party) = linkable().await;
    let server = DavServer::start(kind).unwrap();
    let person = Person::at(&server, kind).await;
    let gate = Gate::before(&server).await;
    let id = link(&world, party, ("caldav", &gate.url, "secret")).await;
    let (booked, elsewhere, later) = (ahead(5), ahead(6), ahead(7));
    let booking = book(&world, party, booked).await;
    let written = person.waits_for(booking).await;
    person.moves(booking, booked, elsewhere).await;
    let first = conflict(&world, id, "edited").await;
    gate.stops(Stop::Before("PUT"));
    resolve(&world, &first, Keep::Ours).await;
    gate.holds().await;
    // It was looked at, and is as it was when somebody said that ours is to hold.
    person.moves(booking, elsewhere, later).await;
    let theirs = person.sees(booking).await;
    gate.opens();
    let next = found(&world).await;
    assert_eq!((next.kind.as_str(), gate.overtaken()), ("edited", 1));
    assert!(next.id() != first.id() && person.sees(booking).await == theirs);
    resolve(&world, &next, Keep::Ours).await;
    let is_ours = async || (person.sees(booking).await.as_ref() == Some(&written)).then_some(());
    eventually("ours to hold", SOON, is_ours).await;
    waits(&world, "calendar_push where state = 'done'", 1).await;
    // The same when it is taken out.
    gate.stops(Stop::Before("DELETE"));
    cancel(&world, booking).await;
    gate.holds().await;
    person.moves(booking, booked, elsewhere).await;
    let theirs = person.sees(booking).await;
    gate.opens();
    let last = found(&world).await;
    assert_eq!((last.kind.as_str(), gate.overtaken()), ("edited", 1));
    assert!(theirs.is_some() && person.sees(booking).await == theirs);
}
