//! Bookings: one judge for everybody's time, whoever asks at the same moment and for whichever tenant.

use std::sync::Arc;

use chrono::{SubsecRound, TimeDelta, Utc};
use jobs::{BookingId, PartyId, TenantId};
use matching::{Hours, Search, Span, Terms, Visit, Window, slots};
use store::{
    bookings::{self, Booking, Lapsed, Made, Move, Moved, NewBooking, Status},
    people::{self, Changed, MembershipTerms, Needs},
    submit::Answer,
};

use crate::{
    matching::wanted,
    people::{needs, technician, terms, visit},
    world::World,
};

pub(crate) fn new(parties: &[PartyId], status: Status, during: Span) -> NewBooking {
    NewBooking {
        id: BookingId::new(),
        reference: "project/17".into(),
        status,
        during,
        before_minutes: 0,
        after_minutes: 0,
        place: None,
        held_until: None,
        parties: parties.to_vec(),
        by: "key".into(),
    }
}

async fn book(world: &World, tenant: TenantId, new: &NewBooking) -> Made {
    let answer = |_: &Booking| Ok(Answer::of(201, None, &()));
    bookings::create(&world.api, tenant, new, None, answer).await.unwrap()
}

pub(crate) async fn made(world: &World, new: NewBooking) -> BookingId {
    assert!(matches!(book(world, world.tenant, &new).await, Made::New(_)));
    new.id
}

async fn get(world: &World, id: BookingId) -> Booking {
    bookings::booking(&world.api, world.tenant, id).await.unwrap().unwrap()
}

pub(crate) async fn move_to(world: &World, id: BookingId, to: Status, version: i32) -> Moved {
    let wanted = Move { to, version, on_time: true };
    bookings::move_to(&world.api, world.tenant, id, wanted).await.unwrap()
}

#[tokio::test]
async fn of_fifty_who_want_the_same_time_one_has_it() {
    let world = Arc::new(World::new().await);
    let who = technician(&world, world.tenant).await;
    let tries = (0..50).map(|number| {
        let (world, minutes) = (Arc::clone(&world), TimeDelta::minutes(number));
        let during = Span { from: visit(9).from + minutes, until: visit(9).until + minutes };
        tokio::spawn(async move { book(&world, world.tenant, &new(&[who], Status::Confirmed, during)).await })
    });
    let outcomes = futures::future::join_all(tries).await;
    let won = outcomes.iter().filter(|made| matches!(made.as_ref().unwrap(), Made::New(_))).count();
    let lost = outcomes.iter().filter(|made| matches!(made.as_ref().unwrap(), Made::Busy(_))).count();
    assert_eq!((won, lost), (1, 49), "nobody failed");
    assert_eq!(world.database.number("select count(*) from booking").await.unwrap(), 1);
    made(&world, new(&[who], Status::Confirmed, visit(13))).await;
}

#[tokio::test]
async fn two_resources_in_any_order_are_taken_together_and_without_deadlock() {
    let world = Arc::new(World::new().await);
    let (crew, van) = (technician(&world, world.tenant).await, technician(&world, world.tenant).await);
    let tries = (0..40).map(|number| {
        let world = Arc::clone(&world);
        let both = if number % 2 == 0 { [crew, van] } else { [van, crew] };
        tokio::spawn(
            async move { book(&world, world.tenant, &new(&both, Status::Confirmed, visit(9))).await },
        )
    });
    let outcomes = futures::future::join_all(tries).await;
    let won = outcomes.iter().filter(|made| matches!(made.as_ref().unwrap(), Made::New(_))).count();
    assert_eq!((won, world.database.number("select count(*) from occupied").await.unwrap()), (1, 2));
    let van_only = book(&world, world.tenant, &new(&[PartyId::new()], Status::Pencil, visit(9))).await;
    assert!(matches!(van_only, Made::NoParty(0)));
    // Of one who is free and one who is not, neither is taken.
    made(&world, new(&[van], Status::Confirmed, visit(13))).await;
    let half = book(&world, world.tenant, &new(&[crew, van], Status::Confirmed, visit(13))).await;
    assert!(matches!(half, Made::Busy(busy) if busy == [1]));
    made(&world, new(&[crew], Status::Confirmed, visit(13))).await;
}

