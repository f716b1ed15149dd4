//! Calendars outside: what opens them is sealed, what they say takes time, and what is booked is wished for there.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use jobs::{BookingId, CalendarFeedId, CalendarLinkId, PartyId};
use matching::Span;
use serde_json::json;
use store::{
    Db, Role, StoreError,
    bookings::Status,
    calendars::{
        self, Conflict, ConflictFilter, FeedMade, FoundThere, Keep, Link, LinkMade, NewFeed, NewLink, Object,
        Own, Reading, Resolved, Shown, Stands, Took,
    },
    people,
    sealing::{self, MasterKeys},
    submit::Answer,
    testing::MASTER,
};

use crate::{
    bookings::{made, move_to, new},
    people::{needs, technician, visit},
    world::World,
};

/// Another master key.
const OTHER: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

async fn wish_for(world: &World, party: PartyId) -> (CalendarLinkId, LinkMade) {
    let new = NewLink {
        id: CalendarLinkId::new(),
        party,
        provider: "caldav",
        host: "dav.example.com".into(),
        access: r#"{"url": "https://rosebud.example.com/"}"#.into(),
        is_written: true,
        by: "key".into(),
    };
    let answer = |_: &Link| Answer::of(201, None, &());
    (new.id, calendars::create(&world.api, world.tenant, &new, 2, None, answer).await.unwrap())
}

pub(crate) async fn link(world: &World, party: PartyId) -> CalendarLinkId {
    let (id, made) = wish_for(world, party).await;
    assert!(matches!(made, LinkMade::New(_)), "{made:?}");
    id
}

/// A reading that says that somebody is busy then, and nothing else.
pub(crate) async fn reading(world: &World, id: CalendarLinkId, busy: &[Span]) -> Reading {
    let opened = calendars::open(&world.worker, world.tenant, id).await.unwrap().unwrap();
    Reading {
        reading: opened.reading,
        at: opened.at,
        collection: Some("https://dav.example.com/ada/".into()),
        token: Some("1".into()),
        changed: Vec::new(),
        removed: Vec::new(),
        busy: busy.to_vec(),
        doubts: 0,
    }
}

pub(crate) async fn take(world: &World, id: CalendarLinkId, reading: &Reading) -> Took {
    calendars::take(&world.worker, world.tenant, id, reading).await.unwrap()
}

async fn reads(world: &World, id: CalendarLinkId, busy: &[Span]) {
    let reading = reading(world, id, busy).await;
    assert_eq!(take(world, id, &reading).await, Took::Taken);
}

async fn read_at(world: &World, party: PartyId) -> Option<DateTime<Utc>> {
    people::membership(&world.api, world.tenant, party).await.unwrap().unwrap().calendar_read_at
}

async fn busy(world: &World, party: PartyId) -> Vec<Span> {
    let found = people::absences(&world.api, world.tenant, party, None, 100).await.unwrap();
    let mut spans: Vec<Span> =
        found.iter().map(|row| Span { from: row.starts_at, until: row.ends_at }).collect();
    spans.sort();
    spans
}

pub(crate) async fn conflicts(world: &World, wanted: ConflictFilter) -> Vec<Conflict> {
    calendars::conflicts(&world.api, world.tenant, wanted, None, 100).await.unwrap()
}

