//! What is kept of an entry of a calendar outside.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use schedule::Zone;
use serde::{Deserialize, Serialize};

use crate::ours::Ours;

/// How far any clock on earth is ahead of UTC, and behind it.
const AHEAD_MAX: TimeDelta = TimeDelta::hours(14);
const BEHIND_MAX: TimeDelta = TimeDelta::hours(12);

/// Which clock a time is read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// One that shows UTC.
    Utc,
    /// One on a wall in the zone of this name.
    Zone(String),
    /// One that is so many seconds ahead of UTC all year.
    Ahead(i32),
    /// The one of whoever keeps the calendar.
    Owner,
    /// One of which nobody knows where it hangs.
    Unknown,
}

/// A time as an entry says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// What the clock shows.
    pub wall: NaiveDateTime,
    /// Which clock.
    pub clock: Clock,
    /// Only the day was said.
    pub is_date: bool,
}

impl Moment {
    /// The first and the last moment that it can mean; they differ only when nobody knows the clock.
    pub(crate) fn means(&self, owner: Zone) -> (DateTime<Utc>, DateTime<Utc>) {
        let known = match &self.clock {
            Clock::Utc => Some(self.wall.and_utc()),
            Clock::Zone(name) => name.parse::<Zone>().ok().map(|zone| zone.appointed(self.wall)),
            Clock::Ahead(seconds) => Some(self.wall.and_utc() - TimeDelta::seconds(i64::from(*seconds))),
            Clock::Owner => Some(owner.appointed(self.wall)),
            Clock::Unknown => None,
        };
        known.map_or_else(
            || (self.wall.and_utc() - AHEAD_MAX, self.wall.and_utc() + BEHIND_MAX),
            |at| (at, at),
        )
    }

    /// Whether it is known which moment it means.
    pub(crate) fn is_known(&self) -> bool {
        match &self.clock {
            Clock::Unknown => false,
            Clock::Zone(name) => name.parse::<Zone>().is_ok(),
            Clock::Utc | Clock::Ahead(_) | Clock::Owner => true,
        }
    }

    /// What this clock shows at `at`; UTC when nobody knows where it hangs.
    pub(crate) fn shows(&self, at: DateTime<Utc>, owner: Zone) -> NaiveDateTime {
        match &self.clock {
            Clock::Utc | Clock::Unknown => at.naive_utc(),
            Clock::Zone(name) => name.parse::<Zone>().map_or(at.naive_utc(), |zone| zone.wall(at)),
            Clock::Ahead(seconds) => (at + TimeDelta::seconds(i64::from(*seconds))).naive_utc(),
            Clock::Owner => owner.wall(at),
        }
    }

    /// The same time as the clock shows it once more, where it is put back over it.
    pub(crate) fn again(&self, owner: Zone) -> Option<Self> {
        let zone = match &self.clock {
            Clock::Zone(name) => name.parse::<Zone>().ok()?,
            Clock::Owner => owner,
            Clock::Utc | Clock::Ahead(_) | Clock::Unknown => return None,
        };
        let first = zone.appointed(self.wall);
        let second = zone.showing(self.wall, first);
        let ahead = i32::try_from((self.wall.and_utc() - second).num_seconds()).ok()?;
        (first < second).then(|| Self { clock: Clock::Ahead(ahead), ..self.clone() })
    }

    /// The same clock at another time.
    pub(crate) fn at(&self, wall: NaiveDateTime) -> Self {
        Self { wall, ..self.clone() }
    }
}

/// An entry of a calendar outside: when it is, and nothing of what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The name by which its calendar knows it; entries of one series share it.
    pub uid: String,
    /// When it begins; none when that could not be read.
    pub start: Option<Moment>,
    /// How much later it ends by the clock on the wall, in seconds.
    pub wall_s: i64,
    /// And how much later than that by a stopwatch.
    pub exact_s: i64,
    /// How it repeats: the value of an RRULE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// When it is besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub besides: Vec<Moment>,
    /// When it is not, although it repeats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Moment>,
    /// Which of its series it takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<Moment>,
    /// And of all that come after.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_onwards: bool,
    /// Whether it takes time.
    pub is_busy: bool,
    /// Something of it could not be understood.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_doubtful: bool,
    /// It is a booking that we wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<Ours>,
}

impl Event {
    /// One of which nothing could be read: nobody knows when it is.
    pub fn unreadable() -> Self {
        Self {
            uid: String::new(),
            start: None,
            wall_s: 0,
            exact_s: 0,
            rule: None,
            besides: Vec::new(),
            except: Vec::new(),
            instead_of: None,
            is_onwards: false,
            is_busy: true,
            is_doubtful: false,
            ours: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(crate) fn is_false(word: &bool) -> bool {
    !*word
}