#[tokio::test]
async fn two_tenants_who_want_one_person_get_one_answer_each_and_no_news() {
    let world = World::new().await;
    let (mine, theirs) = (world.tenant, world.tenant("other").await);
    let (here, there) = (technician(&world, mine).await, technician(&world, theirs).await);
    people::offer_account(&world.api, mine, here, [3; 32], 15).await.unwrap();
    people::join(&world.api, theirs, there, [3; 32]).await.unwrap();
    for hour in [3, 6, 9, 12] {
        let (one, other) =
            (new(&[here], Status::Confirmed, visit(hour)), new(&[there], Status::Confirmed, visit(hour)));
        let (one, other) = tokio::join!(book(&world, mine, &one), book(&world, theirs, &other));
        let won = [&one, &other].into_iter().filter(|made| matches!(made, Made::New(_))).count();
        let lost = [&one, &other]
            .into_iter()
            .filter(|made| matches!(made, Made::Busy(busy) if busy == &[0]))
            .count();
        assert_eq!((won, lost), (1, 1));
    }
    let listed = bookings::list(&world.api, mine, Some(here), None, 9).await.unwrap().len()
        + bookings::list(&world.api, theirs, Some(there), None, 9).await.unwrap().len();
    assert_eq!(listed, 4, "each sees its own");
}

#[tokio::test]
async fn a_pencil_takes_the_time_of_whoever_the_party_is_by_then() {
    let world = World::new().await;
    let (mine, theirs) = (world.tenant, world.tenant("other").await);
    let (here, there) = (technician(&world, mine).await, technician(&world, theirs).await);
    let pencil = made(&world, new(&[here], Status::Pencil, visit(9))).await;
    people::offer_account(&world.api, theirs, there, [4; 32], 15).await.unwrap();
    let joined = people::join(&world.api, mine, here, [4; 32]).await.unwrap();
    assert_eq!(joined, people::Joined::Done);
    let elsewhere = new(&[there], Status::Confirmed, visit(9));
    assert!(matches!(book(&world, theirs, &elsewhere).await, Made::New(_)));
    assert!(matches!(move_to(&world, pencil, Status::Confirmed, 1).await, Moved::Busy(_)));

    // Who is booked is neither forgotten nor becomes somebody else.
    let removed = async |tenant, party| people::remove_membership(&world.api, tenant, party).await.unwrap();
    assert_eq!(removed(theirs, there).await, people::Removed::Busy);
    assert_eq!(removed(mine, here).await, people::Removed::Done);
    assert!(matches!(move_to(&world, pencil, Status::Confirmed, 1).await, Moved::Busy(_)), "nobody does it");
}

#[tokio::test]
async fn who_joins_an_account_while_they_are_booked_is_booked_once() {
    let world = World::new().await;
    let (mine, theirs) = (world.tenant, world.tenant("other").await);
    for round in 0..8 {
        let (here, there) = (technician(&world, mine).await, technician(&world, theirs).await);
        people::offer_account(&world.api, theirs, there, [round; 32], 15).await.unwrap();
        let elsewhere = new(&[there], Status::Confirmed, visit(9));
        assert!(matches!(book(&world, theirs, &elsewhere).await, Made::New(_)));
        let wanted = new(&[here], Status::Confirmed, visit(9));
        let join = people::join(&world.api, mine, here, [round; 32]);
        let (made, joined) = tokio::join!(book(&world, mine, &wanted), join);
        let (is_made, is_joined) = (matches!(made, Made::New(_)), joined.unwrap() == people::Joined::Done);
        assert!(is_made != is_joined, "one of both");
    }
}

