//! Requests, rounds and answers: one outcome, whoever comes at the same moment.

use jobs::{MatchRequestId, OfferId, PartyId};
use matching::{Point, Ranking, Terms, Visit};
use store::{
    bookings::{self, Moved, Status},
    matches::{
        self, Answered, Cancelled, Decided, MatchRequest, NewMatchRequest, Pick, Reassigned, Requested, Word,
    },
    submit::Answer,
};

use crate::{
    bookings::move_to,
    judging::ranked_in,
    people::{off, technician, visit},
    world::World,
};

pub(crate) fn wanted() -> NewMatchRequest {
    NewMatchRequest {
        id: MatchRequestId::new(),
        reference: "12 Elm Street".into(),
        visit: Visit {
            during: visit(9),
            before_minutes: 0,
            after_minutes: 0,
            place: Point::new(48.2, 16.37),
            role: "technician".into(),
            skills: Vec::new(),
            site: None,
        },
        terms: Terms::VREM,
        preset: None,
        client: None,
        company: None,
        link: None,
        invites: false,
        in_batch: false,
        by: "key".into(),
    }
}

pub(crate) async fn request(world: &World, new: NewMatchRequest) -> MatchRequestId {
    let answer = |_: &MatchRequest| Answer::of(202, None, &());
    let made = matches::create(&world.api, world.tenant, &new, None, answer).await.unwrap();
    assert!(matches!(made, Requested::New(_)));
    new.id
}

pub(crate) fn picks(ranking: &Ranking, answer_s: i64) -> Vec<Pick> {
    ranking.ranked.iter().map(|row| Pick { party: row.party, answer_s, tells: None }).collect()
}

pub(crate) async fn ranked(world: &World, id: MatchRequestId) -> Ranking {
    ranked_in(world, world.tenant, id).await
}

pub(crate) async fn decide(world: &World, id: MatchRequestId, round: i16, answer_s: i64) -> Decided {
    let ranking = ranked(world, id).await;
    let picks = picks(&ranking, answer_s);
    matches::decide(&world.worker, world.tenant, (id, round), &ranking, &picks).await.unwrap()
}

pub(crate) async fn offered(world: &World, id: MatchRequestId, round: i16) -> OfferId {
    let offer = match decide(world, id, round, 900).await {
        Decided::Offered(offer) => Some(offer),
        _ => None,
    };
    offer.expect("somebody is asked")
}

pub(crate) async fn answer(world: &World, offer: OfferId, said: Word) -> Answered {
    matches::answer(&world.api, world.tenant, offer, said).await.unwrap()
}

pub(crate) async fn state(world: &World, id: MatchRequestId) -> (String, i16) {
    let request = matches::request(&world.api, world.tenant, id).await.unwrap().unwrap();
    (request.state, request.round)
}

async fn cancelled(world: &World, id: MatchRequestId) -> MatchRequest {
    let cancelled = match matches::cancel(&world.api, world.tenant, id).await.unwrap() {
        Cancelled::Done(request) => Some(request),
        _ => None,
    };
    cancelled.expect("it is called off")
}

pub(crate) async fn asked(world: &World, offer: OfferId) -> PartyId {
    matches::offer(&world.api, world.tenant, offer).await.unwrap().unwrap().party()
}

#[tokio::test]
async fn a_round_is_decided_once_and_says_so_again() {
    let world = World::new().await;
    technician(&world, world.tenant).await;
    let id = request(&world, wanted()).await;
    let offer = offered(&world, id, 1).await;
    assert_eq!(decide(&world, id, 1, 900).await, Decided::Offered(offer), "run again");
    assert_eq!(decide(&world, id, 2, 900).await, Decided::Passed);
    assert_eq!(state(&world, id).await, ("offered".into(), 1));
    let kept = matches::receipt(&world.api, world.tenant, id, 1).await.unwrap().unwrap();
    assert_eq!((kept.request(), kept.receipt.ranked.len()), (id, 1));
    assert_eq!(matches::receipt_before(&world.api, world.tenant, None).await.unwrap().unwrap().request(), id);
    assert!(matches::receipt_before(&world.api, world.tenant, Some(id)).await.unwrap().is_none());
    assert_eq!(matches::list(&world.api, world.tenant, Some("offered"), None, 9).await.unwrap().len(), 1);
    assert!(matches::list(&world.api, world.tenant, Some("ranking"), None, 9).await.unwrap().is_empty());
    let nobody = request(&world, wanted()).await;
    assert_eq!(decide(&world, nobody, 1, 900).await, Decided::Nobody, "their time is taken");
    assert_eq!(
        (decide(&world, nobody, 1, 900).await, state(&world, nobody).await.0),
        (Decided::Nobody, "needs_dispatch".into())
    );
}

