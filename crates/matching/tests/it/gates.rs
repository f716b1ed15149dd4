//! Each gate, at its edge.

use matching::{Candidate, Flag, Reason, Search, Skill, Span, Taken, Terms, Visit, What, rank, slots};

use crate::worlds::{skill, somebody, span, utc, visit};

fn refused(visit: &Visit, candidate: Candidate) -> Option<(Reason, String)> {
    let strict = Terms { strict_calendars: true, ..Terms::VREM };
    let excluded = rank(visit, &[candidate], &strict).excluded.pop()?;
    Some((excluded.reason, excluded.evidence.unwrap()))
}

fn busy(from: &str, until: &str) -> Taken {
    Taken { during: span(from, until), what: What::Busy(None) }
}

#[test]
fn every_gate_shuts_for_its_reason_with_evidence() {
    let photo = Visit { skills: vec!["photo".into()], ..visit() };
    let off = Taken { during: visit().during, what: What::TimeOff("abs_1".into()) };
    let cases = [
        (Candidate { is_active: false, ..somebody() }, Reason::Inactive, "takes no work"),
        (Candidate { roles: vec!["editor".into()], ..somebody() }, Reason::Inactive, "is no technician"),
        (Candidate { blocked: Some("by client".into()), ..somebody() }, Reason::Blocked, "by client"),
        (
            Candidate { taken: vec![busy("2026-12-02T10:59:00Z", "2026-12-02T12:00:00Z")], ..somebody() },
            Reason::Busy,
            "busy",
        ),
        (Candidate { taken: vec![off], ..somebody() }, Reason::OutsideHours, "abs_1"),
        (somebody(), Reason::SkillMissing, "photo"),
        (
            Candidate {
                radius_m: 0,
                skills: vec![skill("photo", 1)],
                home: visit().place.map(|mut home| {
                    home.latitude += 0.001;
                    home
                }),
                ..somebody()
            },
            Reason::OutsideRadius,
            "111 m of 0 m",
        ),
        (
            Candidate { visits_max: Some(0), skills: vec![skill("photo", 1)], ..somebody() },
            Reason::DayFull,
            "1 visits of 0",
        ),
        (
            Candidate { minutes_max: Some(119), skills: vec![skill("photo", 1)], ..somebody() },
            Reason::DayFull,
            "120 minutes of 119",
        ),
        (
            Candidate {
                stale_since: Some(utc("2026-12-01T00:00:00Z")),
                skills: vec![skill("photo", 1)],
                ..somebody()
            },
            Reason::CalendarStale,
            "2026-12-01T00:00:00+00:00",
        ),
        (
            Candidate { declined: Some("off_1".into()), skills: vec![skill("photo", 1)], ..somebody() },
            Reason::AlreadyDeclined,
            "off_1",
        ),
    ];
    for (candidate, reason, evidence) in cases {
        assert_eq!(refused(&photo, candidate), Some((reason, evidence.to_owned())));
    }
    assert_eq!(
        refused(&visit(), Candidate { minutes_max: Some(120), visits_max: Some(1), ..somebody() }),
        None
    );
}

#[test]
fn a_role_may_hold_at_some_sites_only() {
    let at = |sites: &[&str]| {
        let sites = sites.iter().map(|site| (*site).to_owned()).collect();
        Candidate { sites, ..somebody() }
    };
    let lyon = Visit { site: Some("lyon".into()), ..visit() };
    for anybody in [at(&[]), at(&["lyon"]), at(&["nice", "lyon"])] {
        assert_eq!(refused(&lyon, anybody), None);
    }
    let why = |what: &str| Some((Reason::Inactive, what.to_owned()));
    assert_eq!(refused(&lyon, at(&["nice"])), why("is no technician at lyon"));
    assert_eq!(refused(&visit(), at(&["lyon"])), why("is no technician at no site"));
    assert_eq!(refused(&visit(), at(&[])), None);
}

#[test]
fn visits_may_touch_and_what_is_kept_free_may_not_overlap() {
    let before = |until: &str| Candidate { taken: vec![busy("2026-12-02T07:00:00Z", until)], ..somebody() };
    assert_eq!(refused(&visit(), before("2026-12-02T09:00:00Z")), None, "back to back");
    let buffered = Visit { before_minutes: 15, ..visit() };
    assert!(refused(&buffered, before("2026-12-02T09:00:00Z")).is_some());
    assert_eq!(refused(&buffered, before("2026-12-02T08:45:00Z")), None);
    // 11.1 km of line are 22 minutes of road, both ways.
    let away = |until| Candidate {
        home: visit().place.map(|mut home| {
            home.latitude += 0.1;
            home
        }),
        ..before(until)
    };
    assert_eq!(refused(&visit(), away("2026-12-02T08:38:00Z")), None);
    assert_eq!(refused(&visit(), away("2026-12-02T08:39:00Z")).unwrap().0, Reason::Busy);
}