#[tokio::test]
async fn a_booking_moves_under_the_version_that_was_seen_along_its_ways() {
    let world = World::new().await;
    let who = technician(&world, world.tenant).await;
    let id = made(&world, new(&[who], Status::Pencil, visit(9))).await;
    assert!(matches!(move_to(&world, id, Status::Confirmed, 2).await, Moved::Stale(now) if now.version == 1));
    assert!(matches!(move_to(&world, id, Status::Done, 1).await, Moved::NoWay(_)));
    assert!(matches!(move_to(&world, BookingId::new(), Status::Done, 1).await, Moved::Missing));
    let stranger = world.tenant("other").await;
    let theirs = bookings::move_to(
        &world.api,
        stranger,
        id,
        Move { to: Status::Confirmed, version: 1, on_time: true },
    );
    assert!(matches!(theirs.await.unwrap(), Moved::Missing));
    for (version, to) in [(1, Status::Confirmed), (2, Status::Active), (3, Status::Done)] {
        let Moved::Done(booking) = move_to(&world, id, to, version).await else { panic!("{to:?}") };
        assert_eq!((booking.version, booking.status().unwrap(), booking.hold_rank), (version + 1, to, None));
        let occupied = world.database.number("select count(*) from occupied").await.unwrap();
        assert_eq!(occupied == 1, to.occupies());
    }
    let seen = "select count(*) from evidence where kind = 'visit' and on_time";
    assert_eq!(world.database.number(seen).await.unwrap(), 1);
    let missed = made(&world, new(&[who], Status::Confirmed, visit(9))).await;
    assert!(matches!(move_to(&world, missed, Status::NoShow, 1).await, Moved::Done(_)));
    assert_eq!(
        world.database.number("select count(*) from evidence where kind = 'no_show'").await.unwrap(),
        1
    );
}

#[tokio::test]
async fn pencils_stand_in_a_line_that_closes_up() {
    let world = World::new().await;
    let who = technician(&world, world.tenant).await;
    let mut pencils = Vec::new();
    for _ in 0..4 {
        pencils.push(made(&world, new(&[who], Status::Pencil, visit(9))).await);
    }
    let apart = made(&world, new(&[who], Status::Pencil, visit(11))).await;
    let rank = async |id| get(&world, id).await.hold_rank;
    assert_eq!(
        (rank(pencils[0]).await, rank(pencils[3]).await, rank(apart).await),
        (Some(1), Some(4), Some(1))
    );
    move_to(&world, pencils[1], Status::Released, 1).await;
    assert_eq!(
        (rank(pencils[0]).await, rank(pencils[2]).await, rank(pencils[3]).await),
        (Some(1), Some(2), Some(3))
    );
    // Of those who confirm at once, one does.
    let moves = [0, 2, 3].map(|at| move_to(&world, pencils[at], Status::Confirmed, 1));
    let outcomes = futures::future::join_all(moves).await;
    let won = outcomes.iter().filter(|moved| matches!(moved, Moved::Done(_))).count();
    assert_eq!((won, outcomes.iter().filter(|moved| matches!(moved, Moved::Busy(_))).count()), (1, 2));
}

#[tokio::test]
async fn who_is_challenged_has_a_day_and_lapses_at_its_end() {
    let world = World::new().await;
    let (db, tenant) = (&world.worker, world.tenant);
    let who = technician(&world, tenant).await;
    let first = made(&world, new(&[who], Status::Pencil, visit(9))).await;
    let second = made(&world, new(&[who], Status::Pencil, visit(10))).await;
    let challenge = async |version| bookings::challenge(&world.api, tenant, second, version).await.unwrap();
    assert!(matches!(challenge(7).await, Moved::Stale(_)));
    assert!(matches!(challenge(1).await, Moved::Done(_)));
    let challenged = get(&world, first).await;
    assert_eq!((challenged.version, challenged.challenged_by()), (2, Some(second)));
    let left = challenged.held_until.unwrap() - Utc::now();
    assert!((23..=72).contains(&left.num_hours()), "a day, and a weekend at most: {left}");
    challenge(1).await;
    assert_eq!(get(&world, first).await.held_until, challenged.held_until, "asked once");
    assert_eq!(get(&world, second).await.held_until, None);
    let waiting = "select count(*) from job where kind = 'booking.lapse'";
    assert_eq!(world.database.number(waiting).await.unwrap(), 1);

    assert_eq!(bookings::lapse(db, tenant, first, 2).await.unwrap(), Lapsed::Kept, "its time is not up");
    world
        .database
        .execute("update booking set held_until = now() where held_until is not null")
        .await
        .unwrap();
    assert_eq!(bookings::lapse(db, tenant, first, 1).await.unwrap(), Lapsed::Kept, "another version");
    for _ in 0..2 {
        assert_eq!(bookings::lapse(db, tenant, first, 2).await.unwrap(), Lapsed::Released);
    }
    assert_eq!(get(&world, second).await.hold_rank, Some(1));
    assert!(matches!(challenge(1).await, Moved::Done(_)), "there is nobody to challenge");
    let held = NewBooking { held_until: Some(Utc::now()), ..new(&[who], Status::Pencil, visit(9)) };
    let held = made(&world, held).await;
    assert_eq!(bookings::lapse(db, tenant, held, 1).await.unwrap(), Lapsed::Released);
}

