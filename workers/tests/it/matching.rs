//! From a request to somebody who does it, through real workers: races, refusals, silence, and many at once.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{ContactPointId, MatchRequestId, PartyId, State, kinds::match_batch::MatchBatch};
use matching::{Hours, Point, Span, Terms, Visit};
use store::{
    enqueue::NewJob,
    matches::{self, Answered, MatchRequest, NewMatchRequest, Offer, Requested, Word},
    messages,
    parties::{self, Terms as PartyTerms},
    people::{self, Changed, MembershipTerms},
    submit::Answer,
};
use testkit::eventually;

use crate::world::{SOON, World};

/// Somebody who works so many kilometres north of Vienna.
pub(crate) async fn technician(world: &World, km: f64) -> PartyId {
    let terms = PartyTerms { name: "Ada".into(), locale: "en".into(), timezone: None, quiet: None };
    let inbox = (ContactPointId::new(), [7; 32]);
    let (party, noted) = (PartyId::new(), |_| Answer::of(201, None, &()));
    parties::create(&world.api, world.tenant, party, &terms, inbox, None, noted).await.unwrap();
    let terms = MembershipTerms {
        is_active: true,
        roles: vec!["technician".into()],
        sites: Vec::new(),
        skills: Vec::new(),
        timezone: "Europe/Vienna".into(),
        hours: Hours::default(),
        home: Point::new(48.2 + km / 111.195, 16.37),
        radius_m: 50_000,
        visits_max: None,
        minutes_max: None,
        is_preferred: false,
    };
    let set = people::set_membership(&world.api, world.tenant, party, None, &terms).await.unwrap();
    assert!(matches!(set, Changed::Done(_)));
    party
}

