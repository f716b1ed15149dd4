//! One appointment that several calendars of the same person tell, by two accounts or because both of them see one calendar; and one
//! entry of ours that several links lead to.

use chrono::TimeDelta;
use jobs::{BookingId, CalendarLinkId, PartyId};
use matching::Span;
use serde_json::json;
use store::{
    bookings::Status,
    calendars::{
        self, Conflict, ConflictFilter, FoundThere, Keep, Object, Own, Reading, Resolved, Stands, Took,
    },
    people,
};

use crate::{
    bookings::{made, new},
    calendars::{conflicts, link, reading, take},
    people::{needs, technician, visit},
    world::World,
};

/// A booking at nine, and two calendars of whoever it takes.
async fn linked_twice() -> (World, PartyId, BookingId, [CalendarLinkId; 2]) {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let booking = made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    let links = [link(&world, party).await, link(&world, party).await];
    (world, party, booking, links)
}

async fn says(world: &World, id: CalendarLinkId, busy: &[Span]) {
    let reading = reading(world, id, busy).await;
    assert_eq!(take(world, id, &reading).await, Took::Taken);
}

async fn open(world: &World) -> Vec<Conflict> {
    conflicts(world, ConflictFilter::Open).await
}

async fn removes(world: &World, id: CalendarLinkId) {
    assert!(calendars::remove(&world.api, world.tenant, id).await.unwrap());
}

/// When somebody is busy, as it is told, and how often their time is taken then.
async fn busy(world: &World, party: PartyId) -> (usize, usize) {
    let told = people::absences(&world.api, world.tenant, party, None, 100).await.unwrap();
    let pool = people::pool(&world.worker, world.tenant, &needs(None)).await.unwrap();
    (told.len(), pool.candidates[0].taken.len())
}

#[tokio::test]
async fn it_takes_time_once_and_is_one_conflict_whichever_link_is_removed() {
    for first in [0, 1] {
        let (world, party, booking, links) = linked_twice().await;
        for id in [links[first], links[1 - first], links[first]] {
            says(&world, id, &[visit(10)]).await;
            let found = open(&world).await;
            assert_eq!((found.len(), found[0].link(), found[0].booking()), (1, links[first], booking));
        }
        assert_eq!(conflicts(&world, ConflictFilter::All).await.len(), 1, "it was told once");
        assert_eq!(busy(&world, party).await.0, 1);
        let before = open(&world).await[0].id();
        removes(&world, links[first]).await;
        let left = open(&world).await;
        assert_eq!((left.len(), left[0].id(), left[0].link()), (1, before, links[1 - first]));
        assert_eq!(busy(&world, party).await, (1, 2), "the appointment, and the booking");
        removes(&world, links[1 - first]).await;
        assert!(conflicts(&world, ConflictFilter::All).await.is_empty());
        assert_eq!(busy(&world, party).await, (0, 1));
    }
}

#[tokio::test]
async fn what_a_person_said_of_it_holds_for_every_calendar_that_tells_it() {
    let (world, _, _, [one, other]) = linked_twice().await;
    says(&world, other, &[visit(10)]).await;
    let found = open(&world).await.pop().unwrap();
    let said = calendars::resolve(&world.api, world.tenant, found.id(), Keep::Theirs).await.unwrap();
    assert!(matches!(said, Resolved::Done(_)));
    says(&world, one, &[visit(10)]).await;
    assert!(open(&world).await.is_empty(), "somebody has seen to it");
    says(&world, other, &[]).await;
    assert!(open(&world).await.is_empty(), "the first tells it still");
    removes(&world, other).await;
    says(&world, one, &[visit(10)]).await;
    let all = conflicts(&world, ConflictFilter::All).await;
    assert_eq!((all.len(), all[0].id(), all[0].link()), (1, found.id(), one));
    assert_eq!(all[0].resolution.as_deref(), Some("theirs"));
}

#[tokio::test]
async fn it_is_over_when_no_calendar_tells_it_and_what_only_one_tells_is_joined() {
    let (world, _, _, [one, other]) = linked_twice().await;
    let (long, short) = (visit(9), Span { until: visit(9).from + TimeDelta::minutes(30), ..visit(9) });
    says(&world, one, &[short]).await;
    // The second calendar has another right after, as one stretch with the first.
    says(&world, other, &[long]).await;
    let found = open(&world).await;
    assert_eq!((found.len(), found[0].link()), (1, one));
    assert_eq!(conflicts(&world, ConflictFilter::All).await.len(), 2, "the shorter is over");
    removes(&world, other).await;
    assert_eq!(open(&world).await.len(), 1, "the shorter is there again");
    says(&world, one, &[]).await;
    assert!(open(&world).await.is_empty());
}

