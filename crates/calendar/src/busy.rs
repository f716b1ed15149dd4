//! When somebody is busy, of everything that their calendar says.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use matching::{Span, joined};
use schedule::Zone;

use crate::{
    event::{Event, Moment},
    rule,
};

/// Times that entries may be within one reading, all together.
pub const OCCURRENCES_MAX: usize = 100_000;
/// Entries that repeat, of one calendar.
const RULES_MAX: usize = 2_000;
/// Entries of one calendar that are not understood; where there are more, the calendar is not.
const DOUBTS_MAX: usize = 200;
/// The longest that an entry may last.
const LENGTH_MAX: TimeDelta = TimeDelta::days(366);
/// How far a clock on a wall may be from UTC.
const WALL_MAX: TimeDelta = TimeDelta::days(1);

/// When somebody is busy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    /// In order; no two of them touch.
    pub spans: Vec<Span>,
    /// Entries that could not be understood, and count as busy.
    pub doubts: usize,
}

/// The calendar holds more than can be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// Entries that repeat.
    #[error("more than {RULES_MAX} entries repeat")]
    Rules,
    /// Times.
    #[error("its entries are more than {OCCURRENCES_MAX} times")]
    Occurrences,
    /// Entries that are not understood.
    #[error("more than {DOUBTS_MAX} entries cannot be understood")]
    Doubts,
}

/// When whoever keeps a calendar in `owner` is busy during `horizon`.
///
/// # Errors
/// When there is more than can be followed; then nothing of it may be believed.
pub fn busy(events: &[Event], owner: Zone, horizon: Span) -> Result<Busy, TooMuch> {
    let mut reading = Reading { owner, horizon, spans: Vec::new(), doubts: 0, rules: 0 };
    let mut series: HashMap<&str, Vec<&Event>> = HashMap::new();
    for event in events.iter().filter(|event| event.ours.is_none()) {
        series.entry(&event.uid).or_default().push(event);
    }
    for events in series.values() {
        let (others, first): (Vec<&Event>, Vec<&Event>) =
            events.iter().copied().partition(|event| event.instead_of.is_some());
        for event in &first {
            let before = reading.doubts;
            reading.follow(event, &others)?;
            // However often it is, it is one entry.
            reading.doubts = reading.doubts.min(before + 1);
        }
        // Also when what they take the place of is not there.
        for event in &others {
            reading.note(event, event.start.as_ref())?;
        }
        if reading.doubts > DOUBTS_MAX {
            return Err(TooMuch::Doubts);
        }
    }
    Ok(Busy { spans: joined(reading.spans), doubts: reading.doubts })
}

struct Reading {
    owner: Zone,
    horizon: Span,
    spans: Vec<Span>,
    doubts: usize,
    rules: usize,
}

impl Reading {
    /// An entry, as often as it is.
    fn follow(&mut self, event: &Event, others: &[&Event]) -> Result<(), TooMuch> {
        let Some(start) = &event.start else { return self.note(event, None) };
        if !event.is_busy && others.iter().all(|other| !other.is_busy) {
            return Ok(());
        }
        let mut times = vec![start.wall];
        if let Some(rule) = &event.rule {
            self.rules += 1;
            if self.rules > RULES_MAX {
                return Err(TooMuch::Rules);
            }
            match self.walls(rule, start, event) {
                Some(found) => times.extend(found),
                None => return self.doubt(Span { from: start.means(self.owner).0, ..self.horizon }),
            }
        }
        let owner = self.owner;
        let at = |moment: &Moment| moment.means(owner).0;
        let mut moments: Vec<Moment> = times.into_iter().map(|wall| start.at(wall)).collect();
        if event.rule.as_deref().is_some_and(rule::is_hourly) {
            // It is in each of two hours that the clock shows alike.
            let again: Vec<Moment> = moments.iter().filter_map(|moment| moment.again(owner)).collect();
            moments.extend(again);
        }
        moments.extend(event.besides.iter().cloned());
        moments.sort_by_key(at);
        moments.dedup_by_key(|moment| at(moment));
        let instead = others.iter().filter_map(|other| other.instead_of.as_ref());
        let gone = Gone::of(event.except.iter().chain(instead), owner);
        let mut moved: Vec<Moved> = others.iter().filter_map(|other| Moved::of(other, owner)).collect();
        moved.sort_by_key(|moved| moved.from);
        for moment in moments.iter().filter(|moment| !gone.has(moment, owner)) {
            let begins = at(moment);
            match moved.iter().rev().find(|moved| moved.from <= begins) {
                Some(moved) => {
                    let wall = moment.wall.checked_add_signed(moved.by);
                    self.note(moved.event, wall.map(|wall| moment.at(wall)).as_ref())?;
                }
                None => self.note(event, Some(moment))?,
            }
        }
        Ok(())
    }

