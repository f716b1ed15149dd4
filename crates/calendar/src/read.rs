//! From the text of a calendar to its entries. What cannot be read is marked and not passed over.

use calcard::{
    Entry, Parser,
    common::{IanaString, PartialDateTime, timezone::Tz},
    icalendar::{
        ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarDuration, ICalendarEntry,
        ICalendarParameterName, ICalendarParameterValue, ICalendarPeriod, ICalendarProperty, ICalendarValue,
        Uri, timezone::TzResolver,
    },
};
use chrono::{NaiveDate, TimeDelta};
use schedule::Zone;

use crate::{
    event::{Clock, Event, Moment},
    ours::{Ours, booking_of, seal},
    write::SEAL,
};

/// Bytes of a calendar that is read at once.
pub const CALENDAR_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Entries of a calendar.
pub const EVENTS_MAX: usize = 20_000;
/// Years that anybody keeps a calendar of.
const YEARS: std::ops::RangeInclusive<i32> = 1_900..=2_200;
/// A rule that nobody can follow.
const UNFOLLOWED: &str = "?";
/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// It is no calendar, or more of one than is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// There is no calendar in it.
    #[error("it is not a calendar")]
    NoCalendar,
    /// It has too many entries.
    #[error("it has more than {EVENTS_MAX} entries")]
    TooMany,
    /// It is too long.
    #[error("it has more than {CALENDAR_BYTES_MAX} bytes")]
    TooLong,
}

/// The entries of a calendar. What `owner`, an address, declined takes none of their time.
///
/// # Errors
/// When it is none, or too large.
pub fn read(text: &[u8], owner: Option<&str>) -> Result<Vec<Event>, Unreadable> {
    if text.len() > CALENDAR_BYTES_MAX {
        return Err(Unreadable::TooLong);
    }
    let text = String::from_utf8_lossy(text);
    // One that breaks off may have lost an entry, and nobody would know.
    let last = text.trim_end().lines().next_back().unwrap_or_default();
    if !last.eq_ignore_ascii_case("END:VCALENDAR") {
        return Err(Unreadable::NoCalendar);
    }
    let mut parser = Parser::new(text.trim_start_matches('\u{feff}'));
    let (mut events, mut is_calendar) = (Vec::new(), false);
    loop {
        match parser.entry() {
            Entry::ICalendar(calendar) => {
                is_calendar = true;
                let file = File { zones: calendar.build_tz_resolver(), owner };
                events.extend(file.events(&calendar));
            }
            Entry::Eof => break,
            Entry::UnterminatedComponent(_) | Entry::TooManyComponents => return Err(Unreadable::NoCalendar),
            _ => {}
        }
        if events.len() > EVENTS_MAX {
            return Err(Unreadable::TooMany);
        }
    }
    if is_calendar { Ok(events) } else { Err(Unreadable::NoCalendar) }
}

struct File<'a> {
    zones: TzResolver<&'a str>,
    owner: Option<&'a str>,
}

