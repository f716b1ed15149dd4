//! The judge at its edges: what is kept free around a visit, and what one house learns of another over one person.

use chrono::TimeDelta;
use jobs::{MatchRequestId, PartyId, TenantId};
use matching::{Excluded, Point, Ranking, Reason, Span, Taken, Visit, What, rank};
use store::{
    bookings::{self, Booking, Made, NewBooking, Status},
    matches::{self, Decided, MatchRequest, NewMatchRequest, Requested},
    people::{self, Changed, MembershipTerms, Needs},
    submit::Answer,
};

use crate::{
    bookings::new,
    matching::{picks, wanted},
    people::{needs, technician, terms, visit},
    world::World,
};

/// Everybody in their order, as they are now.
pub(crate) async fn ranked_in(world: &World, tenant: TenantId, id: MatchRequestId) -> Ranking {
    let request = matches::request(&world.worker, tenant, id).await.unwrap().unwrap();
    let needs = Needs {
        during: request.visit.during,
        place: request.visit.place,
        client: request.client(),
        company: request.company(),
        request: Some(id),
        role: request.visit.role.clone(),
        most: people::CANDIDATES_MAX,
    };
    let pool = people::pool(&world.worker, tenant, &needs).await.unwrap();
    rank(&request.visit, &pool.candidates, &request.terms)
}

async fn request_in(world: &World, tenant: TenantId, visit: Visit) -> MatchRequestId {
    let new = NewMatchRequest { visit, ..wanted() };
    let answer = |_: &MatchRequest| Answer::of(202, None, &());
    let made = matches::create(&world.api, tenant, &new, None, answer).await.unwrap();
    assert!(matches!(made, Requested::New(_)));
    new.id
}

async fn decide_in(world: &World, tenant: TenantId, id: MatchRequestId, by: &Ranking) -> Decided {
    matches::decide(&world.worker, tenant, (id, 1), by, &picks(by, 900)).await.unwrap()
}

async fn book_in(world: &World, tenant: TenantId, new: &NewBooking) -> Made {
    let answer = |_: &Booking| Ok(Answer::of(201, None, &()));
    bookings::create(&world.api, tenant, new, None, answer).await.unwrap()
}

/// Two hours that begin so many minutes after nine.
fn after_nine(minutes: i64) -> Span {
    let by = TimeDelta::minutes(minutes);
    Span { from: visit(9).from + by, until: visit(9).until + by }
}

/// A visit of two hours so many minutes after nine, with so much kept free before and after it, there.
fn kept(who: PartyId, minutes: i64, (before, after): (u16, u16), place: Option<Point>) -> NewBooking {
    let during = after_nine(minutes);
    NewBooking {
        before_minutes: before,
        after_minutes: after,
        place,
        ..new(&[who], Status::Confirmed, during)
    }
}

#[tokio::test]
async fn what_is_kept_free_around_two_visits_may_touch_and_not_overlap() {
    let world = World::new().await;
    // 11.1 km of line are 22 minutes of road.
    let (north, south) = (Point::new(48.3, 16.37), Point::new(48.1, 16.37));
    // What is kept after the first, both ways, and what is kept before the second add up to the gap.
    for (after, before, there, then, gap) in [
        (0, 0, None, None, 0),
        (30, 45, None, None, 30 + 45),
        (0, 0, north, None, 22),
        (0, 0, None, south, 22),
        (0, 0, north, south, 22 + 22),
        (15, 10, north, south, 15 + 22 + 22 + 10),
    ] {
        let who = technician(&world, world.tenant).await;
        let book = async |booking: NewBooking| book_in(&world, world.tenant, &booking).await;
        assert!(matches!(book(kept(who, 0, (0, after), there)).await, Made::New(_)));
        let too_soon = book(kept(who, 120 + gap - 1, (before, 0), then)).await;
        assert!(matches!(too_soon, Made::Busy(busy) if busy == [0]), "a minute less than {gap}");
        let at_the_edge = book(kept(who, 120 + gap, (before, 0), then)).await;
        assert!(matches!(at_the_edge, Made::New(_)), "{gap} minutes");
        // And the other way round: whoever comes in front of both keeps what is theirs free.
        let in_front = async |minutes: i64| book(kept(who, minutes, (0, before), then)).await;
        let gap = gap - i64::from(after);
        assert!(matches!(in_front(-120 - gap + 1).await, Made::Busy(_)), "in front");
        assert!(matches!(in_front(-120 - gap).await, Made::New(_)), "in front, {gap} minutes");
    }
}