#[tokio::test]
async fn calendars_of_one_person_may_be_read_and_removed_at_once() {
    let (world, party, _, links) = linked_twice().await;
    for _ in 0..10 {
        let readings =
            [reading(&world, links[0], &[visit(10)]).await, reading(&world, links[1], &[visit(10)]).await];
        let took = tokio::join!(take(&world, links[0], &readings[0]), take(&world, links[1], &readings[1]));
        assert_eq!(took, (Took::Taken, Took::Taken));
        assert_eq!(open(&world).await.len(), 1);
    }
    let last = reading(&world, links[1], &[visit(10)]).await;
    let (removed, took) =
        tokio::join!(calendars::remove(&world.api, world.tenant, links[0]), take(&world, links[1], &last));
    assert!(removed.unwrap() && took == Took::Taken);
    assert_eq!((open(&world).await.len(), busy(&world, party).await.0), (1, 1));
}

/// A booking of two people who share a calendar, which each of them has linked and where it stands.
async fn shared(hrefs: [&str; 2]) -> (World, BookingId, [CalendarLinkId; 2]) {
    let world = World::new().await;
    let both = [technician(&world, world.tenant).await, technician(&world, world.tenant).await];
    let booking = made(&world, new(&both, Status::Confirmed, visit(9))).await;
    let links = [link(&world, both[0]).await, link(&world, both[1]).await];
    for (id, href) in links.into_iter().zip(hrefs) {
        is_written(&world, (id, booking), href).await;
    }
    (world, booking, links)
}

/// The booking is written into the calendar, there.
async fn is_written(world: &World, (id, booking): (CalendarLinkId, BookingId), href: &str) {
    says(world, id, &[]).await;
    let stands = Stands::Written { href: href.into(), etag: Some("1".into()) };
    calendars::settle_push(&world.worker, world.tenant, (id, booking, 1), &stands).await.unwrap();
}

/// A reading that finds the booking so, or gone.
async fn finds(world: &World, (id, booking): (CalendarLinkId, BookingId), etag: Option<&str>) -> Reading {
    finds_at(world, (id, booking), HREF, etag).await
}

async fn finds_at(
    world: &World,
    (id, booking): (CalendarLinkId, BookingId),
    href: &str,
    etag: Option<&str>,
) -> Reading {
    let before = reading(world, id, &[]).await;
    let own = Some(Own { booking, is_untouched: false });
    match etag {
        Some(etag) => {
            let object = Object { href: href.into(), etag: etag.into(), events: json!([]), own };
            Reading { changed: vec![object], ..before }
        }
        None => Reading { removed: vec![href.into()], ..before },
    }
}

async fn sees(world: &World, seen: (CalendarLinkId, BookingId), etag: Option<&str>) -> Vec<Conflict> {
    let found = finds(world, seen, etag).await;
    assert_eq!(take(world, seen.0, &found).await, Took::Taken);
    open(world).await
}

async fn resolve(world: &World, conflict: &Conflict, keep: Keep) {
    let said = calendars::resolve(&world.api, world.tenant, conflict.id(), keep).await.unwrap();
    assert!(matches!(said, Resolved::Done(_)));
}

const HREF: &str = "/ada/1.ics";

#[tokio::test]
async fn what_a_person_did_to_an_entry_is_one_conflict_whichever_link_sees_it_first() {
    for (first, etag) in [(0, Some("2")), (1, Some("2")), (0, None)] {
        let (world, booking, links) = shared([HREF; 2]).await;
        for id in [links[first], links[1 - first], links[first]] {
            let found = sees(&world, (id, booking), etag).await;
            assert_eq!((found.len(), found[0].link(), found[0].booking()), (1, links[first], booking));
        }
        // Something else by now, which only the other link saw.
        assert_eq!(sees(&world, (links[1 - first], booking), Some("3")).await.len(), 1);
        let before = open(&world).await[0].id();
        removes(&world, links[first]).await;
        let left = open(&world).await;
        assert_eq!((left.len(), left[0].id(), left[0].link()), (1, before, links[1 - first]));
        resolve(&world, &left[0], Keep::Ours).await;
        let wish = (links[1 - first], booking, 2);
        let to_push = calendars::to_push(&world.worker, world.tenant, wish).await.unwrap().unwrap();
        assert_eq!(
            to_push.over,
            Some(etag.map_or(FoundThere::Removed, |etag| FoundThere::Edited(etag.into())))
        );
    }
}