impl File<'_> {
    fn events(&self, calendar: &ICalendar) -> Vec<Event> {
        let mut events = Vec::new();
        for component in &calendar.components {
            match component.component_type {
                ICalendarComponentType::VEvent => events.push(self.event(component)),
                ICalendarComponentType::VFreebusy => events.extend(self.free_busy(component)),
                _ => {}
            }
        }
        events
    }

    fn event(&self, component: &ICalendarComponent) -> Event {
        let mut event = Event::unreadable();
        let (mut end, mut has_length) = (None, false);
        for entry in &component.entries {
            match &entry.name {
                ICalendarProperty::Uid => event.uid = text_of(entry).replace('\0', ""),
                ICalendarProperty::Dtstart => event.start = self.moment(entry, &mut event.is_doubtful),
                ICalendarProperty::Dtend => end = self.moment(entry, &mut event.is_doubtful),
                ICalendarProperty::Duration => {
                    has_length = true;
                    lasting(entry, &mut event);
                }
                ICalendarProperty::Rrule => rule(entry, &mut event),
                ICalendarProperty::Rdate => self.besides(entry, &mut event),
                ICalendarProperty::Exdate => {
                    let (moments, is_doubtful) = self.moments(entry);
                    event.except.extend(moments);
                    event.is_doubtful |= is_doubtful;
                }
                ICalendarProperty::RecurrenceId => {
                    event.instead_of = self.moment(entry, &mut event.is_doubtful);
                    event.is_onwards = parameter(entry, &ICalendarParameterName::Range);
                }
                _ => event.is_busy &= takes_time(entry, self.owner),
            }
        }
        // One that only says which of a series it is, is when that one is.
        event.start = event.start.or_else(|| event.instead_of.clone());
        ends(&mut event, end, has_length);
        event.ours = ours(component, &event);
        event
    }

    /// The first time that a line says.
    fn moment(&self, entry: &ICalendarEntry, is_doubtful: &mut bool) -> Option<Moment> {
        let (moments, doubt) = self.moments(entry);
        *is_doubtful |= doubt || moments.is_empty();
        moments.into_iter().next()
    }

    /// The times that a line says, and whether one of them could not be read.
    fn moments(&self, entry: &ICalendarEntry) -> (Vec<Moment>, bool) {
        let mut is_doubtful = false;
        let moments = entry.values.iter().filter_map(|value| {
            let found = match value {
                ICalendarValue::PartialDateTime(said) => self.read(said, entry.tz_id()),
                _ => None,
            };
            is_doubtful |= found.is_none();
            found
        });
        (moments.collect(), is_doubtful)
    }

    fn read(&self, said: &PartialDateTime, zone: Option<&str>) -> Option<Moment> {
        let date = NaiveDate::from_ymd_opt(said.year?.into(), said.month?.into(), said.day?.into())?;
        if !YEARS.contains(&i32::from(said.year?)) {
            return None;
        }
        let Some(hour) = said.hour else {
            return Some(Moment { wall: date.and_hms_opt(0, 0, 0)?, clock: Clock::Owner, is_date: true });
        };
        // A second that was inserted into a minute is the last of it.
        let second = said.second.unwrap_or(0).min(59);
        let wall = date.and_hms_opt(hour.into(), said.minute.unwrap_or(0).into(), second.into())?;
        let clock = match (said.tz_hour, zone) {
            (Some(hours), _) => {
                let ahead = i32::from(hours) * 3_600 + i32::from(said.tz_minute.unwrap_or(0)) * 60;
                if ahead == 0 { Clock::Utc } else { Clock::Ahead(if said.tz_minus { -ahead } else { ahead }) }
            }
            (None, Some(zone)) => self.clock(zone),
            (None, None) => Clock::Owner,
        };
        Some(Moment { wall, clock, is_date: false })
    }

    /// The clock of a zone as calendars name it: by the IANA, by Windows, or by a definition in the same file.
    fn clock(&self, name: &str) -> Clock {
        match self.zones.resolve(name) {
            Some(Tz::Tz(zone)) => clock_of(zone.name()),
            Some(Tz::Fixed(offset)) => Clock::Ahead(offset.local_minus_utc()),
            Some(Tz::Floating) | None => {
                let known = Zone::names().find(|known| known.eq_ignore_ascii_case(name.trim()));
                known.map_or(Clock::Unknown, clock_of)
            }
        }
    }

    fn besides(&self, entry: &ICalendarEntry, event: &mut Event) {
        for value in &entry.values {
            let moment = match value {
                ICalendarValue::PartialDateTime(said) => self.read(said, entry.tz_id()),
                // How long it lasts then is not kept: the day is.
                ICalendarValue::Period(
                    ICalendarPeriod::Range { start, .. } | ICalendarPeriod::Duration { start, .. },
                ) => {
                    event.is_doubtful = true;
                    self.read(start, entry.tz_id())
                }
                _ => None,
            };
            event.is_doubtful |= moment.is_none();
            event.besides.extend(moment);
        }
    }

    /// What a calendar says that tells when somebody is busy and nothing else.
    fn free_busy(&self, component: &ICalendarComponent) -> Vec<Event> {
        let lines = component.entries.iter().filter(|entry| entry.name == ICalendarProperty::Freebusy);
        let busy = lines.filter(|entry| {
            let mut said = entry.parameters(&ICalendarParameterName::Fbtype);
            !said.any(|said| word_of(said).eq_ignore_ascii_case("FREE"))
        });
        busy.flat_map(|entry| entry.values.iter().map(|value| self.period(value))).collect()
    }

    fn period(&self, value: &ICalendarValue) -> Event {
        let (start, exact_s) = match value {
            ICalendarValue::Period(ICalendarPeriod::Range { start, end }) => {
                let [start, end] = [start, end].map(|said| self.read(said, None));
                let length = start.as_ref().zip(end.as_ref()).map(|(start, end)| end.wall - start.wall);
                (start, length.map(|length| length.num_seconds()))
            }
            ICalendarValue::Period(ICalendarPeriod::Duration { start, duration }) => {
                let (days, seconds) = parts(duration);
                (self.read(start, None), Some(days.saturating_mul(DAY_S).saturating_add(seconds)))
            }
            _ => (None, None),
        };
        let (is_doubtful, exact_s) = (exact_s.is_none(), exact_s.unwrap_or(0));
        Event { start, exact_s, is_doubtful, ..Event::unreadable() }
    }
}

/// The clock of a zone as the IANA names it.
fn clock_of(name: &str) -> Clock {
    match name.parse::<Zone>() {
        Ok(zone) if zone == Zone::UTC => Clock::Utc,
        Ok(zone) => Clock::Zone(zone.name().to_owned()),
        Err(_) => Clock::Unknown,
    }
}

/// Whether a line leaves an entry one that takes time of `owner`.
pub(crate) fn takes_time(entry: &ICalendarEntry, owner: Option<&str>) -> bool {
    let is = |word: &str| text_of(entry).eq_ignore_ascii_case(word);
    match &entry.name {
        ICalendarProperty::Status => !is("CANCELLED"),
        ICalendarProperty::Transp => !is("TRANSPARENT"),
        ICalendarProperty::Attendee => !is_of(entry, owner) || !has_declined(entry),
        ICalendarProperty::Other(name) if name.eq_ignore_ascii_case("X-MICROSOFT-CDO-BUSYSTATUS") => {
            !is("FREE") && !is("WORKINGELSEWHERE")
        }
        _ => true,
    }
}

