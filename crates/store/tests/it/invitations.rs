//! Guests of bookings: what they are to hear is wished for with the booking, and what they answer is theirs to say.

use chrono::{TimeDelta, Utc};
use jobs::{
    BookingId, Channel, ContactPointId, InvitationId, Job, JobId, PartyId, kinds::invite_reply::InviteReply,
};
use store::{
    bookings::{Moved, Status},
    calendars,
    enqueue::NewJob,
    invitations::{self, Answered, Heard, Invitation, Made, Method, NewInvitation, Told},
    parties::{self, Added, NewContactPoint, Terms},
    settle,
    submit::Answer,
    verdict::{Settle, Write},
};

use crate::{
    bookings::{made, move_to, new},
    people::{technician, visit},
    world::{World, done, probe},
};

/// Somebody with a mail address.
pub(crate) async fn guest(world: &World, address: &str) -> PartyId {
    let party = PartyId::new();
    let terms = Terms { name: "Grace".into(), locale: "en".into(), timezone: None, quiet: None };
    let inbox = (ContactPointId::new(), [7; 32]);
    let noted = |_| Answer::of(201, None, &());
    parties::create(&world.api, world.tenant, party, &terms, inbox, None, noted).await.unwrap();
    reached(world, party, address).await;
    party
}

/// Gives somebody a mail address.
pub(crate) async fn reached(world: &World, party: PartyId, address: &str) {
    let contact = NewContactPoint {
        id: ContactPointId::new(),
        party,
        channel: Channel::Email,
        address: address.to_owned(),
        is_verified: true,
        link_secret: [9; 32],
    };
    assert_eq!(parties::add(&world.api, world.tenant, &contact).await.unwrap(), Added::New);
}

async fn wish_for(world: &World, booking: BookingId, party: PartyId) -> (InvitationId, Made) {
    let new = NewInvitation { id: InvitationId::new(), booking, party, by: "key".into() };
    let answer = |_: &Invitation| Answer::of(201, None, &());
    (new.id, invitations::create(&world.api, world.tenant, &new, 2, None, answer).await.unwrap())
}

pub(crate) async fn invited(world: &World, booking: BookingId, party: PartyId) -> InvitationId {
    let (id, made) = wish_for(world, booking, party).await;
    assert!(matches!(made, Made::New(_)), "{made:?}");
    id
}

pub(crate) async fn wish(world: &World, id: InvitationId) -> i32 {
    let sql = format!("select to_jsonb(wish) from invitation where id = '{}'", id.as_uuid());
    world.database.json(&sql).await.unwrap().as_i64().unwrap() as i32
}

/// What the guest is to hear at this moment.
pub(crate) async fn hears(world: &World, id: InvitationId) -> Option<Method> {
    let wish = wish(world, id).await;
    invitations::to_tell(&world.worker, world.tenant, id, wish).await.unwrap()?.method
}

/// As a job does that told them, without the mail.
pub(crate) async fn told(world: &World, id: InvitationId, method: Option<Method>) {
    let plan = |method| {
        let plan = store::messages::Plan {
            request: JobId::new(),
            subject: None,
            messages: Vec::new(),
            traceparent: None,
        };
        (method, plan)
    };
    let told = Told { id, wish: wish(world, id).await, message: method.map(plan) };
    world.enqueue(probe()).await;
    let job = world.claim_one().await;
    let write = Write::Invitation(Box::new(told));
    assert!(settle::settle_with(&world.worker, &Settle::of(&job, done()), &[], &[write]).await.unwrap());
}

async fn moved(world: &World, booking: BookingId, to: Status, version: i32) {
    let moved = move_to(world, booking, to, version).await;
    assert!(matches!(moved, Moved::Done(_)), "{moved:?}");
}