#[tokio::test]
async fn what_opens_a_calendar_is_sealed_and_follows_the_master_key() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    let shown = "select count(*) from calendar_link where position('rosebud'::bytea in access) > 0";
    assert_eq!(world.database.number(shown).await.unwrap(), 0);
    let given = |role, present: &str, before| {
        let masters = MasterKeys::parse(present, before).unwrap();
        Db::connect(&world.database.options(role)).unwrap().with_masters(masters)
    };
    assert_eq!(sealing::reseal(&given(Role::Owner, OTHER, Some(MASTER))).await.unwrap(), 1);
    let without = calendars::open(&world.worker, world.tenant, id).await;
    assert!(matches!(without, Err(StoreError::NoMasterKey { .. })));
    assert!(matches!(sealing::check(&world.worker).await, Err(StoreError::NoMasterKey { .. })));
    assert_eq!(sealing::reseal(&given(Role::Owner, MASTER, Some(OTHER))).await.unwrap(), 1);
    let opened = calendars::open(&world.worker, world.tenant, id).await.unwrap().unwrap();
    assert!(opened.access.contains("rosebud") && opened.timezone == "Europe/Vienna");
    let other = world.tenant("other").await;
    assert!(calendars::open(&world.api, other, id).await.unwrap().is_none());
    assert!(calendars::link(&world.api, other, id).await.unwrap().is_none());
    assert!(!calendars::remove(&world.api, other, id).await.unwrap());
    link(&world, party).await;
    assert!(matches!(wish_for(&world, party).await.1, LinkMade::TooMany));
    assert!(matches!(wish_for(&world, PartyId::new()).await.1, LinkMade::NoMembership));
    assert_eq!(calendars::links(&world.api, world.tenant, party, None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn of_two_readings_that_began_at_once_one_counts() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    let (first, second) = (reading(&world, id, &[visit(9)]).await, reading(&world, id, &[]).await);
    assert_eq!(take(&world, id, &first).await, Took::Taken);
    assert_eq!(take(&world, id, &second).await, Took::Overtaken);
    assert_eq!(busy(&world, party).await, [visit(9)]);
}

#[tokio::test]
async fn the_calendar_that_was_read_longest_ago_says_how_fresh_they_are() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let spans = [visit(9), visit(12)];
    people::read_calendar(&world.api, world.tenant, party, &[visit(15)]).await.unwrap();
    let (one, other) = (link(&world, party).await, link(&world, party).await);
    assert_eq!(read_at(&world, party).await, Some(DateTime::UNIX_EPOCH), "never");
    let pool = people::pool(&world.api, world.tenant, &needs(None)).await.unwrap();
    assert_eq!(pool.candidates[0].stale_since, Some(DateTime::UNIX_EPOCH));
    reads(&world, one, &spans).await;
    assert_eq!(read_at(&world, party).await, Some(DateTime::UNIX_EPOCH));
    let late = Reading {
        at: Utc::now().trunc_subsecs(6) - TimeDelta::hours(1),
        ..reading(&world, other, &[]).await
    };
    take(&world, other, &late).await;
    assert_eq!(read_at(&world, party).await, Some(late.at));
    // What a caller says does not touch what the calendars say, and does not make them fresher.
    people::read_calendar(&world.api, world.tenant, party, &[visit(18)]).await.unwrap();
    assert_eq!(read_at(&world, party).await, Some(late.at));
    assert_eq!(busy(&world, party).await, [visit(9), visit(12), visit(18)]);
    calendars::failed(&world.worker, world.tenant, other, "no \0answer", true).await.unwrap();
    let failing = calendars::link(&world.api, world.tenant, other).await.unwrap().unwrap();
    assert!(failing.is_refused && failing.is_stale && failing.problem.as_deref() == Some("no answer"));
    reads(&world, one, &[visit(12)]).await;
    assert!(calendars::remove(&world.api, world.tenant, other).await.unwrap());
    assert!(read_at(&world, party).await.unwrap() > late.at);
    assert_eq!(busy(&world, party).await, [visit(12), visit(18)]);
    assert!(calendars::remove(&world.api, world.tenant, one).await.unwrap());
    assert_eq!((read_at(&world, party).await, busy(&world, party).await), (None, vec![visit(18)]));
}