fn is_of(entry: &ICalendarEntry, owner: Option<&str>) -> bool {
    let address = text_of(entry).to_ascii_lowercase();
    let address = address.strip_prefix("mailto:").unwrap_or(&address);
    owner.is_some_and(|owner| owner.eq_ignore_ascii_case(address))
}

/// A line in words, whatever it holds.
pub(crate) fn text_of(entry: &ICalendarEntry) -> String {
    match entry.values.first() {
        Some(ICalendarValue::Text(text) | ICalendarValue::Uri(Uri::Location(text))) => text.clone(),
        Some(ICalendarValue::Status(word)) => word.as_str().to_owned(),
        Some(ICalendarValue::Transparency(word)) => word.as_str().to_owned(),
        _ => String::new(),
    }
}

/// Whether a line has this parameter.
fn parameter(entry: &ICalendarEntry, name: &ICalendarParameterName) -> bool {
    entry.params.iter().any(|parameter| parameter.name == *name)
}

fn has_declined(entry: &ICalendarEntry) -> bool {
    let mut said = entry.parameters(&ICalendarParameterName::Partstat);
    said.any(|said| word_of(said).eq_ignore_ascii_case("DECLINED"))
}

/// A parameter in words.
pub(crate) fn word_of(said: &ICalendarParameterValue) -> &str {
    match said {
        ICalendarParameterValue::Partstat(word) => word.as_str(),
        ICalendarParameterValue::Fbtype(word) => word.as_str(),
        other => other.as_text().unwrap_or_default(),
    }
}

/// How long it lasts, of when it ends; a day or no time where nothing says.
fn ends(event: &mut Event, end: Option<Moment>, has_length: bool) {
    let Some(start) = &event.start else { return };
    match end {
        // A day that ends on itself is that day.
        Some(end) if start.is_date && end == *start => event.wall_s = DAY_S,
        Some(end) if end.clock == start.clock => event.wall_s = (end.wall - start.wall).num_seconds(),
        Some(end) => {
            let (from, until) = (start.means(Zone::UTC), end.means(Zone::UTC));
            event.is_doubtful |= start.clock == Clock::Owner || end.clock == Clock::Owner;
            event.exact_s = (until.1 - from.0).num_seconds();
        }
        None if start.is_date && !has_length => event.wall_s = DAY_S,
        None => {}
    }
}

fn lasting(entry: &ICalendarEntry, event: &mut Event) {
    match entry.values.first() {
        Some(ICalendarValue::Duration(duration)) => {
            (event.wall_s, event.exact_s) = {
                let (days, seconds) = parts(duration);
                (days.saturating_mul(DAY_S), seconds)
            }
        }
        _ => event.is_doubtful = true,
    }
}

/// Days, which are as long as the clock makes them, and seconds, which are not.
fn parts(duration: &ICalendarDuration) -> (i64, i64) {
    let sign = if duration.neg { -1 } else { 1 };
    let days = i64::from(duration.weeks) * 7 + i64::from(duration.days);
    let seconds = TimeDelta::hours(i64::from(duration.hours))
        + TimeDelta::minutes(i64::from(duration.minutes))
        + TimeDelta::seconds(i64::from(duration.seconds));
    (days * sign, seconds.num_seconds() * sign)
}

fn rule(entry: &ICalendarEntry, event: &mut Event) {
    let text = match entry.values.first() {
        Some(ICalendarValue::RecurrenceRule(rule)) if event.rule.is_none() => rule.to_string(),
        // Two in one entry, or one that is none: nobody can follow it.
        _ => UNFOLLOWED.to_owned(),
    };
    event.rule = Some(text);
}

/// The booking that this is, and whether it is as we wrote it.
fn ours(component: &ICalendarComponent, event: &Event) -> Option<Ours> {
    let booking = booking_of(&event.uid)?;
    let line = |wanted: &str| {
        let is_it =
            |name: &ICalendarProperty| matches!(name, ICalendarProperty::Other(name) if name == wanted);
        component.entries.iter().find(|entry| is_it(&entry.name)).map(text_of)
    };
    let summary =
        component.entries.iter().find(|entry| entry.name == ICalendarProperty::Summary).map(text_of);
    let start = event.start.as_ref()?;
    let from = start.means(Zone::UTC).0;
    let wall = start.wall.checked_add_signed(TimeDelta::try_seconds(event.wall_s)?)?;
    let until =
        start.at(wall).means(Zone::UTC).1.checked_add_signed(TimeDelta::try_seconds(event.exact_s)?)?;
    let is_plain = event.rule.is_none() && event.besides.is_empty() && event.is_busy && !event.is_doubtful;
    let is_sealed = line(SEAL) == Some(seal(booking, (from, until), &summary.unwrap_or_default()));
    Some(Ours { booking, is_untouched: is_plain && is_sealed, is_copy: false })
}