#[tokio::test]
async fn weekends_are_no_time_to_answer_a_challenge() {
    let world = World::new().await;
    for (challenged_at, zone, until) in [
        ("2026-11-25 15:00Z", "Europe/Vienna", "2026-11-26 15:00Z"),
        ("2026-11-27 15:00Z", "Europe/Vienna", "2026-11-30 15:00Z"),
        ("2026-11-28 15:00Z", "Europe/Vienna", "2026-11-30 23:00Z"),
        ("2026-11-29 15:00Z", "Europe/Vienna", "2026-11-30 23:00Z"),
        // Friday in Vienna, and Saturday already in Auckland.
        ("2026-11-27 15:00Z", "Pacific/Auckland", "2026-11-30 11:00Z"),
        // The same hour by the clock, which is put forward in between.
        ("2026-03-27 15:00Z", "Europe/Vienna", "2026-03-30 14:00Z"),
    ] {
        let said = format!("select to_jsonb(challenged_until('{challenged_at}', '{zone}') = '{until}')");
        assert_eq!(world.database.json(&said).await.unwrap(), true, "{challenged_at} in {zone}");
    }
}

#[tokio::test]
async fn a_challenge_ends_with_its_challenger_and_a_pencil_with_its_time() {
    let world = World::new().await;
    let who = technician(&world, world.tenant).await;
    let until = Utc::now() + TimeDelta::hours(2);
    let held = NewBooking { held_until: Some(until), ..new(&[who], Status::Pencil, visit(9)) };
    let first = made(&world, new(&[who], Status::Pencil, visit(9))).await;
    let second = made(&world, held).await;
    let third = made(&world, new(&[who], Status::Pencil, visit(9))).await;
    bookings::challenge(&world.api, world.tenant, third, 1).await.unwrap();
    assert!(matches!(move_to(&world, third, Status::Released, 1).await, Moved::Done(_)));
    for (id, before) in [(first, None), (second, Some(until.trunc_subsecs(6)))] {
        let freed = get(&world, id).await;
        assert_eq!((freed.version, freed.challenged_by(), freed.held_until), (3, None, before));
    }
    world
        .database
        .execute("update booking set held_until = now() where held_until is not null")
        .await
        .unwrap();
    let late = move_to(&world, second, Status::Confirmed, 3).await;
    assert!(matches!(late, Moved::NoWay(now) if now.status().unwrap() == Status::Released));
    assert_eq!(bookings::lapse(&world.worker, world.tenant, second, 3).await.unwrap(), Lapsed::Released);
    assert!(matches!(move_to(&world, first, Status::Confirmed, 3).await, Moved::Done(_)));
}

#[tokio::test]
async fn those_who_challenge_at_once_do_not_wait_in_a_circle() {
    let world = World::new().await;
    let who = technician(&world, world.tenant).await;
    let mut pencils = Vec::new();
    for _ in 0..12 {
        pencils.push(made(&world, new(&[who], Status::Pencil, visit(9))).await);
    }
    let challenges = pencils.iter().map(|id| bookings::challenge(&world.api, world.tenant, *id, 1));
    for told in futures::future::join_all(challenges).await {
        assert!(matches!(told.unwrap(), Moved::Done(_) | Moved::Stale(_)), "nobody failed");
    }
}

#[tokio::test]
async fn whoever_waits_is_told_when_it_is_their_turn_or_too_late() {
    let world = World::new().await;
    world.endpoint().await;
    let who = technician(&world, world.tenant).await;
    let pencil = async || made(&world, new(&[who], Status::Pencil, visit(9))).await;
    let (first, second, third) = (pencil().await, pencil().await, pencil().await);
    let elsewhere = made(&world, new(&[who], Status::Pencil, visit(13))).await;
    bookings::challenge(&world.api, world.tenant, third, 1).await.unwrap();
    move_to(&world, first, Status::Released, 2).await;
    move_to(&world, second, Status::Confirmed, 2).await;
    let event = |word: &str, id: BookingId| (format!("booking.{word}"), id.to_string());
    let mut told = world.told().await;
    told[..2].sort();
    let mut challenged = [event("challenged", first), event("challenged", second)];
    challenged.sort();
    assert_eq!(told[..2], challenged);
    assert_eq!(
        told[2..],
        [
            event("released", first),
            event("first_in_line", second),
            event("confirmed", second),
            event("at_risk", third)
        ]
    );
    assert!(get(&world, third).await.at_risk && !get(&world, elsewhere).await.at_risk);
}

