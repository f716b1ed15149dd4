//! Those who do work: what is known of them, whose time it is, and who is in reach.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{AbsenceId, ContactPointId, PartyId, TenantId};
use matching::{Hours, Point, Preferred, Span, What};
use store::{
    parties::{self, Terms},
    people::{
        self, Absence, AbsenceKind, AbsenceMade, Changed, Joined, MembershipTerms, Needs, Noted, Observed,
        Removed, Said, read_calendar,
    },
    submit::Answer,
};

use crate::world::World;

/// Notes that somebody is off, if they are not off `max` times already.
pub(crate) async fn off(world: &World, party: PartyId, during: Span, max: i64) -> Option<AbsenceId> {
    let mut noted = None;
    let answer = |made: Absence| {
        noted = Some(made.id());
        Answer::of(201, None, &())
    };
    let wanted = (AbsenceKind::TimeOff, during, "dentist");
    let made = people::add_absence(&world.api, world.tenant, party, wanted, max, None, answer).await.unwrap();
    assert_eq!(matches!(made, AbsenceMade::New(_)), noted.is_some(), "{made:?}");
    noted
}

/// Somebody, who does no work yet.
pub(crate) async fn party(world: &World, tenant: TenantId) -> PartyId {
    let (party, inbox) = (PartyId::new(), ContactPointId::new());
    let terms = Terms { name: "Ada".into(), locale: "en".into(), timezone: None, quiet: None };
    let noted = |_| Answer::of(201, None, &());
    parties::create(&world.api, tenant, party, &terms, (inbox, [7; 32]), None, noted).await.unwrap();
    party
}

pub(crate) fn terms(home: Option<Point>) -> MembershipTerms {
    MembershipTerms {
        is_active: true,
        roles: vec!["technician".into()],
        sites: Vec::new(),
        skills: Vec::new(),
        timezone: "Europe/Vienna".into(),
        hours: Hours::default(),
        home,
        radius_m: 50_000,
        visits_max: None,
        minutes_max: None,
        is_preferred: false,
    }
}

/// Somebody who works from `home`.
pub(crate) async fn technician_at(world: &World, tenant: TenantId, home: Option<Point>) -> PartyId {
    let party = party(world, tenant).await;
    let set = people::set_membership(&world.api, tenant, party, None, &terms(home)).await.unwrap();
    assert!(matches!(set, Changed::Done(_)));
    party
}

/// Somebody who works in Vienna.
pub(crate) async fn technician(world: &World, tenant: TenantId) -> PartyId {
    technician_at(world, tenant, Point::new(48.2, 16.37)).await
}

/// Two hours from so many hours on, on a day ahead.
pub(crate) fn visit(from_hour: i64) -> Span {
    let day: DateTime<Utc> =
        (Utc::now() + TimeDelta::days(3)).date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
    Span { from: day + TimeDelta::hours(from_hour), until: day + TimeDelta::hours(from_hour + 2) }
}

pub(crate) fn needs(place: Option<Point>) -> Needs {
    Needs {
        during: visit(9),
        place,
        client: None,
        company: None,
        request: None,
        role: "technician".into(),
        most: people::CANDIDATES_MAX,
    }
}

#[tokio::test]
async fn what_is_known_changes_under_the_version_that_was_seen() {
    let world = World::new().await;
    let (db, tenant) = (&world.api, world.tenant);
    let who = technician(&world, tenant).await;
    let better = MembershipTerms { radius_m: 9_000, ..terms(None) };
    let Changed::Moved(now) = people::set_membership(db, tenant, who, None, &better).await.unwrap() else {
        panic!("it was said before")
    };
    assert_eq!(now.version, 1);
    let Changed::Done(set) = people::set_membership(db, tenant, who, Some(1), &better).await.unwrap() else {
        panic!("nobody changed it")
    };
    assert_eq!((set.version, set.radius_m, set.home()), (2, 9_000, None));
    let stale = people::set_membership(db, tenant, who, Some(1), &better).await.unwrap();
    assert!(matches!(stale, Changed::Moved(now) if now.version == 2));
    let nobody = people::set_membership(db, tenant, PartyId::new(), None, &better).await.unwrap();
    assert!(matches!(nobody, Changed::Missing));
    let never = party(&world, tenant).await;
    assert!(matches!(
        people::set_membership(db, tenant, never, Some(1), &better).await.unwrap(),
        Changed::Missing
    ));

    let other = world.tenant("other").await;
    assert!(matches!(
        people::set_membership(db, other, who, Some(2), &better).await.unwrap(),
        Changed::Missing
    ));
    assert!(people::membership(db, other, who).await.unwrap().is_none());
    let listed = people::memberships(db, tenant, None, 9).await.unwrap();
    assert_eq!(listed.iter().map(people::Membership::party).collect::<Vec<_>>(), [who]);
    assert!(people::memberships(db, tenant, Some(who.as_uuid()), 9).await.unwrap().is_empty());
    assert_eq!(people::remove_membership(db, tenant, who).await.unwrap(), Removed::Done);
    assert_eq!(people::remove_membership(db, tenant, who).await.unwrap(), Removed::Missing);
}