#[tokio::test]
async fn who_was_taken_since_they_were_ranked_is_passed_over() {
    let world = World::new().await;
    let (one, other) = (technician(&world, world.tenant).await, technician(&world, world.tenant).await);
    let (first, second, third) =
        (request(&world, wanted()).await, request(&world, wanted()).await, request(&world, wanted()).await);
    let before = ranked(&world, first).await;
    assert_eq!(before.ranked.len(), 2);
    let decided = async |id| {
        matches::decide(&world.worker, world.tenant, (id, 1), &before, &picks(&before, 900)).await.unwrap()
    };
    let mut both = Vec::new();
    for id in [first, second] {
        let Decided::Offered(offer) = decided(id).await else { panic!("somebody is free") };
        both.push(asked(&world, offer).await);
    }
    both.sort();
    assert_eq!(both, [one, other]);
    assert_eq!(decided(third).await, Decided::AllTaken);
    assert!(
        matches::receipt(&world.api, world.tenant, third, 1).await.unwrap().is_none(),
        "nothing was written"
    );
    assert_eq!(world.database.number("select count(*) from booking").await.unwrap(), 2);
}

#[tokio::test]
async fn an_answer_is_heard_once_and_whoever_comes_later_is_told() {
    let world = World::new().await;
    technician(&world, world.tenant).await;
    let id = request(&world, wanted()).await;
    let offer = offered(&world, id, 1).await;
    let stranger = world.tenant("other").await;
    let theirs = matches::answer(&world.api, stranger, offer, Word::Accepted).await.unwrap();
    assert!(matches!(theirs, Answered::Missing));
    assert_eq!(matches::expire(&world.worker, world.tenant, offer, 1).await.unwrap(), None, "there is time");
    for _ in 0..2 {
        assert!(
            matches!(answer(&world, offer, Word::Accepted).await, Answered::Heard(told) if told.state == "accepted")
        );
    }
    assert!(
        matches!(answer(&world, offer, Word::Declined).await, Answered::TooLate(told) if told.state == "accepted")
    );
    assert_eq!(matches::expire(&world.worker, world.tenant, offer, 1).await.unwrap(), Some(false));
    assert_eq!(state(&world, id).await.0, "confirmed");
    let booking = matches::offer(&world.api, world.tenant, offer).await.unwrap().unwrap().booking();
    let booking = bookings::booking(&world.api, world.tenant, booking).await.unwrap().unwrap();
    assert_eq!(booking.status().unwrap(), bookings::Status::Confirmed);
    let cancelled = cancelled(&world, id).await;
    assert!(
        matches!(answer(&world, offer, Word::Accepted).await, Answered::TooLate(told) if told.state == "withdrawn")
    );
    assert_eq!(
        (cancelled.state.as_str(), world.database.number("select count(*) from occupied").await.unwrap()),
        ("cancelled", 0)
    );
}

#[tokio::test]
async fn of_yes_and_no_at_the_same_moment_one_counts() {
    let world = World::new().await;
    technician(&world, world.tenant).await;
    for _ in 0..12 {
        let id = request(&world, wanted()).await;
        let offer = offered(&world, id, 1).await;
        let words = [Word::Accepted, Word::Declined, Word::Accepted, Word::Declined];
        let told = futures::future::join_all(words.map(|word| answer(&world, offer, word))).await;
        let heard: Vec<bool> = told.iter().map(|told| matches!(told, Answered::Heard(_))).collect();
        let accepted = state(&world, id).await.0 == "confirmed";
        assert_eq!(heard, [accepted, !accepted, accepted, !accepted]);
        let occupied = world.database.number("select count(*) from occupied").await.unwrap();
        assert_eq!(occupied, i64::from(accepted));
        matches::cancel(&world.api, world.tenant, id).await.unwrap();
    }
}

#[tokio::test]
async fn who_says_nothing_is_followed_by_the_next_until_nobody_is_left() {
    let world = World::new().await;
    for _ in 0..6 {
        technician(&world, world.tenant).await;
    }
    let id = request(&world, wanted()).await;
    let mut all = Vec::new();
    for round in 1..=5 {
        let Decided::Offered(offer) = decide(&world, id, round, 0).await else { panic!("round {round}") };
        all.push(asked(&world, offer).await);
        assert!(
            matches!(answer(&world, offer, Word::Accepted).await, Answered::TooLate(told) if told.state == "sent")
        );
        assert_eq!(
            matches::expire(&world.worker, world.tenant, offer, round + 1).await.unwrap(),
            Some(false)
        );
        for _ in 0..2 {
            assert_eq!(matches::expire(&world.worker, world.tenant, offer, round).await.unwrap(), Some(true));
        }
    }
    all.sort();
    all.dedup();
    assert_eq!(
        (all.len(), state(&world, id).await),
        (5, ("needs_dispatch".into(), 5)),
        "each was asked once"
    );
    assert_eq!(world.database.number("select count(*) from occupied").await.unwrap(), 0);
    assert_eq!(matches::offers(&world.api, world.tenant, id).await.unwrap().len(), 5);
}

