//! Answers that meet something else at the same instant, and calendars that grow old between a ranking and its offer.

use matching::{Excluded, Flag, Reason, Terms};
use store::{
    bookings::{self, Status},
    matches::{self, Answered, Cancelled, Decided, NewMatchRequest, Word},
    people,
};

use crate::{
    matching::{answer, asked, decide, offered, picks, ranked, request, state, wanted},
    people::{technician, visit},
    world::World,
};

/// How many stand as accepted, as expired, and how many times are taken.
async fn counts(world: &World) -> [i64; 3] {
    let mut counts = [0; 3];
    for (count, sql) in counts.iter_mut().zip([
        "select count(*) from offer where state = 'accepted'",
        "select count(*) from offer where state = 'expired'",
        "select count(*) from occupied",
    ]) {
        *count = world.database.number(sql).await.unwrap();
    }
    counts
}

#[tokio::test]
async fn of_a_yes_and_the_end_of_its_time_at_the_same_moment_one_counts() {
    let world = World::new().await;
    technician(&world, world.tenant).await;
    let (mut yes, mut over) = (0, 0);
    // From long over to long enough, and close by in between.
    for left_ms in [-1_000, -1, 0, 1, 2, 3, 4, 6, 8, 10, 12, 16, 24, 32, 60_000] {
        let id = request(&world, wanted()).await;
        let offer = offered(&world, id, 1).await;
        let left = format!(
            "update offer set expires_at = clock_timestamp() + interval '{left_ms} ms' where state = 'sent'"
        );
        world.database.execute(&left).await.unwrap();
        let expire = async || matches::expire(&world.worker, world.tenant, offer, 1).await.unwrap();
        let (said, expired) = tokio::join!(answer(&world, offer, Word::Accepted), expire());
        let is_heard = matches!(said, Answered::Heard(_));
        assert!(!(is_heard && expired == Some(true)), "both at {left_ms} ms");
        if is_heard {
            yes += 1;
            assert_eq!(expire().await, Some(false), "{left_ms} ms");
            assert_eq!(state(&world, id).await, ("confirmed".into(), 1));
        } else {
            over += 1;
            assert_eq!(expire().await, Some(true), "whoever was too late has no time left: {left_ms} ms");
            assert_eq!(state(&world, id).await, ("ranking".into(), 2));
        }
        assert_eq!(counts(&world).await, [i64::from(is_heard), over, i64::from(is_heard)], "{left_ms} ms");
        let called_off = matches::cancel(&world.api, world.tenant, id).await.unwrap();
        assert!(matches!(called_off, Cancelled::Done(_)));
    }
    assert!(yes > 0 && over > 1, "{yes} and {over}");
}

#[tokio::test]
async fn of_a_yes_and_a_call_off_at_the_same_moment_nobody_stays_booked() {
    let world = World::new().await;
    technician(&world, world.tenant).await;
    for round in 0..16 {
        let id = request(&world, wanted()).await;
        let offer = offered(&world, id, 1).await;
        let cancel = async || matches::cancel(&world.api, world.tenant, id).await.unwrap();
        // Whoever is first in line to be looked at takes turns.
        let (said, called_off) = if round % 2 == 0 {
            tokio::join!(answer(&world, offer, Word::Accepted), cancel())
        } else {
            let (called_off, said) = tokio::join!(cancel(), answer(&world, offer, Word::Accepted));
            (said, called_off)
        };
        assert!(matches!(called_off, Cancelled::Done(request) if request.state == "cancelled"));
        // A yes that came first was called off; one that came later was told so.
        let (told_as, booking) = match said {
            Answered::Heard(told) => (told.state, Status::Cancelled),
            Answered::TooLate(told) => (told.state, Status::Void),
            Answered::Missing => panic!("there was an offer"),
        };
        let heard = if booking == Status::Cancelled { "accepted" } else { "withdrawn" };
        assert_eq!(told_as, heard);
        let stands = matches::offer(&world.api, world.tenant, offer).await.unwrap().unwrap();
        let booked = bookings::booking(&world.api, world.tenant, stands.booking()).await.unwrap().unwrap();
        assert_eq!((stands.state.as_str(), booked.status().unwrap()), ("withdrawn", booking));
        assert_eq!(counts(&world).await, [0, 0, 0]);
        assert_eq!(state(&world, id).await, ("cancelled".into(), 1));
        assert!(
            matches!(answer(&world, offer, Word::Accepted).await, Answered::TooLate(told) if told.state == "withdrawn")
        );
    }
}

