//! What a person added to an entry of ours: it stays when we write that anew, or call it off.

use calcard::{
    Entry as Read, Parser,
    icalendar::{
        ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarProperty, ICalendarValue,
    },
};
use jobs::BookingId;

use crate::{
    ours::uid_of,
    read::{takes_time, text_of},
    write::{Entry, SEAL, component, event, line, text, written},
};

/// A calendar with one booking in it, in place of `found`: with what a person added there. Not with what would leave the time free,
/// as that `owner`, an address, declined.
pub(crate) fn event_over(entry: &Entry, found: &str, owner: Option<&str>) -> String {
    let Some(Theirs { entry: theirs, alarms }) = theirs(found, entry.booking) else { return event(entry) };
    let mut ours = component(&later(entry, &theirs));
    ours.component_ids = (2..).take(alarms.len()).collect();
    ours.entries.extend(theirs.entries.into_iter().filter(|line| is_added(line) && takes_time(line, owner)));
    written(Vec::new(), vec![ours], alarms)
}

/// The entry of a booking that is called off, in place of `found`, for somebody who wrote something down there. None when nobody did.
pub(crate) fn called_off(entry: &Entry, found: &str) -> Option<String> {
    let theirs = theirs(found, entry.booking)?.entry;
    if !theirs.entries.iter().any(has_words) {
        return None;
    }
    let mut ours = component(&later(entry, &theirs));
    ours.entries.retain(|line| !matches!(line.name, ICalendarProperty::Status | ICalendarProperty::Transp));
    ours.entries.push(line(ICalendarProperty::Status, text("CANCELLED")));
    ours.entries.push(line(ICalendarProperty::Transp, text("TRANSPARENT")));
    ours.entries.extend(theirs.entries.into_iter().filter(is_added));
    Some(written(Vec::new(), vec![ours], Vec::new()))
}

/// Whether a file has the entry of a booking, and says that it is called off.
pub(crate) fn is_called_off(found: &str, booking: BookingId) -> bool {
    let says = |line: &ICalendarEntry| {
        line.name == ICalendarProperty::Status && text_of(line).eq_ignore_ascii_case("CANCELLED")
    };
    theirs(found, booking).is_some_and(|theirs| theirs.entry.entries.iter().any(says))
}

/// The entry of a booking as it stands in a calendar.
struct Theirs {
    entry: ICalendarComponent,
    /// Without parts of their own.
    alarms: Vec<ICalendarComponent>,
}

fn theirs(found: &str, booking: BookingId) -> Option<Theirs> {
    let Read::ICalendar(file) = Parser::new(found.trim_start_matches('\u{feff}')).entry() else {
        return None;
    };
    let uid = uid_of(booking);
    // Where somebody made a series of it, that which stands for the series.
    let is_it = |component: &ICalendarComponent| {
        let has = |name: &ICalendarProperty| component.entries.iter().find(|line| line.name == *name);
        component.component_type == ICalendarComponentType::VEvent
            && has(&ICalendarProperty::Uid).is_some_and(|line| text_of(line) == uid)
            && has(&ICalendarProperty::RecurrenceId).is_none()
    };
    let entry = file.components.iter().find(|component| is_it(component))?.clone();
    let parts = entry.component_ids.iter().filter_map(|id| file.components.get(*id as usize));
    let alarms = parts.filter(|part| part.component_type == ICalendarComponentType::VAlarm);
    let alone =
        |alarm: &ICalendarComponent| ICalendarComponent { component_ids: Vec::new(), ..alarm.clone() };
    let alarms = alarms.map(alone).collect();
    Some(Theirs { entry, alarms })
}

/// The entry, changed no less often than theirs says: a calendar keeps the highest.
fn later(entry: &Entry, theirs: &ICalendarComponent) -> Entry {
    let said = theirs.entries.iter().find(|line| line.name == ICalendarProperty::Sequence);
    let said = said.and_then(|line| match line.values.first() {
        Some(ICalendarValue::Integer(said)) => i32::try_from(*said).ok(),
        _ => None,
    });
    Entry { version: entry.version.max(said.unwrap_or_default()), ..entry.clone() }
}

/// Whether a line is none that we write, and says nothing of when the entry is.
fn is_added(line: &ICalendarEntry) -> bool {
    use ICalendarProperty as Name;
    let is_ours = match &line.name {
        Name::Uid
        | Name::Dtstamp
        | Name::LastModified
        | Name::Sequence
        | Name::Dtstart
        | Name::Dtend
        | Name::Duration
        | Name::Summary
        | Name::Status
        | Name::Transp
        | Name::Rrule
        | Name::Rdate
        | Name::Exdate
        | Name::Exrule
        | Name::RecurrenceId => true,
        Name::Other(name) => name.eq_ignore_ascii_case(SEAL),
        _ => false,
    };
    // The definition of a zone is not kept.
    !is_ours && line.tz_id().is_none()
}

/// Whether somebody wrote it down.
fn has_words(line: &ICalendarEntry) -> bool {
    match line.name {
        ICalendarProperty::Attach | ICalendarProperty::Attendee | ICalendarProperty::Url => true,
        ICalendarProperty::Comment
        | ICalendarProperty::Contact
        | ICalendarProperty::Description
        | ICalendarProperty::Location => !text_of(line).trim().is_empty(),
        _ => false,
    }
}