#[tokio::test]
async fn a_pencil_over_what_is_confirmed_waits() {
    let world = World::new().await;
    let who = technician(&world, world.tenant).await;
    let first = made(&world, new(&[who], Status::Confirmed, visit(9))).await;
    let held_until = Some(Utc::now() + TimeDelta::hours(1));
    let held = NewBooking { held_until, ..new(&[who], Status::Pencil, visit(9)) };
    let held = made(&world, held).await;
    assert!(matches!(move_to(&world, held, Status::Confirmed, 1).await, Moved::Busy(_)));
    assert_eq!(bookings::lapse(&world.worker, world.tenant, held, 1).await.unwrap(), Lapsed::Kept);
    assert!(matches!(move_to(&world, first, Status::Cancelled, 1).await, Moved::Done(_)));
    assert!(matches!(move_to(&world, held, Status::Confirmed, 1).await, Moved::Done(_)));
}

/// Which of a visit at nine and one at ten at night, both in UTC, somebody could do.
async fn open_slots(world: &World, who: PartyId) -> [bool; 2] {
    let needs = Needs { during: Span { from: visit(9).from, until: visit(22).until }, ..needs(None) };
    let pool = people::pool(&world.api, world.tenant, &needs).await.unwrap();
    let visit = Visit { during: visit(9), place: None, ..wanted().visit };
    let search = Search { visit, step_minutes: 13 * 60, starts: 2, terms: Terms::VREM };
    let found = slots(&search, &pool.candidates);
    [0, 1].map(|at| found.slots[at].parties == [who])
}

#[tokio::test]
async fn who_moves_to_another_clock_is_free_by_it_and_what_is_held_stays_where_it_was() {
    let world = World::new().await;
    let who = technician(&world, world.tenant).await;
    let day = vec![Window { from: 9 * 60, until: 17 * 60 }];
    let by = |timezone: &str| MembershipTerms {
        timezone: timezone.into(),
        hours: Hours { week: Some(std::array::from_fn(|_| day.clone())), overrides: Vec::new() },
        ..terms(None)
    };
    let moves_to = async |timezone, version| {
        let set = people::set_membership(&world.api, world.tenant, who, Some(version), &by(timezone))
            .await
            .unwrap();
        assert!(matches!(set, Changed::Done(_)));
    };
    moves_to("Europe/Vienna", 1).await;
    assert_eq!(open_slots(&world, who).await, [true, false]);
    let held_until = Some(Utc::now().trunc_subsecs(6) + TimeDelta::hours(30));
    let held = NewBooking { held_until, ..new(&[who], Status::Pencil, visit(9)) };
    let mut pencils = vec![made(&world, new(&[who], Status::Pencil, visit(9))).await];
    for new in [held, new(&[who], Status::Pencil, visit(9)), new(&[who], Status::Confirmed, visit(15))] {
        pencils.push(made(&world, new).await);
    }
    bookings::challenge(&world.api, world.tenant, pencils[2], 1).await.unwrap();
    let stands = async || {
        let looked = pencils.iter().map(|id| get(&world, *id));
        let all = futures::future::join_all(looked).await.into_iter();
        let of = |one: Booking| (one.during(), one.held_until, one.hold_rank, one.version);
        let jobs =
            "select jsonb_agg(to_jsonb(scheduled_at) order by id) from job where kind = 'booking.lapse'";
        (all.map(of).collect::<Vec<_>>(), world.database.json(jobs).await.unwrap())
    };
    let before = stands().await;
    assert!(before.0[0].1.is_some() && before.0[1].1 < held_until, "both were challenged");
    moves_to("Pacific/Auckland", 2).await;
    assert_eq!(stands().await, before, "held until the same moments, and looked at then");
    assert_eq!(open_slots(&world, who).await, [false, true], "by the clock that they see now");
    // Where they are now nine in UTC is no hour of theirs, and what was given away stays given away.
    assert!(matches!(move_to(&world, pencils[0], Status::Confirmed, 2).await, Moved::Done(_)));
}
