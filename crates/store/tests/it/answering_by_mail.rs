//! Whoever is to do the work answers from their calendar: what they were offered, and what is held for them in pencil.

use chrono::{TimeDelta, Utc};
use jobs::{BookingId, InvitationId, OfferId, PartyId};
use store::{
    bookings::{self, Lapsed, Status},
    invitations::{self, Answered, Heard, Method},
    matches::{self, NewMatchRequest, Word},
};

use crate::{
    bookings::{made, new},
    invitations::{hears, invited, reached, told, wish},
    matching::{offered, request, state, wanted},
    people::{technician, visit},
    world::World,
};

const GRACE: &str = "grace@example.test";

/// Somebody who works, and has a mail address.
async fn worker(world: &World) -> PartyId {
    let party = technician(world, world.tenant).await;
    reached(world, party, GRACE).await;
    party
}

/// What they answer to what they were told, some minutes ago.
async fn replies(
    world: &World,
    (invitation, booking): (InvitationId, BookingId),
    said: &'static str,
    minutes_ago: i64,
) -> Heard {
    let wish = i64::from(wish(world, invitation).await);
    let at = Some(Utc::now() - TimeDelta::minutes(minutes_ago));
    let answered = Answered { invitation, booking, guest: GRACE.into(), said, wish, at };
    let heard = invitations::answer(&world.worker, world.tenant, &answered).await.unwrap();
    if heard == Heard::Noted {
        invitations::follow(&world.worker, world.tenant, &answered).await.unwrap();
    }
    heard
}

async fn status(world: &World, booking: BookingId) -> Status {
    bookings::booking(&world.api, world.tenant, booking).await.unwrap().unwrap().status().unwrap()
}

async fn offer(world: &World, id: OfferId) -> (String, BookingId) {
    let offer = matches::offer(&world.api, world.tenant, id).await.unwrap().unwrap();
    (offer.state.clone(), offer.booking())
}

/// An offer to the one who works, who was invited to its booking and heard of it.
async fn asked(world: &World) -> (OfferId, (InvitationId, BookingId), jobs::MatchRequestId) {
    let party = worker(world).await;
    let request = request(world, wanted()).await;
    let id = offered(world, request, 1).await;
    let (_, booking) = offer(world, id).await;
    let invitation = invited(world, booking, party).await;
    assert_eq!(hears(world, invitation).await, Some(Method::Request), "they are asked");
    told(world, invitation, Some(Method::Request)).await;
    (id, (invitation, booking), request)
}

#[tokio::test]
async fn who_accepts_in_their_calendar_accepts_the_offer_once() {
    let world = World::new().await;
    let (id, ids, request) = asked(&world).await;
    let before = wish(&world, ids.0).await;
    for _ in 0..2 {
        assert_eq!(replies(&world, ids, "accepted", 0).await, Heard::Noted);
    }
    assert_eq!(
        (offer(&world, id).await.0.as_str(), status(&world, ids.1).await),
        ("accepted", Status::Confirmed)
    );
    assert_eq!(state(&world, request).await, ("confirmed".into(), 1));
    assert_eq!(
        (wish(&world, ids.0).await, hears(&world, ids.0).await),
        (before, None),
        "it stands there already"
    );
    // An older mail that comes late, and one that they wrote later: a person sees to what is confirmed.
    assert_eq!(replies(&world, ids, "declined", 5).await, Heard::Overtaken);
    assert_eq!(replies(&world, ids, "declined", 0).await, Heard::Noted);
    assert_eq!(
        (offer(&world, id).await.0.as_str(), status(&world, ids.1).await),
        ("accepted", Status::Confirmed)
    );
}

#[tokio::test]
async fn who_declines_in_their_calendar_passes_the_offer_on_once() {
    let world = World::new().await;
    let (id, ids, request) = asked(&world).await;
    assert_eq!(replies(&world, ids, "tentative", 9).await, Heard::Noted);
    assert_eq!(status(&world, ids.1).await, Status::Offered, "they may come");
    for _ in 0..2 {
        assert_eq!(replies(&world, ids, "declined", 1).await, Heard::Noted);
    }
    assert_eq!((offer(&world, id).await.0.as_str(), status(&world, ids.1).await), ("declined", Status::Void));
    assert_eq!(state(&world, request).await, ("ranking".into(), 2), "the next one is asked, once");
    assert_eq!(hears(&world, ids.0).await, None, "they said so themselves");
    // Who thinks better of it hears that it is gone.
    assert_eq!(replies(&world, ids, "accepted", 0).await, Heard::Noted);
    assert_eq!(hears(&world, ids.0).await, Some(Method::Cancel));
    assert_eq!((offer(&world, id).await.0.as_str(), state(&world, request).await.1), ("declined", 2));
}

