//! Working hours where clocks change, and across midnight.

use matching::{Candidate, DayOverride, Hours, Reason, Terms, Visit, Window, rank};

use crate::worlds::{somebody, span, visit};

fn works(zone: &str, hours: Hours, from: &str, until: &str) -> bool {
    let candidate = Candidate { zone: zone.parse().unwrap(), hours, ..somebody() };
    let visit = Visit { during: span(from, until), ..visit() };
    let excluded = rank(&visit, &[candidate], &Terms::VREM).excluded;
    assert!(excluded.iter().all(|excluded| excluded.reason == Reason::OutsideHours));
    excluded.is_empty()
}

/// The same on every day.
fn daily(windows: &[(u16, u16)]) -> Hours {
    let day: Vec<Window> =
        windows.iter().map(|(from, until)| Window { from: *from, until: *until }).collect();
    Hours { week: Some(std::array::from_fn(|_| day.clone())), overrides: Vec::new() }
}

#[test]
fn the_edges_of_a_window_belong_to_it() {
    let office = || daily(&[(9 * 60, 17 * 60)]);
    let vienna = |from, until| works("Europe/Vienna", office(), from, until);
    assert!(vienna("2026-12-02T08:00:00Z", "2026-12-02T16:00:00Z"));
    assert!(!vienna("2026-12-02T07:59:00Z", "2026-12-02T16:00:00Z"));
    assert!(!vienna("2026-12-02T08:00:00Z", "2026-12-02T16:01:00Z"));
}

#[test]
fn a_night_shift_goes_across_midnight() {
    let nights = || daily(&[(22 * 60, 24 * 60), (0, 6 * 60)]);
    assert!(works("UTC", nights(), "2026-12-02T23:00:00Z", "2026-12-03T02:00:00Z"));
    assert!(!works("UTC", nights(), "2026-12-02T21:30:00Z", "2026-12-02T23:00:00Z"));
    assert!(!works("UTC", nights(), "2026-12-03T05:00:00Z", "2026-12-03T07:00:00Z"));
}

#[test]
fn the_clock_on_the_wall_counts_when_it_changes() {
    let early = || daily(&[(2 * 60, 4 * 60)]);
    // On 8 March New York skips from 2 to 3: the window is an hour long.
    assert!(works("America/New_York", early(), "2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"));
    assert!(!works("America/New_York", early(), "2026-03-08T06:30:00Z", "2026-03-08T07:30:00Z"));
    // On 1 November it shows 1 to 2 twice: a window across it is an hour longer.
    let across = || daily(&[(0, 3 * 60)]);
    assert!(works("America/New_York", across(), "2026-11-01T04:00:00Z", "2026-11-01T08:00:00Z"));
    // Lord Howe moves by half an hour.
    assert!(works("Australia/Lord_Howe", early(), "2026-10-03T15:30:00Z", "2026-10-03T17:00:00Z"));
    assert!(!works("Australia/Lord_Howe", early(), "2026-10-03T15:30:00Z", "2026-10-03T17:01:00Z"));
    assert!(works("Asia/Kathmandu", early(), "2026-12-01T20:15:00Z", "2026-12-01T22:15:00Z"));
}

#[test]
fn a_day_may_be_unlike_others() {
    let mut hours = daily(&[(9 * 60, 17 * 60)]);
    let other = |date: &str, windows| DayOverride { date: date.parse().unwrap(), windows };
    hours.overrides =
        vec![other("2026-12-24", Vec::new()), other("2026-12-25", vec![Window { from: 600, until: 660 }])];
    assert!(!works("UTC", hours.clone(), "2026-12-24T10:00:00Z", "2026-12-24T11:00:00Z"));
    assert!(works("UTC", hours.clone(), "2026-12-25T10:00:00Z", "2026-12-25T11:00:00Z"));
    assert!(!works("UTC", hours, "2026-12-25T10:00:00Z", "2026-12-25T11:30:00Z"));
    // Nothing said about the week: always, but on that day.
    let only = Hours { week: None, overrides: vec![other("2026-12-24", Vec::new())] };
    assert!(works("UTC", only.clone(), "2026-12-23T22:00:00Z", "2026-12-24T00:00:00Z"));
    assert!(!works("UTC", only, "2026-12-23T22:00:00Z", "2026-12-24T00:01:00Z"));
}

#[test]
fn windows_are_stretches_of_a_day() {
    assert!(Window::DAY.is_sound() && Window { from: 0, until: 1 }.is_sound());
    assert!(!Window { from: 60, until: 60 }.is_sound() && !Window { from: 0, until: 1_441 }.is_sound());
}
