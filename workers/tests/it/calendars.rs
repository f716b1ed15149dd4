//! Calendars outside, on real servers: what they say takes time, what is booked stands there, and nobody is overruled.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use jobs::{BookingId, CalendarLinkId, PartyId};
use matching::Span;
use serde_json::json;
use store::{
    bookings::{self, Made, Move, Moved, NewBooking, Status},
    calendars::{self, Conflict, ConflictFilter, Keep, Link, LinkMade, NewLink, Resolved},
    people,
    submit::Answer,
};
use testkit::{Dav, DavServer, eventually};

use crate::{
    matching::technician,
    world::{SOON, Worker, World},
};

/// A world in which calendars may be linked, with somebody who works.
pub(crate) async fn linkable() -> (World, Worker, PartyId) {
    let world = World::new().await;
    let worker = world.start(&["--webhooks-loopback", "true"]);
    let party = technician(&world, 0.0).await;
    (world, worker, party)
}

/// Links what is at `url` as the user `ada`.
pub(crate) async fn link(
    world: &World,
    party: PartyId,
    (provider, url, password): (&'static str, &str, &str),
) -> CalendarLinkId {
    let new = NewLink {
        id: CalendarLinkId::new(),
        party,
        provider,
        host: "127.0.0.1".into(),
        access: json!({"url": url, "user": ["ada", password]}).to_string(),
        is_written: provider == "caldav",
        by: "key".into(),
    };
    let answer = |_: &Link| Answer::of(201, None, &());
    let made = calendars::create(&world.api, world.tenant, &new, 10, None, answer).await.unwrap();
    assert!(matches!(made, LinkMade::New(_)), "{made:?}");
    new.id
}

pub(crate) async fn looked(world: &World, id: CalendarLinkId) -> Link {
    calendars::link(&world.api, world.tenant, id).await.unwrap().unwrap()
}

/// Has the calendar read until it is so.
pub(crate) async fn reads(world: &World, id: CalendarLinkId, what: &str, so: impl AsyncFn() -> bool) {
    eventually(what, SOON, async || {
        let since = Utc::now();
        // Asked for until it is done: a reading that has begun stands for one that is asked for.
        eventually("the calendar to be read", SOON, async || {
            let link = calendars::pull_soon(&world.api, world.tenant, id).await.unwrap().unwrap();
            (link.problem.is_some() || link.read_at.is_some_and(|at| at >= since)).then_some(())
        })
        .await;
        so().await.then_some(())
    })
    .await;
}

/// When they are busy, as far as calendars say.
pub(crate) async fn busy(world: &World, party: PartyId) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let found = people::absences(&world.api, world.tenant, party, None, 100).await.unwrap();
    found.into_iter().map(|absence| (absence.starts_at, absence.ends_at)).collect()
}

/// Two hours, so many days ahead.
pub(crate) fn ahead(days: i64) -> Span {
    let from = Utc::now().trunc_subsecs(0) + TimeDelta::days(days);
    Span { from, until: from + TimeDelta::hours(2) }
}

pub(crate) async fn book(world: &World, party: PartyId, during: Span) -> BookingId {
    let new = NewBooking {
        id: BookingId::new(),
        reference: "12 Elm Street, rear".into(),
        status: Status::Confirmed,
        during,
        before_minutes: 0,
        after_minutes: 0,
        place: None,
        held_until: None,
        parties: vec![party],
        by: "key".into(),
    };
    let made =
        bookings::create(&world.api, world.tenant, &new, None, |_| Ok(Answer::of(201, None, &()))).await;
    assert!(matches!(made.unwrap(), Made::New(_)));
    new.id
}

pub(crate) async fn cancel(world: &World, id: BookingId) {
    let wanted = Move { to: Status::Cancelled, version: 1, on_time: true };
    let moved = bookings::move_to(&world.api, world.tenant, id, wanted).await.unwrap();
    assert!(matches!(moved, Moved::Done(_)));
}

/// Somebody at their calendar program.
pub(crate) struct Person<'a> {
    server: &'a DavServer,
    http: reqwest::Client,
}

impl<'a> Person<'a> {
    pub(crate) async fn at(server: &'a DavServer, kind: Dav) -> Self {
        let person = Self { server, http: reqwest::Client::new() };
        if kind == Dav::Radicale {
            assert_eq!(person.does("MKCALENDAR", "", None).await.0, 201);
        }
        person
    }