pub(crate) async fn said(
    world: &World,
    id: InvitationId,
    booking: BookingId,
    answer: (&str, &'static str, i64),
) -> Heard {
    let (guest, said, wish) = answer;
    let answered =
        Answered { invitation: id, booking, guest: guest.to_owned(), said, wish, at: Some(Utc::now()) };
    invitations::answer(&world.worker, world.tenant, &answered).await.unwrap()
}

async fn answer_of(world: &World, booking: BookingId) -> Option<String> {
    let found = invitations::invitations(&world.api, world.tenant, booking, None, 10).await.unwrap();
    found.into_iter().next().unwrap().answer
}

#[tokio::test]
async fn guests_hear_once_a_booking_is_confirmed_and_when_it_is_called_off() {
    let world = World::new().await;
    let (party, guest) = (technician(&world, world.tenant).await, guest(&world, "grace@example.test").await);
    let booking = made(&world, new(&[party], Status::Pencil, visit(9))).await;
    let id = invited(&world, booking, guest).await;
    assert_eq!(hears(&world, id).await, None, "it is in pencil");
    told(&world, id, None).await;
    moved(&world, booking, Status::Confirmed, 1).await;
    assert_eq!(hears(&world, id).await, Some(Method::Request));
    assert!(calendars::ask(&world.worker).await.unwrap() > 0, "somebody is asked to tell them");
    told(&world, id, Some(Method::Request)).await;
    assert_eq!(hears(&world, id).await, None, "it was told");
    moved(&world, booking, Status::Cancelled, 2).await;
    assert_eq!(hears(&world, id).await, Some(Method::Cancel));
    told(&world, id, Some(Method::Cancel)).await;
    assert_eq!(hears(&world, id).await, None);
}

#[tokio::test]
async fn whoever_never_heard_of_a_booking_does_not_hear_that_it_is_off() {
    let world = World::new().await;
    let (party, guest) = (technician(&world, world.tenant).await, guest(&world, "grace@example.test").await);
    let booking = made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    let id = invited(&world, booking, guest).await;
    let before = wish(&world, id).await;
    assert!(invitations::withdraw(&world.api, world.tenant, id).await.unwrap().unwrap().is_withdrawn);
    assert!(invitations::withdraw(&world.api, world.tenant, id).await.unwrap().is_some(), "twice");
    assert_eq!((wish(&world, id).await, hears(&world, id).await), (before + 1, None));
    invited(&world, booking, guest).await;
    assert_eq!((wish(&world, id).await, hears(&world, id).await), (before + 2, Some(Method::Request)));
}

#[tokio::test]
async fn only_somebody_with_an_address_is_invited_and_not_without_end() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let booking = made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    assert!(matches!(wish_for(&world, booking, party).await.1, Made::NoAddress), "no address");
    assert!(matches!(wish_for(&world, BookingId::new(), party).await.1, Made::NoBooking));
    for address in ["a@example.test", "b@example.test"] {
        let guest = guest(&world, address).await;
        invited(&world, booking, guest).await;
        invited(&world, booking, guest).await;
    }
    let third = guest(&world, "c@example.test").await;
    assert!(matches!(wish_for(&world, booking, third).await.1, Made::TooMany));
    let page = invitations::invitations(&world.api, world.tenant, booking, None, 1).await.unwrap();
    let last = page[0].id().as_uuid();
    let rest = invitations::invitations(&world.api, world.tenant, booking, Some(last), 10).await.unwrap();
    assert_eq!((page[0].address.as_str(), rest.len()), ("b@example.test", 1));
}

#[tokio::test]
async fn an_answer_counts_if_it_is_the_guests_and_to_what_they_were_told_last() {
    let world = World::new().await;
    let (party, guest) = (technician(&world, world.tenant).await, guest(&world, "grace@example.test").await);
    let booking = made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    let id = invited(&world, booking, guest).await;
    let (grace, wish) = ("Grace@Example.test", i64::from(wish(&world, id).await));
    assert_eq!(said(&world, id, booking, (grace, "accepted", wish)).await, Heard::Overtaken, "before");
    told(&world, id, Some(Method::Request)).await;
    assert_eq!(said(&world, id, booking, ("eve@example.test", "declined", wish)).await, Heard::Stranger);
    assert_eq!(said(&world, id, BookingId::new(), (grace, "declined", wish)).await, Heard::Unknown);
    assert_eq!(said(&world, id, booking, (grace, "declined", wish - 1)).await, Heard::Overtaken);
    assert_eq!(answer_of(&world, booking).await, None);
    for _ in 0..2 {
        assert_eq!(said(&world, id, booking, (grace, "accepted", wish)).await, Heard::Noted);
    }
    let late = Answered {
        invitation: id,
        booking,
        guest: grace.into(),
        said: "declined",
        wish,
        at: Some(Utc::now() - TimeDelta::hours(1)),
    };
    assert_eq!(invitations::answer(&world.worker, world.tenant, &late).await.unwrap(), Heard::Overtaken);
    assert_eq!(answer_of(&world, booking).await.as_deref(), Some("accepted"));
    moved(&world, booking, Status::Cancelled, 1).await;
    told(&world, id, Some(Method::Cancel)).await;
    assert_eq!(answer_of(&world, booking).await, None, "it was to something else");
    assert_eq!(said(&world, id, booking, (grace, "accepted", wish + 1)).await, Heard::Overtaken);
}

#[tokio::test]
async fn what_comes_by_mail_is_passed_on_to_whoever_invited() {
    let world = World::new().await;
    let (party, guest) = (technician(&world, world.tenant).await, guest(&world, "grace@example.test").await);
    let booking = made(&world, new(&[party], Status::Confirmed, visit(9))).await;
    let id = invited(&world, booking, guest).await;
    let job = NewJob::of(&InviteReply::example()).unwrap();
    assert!(invitations::pass_on(&world.worker, id, &job).await.unwrap());
    let found = store::reads::get(&world.api, world.tenant, job.id).await.unwrap().unwrap();
    assert_eq!(found.kind, InviteReply::KIND);
    assert!(!invitations::pass_on(&world.worker, InvitationId::new(), &probe()).await.unwrap());
}