#[tokio::test]
async fn a_booking_is_wished_for_where_it_is_to_stand_and_out_of_where_it_stood() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let before = made(&world, new(&[party], Status::Confirmed, visit(6))).await;
    let id = link(&world, party).await;
    let booking = made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    let pencil = made(&world, new(&[party], Status::Pencil, visit(12))).await;
    let wanted = async |booking: BookingId, wish: i32| {
        calendars::to_push(&world.worker, world.tenant, (id, booking, wish)).await.unwrap()
    };
    assert!(wanted(before, 1).await.is_some() && wanted(pencil, 1).await.is_none());
    move_to(&world, pencil, Status::Confirmed, 1).await;
    assert!(wanted(pencil, 1).await.is_some(), "it is none any more");
    let first = wanted(booking, 1).await.unwrap();
    assert!(
        first.is_wanted
            && first.href.is_none()
            && first.during == visit(9)
            && first.reference == "project/17"
    );
    move_to(&world, booking, Status::Cancelled, 1).await;
    // The first wish was under way, and does not end the second.
    let there = Stands::Written { href: "/ada/1.ics".into(), etag: Some("\"1\"".into()) };
    calendars::settle_push(&world.worker, world.tenant, (id, booking, 1), &there).await.unwrap();
    let second = wanted(booking, 2).await.unwrap();
    assert!(
        !second.is_wanted
            && second.href.as_deref() == Some("/ada/1.ics")
            && second.etag.as_deref() == Some("\"1\"")
    );
    calendars::settle_push(&world.worker, world.tenant, (id, booking, 2), &Stands::Absent).await.unwrap();
    assert!(wanted(booking, 2).await.is_none());
}

#[tokio::test]
async fn what_is_due_becomes_one_job_each() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    assert_eq!(calendars::ask(&world.worker).await.unwrap(), 0);
    let id = link(&world, party).await;
    made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    let feed = NewFeed { id: CalendarFeedId::new(), party, secret_sha256: [7; 32], by: "key".into() };
    let noted = |_: &calendars::Feed| Answer::of(201, None, &());
    let made = calendars::create_feed(&world.api, world.tenant, &feed, 1, None, noted).await.unwrap();
    assert!(matches!(made, FeedMade::New(_)));
    assert_eq!(calendars::ask(&world.worker).await.unwrap(), 3);
    assert_eq!(calendars::ask(&world.worker).await.unwrap(), 0);
    let kinds = "select jsonb_agg(kind order by kind) from job";
    let expected = json!(["calendar.export", "calendar.pull", "calendar.push"]);
    assert_eq!(world.database.json(kinds).await.unwrap(), expected);
    calendars::pull_soon(&world.api, world.tenant, id).await.unwrap().unwrap();
    assert_eq!(calendars::ask(&world.worker).await.unwrap(), 1);
    assert_eq!(
        world.database.number("select count(*) from job").await.unwrap(),
        3,
        "it stands for the new one"
    );
}

#[tokio::test]
async fn an_overlap_is_told_once_passes_by_itself_and_comes_again() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let booking = made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    let id = link(&world, party).await;
    for _ in 0..2 {
        reads(&world, id, &[visit(10), visit(15)]).await;
        let found = conflicts(&world, ConflictFilter::Open).await;
        assert_eq!((found.len(), found[0].kind.as_str(), found[0].booking()), (1, "overlap", booking));
        assert_eq!((found[0].link(), found[0].party()), (id, party));
    }
    reads(&world, id, &[visit(15)]).await;
    assert_eq!(conflicts(&world, ConflictFilter::Open).await.len(), 0);
    assert_eq!(conflicts(&world, ConflictFilter::All).await[0].resolution.as_deref(), Some("gone"));
    reads(&world, id, &[visit(10)]).await;
    let found = conflicts(&world, ConflictFilter::Open).await;
    let resolved = calendars::resolve(&world.api, world.tenant, found[0].id(), Keep::Theirs).await.unwrap();
    assert!(matches!(resolved, Resolved::Done(_)));
    let other = calendars::resolve(&world.api, world.tenant, found[0].id(), Keep::Ours).await.unwrap();
    assert!(matches!(other, Resolved::Over(_)));
    reads(&world, id, &[visit(10)]).await;
    assert_eq!(conflicts(&world, ConflictFilter::Open).await.len(), 0, "somebody has seen to it");
    let strange = world.tenant("other").await;
    let missing = calendars::resolve(&world.api, strange, found[0].id(), Keep::Ours).await.unwrap();
    assert!(matches!(missing, Resolved::Missing));
}

