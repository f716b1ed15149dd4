//! From the clock on the wall to moments in time, through the days on which the clock is put forward or back.
//!
//! The rule is that of Vixie cron. An expression whose minutes or hours begin with `*` goes by the clock: what the
//! clock skips does not come, what it shows twice comes twice, so that nothing is repeated or lost in elapsed time.
//! Any other has an appointment: what the clock skips comes once, at the first moment after the gap, and what it shows
//! twice comes the first time only. docs/schedules.md has both as a table.

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

use crate::{cron::Cron, zone::Zone};

/// Times on the clock to try for one slot. A day that a zone lived through twice, by the second, has fewer.
const TRIES_MAX: u32 = 100_000;

impl Cron {
    /// The first slot after `after`; none if there is no such day for 40 years.
    pub fn after(&self, zone: Zone, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.is_wild { self.by_the_clock(zone.0, after) } else { self.by_appointment(zone.0, after) }
    }

    /// The latest slot up to `until` that is not before `first`, which has to be a slot.
    pub fn latest(&self, zone: Zone, first: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if first > until {
            return None;
        }
        let next = |at: DateTime<Utc>| self.after(zone, at).filter(|slot| *slot <= until);
        // Back from the end in ever larger steps until a slot lies ahead, then closer by halves.
        let (mut behind, mut step) = (until, TimeDelta::seconds(1));
        let mut found = loop {
            let from = until - step;
            if from < first {
                break (first, next(first).unwrap_or(first));
            }
            if let Some(slot) = next(from) {
                break (from, slot);
            }
            (behind, step) = (from, step * 2);
        };
        // From `found.0` on there is a slot, `found.1`; from `behind` on there is none.
        while behind - found.0 > TimeDelta::seconds(1) && found.1 < behind {
            let middle = found.1.max(found.0 + (behind - found.0) / 2);
            match next(middle) {
                Some(slot) => found = (middle, slot),
                None if middle == found.1 => break,
                None => behind = middle,
            }
        }
        Some(found.1)
    }

    fn by_appointment(&self, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut local = local(zone, after);
        for _ in 0..TRIES_MAX {
            local = self.on_the_clock_after(local)?;
            let slot = match zone.from_local_datetime(&local) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
                LocalResult::None => match end_of_gap(zone, local) {
                    Some(end) => end,
                    None => continue,
                },
            };
            if slot > after {
                return Some(slot);
            }
        }
        None
    }

    fn by_the_clock(&self, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let ahead = self.ahead_on_the_clock(zone, after);
        // Shortly before the clock is put back, the second round through the same hour may come sooner.
        let again = self.in_the_second_round(zone, after);
        ahead.into_iter().chain(again).min()
    }

    fn ahead_on_the_clock(&self, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut from = local(zone, after);
        for _ in 0..TRIES_MAX {
            let local = self.on_the_clock_after(from)?;
            from = match zone.from_local_datetime(&local) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) if at > after => {
                    return Some(at.to_utc());
                }
                LocalResult::Ambiguous(_, again) if again > after => return Some(again.to_utc()),
                LocalResult::Single(_) | LocalResult::Ambiguous(..) => local,
                // On from the last second that the clock skips.
                LocalResult::None => end_of_gap(zone, local)
                    .map_or(local, |end| end.with_timezone(&zone).naive_local() - TimeDelta::seconds(1)),
            };
        }
        None
    }

    /// The first slot of the second round, when `after` is in the first of two rounds through the same times.
    fn in_the_second_round(&self, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let now = local(zone, after);
        let LocalResult::Ambiguous(first, second) = zone.from_local_datetime(&now) else { return None };
        if first > after || second <= after {
            return None;
        }
        let begins = offset_changes(zone, first.to_utc(), second.to_utc());
        let from = begins.with_timezone(&zone).naive_local() - TimeDelta::seconds(1);
        match zone.from_local_datetime(&self.on_the_clock_after(from)?) {
            LocalResult::Ambiguous(_, at) => Some(at.to_utc()),
            _ => None,
        }
    }
}

/// What the clock shows, to the second.
fn local(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    let second = DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at);
    second.with_timezone(&zone).naive_local()
}

/// The first moment after the gap that `local` is in.
fn end_of_gap(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    GapInfo::new(&local, &zone)?.end.map(|end| end.to_utc())
}

/// The first second with another offset than `from`, where `to` is known to have one.
fn offset_changes(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> DateTime<Utc> {
    let offset = |at: DateTime<Utc>| at.with_timezone(&zone).offset().fix();
    let (mut same, mut other) = (from, to);
    while other - same > TimeDelta::seconds(1) {
        let middle = same + TimeDelta::seconds((other - same).num_seconds() / 2);
        if offset(middle) == offset(from) { same = middle } else { other = middle }
    }
    other
}