    /// What the wall shows each time that can reach into the horizon.
    fn walls(&self, rule: &str, start: &Moment, event: &Event) -> Option<Vec<NaiveDateTime>> {
        let reach = WALL_MAX + length(event) + TimeDelta::days(1);
        let from = self.horizon.from.naive_utc() - reach;
        rule::times(rule, start, self.owner, (from, self.horizon.until.naive_utc() + reach))
    }

    /// One time of an entry.
    fn note(&mut self, event: &Event, start: Option<&Moment>) -> Result<(), TooMuch> {
        if !event.is_busy {
            return Ok(());
        }
        let Some(start) = start else { return self.doubt(self.horizon) };
        let end = TimeDelta::try_seconds(event.wall_s).and_then(|by| start.wall.checked_add_signed(by));
        let exact = TimeDelta::try_seconds(event.exact_s);
        let end = end.and_then(|wall| start.at(wall).means(self.owner).1.checked_add_signed(exact?));
        let from = start.means(self.owner).0;
        // Where the clock skips all of it, it is as long as it would be.
        let lasts = length(event);
        let end = end.map(|until| {
            let is_skipped = until <= from && lasts > TimeDelta::zero();
            from.checked_add_signed(lasts).filter(|_| is_skipped).unwrap_or(until)
        });
        let is_sound = !event.is_doubtful && start.is_known() && lasts <= LENGTH_MAX;
        match end {
            Some(until) if is_sound && from <= until => self.push(Span { from, until }),
            end => self.doubt(self.days(start, end.unwrap_or(from).max(from))),
        }
    }

    fn push(&mut self, span: Span) -> Result<(), TooMuch> {
        if span.from < span.until && span.overlaps(&self.horizon) {
            self.spans.push(span);
        }
        if self.spans.len() > OCCURRENCES_MAX { Err(TooMuch::Occurrences) } else { Ok(()) }
    }

    /// What was not understood counts as busy.
    fn doubt(&mut self, span: Span) -> Result<(), TooMuch> {
        if span.overlaps(&self.horizon) {
            self.doubts += 1;
        }
        self.push(span)
    }

    /// From the beginning of the day on which it begins until the end of that on which it may end, by the owner's clock.
    fn days(&self, start: &Moment, end: DateTime<Utc>) -> Span {
        let midnight = |at: DateTime<Utc>| self.owner.wall(at).date().and_time(NaiveTime::MIN);
        let (from, last) = (start.means(self.owner).0, end.min(self.horizon.until));
        let day = TimeDelta::days(1);
        Span {
            from: self.owner.appointed(midnight(from)),
            until: self.owner.appointed(midnight(last.max(from)) + day),
        }
    }
}

/// Times that a series leaves out, or puts something in the place of.
struct Gone {
    moments: HashSet<DateTime<Utc>>,
    /// Of those of which only the day was said; it stands for whatever is on it.
    dates: HashSet<NaiveDate>,
    /// Of all of them.
    days: HashSet<NaiveDate>,
}

impl Gone {
    fn of<'a>(those: impl Iterator<Item = &'a Moment> + Clone, owner: Zone) -> Self {
        Self {
            moments: those.clone().map(|moment| moment.means(owner).0).collect(),
            dates: those.clone().filter(|moment| moment.is_date).map(|moment| moment.wall.date()).collect(),
            days: those.map(|moment| moment.wall.date()).collect(),
        }
    }

    fn has(&self, moment: &Moment, owner: Zone) -> bool {
        let day = moment.wall.date();
        if moment.is_date {
            return self.days.contains(&day);
        }
        self.dates.contains(&day) || self.moments.contains(&moment.means(owner).0)
    }
}

/// What takes the place of a time of a series, and of all that come after.
struct Moved<'a> {
    from: DateTime<Utc>,
    by: TimeDelta,
    event: &'a Event,
}

impl<'a> Moved<'a> {
    fn of(event: &'a Event, owner: Zone) -> Option<Self> {
        let (instead_of, start) = (event.instead_of.as_ref()?, event.start.as_ref()?);
        let moved = Self { from: instead_of.means(owner).0, by: start.wall - instead_of.wall, event };
        event.is_onwards.then_some(moved)
    }
}

fn length(event: &Event) -> TimeDelta {
    let seconds = event.wall_s.saturating_add(event.exact_s).clamp(0, i64::from(u32::MAX));
    TimeDelta::seconds(seconds)
}