#[tokio::test]
async fn everybody_who_declines_in_turn_is_asked_once_and_then_a_person_is() {
    let world = World::new().await;
    let mut people = Vec::new();
    for _ in 0..3 {
        people.push(technician(&world, world.tenant).await);
    }
    let id = request(&world, wanted()).await;
    let mut all = Vec::new();
    for round in 1..=3 {
        let offer = offered(&world, id, round).await;
        all.push(asked(&world, offer).await);
        assert!(matches!(answer(&world, offer, Word::Declined).await, Answered::Heard(_)));
        assert_eq!(state(&world, id).await, ("ranking".into(), round + 1));
    }
    all.sort();
    assert_eq!(all, people, "each once");
    let left = ranked(&world, id).await;
    let reasons: Vec<Reason> = left.excluded.iter().map(|excluded| excluded.reason).collect();
    assert_eq!((left.ranked.len(), reasons), (0, vec![Reason::AlreadyDeclined; 3]));
    assert_eq!(decide(&world, id, 4, 900).await, Decided::Nobody);
    assert_eq!(state(&world, id).await, ("needs_dispatch".into(), 4));
    assert_eq!(counts(&world).await, [0, 0, 0]);
}

#[tokio::test]
async fn strict_rules_pass_over_whose_calendar_grew_old_since_they_were_ranked() {
    let world = World::new().await;
    let who = technician(&world, world.tenant).await;
    assert!(people::read_calendar(&world.api, world.tenant, who, &[visit(20)]).await.unwrap());
    let strict = Terms { strict_calendars: true, ..Terms::VREM };
    let id = request(&world, NewMatchRequest { terms: strict, ..wanted() }).await;
    let lax = request(&world, wanted()).await;
    let fresh = ranked(&world, id).await;
    assert_eq!((fresh.ranked.len(), fresh.ranked[0].flags.as_slice()), (1, &[] as &[Flag]));
    let read = async |minutes: u32| {
        let sql = format!(
            "update membership set calendar_read_at = clock_timestamp() - interval '{minutes} minutes'"
        );
        world.database.execute(&sql).await.unwrap();
    };
    read(31).await;
    let decided =
        matches::decide(&world.worker, world.tenant, (id, 1), &fresh, &picks(&fresh, 900)).await.unwrap();
    assert_eq!(decided, Decided::AllTaken, "everybody is looked at again");
    let again = ranked(&world, id).await;
    assert_eq!((again.ranked.len(), again.excluded.len()), (0, 1));
    assert!(
        matches!(&again.excluded[0], Excluded { party, reason: Reason::CalendarStale, .. } if *party == who)
    );
    // Read again, they are asked; and what they say counts, however old their calendar is by then.
    read(29).await;
    let offer = offered(&world, id, 1).await;
    read(31).await;
    assert!(matches!(answer(&world, offer, Word::Accepted).await, Answered::Heard(_)));
    assert_eq!(state(&world, id).await.0, "confirmed");
    assert!(matches!(matches::cancel(&world.api, world.tenant, id).await.unwrap(), Cancelled::Done(_)));
    // Other rules only mark them.
    assert!(matches!(decide(&world, lax, 1, 900).await, Decided::Offered(_)));
    let receipt = matches::receipt(&world.api, world.tenant, lax, 1).await.unwrap().unwrap().receipt.0;
    assert_eq!(receipt.ranked[0].flags, [Flag::CalendarStale]);
}