#[tokio::test]
async fn somebody_far_away_before_is_asked_when_there_is_time_for_the_way() {
    let world = World::new().await;
    let who = technician(&world, world.tenant).await;
    let far = kept(who, 0, (0, 15), Point::new(48.3, 16.37));
    let far_id = far.id;
    let sought = |minutes| Visit { during: after_nine(minutes), before_minutes: 10, ..wanted().visit };
    // Ranked while they were free, and decided when they are not any more: the judge says no as well.
    let edge = 120 + 15 + 22 + 10;
    let late = request_in(&world, world.tenant, sought(edge - 1)).await;
    let before = ranked_in(&world, world.tenant, late).await;
    assert_eq!(before.ranked.len(), 1);
    assert!(matches!(book_in(&world, world.tenant, &far).await, Made::New(_)));
    assert_eq!(decide_in(&world, world.tenant, late, &before).await, Decided::AllTaken);
    let now = ranked_in(&world, world.tenant, late).await;
    let busy = Excluded { party: who, reason: Reason::Busy, evidence: Some(far_id.to_string()) };
    assert_eq!(now.excluded, [busy]);
    let in_time = request_in(&world, world.tenant, sought(edge)).await;
    let free = ranked_in(&world, world.tenant, in_time).await;
    assert!(matches!(decide_in(&world, world.tenant, in_time, &free).await, Decided::Offered(_)));
}

#[tokio::test]
async fn a_day_fills_with_what_is_booked_and_a_ranking_keeps_what_it_was_made_from() {
    let world = World::new().await;
    let who = technician(&world, world.tenant).await;
    let capped = MembershipTerms { visits_max: Some(2), minutes_max: Some(300), ..terms(None) };
    let set = people::set_membership(&world.api, world.tenant, who, Some(1), &capped).await.unwrap();
    assert!(matches!(set, Changed::Done(_)));
    let id = request_in(&world, world.tenant, Visit { during: visit(17), ..wanted().visit }).await;
    let evidence = async || {
        let excluded = ranked_in(&world, world.tenant, id).await.excluded.pop();
        excluded.map(|one| (one.reason, one.evidence.unwrap()))
    };
    // Three hours count, a pencil and the day after do not.
    let long = Span { from: visit(8).from, until: visit(9).until };
    let tomorrow = Span { from: visit(33).from, until: visit(33).until };
    for (status, during) in
        [(Status::Confirmed, long), (Status::Pencil, visit(13)), (Status::Confirmed, tomorrow)]
    {
        assert!(matches!(book_in(&world, world.tenant, &new(&[who], status, during)).await, Made::New(_)));
    }
    assert_eq!(evidence().await, None, "two visits of two, 300 minutes of 300");
    let short = Span { until: visit(13).from + TimeDelta::minutes(1), ..visit(13) };
    let short = new(&[who], Status::Confirmed, short);
    assert!(matches!(book_in(&world, world.tenant, &short).await, Made::New(_)));
    assert_eq!(evidence().await, Some((Reason::DayFull, "3 visits of 2".into())));
    let roomy = MembershipTerms { visits_max: None, ..capped };
    people::set_membership(&world.api, world.tenant, who, Some(2), &roomy).await.unwrap();
    assert_eq!(evidence().await, Some((Reason::DayFull, "301 minutes of 300".into())));
    people::set_membership(&world.api, world.tenant, who, Some(3), &terms(None)).await.unwrap();
    let ranking = ranked_in(&world, world.tenant, id).await;
    assert!(matches!(decide_in(&world, world.tenant, id, &ranking).await, Decided::Offered(_)));
    let receipt = matches::receipt(&world.api, world.tenant, id, 1).await.unwrap().unwrap().receipt.0;
    assert_eq!((receipt.ranked[0].party, receipt.ranked[0].version), (who, 4), "as they were then");
}

/// Another house, and one person who is a party here and another there.
async fn of_two_houses(world: &World) -> (TenantId, PartyId, PartyId) {
    let theirs = world.tenant("other").await;
    let (here, there) = (technician(world, world.tenant).await, technician(world, theirs).await);
    people::offer_account(&world.api, world.tenant, here, [3; 32], 15).await.unwrap();
    assert_eq!(people::join(&world.api, theirs, there, [3; 32]).await.unwrap(), people::Joined::Done);
    (theirs, here, there)
}