#[tokio::test]
async fn who_is_in_reach_is_found_across_the_antimeridian_and_at_the_poles() {
    let world = World::new().await;
    let tenant = world.tenant;
    let at = |latitude, longitude| Point::new(latitude, longitude);
    let vienna = technician_at(&world, tenant, at(48.2, 16.37)).await;
    let fiji = technician_at(&world, tenant, at(-17.0, 179.99)).await;
    let pole = technician_at(&world, tenant, at(89.99, 10.0)).await;
    let island = technician_at(&world, tenant, at(0.0, 0.0)).await;
    let anywhere = technician_at(&world, tenant, None).await;
    for (place, near) in [
        (at(48.1, 16.4), Some(vienna)),
        (at(-17.0, -179.99), Some(fiji)),
        (at(-17.0, 179.98), Some(fiji)),
        (at(89.99, -170.0), Some(pole)),
        (at(0.0, 0.0), Some(island)),
        (at(-0.1, 0.1), Some(island)),
        (at(0.0, 90.0), None),
    ] {
        for db in [&world.api, &world.worker] {
            let pool = people::pool(db, tenant, &needs(place)).await.unwrap();
            let found: Vec<PartyId> = pool.candidates.iter().map(|candidate| candidate.party).collect();
            assert_eq!(found, near.into_iter().chain([anywhere]).collect::<Vec<_>>(), "{place:?}");
        }
    }
    let all = people::pool(&world.api, tenant, &needs(None)).await.unwrap();
    assert_eq!((all.candidates.len(), all.is_cut), (5, false));
    let homes: Vec<Option<Point>> = all.candidates.iter().map(|candidate| candidate.home).collect();
    assert_eq!(homes[3..], [at(0.0, 0.0), None], "no degrees at all are a place like any other");
    let one = Needs { most: 1, ..needs(at(48.1, 16.4)) };
    let cut = people::pool(&world.api, tenant, &one).await.unwrap();
    assert_eq!((cut.candidates.len(), cut.is_cut), (1, true));
    assert_eq!(cut.candidates[0].party, vienna, "who starts from no known place comes last");
    // A degree of longitude is shorter in the north; who takes no such work makes room.
    let (east, south) = (technician_at(&world, tenant, at(60.0, 10.3)).await, at(59.8, 10.0));
    technician_at(&world, tenant, south).await;
    let north = Needs { most: 1, ..needs(at(60.0, 10.0)) };
    let nearest = async || people::pool(&world.api, tenant, &north).await.unwrap().candidates[0].party;
    assert_eq!(nearest().await, east);
    let idle = MembershipTerms { is_active: false, ..terms(at(60.0, 10.3)) };
    people::set_membership(&world.api, tenant, east, Some(1), &idle).await.unwrap();
    assert_ne!(nearest().await, east);
    let fijian =
        people::pool(&world.api, tenant, &Needs { most: 1, ..needs(at(-17.0, -179.99)) }).await.unwrap();
    assert_eq!(fijian.candidates[0].party, fiji);
    let stranger = world.tenant("other").await;
    assert!(people::pool(&world.worker, stranger, &needs(None)).await.unwrap().candidates.is_empty());
}

