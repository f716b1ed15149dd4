//! Which slots get jobs after nobody was there to take them.

use chrono::{DateTime, TimeDelta, Utc};
use schedule::{CATCH_UP_SLOTS_MAX, CatchUp, CatchUpRule, Due, Skipped, Zone, due};

use crate::{at, cron};

fn rule(policy: CatchUp, slots_max: u16, age_s: u32) -> CatchUpRule {
    CatchUpRule { policy, slots_max, age_s }
}

fn decide(text: &str, first: &str, now: &str, rule: CatchUpRule) -> Due {
    due(&cron(text), Zone::UTC, at(first), at(now), rule)
}

fn day(hours: &[u32]) -> Vec<DateTime<Utc>> {
    hours.iter().map(|hour| at("2026-11-21T00:00:00Z") + TimeDelta::hours(i64::from(*hour))).collect()
}

fn skipped(from: u32, to: u32) -> Skipped {
    Skipped { first: day(&[from])[0], last: day(&[to])[0] }
}

#[test]
fn what_is_on_time_gets_its_job_whatever_the_policy() {
    for policy in [CatchUp::None, CatchUp::One, CatchUp::All] {
        let due = decide("@hourly", "2026-11-21T03:00:00Z", "2026-11-21T03:00:59Z", rule(policy, 1, 60));
        assert_eq!(due, Due { missed: None, slots: day(&[3]), next: Some(day(&[4])[0]) });
        let due =
            decide("* * * * * *", "2026-11-21T03:00:00Z", "2026-11-21T03:00:59.5Z", rule(policy, 1, 60));
        assert_eq!((due.slots.len(), due.missed), (60, None));
    }
}

#[test]
fn none_gives_up_what_was_missed() {
    let due =
        decide("@hourly", "2026-11-21T03:00:00Z", "2026-11-21T06:30:00Z", rule(CatchUp::None, 10, 86_400));
    assert_eq!(due, Due { missed: Some(skipped(3, 6)), slots: vec![], next: Some(day(&[7])[0]) });
    let due =
        decide("@hourly", "2026-11-21T03:00:00Z", "2026-11-21T06:00:10Z", rule(CatchUp::None, 10, 86_400));
    assert_eq!(due, Due { missed: Some(skipped(3, 5)), slots: day(&[6]), next: Some(day(&[7])[0]) });
}

#[test]
fn one_makes_up_for_all() {
    let due =
        decide("@hourly", "2026-11-21T03:00:00Z", "2026-11-21T06:30:00Z", rule(CatchUp::One, 10, 86_400));
    assert_eq!(due, Due { missed: Some(skipped(3, 5)), slots: day(&[6]), next: Some(day(&[7])[0]) });
    let due =
        decide("@hourly", "2026-11-21T03:00:00Z", "2026-11-21T03:30:00Z", rule(CatchUp::One, 10, 86_400));
    assert_eq!(due, Due { missed: None, slots: day(&[3]), next: Some(day(&[4])[0]) });
}

#[test]
fn all_is_bounded_by_number_and_by_age() {
    let (first, now) = ("2026-11-21T03:00:00Z", "2026-11-21T06:30:00Z");
    let due = decide("@hourly", first, now, rule(CatchUp::All, 10, 86_400));
    assert_eq!(due, Due { missed: None, slots: day(&[3, 4, 5, 6]), next: Some(day(&[7])[0]) });
    let due = decide("@hourly", first, now, rule(CatchUp::All, 2, 86_400));
    assert_eq!((due.missed, due.slots), (Some(skipped(3, 4)), day(&[5, 6])));
    let due = decide("@hourly", first, now, rule(CatchUp::All, 10, 2 * 3_600));
    assert_eq!((due.missed, due.slots), (Some(skipped(3, 4)), day(&[5, 6])));
    let due = decide("@hourly", first, now, rule(CatchUp::All, 10, 60));
    assert_eq!((due.missed, due.slots), (Some(skipped(3, 6)), vec![]));
    // What is on time comes besides.
    let due = decide("@hourly", first, "2026-11-21T06:00:30Z", rule(CatchUp::All, 2, 86_400));
    assert_eq!((due.missed, due.slots), (Some(skipped(3, 3)), day(&[4, 5, 6])));
}

#[test]
fn a_month_of_seconds_is_decided_at_once() {
    for policy in [CatchUp::None, CatchUp::One, CatchUp::All] {
        let rule = rule(policy, CATCH_UP_SLOTS_MAX, 604_800);
        let due = decide("* * * * * *", "2026-10-21T00:00:00Z", "2026-11-21T00:00:00Z", rule);
        let jobs = match policy {
            CatchUp::None => 61,
            CatchUp::One => 1,
            CatchUp::All => 161,
        };
        assert_eq!(due.slots.len(), jobs);
        let missed = due.missed.unwrap();
        assert_eq!(missed.first, at("2026-10-21T00:00:00Z"));
        assert_eq!(missed.last, due.slots[0] - TimeDelta::seconds(1));
    }
}
