//! Bookings as entries: in a calendar outside, or in a feed. Equal bookings give equal bytes.

use calcard::{
    common::PartialDateTime,
    icalendar::{
        ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarProperty,
        ICalendarValue,
    },
};
use chrono::{DateTime, Datelike, Timelike, Utc};
use jobs::BookingId;
use matching::Span;

use crate::ours::{seal, uid_of};

/// The line that holds the seal.
pub(crate) const SEAL: &str = "X-CREWLINE-SEAL";
/// Who wrote it.
const WRITER: &str = "-//Crewline//Bookings//EN";
/// How often a feed is worth asking for.
const REFRESH: &str = "PT15M";

/// A booking that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub booking: BookingId,
    /// Counts its changes: a calendar keeps the highest it saw.
    pub version: i32,
    /// When it is.
    pub during: Span,
    /// What it is called.
    pub summary: String,
    /// When it was changed last.
    pub changed_at: DateTime<Utc>,
}

/// A calendar with one booking in it, as a calendar server keeps them.
pub(crate) fn event(entry: &Entry) -> String {
    written(Vec::new(), vec![component(entry)], Vec::new())
}

/// A calendar of bookings, called `name`, for programs that look at it again and again.
pub fn feed(name: &str, entries: &[Entry]) -> String {
    let about = vec![
        other("X-WR-CALNAME", &lines(name)),
        other("X-PUBLISHED-TTL", REFRESH),
        line(ICalendarProperty::Method, text("PUBLISH")),
    ];
    let shown = |entry: &Entry| saying(entry, called(entry, lines(&entry.summary)));
    written(about, entries.iter().map(shown).collect(), Vec::new())
}

/// A file with these entries. Their `parts` come after them: that is how an entry counts which are its own.
pub(crate) fn written(
    about: Vec<ICalendarEntry>,
    entries: Vec<ICalendarComponent>,
    parts: Vec<ICalendarComponent>,
) -> String {
    let mut head =
        vec![line(ICalendarProperty::Version, text("2.0")), line(ICalendarProperty::Prodid, text(WRITER))];
    head.extend(about);
    let mut components = vec![ICalendarComponent {
        component_type: ICalendarComponentType::VCalendar,
        entries: head,
        component_ids: (1..=entries.len() as u32).collect(),
    }];
    components.extend(entries);
    components.extend(parts);
    ICalendar { components }.to_string()
}

/// What is written of a booking, whatever it is written into.
pub(crate) struct Plain {
    pub(crate) from: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    pub(crate) summary: String,
    pub(crate) seal: String,
}

/// Calendars that are written know one line.
pub(crate) fn plain(entry: &Entry) -> Plain {
    called(entry, entry.summary.replace(char::is_control, " "))
}

/// Calendars know whole seconds.
fn called(entry: &Entry, summary: String) -> Plain {
    let [from, until] = [entry.during.from, entry.during.until].map(whole);
    let seal = seal(entry.booking, (from, until), &summary);
    Plain { from, until, summary, seal }
}

/// As many lines as it has, whatever ends them (RFC 5545, 3.3.11).
fn lines(text: &str) -> String {
    let is_other = |c: char| c.is_control() && c != '\n';
    text.replace("\r\n", "\n").replace('\r', "\n").replace(is_other, " ")
}

pub(crate) fn component(entry: &Entry) -> ICalendarComponent {
    saying(entry, plain(entry))
}

fn saying(entry: &Entry, Plain { from, until, summary, seal }: Plain) -> ICalendarComponent {
    // Times are in UTC: every program shows them by its own clock, and no zone has to come along.
    let entries = vec![
        line(ICalendarProperty::Uid, text(&uid_of(entry.booking))),
        line(ICalendarProperty::Dtstamp, at(whole(entry.changed_at))),
        line(ICalendarProperty::LastModified, at(whole(entry.changed_at))),
        line(ICalendarProperty::Sequence, ICalendarValue::Integer(i64::from(entry.version))),
        line(ICalendarProperty::Dtstart, at(from)),
        line(ICalendarProperty::Dtend, at(until)),
        line(ICalendarProperty::Summary, text(&summary)),
        line(ICalendarProperty::Status, text("CONFIRMED")),
        line(ICalendarProperty::Transp, text("OPAQUE")),
        other(SEAL, &seal),
    ];
    ICalendarComponent { component_type: ICalendarComponentType::VEvent, entries, component_ids: Vec::new() }
}

fn whole(at: DateTime<Utc>) -> DateTime<Utc> {
    at.with_nanosecond(0).unwrap_or(at)
}

pub(crate) fn line(name: ICalendarProperty, value: ICalendarValue) -> ICalendarEntry {
    ICalendarEntry { name, params: Vec::new(), values: vec![value] }
}

fn other(name: &str, value: &str) -> ICalendarEntry {
    line(ICalendarProperty::Other(name.to_owned()), text(value))
}

pub(crate) fn text(value: &str) -> ICalendarValue {
    ICalendarValue::Text(value.to_owned())
}

fn at(at: DateTime<Utc>) -> ICalendarValue {
    ICalendarValue::PartialDateTime(Box::new(PartialDateTime {
        year: Some(at.year() as u16),
        month: Some(at.month() as u8),
        day: Some(at.day() as u8),
        hour: Some(at.hour() as u8),
        minute: Some(at.minute() as u8),
        second: Some(at.second() as u8),
        tz_hour: Some(0),
        tz_minute: Some(0),
        tz_minus: false,
    }))
}