#[tokio::test]
async fn everything_that_counts_comes_with_a_candidate() {
    let world = World::new().await;
    let (db, tenant) = (&world.api, world.tenant);
    let (who, client, company) =
        (technician(&world, tenant).await, party(&world, tenant).await, party(&world, tenant).await);
    let needs = Needs { client: Some(client), company: Some(company), ..needs(None) };
    let one = async || people::pool(&world.worker, tenant, &needs).await.unwrap().candidates.remove(0);
    for (by, said, preferred) in
        [(company, Said::Preferred, Preferred::ByCompany), (client, Said::Preferred, Preferred::ByClient)]
    {
        assert!(people::relate(db, tenant, by, who, said).await.unwrap());
        assert_eq!(one().await.preferred, preferred);
    }
    assert_eq!(people::relations(db, tenant, client, None, 9).await.unwrap()[0].about(), who);
    let alone = Needs { client: None, ..needs.clone() };
    let of_company = people::pool(&world.worker, tenant, &alone).await.unwrap().candidates.remove(0);
    assert_eq!(of_company.preferred, Preferred::ByCompany, "a company without a client");
    assert!(people::relate(db, tenant, client, who, Said::Blocked).await.unwrap());
    assert_eq!(one().await.blocked.unwrap(), "by the client");
    assert!(people::unrelate(db, tenant, client, who).await.unwrap());
    assert!(people::relate(db, tenant, who, company, Said::Blocked).await.unwrap());
    assert_eq!(one().await.blocked.unwrap(), "blocks the company");

    for seen in [Observed::Visit { on_time: true }, Observed::NoShow, Observed::Rating { stars: 4 }] {
        assert_eq!(people::observe(db, tenant, who, seen, None).await.unwrap(), Noted::New);
    }
    let past = one().await.past;
    assert_eq!((past.visits, past.on_time, past.no_shows, past.ratings, past.stars), (2, 1, 1, 1, 4));
    world.database.execute("update evidence set happened_at = now() - interval '181 days'").await.unwrap();
    assert_eq!(one().await.past.visits, 0, "what is long ago counts no more");

    let off = off(&world, who, visit(9), 1).await.unwrap();
    assert!(self::off(&world, who, visit(9), 1).await.is_none(), "as many as they may");
    assert!(read_calendar(db, tenant, who, &[visit(12), visit(15)]).await.unwrap());
    assert!(read_calendar(db, tenant, who, &[visit(13)]).await.unwrap(), "what it said before is forgotten");
    let taken = one().await.taken;
    assert_eq!(taken.iter().map(|taken| taken.during).collect::<Vec<_>>(), [visit(9), visit(13)]);
    assert_eq!(taken[0].what, What::TimeOff(off.to_string()));
    assert_eq!(people::absences(db, tenant, who, None, 9).await.unwrap().len(), 2);
    assert!(people::remove_absence(db, tenant, off).await.unwrap());
    assert!(one().await.stale_since.is_none());
    world
        .database
        .execute("update membership set calendar_read_at = now() - interval '31 minutes'")
        .await
        .unwrap();
    assert!(one().await.stale_since.is_some());
}

#[tokio::test]
async fn one_person_of_two_tenants_has_one_calendar_that_tells_strangers_nothing() {
    let world = World::new().await;
    let (db, mine, theirs) = (&world.api, world.tenant, world.tenant("other").await);
    let (here, there) = (technician(&world, mine).await, technician(&world, theirs).await);
    let join = async |tenant, party, code| people::join(db, tenant, party, code).await.unwrap();
    assert_eq!(join(theirs, there, [1; 32]).await, Joined::WrongCode);
    assert!(people::offer_account(db, mine, here, [1; 32], 0).await.unwrap().is_some());
    assert_eq!(join(theirs, there, [1; 32]).await, Joined::WrongCode, "its time is over");
    people::offer_account(db, mine, here, [2; 32], 15).await.unwrap();
    assert_eq!(join(theirs, PartyId::new(), [2; 32]).await, Joined::NoMembership);
    assert_eq!(join(mine, technician(&world, mine).await, [2; 32]).await, Joined::Taken, "one party each");
    read_calendar(db, theirs, there, &[visit(20)]).await.unwrap();
    assert_eq!(join(theirs, there, [2; 32]).await, Joined::Done);
    let third = world.tenant("third").await;
    let late = technician(&world, third).await;
    assert_eq!(join(third, late, [2; 32]).await, Joined::WrongCode, "it is used up");

    let off = off(&world, here, visit(9), 9).await.unwrap();
    for db in [&world.api, &world.worker] {
        let taken = async |tenant, who| {
            let pool = people::pool(db, tenant, &needs(None)).await.unwrap();
            pool.candidates.into_iter().find(|candidate| candidate.party == who).unwrap().taken
        };
        let (own, strange) = (taken(mine, here).await, taken(theirs, there).await);
        assert_eq!(own[0].what, What::TimeOff(off.to_string()));
        assert_eq!(
            (strange[0].during, &strange[0].what),
            (visit(9), &What::Busy(None)),
            "when, and nothing else"
        );
        assert_eq!(own[1].during, visit(20), "what they noted before they joined came along");
        assert!(matches!((&own[1].what, &strange[1].what), (What::Busy(None), What::Busy(Some(_)))));
    }
}
