//! Calendars in few words.

use calendar::{Busy, Event, busy, read};
use chrono::{DateTime, Utc};
use matching::Span;

/// A calendar of entries, each the lines between its BEGIN and its END.
pub(crate) fn file(entries: &[&str]) -> String {
    let entry = |(number, lines): (usize, &&str)| {
        let uid = if lines.contains("UID:") { String::new() } else { format!("UID:{number}\r\n") };
        let lines = lines.lines().map(str::trim).collect::<Vec<_>>().join("\r\n");
        format!("BEGIN:VEVENT\r\n{uid}DTSTAMP:20260101T000000Z\r\n{lines}\r\nEND:VEVENT\r\n")
    };
    let entries: String = entries.iter().enumerate().map(entry).collect();
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{entries}END:VCALENDAR\r\n")
}

pub(crate) fn events(entries: &[&str]) -> Vec<Event> {
    read(file(entries).as_bytes(), Some("ada@example.com")).unwrap()
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn span(from: &str, until: &str) -> Span {
    Span { from: at(from), until: at(until) }
}

pub(crate) fn busy_of(events: &[Event], zone: &str, horizon: Span) -> Busy {
    busy(events, zone.parse().unwrap(), horizon).unwrap()
}

/// When somebody in `zone` is busy in 2026, as `10-25T01:00/10-25T02:00`, in UTC; nothing of it is doubtful.
pub(crate) fn in_2026(zone: &str, entries: &[&str]) -> Vec<String> {
    let busy = busy_of(&events(entries), zone, span("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"));
    assert_eq!(busy.doubts, 0, "{entries:?}");
    busy.spans.iter().map(shown).collect()
}

pub(crate) fn shown(span: &Span) -> String {
    let shown = |at: DateTime<Utc>| at.format("%m-%dT%H:%M").to_string();
    format!("{}/{}", shown(span.from), shown(span.until))
}