#[tokio::test]
async fn a_persons_word_over_an_entry_of_ours_is_asked_for() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    let booking = made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    let there = Stands::Written { href: "/ada/1.ics".into(), etag: Some("\"1\"".into()) };
    calendars::settle_push(&world.worker, world.tenant, (id, booking, 1), &there).await.unwrap();
    let seen = |etag: &str, is_untouched| Object {
        href: "/ada/1.ics".into(),
        etag: etag.into(),
        events: json!([]),
        own: Some(Own { booking, is_untouched }),
    };
    let found = async |object: Object| {
        let reading = Reading { changed: vec![object], ..reading(&world, id, &[]).await };
        take(&world, id, &reading).await;
        conflicts(&world, ConflictFilter::Open).await.pop()
    };
    assert!(found(seen("\"2\"", true)).await.is_none(), "its server wrote it in its own way");
    let edited = found(seen("\"3\"", false)).await.unwrap();
    assert_eq!(edited.kind, "edited");
    calendars::resolve(&world.api, world.tenant, edited.id(), Keep::Ours).await.unwrap();
    let forced = calendars::to_push(&world.worker, world.tenant, (id, booking, 2)).await.unwrap().unwrap();
    let over = FoundThere::Edited("\"3\"".into());
    assert!(forced.over == Some(over) && forced.etag.as_deref() == Some("\"2\""));
    let found = FoundThere::Edited("\"4\"".into());
    let conflict = Stands::Conflict { href: "/ada/1.ics".into(), found };
    calendars::settle_push(&world.worker, world.tenant, (id, booking, 2), &conflict).await.unwrap();
    assert!(calendars::to_push(&world.worker, world.tenant, (id, booking, 2)).await.unwrap().is_none());
    assert_eq!(conflicts(&world, ConflictFilter::Open).await.len(), 1);
    // One of ours that is gone.
    calendars::resolve(
        &world.api,
        world.tenant,
        conflicts(&world, ConflictFilter::Open).await[0].id(),
        Keep::Ours,
    )
    .await
    .unwrap();
    calendars::settle_push(&world.worker, world.tenant, (id, booking, 3), &there).await.unwrap();
    let removed = Reading { removed: vec!["/ada/1.ics".into()], ..reading(&world, id, &[]).await };
    take(&world, id, &removed).await;
    assert_eq!(conflicts(&world, ConflictFilter::Open).await[0].kind, "removed");
}

#[tokio::test]
async fn a_feed_shows_the_newest_file_to_whoever_has_its_secret() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let booking = made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    let feed = NewFeed { id: CalendarFeedId::new(), party, secret_sha256: [7; 32], by: "key".into() };
    let noted = |_: &calendars::Feed| Answer::of(201, None, &());
    let wish =
        async || calendars::create_feed(&world.api, world.tenant, &feed, 1, None, noted).await.unwrap();
    assert!(matches!(wish().await, FeedMade::New(_)));
    assert!(matches!(wish().await, FeedMade::TooMany));
    let shown = async || calendars::shown(&world.api, [7; 32]).await.unwrap();
    assert_eq!(shown().await, Shown::NotYet);
    assert_eq!(calendars::shown(&world.api, [8; 32]).await.unwrap(), Shown::Unknown);
    let found = calendars::feed_bookings(&world.worker, world.tenant, feed.id).await.unwrap().unwrap();
    assert_eq!((found.wish, found.bookings.len(), found.bookings[0].id()), (1, 1, booking));
    let show = async |wish, body: &str| {
        calendars::show(&world.worker, world.tenant, feed.id, wish, (body, "\"x\"")).await.unwrap()
    };
    assert!(show(2, "new").await && show(1, "old").await);
    assert_eq!(shown().await, Shown::File("new".into(), "\"x\"".into()), "an older file comes too late");
    assert_eq!(calendars::feeds(&world.api, world.tenant, party, None, 10).await.unwrap()[0].id(), feed.id);
    assert!(calendars::remove_feed(&world.api, world.tenant, feed.id).await.unwrap());
    assert_eq!(shown().await, Shown::Unknown);
    assert!(calendars::feed_bookings(&world.worker, world.tenant, feed.id).await.unwrap().is_none());
}