#[tokio::test]
async fn whose_clock_is_ahead_takes_nothing_back_that_may_still_be_answered() {
    let world = World::new().await;
    technician(&world, world.tenant).await;
    let id = request(&world, wanted()).await;
    let offer = offered(&world, id, 1).await;
    // A host that thinks the time is up asks the database, whose clock alone counts.
    assert_eq!(matches::expire(&world.worker, world.tenant, offer, 1).await.unwrap(), None);
    assert!(matches!(answer(&world, offer, Word::Accepted).await, Answered::Heard(_)));
    assert_eq!(state(&world, id).await.0, "confirmed");
}

#[tokio::test]
async fn who_is_forgotten_while_they_are_asked_is_passed_over() {
    let world = World::new().await;
    let (one, other) = (technician(&world, world.tenant).await, technician(&world, world.tenant).await);
    let id = request(&world, wanted()).await;
    let offer = offered(&world, id, 1).await;
    let gone = asked(&world, offer).await;
    store::parties::remove(&world.api, world.tenant, gone).await.unwrap();
    assert!(matches!(answer(&world, offer, Word::Declined).await, Answered::Heard(_)));
    let next = offered(&world, id, 2).await;
    assert_eq!(asked(&world, next).await, if gone == one { other } else { one });
}

#[tokio::test]
async fn a_yes_for_somebody_who_was_forgotten_comes_too_late_and_the_next_is_asked() {
    let world = World::new().await;
    let (one, other) = (technician(&world, world.tenant).await, technician(&world, world.tenant).await);
    let id = request(&world, wanted()).await;
    let offer = offered(&world, id, 1).await;
    let gone = asked(&world, offer).await;
    store::parties::remove(&world.api, world.tenant, gone).await.unwrap();
    for _ in 0..2 {
        assert!(
            matches!(answer(&world, offer, Word::Accepted).await, Answered::TooLate(told) if told.state == "withdrawn")
        );
    }
    assert_eq!(state(&world, id).await, ("ranking".into(), 2));
    let next = offered(&world, id, 2).await;
    assert_eq!(asked(&world, next).await, if gone == one { other } else { one });
}

#[tokio::test]
async fn a_visit_that_began_is_not_called_off() {
    let world = World::new().await;
    technician(&world, world.tenant).await;
    let id = request(&world, wanted()).await;
    let offer = offered(&world, id, 1).await;
    answer(&world, offer, Word::Accepted).await;
    let booking = matches::offer(&world.api, world.tenant, offer).await.unwrap().unwrap().booking();
    for (version, to) in [(2, bookings::Status::Active), (3, bookings::Status::Done)] {
        let wanted = bookings::Move { to, version, on_time: true };
        let moved = bookings::move_to(&world.api, world.tenant, booking, wanted).await.unwrap();
        assert!(matches!(moved, bookings::Moved::Done(_)));
        let refused = matches::cancel(&world.api, world.tenant, id).await.unwrap();
        assert!(matches!(refused, Cancelled::NoWay(_, status) if status == to));
        assert_eq!(state(&world, id).await.0, "confirmed");
        assert!(matches!(answer(&world, offer, Word::Accepted).await, Answered::Heard(_)));
    }
}

#[tokio::test]
async fn those_who_wait_for_each_other_bring_one_job_and_a_way_out() {
    let world = World::new().await;
    for _ in 0..3 {
        request(&world, NewMatchRequest { in_batch: true, ..wanted() }).await;
    }
    assert_eq!(matches::waiting(&world.worker, world.tenant).await.unwrap().len(), 3);
    let jobs = "select count(*) from job where kind = 'match.batch' and scheduled_at > now()";
    assert!(world.database.number(jobs).await.unwrap() <= 2, "one for each window");
    let alone =
        "select count(*) from job where kind = 'match.rank' and scheduled_at > now() + interval '8 s'";
    assert_eq!(world.database.number(alone).await.unwrap(), 3);
    let client = NewMatchRequest { client: Some(PartyId::new()), ..wanted() };
    let made = matches::create(&world.api, world.tenant, &client, None, |_| Answer::of(202, None, &())).await;
    assert!(matches!(made.unwrap(), Requested::NoParty));
}