#[tokio::test]
async fn who_accepts_too_late_hears_that_it_is_gone() {
    let world = World::new().await;
    let (id, ids, _) = asked(&world).await;
    world.database.execute("update offer set expires_at = clock_timestamp() - interval '1 s', sent_at = sent_at - interval '1 h'").await.unwrap();
    assert_eq!(replies(&world, ids, "accepted", 0).await, Heard::Noted);
    assert_eq!(status(&world, ids.1).await, Status::Offered, "its time was up");
    assert_eq!(matches::expire(&world.worker, world.tenant, id, 1).await.unwrap(), Some(true));
    assert_eq!(hears(&world, ids.0).await, Some(Method::Cancel));
    told(&world, ids.0, Some(Method::Cancel)).await;
    assert_eq!(replies(&world, ids, "accepted", 0).await, Heard::Overtaken);
}

#[tokio::test]
async fn who_answered_over_http_before_is_not_asked_twice() {
    let world = World::new().await;
    let (id, ids, request) = asked(&world).await;
    matches::answer(&world.api, world.tenant, id, Word::Declined).await.unwrap();
    assert_eq!(hears(&world, ids.0).await, Some(Method::Cancel), "their calendar does not know");
    assert_eq!(replies(&world, ids, "declined", 0).await, Heard::Noted);
    assert_eq!((offer(&world, id).await.0.as_str(), state(&world, request).await.1), ("declined", 2));
}

#[tokio::test]
async fn who_answers_what_is_held_for_them_in_pencil_confirms_or_releases_it() {
    let world = World::new().await;
    let party = worker(&world).await;
    for (said, becomes) in [("accepted", Status::Confirmed), ("declined", Status::Released)] {
        let booking = made(&world, new(&[party], Status::Pencil, visit(9))).await;
        let ids = (invited(&world, booking, party).await, booking);
        assert_eq!(hears(&world, ids.0).await, Some(Method::Request));
        told(&world, ids.0, Some(Method::Request)).await;
        assert_eq!(replies(&world, ids, said, 0).await, Heard::Noted);
        assert_eq!(status(&world, booking).await, becomes);
        assert_eq!(hears(&world, ids.0).await, None);
    }
    // The time is taken by the first: the second stays in pencil, and its calendar hears when that is over.
    let mut held = new(&[party], Status::Pencil, visit(9));
    held.held_until = Some(Utc::now() + TimeDelta::hours(1));
    let booking = made(&world, held).await;
    let ids = (invited(&world, booking, party).await, booking);
    told(&world, ids.0, Some(Method::Request)).await;
    assert_eq!(replies(&world, ids, "accepted", 0).await, Heard::Noted);
    assert_eq!(status(&world, booking).await, Status::Pencil);
    world
        .database
        .execute("update booking set held_until = clock_timestamp() where status = 'pencil'")
        .await
        .unwrap();
    assert_eq!(bookings::lapse(&world.worker, world.tenant, booking, 1).await.unwrap(), Lapsed::Released);
    assert_eq!(hears(&world, ids.0).await, Some(Method::Cancel));
}

#[tokio::test]
async fn a_guest_who_answers_changes_no_booking() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let booking = made(&world, new(&[party], Status::Pencil, visit(9))).await;
    let guest = crate::invitations::guest(&world, GRACE).await;
    let ids = (invited(&world, booking, guest).await, booking);
    assert_eq!(hears(&world, ids.0).await, None, "it is in pencil");
    told(&world, ids.0, Some(Method::Request)).await;
    assert_eq!(replies(&world, ids, "accepted", 0).await, Heard::Noted);
    assert_eq!(status(&world, booking).await, Status::Pencil);
}

#[tokio::test]
async fn who_is_asked_is_invited_where_that_is_wished_for() {
    let world = World::new().await;
    let party = worker(&world).await;
    let request = request(&world, NewMatchRequest { invites: true, ..wanted() }).await;
    let id = offered(&world, request, 1).await;
    let (_, booking) = offer(&world, id).await;
    let found = invitations::invitations(&world.api, world.tenant, booking, None, 10).await.unwrap();
    let [invitation] = &found[..] else { panic!("{found:?}") };
    assert_eq!((invitation.party(), invitation.address.as_str()), (party, GRACE));
    told(&world, invitation.id(), Some(Method::Request)).await;
    assert_eq!(replies(&world, (invitation.id(), booking), "accepted", 0).await, Heard::Noted);
    assert_eq!(status(&world, booking).await, Status::Confirmed);
}

#[tokio::test]
async fn who_has_no_address_is_asked_all_the_same() {
    let world = World::new().await;
    technician(&world, world.tenant).await;
    let request = request(&world, NewMatchRequest { invites: true, ..wanted() }).await;
    let id = offered(&world, request, 1).await;
    let (state, booking) = offer(&world, id).await;
    let found = invitations::invitations(&world.api, world.tenant, booking, None, 10).await.unwrap();
    assert_eq!((state.as_str(), found.len()), ("sent", 0));
}
