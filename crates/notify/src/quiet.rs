//! Hours in which nothing may ring, by the recipient's own clock.

use chrono::{DateTime, Days, NaiveTime, Timelike, Utc};
use schedule::Zone;

/// Minutes of a day.
const DAY_MINUTES: u32 = 24 * 60;

/// From when until when it is quiet, in minutes after midnight. It may go across midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    from: u32,
    until: u32,
}

impl Quiet {
    /// Quiet between two minutes of the day. None for a window that never begins or never ends: whoever wants nothing at
    /// all chooses no channels.
    pub fn new(from: u32, until: u32) -> Option<Self> {
        (from < DAY_MINUTES && until < DAY_MINUTES && from != until).then_some(Self { from, until })
    }

    /// Until when it is quiet at `at`; none when it is not.
    pub fn until(self, zone: Zone, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let wall = zone.wall(at);
        let minute = wall.hour() * 60 + wall.minute();
        let across_midnight = self.from > self.until;
        let is_quiet = if across_midnight {
            minute >= self.from || minute < self.until
        } else {
            (self.from..self.until).contains(&minute)
        };
        if !is_quiet {
            return None;
        }
        let ends_tomorrow = across_midnight && minute >= self.from;
        let day = wall.date().checked_add_days(Days::new(u64::from(ends_tomorrow)))?;
        let end = day.and_time(NaiveTime::from_hms_opt(self.until / 60, self.until % 60, 0)?);
        let end = zone.showing(end, at);
        // A clock that skips the end may skip the next beginning as well.
        Some(self.until(zone, end).unwrap_or(end))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn until(zone: &str, from: u32, until: u32, at: &str) -> Option<String> {
        let zone: Zone = zone.parse().unwrap();
        Some(zone.local(Quiet::new(from, until).unwrap().until(zone, utc(at))?))
    }

    #[test]
    fn it_is_quiet_across_midnight() {
        let night = |at| until("Europe/Zagreb", 22 * 60, 8 * 60, at);
        assert_eq!(night("2026-07-01T19:59:59Z"), None);
        assert_eq!(night("2026-07-01T20:00:00Z").unwrap(), "2026-07-02T08:00:00+02:00");
        assert_eq!(night("2026-07-02T05:59:00Z").unwrap(), "2026-07-02T08:00:00+02:00");
        assert_eq!(night("2026-07-02T06:00:00Z"), None);
    }

    #[test]
    fn the_end_is_what_the_clock_shows_on_days_it_changes() {
        // Forward at 2 and back at 3 on the last Sundays of March and October.
        let night = |at| until("Europe/Berlin", 22 * 60, 8 * 60, at);
        assert_eq!(night("2026-03-28T22:00:00Z").unwrap(), "2026-03-29T08:00:00+02:00");
        assert_eq!(night("2026-10-24T22:00:00Z").unwrap(), "2026-10-25T08:00:00+01:00");
        // An end that the clock skips comes when the gap is over.
        let skipped = until("Europe/Berlin", 22 * 60, 2 * 60 + 30, "2026-03-29T00:30:00Z");
        assert_eq!(skipped.unwrap(), "2026-03-29T03:00:00+02:00");
        // An end that the clock shows twice comes at the first of them that lies ahead.
        let twice = |at| until("Europe/Berlin", 22 * 60, 2 * 60 + 30, at);
        assert_eq!(twice("2026-10-25T00:10:00Z").unwrap(), "2026-10-25T02:30:00+02:00");
        assert_eq!(twice("2026-10-25T01:10:00Z").unwrap(), "2026-10-25T02:30:00+01:00");
    }

    #[test]
    fn a_window_without_an_end_is_none() {
        assert_eq!(Quiet::new(0, 0), None);
        assert_eq!(Quiet::new(0, DAY_MINUTES), None);
    }

    proptest! {
        #[test]
        fn whatever_is_held_is_let_go_when_it_is_quiet_no_more(
            at in 1_600_000_000i64..1_900_000_000, from in 0..DAY_MINUTES, until in 0..DAY_MINUTES,
            zone in prop::sample::select(vec!["UTC", "Europe/Zagreb", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
        ) {
            prop_assume!(from != until);
            let zone: Zone = zone.parse().unwrap();
            let at = DateTime::from_timestamp(at, 0).unwrap();
            let quiet = Quiet::new(from, until).unwrap();
            if let Some(end) = quiet.until(zone, at) {
                prop_assert!(end > at);
                prop_assert!(end - at <= chrono::TimeDelta::hours(50));
                prop_assert_eq!(quiet.until(zone, end), None);
            }
        }
    }
}