    pub(crate) async fn does(&self, method: &str, name: &str, body: Option<String>) -> (u16, String) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("{}{name}", self.server.calendar());
        let mut request = self.http.request(method, url).basic_auth("ada", Some("secret"));
        if let Some(body) = body {
            request = request.header("content-type", "text/calendar; charset=utf-8").body(body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(crate) async fn notes(&self, name: &str, during: Span) {
        let [from, until] = [during.from, during.until].map(|at| at.format("%Y%m%dT%H%M%SZ"));
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{name}\r\nDTSTAMP:20260101T000000Z\r\n\
             DTSTART:{from}\r\nDTEND:{until}\r\nSUMMARY:Dentist\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        let (status, said) = self.does("PUT", name, Some(text)).await;
        assert!((200..300).contains(&status), "{status} {said}");
    }

    /// The entry of a booking.
    pub(crate) async fn sees(&self, booking: BookingId) -> Option<String> {
        let (status, text) = self.does("GET", &format!("{booking}.ics"), None).await;
        (status == 200).then_some(text)
    }

    pub(crate) async fn waits_for(&self, booking: BookingId) -> String {
        eventually("the booking to be in the calendar", SOON, async || self.sees(booking).await).await
    }

    /// Moves the entry of a booking to the beginning of `to`.
    pub(crate) async fn moves(&self, booking: BookingId, from: Span, to: Span) {
        let stamp = |at: DateTime<Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
        let text = self.waits_for(booking).await.replace(&stamp(from.from), &stamp(to.from));
        self.writes(booking, text.replace(&stamp(from.until), &stamp(to.until))).await;
    }

    /// Writes something down in the entry of a booking.
    async fn adds(&self, booking: BookingId, line: &str) {
        let text = self.waits_for(booking).await;
        self.writes(booking, text.replace("END:VEVENT", &format!("{line}\r\nEND:VEVENT"))).await;
    }

    async fn writes(&self, booking: BookingId, text: String) {
        let (status, said) = self.does("PUT", &format!("{booking}.ics"), Some(text)).await;
        assert!((200..300).contains(&status), "{status} {said}");
    }

    /// The entry of a booking once it says this.
    async fn waits_until(&self, booking: BookingId, says: &str) -> String {
        let said = async || self.sees(booking).await.filter(|text| text.contains(says));
        eventually("the entry to say it", SOON, said).await
    }
}

pub(crate) async fn open_conflicts(world: &World) -> Vec<Conflict> {
    calendars::conflicts(&world.api, world.tenant, ConflictFilter::Open, None, 100).await.unwrap()
}

pub(crate) async fn conflict(world: &World, link: CalendarLinkId, kind: &str) -> Conflict {
    reads(world, link, kind, async || open_conflicts(world).await.iter().any(|found| found.kind == kind))
        .await;
    open_conflicts(world).await.into_iter().find(|found| found.kind == kind).unwrap()
}

pub(crate) async fn resolve(world: &World, conflict: &Conflict, keep: Keep) {
    for _ in 0..2 {
        let resolved = calendars::resolve(&world.api, world.tenant, conflict.id(), keep).await.unwrap();
        assert!(matches!(resolved, Resolved::Done(_)), "and the second time too");
    }
}

/// The same on both servers.
macro_rules! on_both {
    ($($suite:ident),+ $(,)?) => {$(
        mod $suite {
            #[tokio::test(flavor = "multi_thread")]
            async fn radicale() {
                super::$suite(testkit::Dav::Radicale).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn xandikos() {
                super::$suite(testkit::Dav::Xandikos).await;
            }
        }
    )+};
}
pub(crate) use on_both;

on_both!(
    what_is_read_and_what_is_booked_go_both_ways,
    what_a_person_changed_stays_until_another_says_otherwise,
    a_word_over_one_edit_does_not_hold_over_the_next,
    what_a_person_wrote_down_stays_when_a_booking_moves_on,
    an_appointment_over_a_booking_is_told_and_passes_with_it,
);

async fn what_is_read_and_what_is_booked_go_both_ways(kind: Dav) {
    let (world, _worker, party) = linkable().await;
    let server = DavServer::start(kind).unwrap();
    let person = Person::at(&server, kind).await;
    let (dentist, later) = (ahead(5), ahead(6));
    person.notes("dentist.ics", dentist).await;
    let before = book(&world, party, ahead(8)).await;
    let id = link(&world, party, ("caldav", &server.url(), "secret")).await;
    reads(&world, id, "the calendar to be live", async || looked(&world, id).await.read_at.is_some()).await;
    assert_eq!(busy(&world, party).await, [(dentist.from, dentist.until)]);
    assert!(!looked(&world, id).await.is_stale);
    // What was booked before it was linked is written into it, and what is booked after.
    person.waits_for(before).await;
    let booking = book(&world, party, ahead(9)).await;
    assert!(person.waits_for(booking).await.contains("SUMMARY:12 Elm Street\\, rear"));
    // Ours come back and take no time a second time.
    person.notes("dentist.ics", later).await;
    let moved = async || busy(&world, party).await == [(later.from, later.until)];
    reads(&world, id, "the dentist to be moved", moved).await;
    assert_eq!(person.does("DELETE", "dentist.ics", None).await.0 / 100, 2);
    reads(&world, id, "the dentist to be gone", async || busy(&world, party).await.is_empty()).await;
    // A token that the server does not know.
    world.database.execute("update calendar_link set token = 'https://example.com/sync/1'").await.unwrap();
    person.notes("dentist.ics", dentist).await;
    let back = async || busy(&world, party).await == [(dentist.from, dentist.until)];
    reads(&world, id, "everything to be read again", back).await;
    assert!(looked(&world, id).await.problem.is_none() && open_conflicts(&world).await.is_empty());
    cancel(&world, booking).await;
    eventually("the booking to be out", SOON, async || person.sees(booking).await.is_none().then_some(()))
        .await;
    assert!(person.sees(before).await.is_some());
}

async fn what_a_person_changed_stays_until_another_says_otherwise(kind: Dav) {
    let (world, _worker, party) = linkable().await;
    let server = DavServer::start(kind).unwrap();
    let person = Person::at(&server, kind).await;
    let id = link(&world, party, ("caldav", &server.calendar(), "secret")).await;
    let (booked, elsewhere) = (ahead(5), ahead(6));
    let booking = book(&world, party, booked).await;
    let written = person.waits_for(booking).await;
    person.moves(booking, booked, elsewhere).await;
    let edited = conflict(&world, id, "edited").await;
    assert_eq!((edited.booking(), edited.party(), edited.link()), (booking, party, id));
    resolve(&world, &edited, Keep::Ours).await;
    eventually("ours to be written again", SOON, async || {
        (person.sees(booking).await.as_deref() == Some(written.as_str())).then_some(())
    })
    .await;
    // An edit that no reading has seen yet is found when it would be written over.
    person.moves(booking, booked, elsewhere).await;
    let theirs = person.sees(booking).await;
    cancel(&world, booking).await;
    let found = eventually("the edit to be found", SOON, async || open_conflicts(&world).await.pop()).await;
    assert_eq!((found.kind.as_str(), person.sees(booking).await), ("edited", theirs));
    resolve(&world, &found, Keep::Ours).await;
    eventually("ours to hold", SOON, async || person.sees(booking).await.is_none().then_some(())).await;
    // One that they took out is left out, and stays booked.
    let second = book(&world, party, ahead(7)).await;
    person.waits_for(second).await;
    reads(&world, id, "what was written to be read", async || open_conflicts(&world).await.is_empty()).await;
    assert_eq!(person.does("DELETE", &format!("{second}.ics"), None).await.0 / 100, 2);
    let removed = conflict(&world, id, "removed").await;
    resolve(&world, &removed, Keep::Theirs).await;
    reads(&world, id, "it to be seen to", async || open_conflicts(&world).await.is_empty()).await;
    assert_eq!(person.sees(second).await, None);
    let booking = bookings::booking(&world.api, world.tenant, second).await.unwrap().unwrap();
    assert_eq!(booking.status().unwrap(), Status::Confirmed);
}

async fn a_word_over_one_edit_does_not_hold_over_the_next(kind: Dav) {
    let (world, _worker, party) = linkable().await;
    let server = DavServer::start(kind).unwrap();
    let person = Person::at(&server, kind).await;
    let id = link(&world, party, ("caldav", &server.calendar(), "secret")).await;
    let (booked, elsewhere, later) = (ahead(5), ahead(6), ahead(7));
    let booking = book(&world, party, booked).await;
    let written = person.waits_for(booking).await;
    person.moves(booking, booked, elsewhere).await;
    let first = conflict(&world, id, "edited").await;
    person.moves(booking, elsewhere, later).await;
    let theirs = person.sees(booking).await;
    resolve(&world, &first, Keep::Ours).await;
    let next =
        eventually("the later edit to be found", SOON, async || open_conflicts(&world).await.pop()).await;
    assert_ne!(next.id(), first.id());
    assert_eq!(person.sees(booking).await, theirs);
    resolve(&world, &next, Keep::Ours).await;
    eventually("ours to hold", SOON, async || {
        (person.sees(booking).await.as_deref() == Some(written.as_str())).then_some(())
    })
    .await;
}

async fn what_a_person_wrote_down_stays_when_a_booking_moves_on(kind: Dav) {
    let (world, _worker, party) = linkable().await;
    let server = DavServer::start(kind).unwrap();
    let person = Person::at(&server, kind).await;
    let id = link(&world, party, ("caldav", &server.calendar(), "secret")).await;
    let (booked, elsewhere) = (ahead(5), ahead(6));
    let (visit, off) = (book(&world, party, booked).await, book(&world, party, ahead(7)).await);
    let note = "DESCRIPTION:Key at the neighbours\\, ring twice";
    person.adds(visit, note).await;
    person.adds(off, note).await;
    person.moves(visit, booked, elsewhere).await;
    resolve(&world, &conflict(&world, id, "edited").await, Keep::Ours).await;
    let begins = booked.from.format("DTSTART:%Y%m%dT%H%M%SZ").to_string();
    assert!(person.waits_until(visit, &begins).await.contains(note));
    cancel(&world, off).await;
    assert!(person.waits_until(off, "STATUS:CANCELLED").await.contains(note));
    let nothing = async || busy(&world, party).await.is_empty() && open_conflicts(&world).await.is_empty();
    reads(&world, id, "neither to take time", nothing).await;
}

async fn an_appointment_over_a_booking_is_told_and_passes_with_it(kind: Dav) {
    let (world, _worker, party) = linkable().await;
    let server = DavServer::start(kind).unwrap();
    let person = Person::at(&server, kind).await;
    let id = link(&world, party, ("caldav", &server.calendar(), "secret")).await;
    let booking = book(&world, party, ahead(5)).await;
    person.notes("dentist.ics", ahead(5)).await;
    let overlap = conflict(&world, id, "overlap").await;
    assert_eq!(overlap.booking(), booking);
    assert_eq!(person.does("DELETE", "dentist.ics", None).await.0 / 100, 2);
    reads(&world, id, "it to pass", async || open_conflicts(&world).await.is_empty()).await;
    let all = calendars::conflicts(&world.api, world.tenant, ConflictFilter::All, None, 10).await.unwrap();
    assert_eq!(all[0].resolution.as_deref(), Some("gone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_that_cannot_be_read_says_why_and_what_it_said_grows_old() {
    let (world, _worker, party) = linkable().await;
    let server = DavServer::start(Dav::Radicale).unwrap();
    let person = Person::at(&server, Dav::Radicale).await;
    person.notes("dentist.ics", ahead(5)).await;
    let id = link(&world, party, ("caldav", &server.calendar(), "wrong")).await;
    let member = || async { people::membership(&world.api, world.tenant, party).await.unwrap().unwrap() };
    assert_eq!(member().await.calendar_read_at, Some(DateTime::UNIX_EPOCH), "never");
    reads(&world, id, "it to be refused", async || looked(&world, id).await.is_refused).await;
    let refused = looked(&world, id).await;
    assert!(refused.is_stale && refused.read_at.is_none() && refused.problem.is_some(), "{refused:?}");
    // A second calendar is read, and does not hide that the first is not.
    let other = link(&world, party, ("caldav", &server.calendar(), "secret")).await;
    reads(&world, other, "the other to be live", async || looked(&world, other).await.read_at.is_some())
        .await;
    assert_eq!(member().await.calendar_read_at, Some(DateTime::UNIX_EPOCH));
    assert!(calendars::remove(&world.api, world.tenant, id).await.unwrap());
    let read_at = looked(&world, other).await.read_at;
    assert!(read_at.is_some() && member().await.calendar_read_at == read_at);
    assert_eq!(busy(&world, party).await.len(), 1);
    assert!(calendars::remove(&world.api, world.tenant, other).await.unwrap());
    assert_eq!((busy(&world, party).await.len(), member().await.calendar_read_at), (0, None));
}