#[tokio::test]
async fn what_another_house_booked_is_busy_here_and_nothing_else() {
    let world = World::new().await;
    let mine = world.tenant;
    let (theirs, here, there) = of_two_houses(&world).await;
    let secret = NewBooking {
        reference: "7 Rosebud Lane".into(),
        place: Point::new(48.234_567, 16.37),
        ..new(&[there], Status::Confirmed, visit(9))
    };
    assert!(matches!(book_in(&world, theirs, &secret).await, Made::New(_)));
    let taken = async |db, tenant| {
        let mut pool = people::pool(db, tenant, &needs(None)).await.unwrap();
        assert_eq!(pool.candidates.len(), 1);
        let one = pool.candidates.remove(0);
        (one.taken, one.visits, one.week_minutes, one.last_offered_at)
    };
    // 3.8 km of line are 8 minutes of road.
    let ways = TimeDelta::minutes(8);
    let during = Span { from: visit(9).from - ways, until: visit(9).until + ways };
    for db in [&world.api, &world.worker] {
        let busy = Taken { during, what: What::Busy(None) };
        assert_eq!(taken(db, mine).await, (vec![busy], Vec::new(), 0, None));
        let own = Taken { during, what: What::Busy(Some(secret.id.to_string())) };
        assert_eq!(taken(db, theirs).await.0, [own]);
    }
    // And so it stands in what is kept of a ranking.
    let id = request_in(&world, mine, wanted().visit).await;
    let ranking = ranked_in(&world, mine, id).await;
    assert_eq!(decide_in(&world, mine, id, &ranking).await, Decided::Nobody);
    let receipt = matches::receipt(&world.api, mine, id, 1).await.unwrap().unwrap().receipt.0;
    assert_eq!(
        receipt.excluded,
        [Excluded { party: here, reason: Reason::Busy, evidence: Some("busy".into()) }]
    );
    assert!(receipt.ranked.is_empty());
    // Nor does any row of this house hold a word of the other's.
    let kept = "select jsonb_agg(to_jsonb(r) - 'tenant_id') from (
        select tenant_id, to_jsonb(q) as kept from match_request q union all select tenant_id, receipt from match_receipt
        union all select tenant_id, to_jsonb(m) from membership m) r where tenant_id = ";
    let kept = world.database.json(&format!("{kept} '{}'", mine.as_uuid())).await.unwrap().to_string();
    assert!(kept.contains(&here.as_uuid().to_string()), "{kept}");
    let (booking, party, house) = (secret.id.as_uuid(), there.as_uuid(), theirs.as_uuid());
    let ids = [booking, party, house].map(|id| [id.to_string(), id.simple().to_string()]);
    for told in ids.as_flattened() {
        assert!(!kept.contains(told), "{told} in {kept}");
    }
    assert!(!kept.contains("Rosebud") && !kept.contains("48.234567"), "{kept}");
}

#[tokio::test]
async fn of_two_houses_that_ask_one_person_at_once_one_is_heard() {
    let world = World::new().await;
    let mine = world.tenant;
    let (theirs, here, there) = of_two_houses(&world).await;
    for hour in [1, 4, 7, 10, 13, 16, 19, 22] {
        let sought = || Visit { during: visit(hour), ..wanted().visit };
        let (one, other) =
            (request_in(&world, mine, sought()).await, request_in(&world, theirs, sought()).await);
        let (by_one, by_other) = (ranked_in(&world, mine, one).await, ranked_in(&world, theirs, other).await);
        assert_eq!((by_one.ranked.len(), by_other.ranked.len()), (1, 1), "both think they are free");
        let told =
            tokio::join!(decide_in(&world, mine, one, &by_one), decide_in(&world, theirs, other, &by_other));
        let (tenant, id, party) = match told {
            (Decided::Offered(_), Decided::AllTaken) => (theirs, other, there),
            (Decided::AllTaken, Decided::Offered(_)) => (mine, one, here),
            both => panic!("one of both: {both:?}"),
        };
        let again = ranked_in(&world, tenant, id).await;
        assert_eq!(
            (again.ranked.len(), again.excluded.clone()),
            (0, vec![Excluded { party, reason: Reason::Busy, evidence: Some("busy".into()) }])
        );
        assert_eq!(decide_in(&world, tenant, id, &again).await, Decided::Nobody);
        let request = matches::request(&world.api, tenant, id).await.unwrap().unwrap();
        assert_eq!(request.state, "needs_dispatch");
        assert!(matches::offers(&world.api, tenant, id).await.unwrap().is_empty());
    }
    let booked = async |tenant| bookings::list(&world.api, tenant, None, None, 20).await.unwrap().len();
    assert_eq!(booked(mine).await + booked(theirs).await, 8, "whoever was not heard has no booking");
}