async fn reassigned(world: &World, id: MatchRequestId, release_now: bool) -> Reassigned {
    matches::reassign(&world.api, world.tenant, id, release_now).await.unwrap()
}

async fn offer_states(world: &World, id: MatchRequestId) -> Vec<String> {
    let offers = matches::offers(&world.api, world.tenant, id).await.unwrap();
    offers.into_iter().map(|offer| offer.state).collect()
}

#[tokio::test]
async fn somebody_stays_booked_until_somebody_else_says_yes() {
    let world = World::new().await;
    technician(&world, world.tenant).await;
    technician(&world, world.tenant).await;
    let id = request(&world, wanted()).await;
    assert!(matches!(reassigned(&world, id, false).await, Reassigned::NoWay(_)), "nobody said yes");
    let first = offered(&world, id, 1).await;
    answer(&world, first, Word::Accepted).await;
    assert!(matches!(reassigned(&world, id, false).await, Reassigned::Done(found) if found.round == 2));
    let second = offered(&world, id, 2).await;
    assert_ne!(asked(&world, first).await, asked(&world, second).await);
    assert_eq!(offer_states(&world, id).await, ["accepted", "sent"]);
    assert_eq!(world.database.number("select count(*) from occupied").await.unwrap(), 2, "both are kept");
    answer(&world, second, Word::Accepted).await;
    assert_eq!(offer_states(&world, id).await, ["withdrawn", "accepted"]);
    assert_eq!(state(&world, id).await, ("confirmed".into(), 2));
    let booked = matches::offer(&world.api, world.tenant, first).await.unwrap().unwrap().booking();
    let booked = bookings::booking(&world.api, world.tenant, booked).await.unwrap().unwrap();
    assert_eq!(booked.status().unwrap(), Status::Cancelled);
    assert_eq!(world.database.number("select count(*) from occupied").await.unwrap(), 1);
}

#[tokio::test]
async fn somebody_stays_booked_when_nobody_else_says_yes() {
    let world = World::new().await;
    technician(&world, world.tenant).await;
    technician(&world, world.tenant).await;
    let id = request(&world, wanted()).await;
    let first = offered(&world, id, 1).await;
    answer(&world, first, Word::Accepted).await;
    reassigned(&world, id, false).await;
    let second = offered(&world, id, 2).await;
    answer(&world, second, Word::Declined).await;
    assert_eq!(decide(&world, id, 3, 900).await, Decided::Nobody);
    assert_eq!(decide(&world, id, 3, 900).await, Decided::Nobody, "run again");
    assert_eq!(state(&world, id).await, ("confirmed".into(), 3));
    assert_eq!(offer_states(&world, id).await, ["accepted", "declined"]);
    // Let go of at once, and nobody is left.
    assert!(matches!(reassigned(&world, id, true).await, Reassigned::Done(_)));
    assert_eq!(world.database.number("select count(*) from occupied").await.unwrap(), 0);
    assert_eq!(decide(&world, id, 4, 900).await, Decided::Nobody);
    assert_eq!(state(&world, id).await, ("needs_dispatch".into(), 4));
}

#[tokio::test]
async fn a_booking_that_is_called_off_calls_its_request_off() {
    let world = World::new().await;
    technician(&world, world.tenant).await;
    let id = request(&world, wanted()).await;
    let offer = offered(&world, id, 1).await;
    answer(&world, offer, Word::Accepted).await;
    let booked = matches::offer(&world.api, world.tenant, offer).await.unwrap().unwrap().booking();
    let version = bookings::booking(&world.api, world.tenant, booked).await.unwrap().unwrap().version;
    assert!(matches!(move_to(&world, booked, Status::Cancelled, version).await, Moved::Done(_)));
    assert_eq!(
        (offer_states(&world, id).await, state(&world, id).await.0),
        (vec!["withdrawn".into()], "cancelled".into())
    );
}

#[tokio::test]
async fn who_took_time_off_since_they_were_ranked_is_passed_over() {
    let world = World::new().await;
    let (one, other) = (technician(&world, world.tenant).await, technician(&world, world.tenant).await);
    let id = request(&world, wanted()).await;
    let before = ranked(&world, id).await;
    let (first, second) = (before.ranked[0].party, before.ranked[1].party);
    assert!([one, other].contains(&first) && [one, other].contains(&second));
    off(&world, first, visit(9), 9).await.unwrap();
    let decided =
        matches::decide(&world.worker, world.tenant, (id, 1), &before, &picks(&before, 900)).await.unwrap();
    let Decided::Offered(offer) = decided else { panic!("somebody is there") };
    assert_eq!(asked(&world, offer).await, second);
}