/// A visit of two hours, ten days ahead, so many kilometres north of Vienna.
pub(crate) fn wanted(km: f64) -> NewMatchRequest {
    let from: DateTime<Utc> = Utc::now() + TimeDelta::days(10);
    NewMatchRequest {
        id: MatchRequestId::new(),
        reference: "12 Elm Street".into(),
        visit: Visit {
            during: Span { from, until: from + TimeDelta::hours(2) },
            before_minutes: 0,
            after_minutes: 0,
            place: Point::new(48.2 + km / 111.195, 16.37),
            role: "technician".into(),
            skills: Vec::new(),
            site: None,
        },
        terms: Terms::VREM,
        preset: None,
        client: None,
        company: None,
        link: Some("https://example.com/offers".into()),
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

async fn state(world: &World, id: MatchRequestId) -> String {
    matches::request(&world.api, world.tenant, id).await.unwrap().unwrap().state
}

async fn becomes(world: &World, id: MatchRequestId, wanted: &str) {
    eventually(&format!("{id} to be {wanted}"), SOON, async || {
        (state(world, id).await == wanted).then_some(())
    })
    .await;
}

/// The question of this round.
async fn asked(world: &World, id: MatchRequestId, round: i16) -> Offer {
    eventually("somebody to be asked", SOON, async || {
        let offers = matches::offers(&world.api, world.tenant, id).await.unwrap();
        offers.into_iter().find(|offer| offer.generation == round)
    })
    .await
}

async fn answer(world: &World, offer: &Offer, said: Word) {
    let answered = matches::answer(&world.api, world.tenant, offer.id(), said).await.unwrap();
    assert!(matches!(answered, Answered::Heard(_)));
}

#[tokio::test]
async fn who_declines_or_is_silent_is_followed_by_the_next_and_each_is_told() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let people =
        [technician(&world, 1.0).await, technician(&world, 2.0).await, technician(&world, 3.0).await];
    let id = request(&world, wanted(0.0)).await;
    // Whoever answers before is not told: there is nothing to be told of any more.
    let is_told = async |party: PartyId| {
        eventually("each to be told", SOON, async || {
            let since = Utc::now() - TimeDelta::hours(1);
            let told = messages::history(&world.api, world.tenant, party, since).await.unwrap();
            told.iter().any(|told| told.template == "offer").then_some(())
        })
        .await;
    };
    let first = asked(&world, id, 1).await;
    is_told(first.party()).await;
    answer(&world, &first, Word::Declined).await;
    let second = asked(&world, id, 2).await;
    is_told(second.party()).await;
    // Its time is over, and so is the job's that looks.
    for sql in [
        "update offer set expires_at = now() where state = 'sent'",
        "update job set scheduled_at = now() where kind = 'match.offer_expire'",
    ] {
        world.database.execute(sql).await.unwrap();
    }
    let third = asked(&world, id, 3).await;
    is_told(third.party()).await;
    answer(&world, &third, Word::Accepted).await;
    assert_eq!([first.party(), second.party(), third.party()], people, "the nearest first");
    becomes(&world, id, "confirmed").await;
    let receipt = matches::receipt(&world.api, world.tenant, id, 3).await.unwrap().unwrap();
    assert_eq!((receipt.receipt.ranked.len(), receipt.receipt.excluded.len()), (1, 2));
}

/// Fifty orders at once for one slot, with two workers at them, and every yes said at the same moment: how many were given out.
async fn fifty_orders(people: &[f64]) -> usize {
    let world = World::new().await;
    let workers = [world.start(&[]), world.start(&[])];
    for worker in &workers {
        worker.ready().await;
    }
    for km in people {
        technician(&world, *km).await;
    }
    let wanted: Vec<NewMatchRequest> = (0..50).map(|_| wanted(0.0)).collect();
    let ids = futures::future::join_all(wanted.into_iter().map(|new| request(&world, new))).await;
    let count = async |sql: &str| world.database.number(sql).await.unwrap();
    let settled = "select count(*) from match_request where state <> 'ranking'";
    eventually("every order to be looked at", SOON * 2, async || (count(settled).await == 50).then_some(()))
        .await;
    let mut offers = Vec::new();
    for id in &ids {
        offers.extend(matches::offers(&world.api, world.tenant, *id).await.unwrap());
    }
    futures::future::join_all(offers.iter().map(|offer| answer(&world, offer, Word::Accepted))).await;
    let asked: BTreeSet<PartyId> = offers.iter().map(Offer::party).collect();
    assert_eq!(asked.len(), offers.len(), "nobody is asked twice");
    let given = "select count(*) from match_request where state = 'confirmed'";
    assert_eq!(count(given).await, offers.len() as i64);
    let booked =
        "select count(*) from occupied join booking b on b.id = booking_id where b.status = 'confirmed'";
    assert_eq!(count(booked).await, offers.len() as i64);
    let dispatched = "select count(*) from match_request where state = 'needs_dispatch'";
    assert_eq!(count(dispatched).await, 50 - offers.len() as i64);
    let failed = "select count(*) from attempt where outcome in ('retried', 'discarded')";
    assert_eq!(count(failed).await, 0, "nobody met a deadlock");
    offers.len()
}

#[tokio::test]
async fn of_fifty_orders_for_one_slot_as_many_are_given_out_as_there_are_people() {
    assert_eq!(fifty_orders(&[1.0, 2.0, 3.0]).await, 3, "each of them once");
}

#[tokio::test]
async fn of_fifty_orders_for_one_person_one_is_given_out() {
    assert_eq!(fifty_orders(&[1.0]).await, 1);
}

#[tokio::test]
async fn visits_that_wait_for_each_other_are_given_out_in_the_best_way() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    // Both visits are nearest to the one in the middle; one of them is in reach of nobody else.
    let (middle, far) = (technician(&world, 0.0).await, technician(&world, -40.0).await);
    let batch = |km| NewMatchRequest { in_batch: true, ..wanted(km) };
    let (easy, hard) = (request(&world, batch(1.0)).await, request(&world, batch(30.0)).await);
    let job = world.enqueue(&[NewJob::of(&MatchBatch { window: 0 }).unwrap()]).await[0];
    world.reaches(job, State::Completed).await;
    let told = world.job(job).await.result.unwrap().0.inline().unwrap().clone();
    assert_eq!(told, serde_json::json!({"requests": 2, "offered": 2, "optimal": true}));
    assert_eq!(asked(&world, hard, 1).await.party(), middle, "only they can");
    assert_eq!(asked(&world, easy, 1).await.party(), far);
}

#[tokio::test]
async fn where_nobody_is_left_a_person_has_to_see_to_it() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let id = request(&world, wanted(0.0)).await;
    becomes(&world, id, "needs_dispatch").await;
    let only = technician(&world, 1.0).await;
    let id = request(&world, wanted(0.0)).await;
    let offer = asked(&world, id, 1).await;
    assert_eq!(offer.party(), only);
    answer(&world, &offer, Word::Declined).await;
    becomes(&world, id, "needs_dispatch").await;
}