#[test]
fn a_certificate_has_to_outlast_the_visit() {
    let drone = Visit { skills: vec!["drone".into()], ..visit() };
    let until = |end: &str| Candidate {
        skills: vec![Skill { certified_until: Some(utc(end)), ..skill("drone", 3) }],
        ..somebody()
    };
    assert_eq!(refused(&drone, until("2026-12-02T11:00:00Z")), None);
    assert_eq!(
        refused(&drone, until("2026-12-02T10:59:59Z")).unwrap(),
        (Reason::SkillMissing, "drone".to_owned())
    );
}

#[test]
fn days_are_counted_by_their_own_clock() {
    // 09:00 in UTC is 22:00 in Auckland: the visit of 10:30 is of the day after's half past eleven at night, still that day.
    let auckland = |from: &str, until: &str| Candidate {
        zone: "Pacific/Auckland".parse().unwrap(),
        visits: vec![span(from, until)],
        visits_max: Some(1),
        ..somebody()
    };
    assert!(
        refused(&visit(), auckland("2026-12-01T11:30:00Z", "2026-12-01T12:00:00Z")).is_some(),
        "half past midnight there"
    );
    assert_eq!(
        refused(&visit(), auckland("2026-12-02T11:30:00Z", "2026-12-02T12:00:00Z")),
        None,
        "the day after there"
    );
}

#[test]
fn where_a_place_is_not_known_nobody_is_too_far_away() {
    for (home, place) in [(None, visit().place), (visit().place, None), (None, None)] {
        let candidate = Candidate { home, radius_m: 0, ..somebody() };
        let ranking = rank(&Visit { place, ..visit() }, &[candidate], &Terms::VREM);
        assert_eq!((ranking.ranked[0].factors.distance, ranking.ranked[0].metres), (0, None));
        assert_eq!(ranking.ranked[0].flags, [Flag::DistanceUnknown]);
    }
}

#[test]
fn a_stale_calendar_is_flagged_unless_the_house_is_strict() {
    let stale = Candidate { stale_since: Some(utc("2026-12-01T00:00:00Z")), ..somebody() };
    assert_eq!(rank(&visit(), &[stale], &Terms::VREM).ranked[0].flags, [Flag::CalendarStale]);
}

#[test]
fn every_beginning_is_offered_or_says_why_not() {
    let one = Candidate { taken: vec![busy("2026-12-02T10:00:00Z", "2026-12-02T12:00:00Z")], ..somebody() };
    let never = Candidate { is_active: false, ..somebody() };
    let search = Search { visit: visit(), step_minutes: 60, starts: 5, terms: Terms::VREM };
    let found = slots(&search, &[never.clone(), one.clone()]);
    let offered: Vec<(String, bool)> = found
        .slots
        .iter()
        .map(|slot| (slot.starts_at.format("%H").to_string(), slot.parties == [one.party]))
        .collect();
    let expected = [("09", false), ("10", false), ("11", false), ("12", true), ("13", true)];
    assert_eq!(offered, expected.map(|(hour, offered)| (hour.to_owned(), offered)));
    let reasons: Vec<_> = found.slots[0].reasons.iter().map(|(reason, count)| (*reason, *count)).collect();
    assert_eq!(reasons, [(Reason::Inactive, 1), (Reason::Busy, 1)]);
    assert_eq!(found.excluded.iter().map(|excluded| excluded.party).collect::<Vec<_>>(), [never.party]);
    // What a slot says and what a ranking says is the same.
    for slot in &found.slots {
        let Span { from, until } = search.visit.during;
        let during = Span { from: slot.starts_at, until: slot.starts_at + (until - from) };
        let ranked = rank(&Visit { during, ..visit() }, &[one.clone(), never.clone()], &Terms::VREM).ranked;
        assert_eq!(ranked.iter().map(|row| row.party).collect::<Vec<_>>(), slot.parties);
    }
    assert!(slots(&Search { starts: 0, ..search }, &[one]).slots.is_empty());
}
