//! When somebody works, by the clock on their wall.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc};
use schedule::Zone;
use serde::{Deserialize, Serialize};

use crate::{Span, span::joined};

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// From a minute of the day until another; until 1,440 is until midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first minute.
    pub from: u16,
    /// The first minute after it.
    pub until: u16,
}

impl Window {
    /// All day long.
    pub const DAY: Self = Self { from: 0, until: DAY_MINUTES };

    /// Whether it is a stretch of a day.
    pub fn is_sound(&self) -> bool {
        self.from < self.until && self.until <= DAY_MINUTES
    }

    fn on(self, day: NaiveDate, zone: Zone) -> Option<Span> {
        let from = zone.showing(wall(day, self.from)?, DateTime::<Utc>::MIN_UTC);
        // An end that the clock shows twice is the first of them after the beginning.
        let until = zone.showing(wall(day, self.until)?, from);
        (from < until).then_some(Span { from, until })
    }
}

fn wall(day: NaiveDate, minute: u16) -> Option<chrono::NaiveDateTime> {
    let day = day.checked_add_days(Days::new(u64::from(minute / DAY_MINUTES)))?;
    let minute = u32::from(minute % DAY_MINUTES);
    Some(day.and_time(NaiveTime::from_hms_opt(minute / 60, minute % 60, 0)?))
}

/// A day that is not like others of its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayOverride {
    /// Which.
    pub date: NaiveDate,
    /// When they work on it; empty for not at all.
    pub windows: Vec<Window>,
}

/// When somebody works.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// From Monday to Sunday; none for always.
    pub week: Option<[Vec<Window>; 7]>,
    /// Days that are not like others.
    #[serde(default)]
    pub overrides: Vec<DayOverride>,
}

impl Hours {
    /// Whether every moment of `wanted` is one at which they work.
    pub(crate) fn cover(&self, wanted: &Span, zone: Zone) -> bool {
        if self.week.is_none() && self.overrides.is_empty() {
            return true;
        }
        let open = self.windows_on_days(wanted, zone);
        // One window mostly holds it, and then there is nothing to join.
        covers(&open, wanted) || covers(&joined(open), wanted)
    }

    /// When they work on the days of `horizon`, joined across midnight.
    pub(crate) fn open(&self, horizon: &Span, zone: Zone) -> Vec<Span> {
        joined(self.windows_on_days(horizon, zone))
    }

    fn windows_on_days(&self, horizon: &Span, zone: Zone) -> Vec<Span> {
        let (first, last) = (zone.wall(horizon.from).date(), zone.wall(horizon.until).date());
        let mut open = Vec::new();
        for day in first.iter_days().take_while(|day| *day <= last) {
            open.extend(self.windows(day).iter().filter_map(|window| window.on(day, zone)));
        }
        open
    }

    fn windows(&self, day: NaiveDate) -> &[Window] {
        if let Some(other) = self.overrides.iter().find(|other| other.date == day) {
            return &other.windows;
        }
        match &self.week {
            Some(week) => &week[day.weekday().num_days_from_monday() as usize],
            None => &[Window::DAY],
        }
    }
}

/// Whether one of `open` holds all of `wanted`.
pub(crate) fn covers(open: &[Span], wanted: &Span) -> bool {
    open.iter().any(|span| span.contains(wanted))
}