#[tokio::test]
async fn who_linked_one_calendar_twice_and_edits_a_booking_there_hears_of_it_once() {
    for (etag, kind) in [(Some("2"), "edited"), (None, "removed")] {
        let (world, party, booking, links) = linked_twice().await;
        for id in links {
            is_written(&world, (id, booking), HREF).await;
        }
        for id in [links[0], links[1], links[1], links[0]] {
            let found = sees(&world, (id, booking), etag).await;
            assert_eq!((found.len(), found[0].party(), found[0].kind.as_str()), (1, party, kind));
        }
        let told = "select count(*) from calendar_conflict";
        assert_eq!(world.database.number(told).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn what_a_person_said_of_an_entry_holds_for_every_link_to_it() {
    let (world, booking, [one, other]) = shared([HREF; 2]).await;
    let found = sees(&world, (one, booking), Some("2")).await;
    resolve(&world, &found[0], Keep::Theirs).await;
    assert!(sees(&world, (other, booking), Some("2")).await.is_empty(), "somebody has seen to it");
    assert_eq!(conflicts(&world, ConflictFilter::All).await.len(), 1);

    let (world, booking, [one, other]) = shared([HREF; 2]).await;
    let found = sees(&world, (one, booking), Some("2")).await;
    assert_eq!(sees(&world, (other, booking), Some("2")).await.len(), 1);
    resolve(&world, &found[0], Keep::Ours).await;
    // Somebody changed it once more before it was written again.
    let stands = Stands::Conflict { href: HREF.into(), found: FoundThere::Edited("3".into()) };
    calendars::settle_push(&world.worker, world.tenant, (one, booking, 2), &stands).await.unwrap();
    let again = open(&world).await;
    assert_eq!((again.len(), again[0].link()), (1, one), "that is another edit");
    assert_eq!(conflicts(&world, ConflictFilter::All).await.len(), 2);
}

#[tokio::test]
async fn who_links_a_calendar_in_which_an_entry_was_changed_already_hears_nothing_new() {
    let (world, booking, [one, other]) = shared([HREF; 2]).await;
    assert_eq!(sees(&world, (one, booking), Some("2")).await.len(), 1);
    // As if the other had never seen it, and were about to write it.
    let anew = "update calendar_push set state = 'pending', href = null, etag = null, settled_at = null where link_id = ";
    world.database.execute(&format!("{anew} '{}'", other.as_uuid())).await.unwrap();
    let stands = Stands::Conflict { href: HREF.into(), found: FoundThere::Edited("2".into()) };
    calendars::settle_push(&world.worker, world.tenant, (other, booking, 1), &stands).await.unwrap();
    assert_eq!(open(&world).await.len(), 1);
    removes(&world, one).await;
    assert_eq!(open(&world).await[0].link(), other);
}

#[tokio::test]
async fn entries_in_two_calendars_are_two_conflicts() {
    const THEIRS: &str = "/bob/1.ics";
    let (world, booking, [one, other]) = shared([HREF, THEIRS]).await;
    assert_eq!(sees(&world, (one, booking), Some("2")).await.len(), 1);
    let found = finds_at(&world, (other, booking), THEIRS, Some("2")).await;
    assert_eq!(take(&world, other, &found).await, Took::Taken);
    assert_eq!(open(&world).await.len(), 2);
    removes(&world, one).await;
    assert_eq!(open(&world).await.len(), 1, "and each goes with its own");

    // Google calls it alike in both.
    let (world, booking, links) = shared([HREF; 2]).await;
    world.database.execute("update calendar_link set provider = 'google', collection = null").await.unwrap();
    let theirs = format!("update calendar_push set etag = '9' where link_id = '{}'", links[1].as_uuid());
    world.database.execute(&theirs).await.unwrap();
    for (id, etag, count) in [(links[0], Some("2"), 1), (links[1], None, 2)] {
        assert_eq!(sees(&world, (id, booking), etag).await.len(), count);
    }
}

#[tokio::test]
async fn two_links_that_see_it_at_once_are_one_conflict() {
    for _ in 0..10 {
        let (world, booking, links) = shared([HREF; 2]).await;
        let found = [
            finds(&world, (links[0], booking), Some("2")).await,
            finds(&world, (links[1], booking), Some("2")).await,
        ];
        let took = tokio::join!(take(&world, links[0], &found[0]), take(&world, links[1], &found[1]));
        assert_eq!((took, open(&world).await.len()), ((Took::Taken, Took::Taken), 1));
    }
}
