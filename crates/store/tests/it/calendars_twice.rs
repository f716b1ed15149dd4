//! One appointment that several calendars of the same person tell, by two accounts or because both of them see one calendar.

use chrono::TimeDelta;
use jobs::{BookingId, CalendarLinkId, PartyId};
use matching::Span;
use store::{
    bookings::Status,
    calendars::{self, Conflict, ConflictFilter, Keep, Resolved, Took},
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
