//! Google Calendar, version 3: what `events.list` answers. Series come as their rule, and what takes the place of one of their times
//! as an entry of its own. And what `events.insert` and `events.patch` take: a booking is known by its name, and carries its seal in
//! properties that nobody sees.

use jobs::BookingId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CALLED_OFF, Draft, NoPage, Page, Provided, Said, has_words, stamp, text_at};
use crate::{
    event::Event,
    ours::{booking_at_google, booking_of, google_id_of},
    write::{Entry, Plain, plain},
};

/// Names of our properties: which booking it is, its seal, and how the booking stands.
const BOOKING: &str = "crewlineBooking";
const SEAL: &str = "crewlineSeal";
const STATE: &str = "crewlineState";
/// How a booking stands.
const CONFIRMED: &str = "confirmed";
const OFF: &str = "cancelled";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    #[serde(default)]
    items: Vec<Value>,
    next_page_token: Option<String>,
    next_sync_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    status: Option<String>,
    #[serde(rename = "iCalUID")]
    uid: Option<String>,
    start: Option<When>,
    end: Option<When>,
    #[serde(default)]
    recurrence: Vec<String>,
    recurring_event_id: Option<String>,
    original_start_time: Option<When>,
    transparency: Option<String>,
    event_type: Option<String>,
    #[serde(default)]
    attendees: Vec<Attendee>,
    summary: Option<String>,
    extended_properties: Option<Properties>,
}

#[derive(Deserialize)]
struct Properties {
    private: Option<Sealed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sealed {
    crewline_booking: Option<String>,
    crewline_seal: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct When {
    date: Option<String>,
    date_time: Option<String>,
    time_zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attendee {
    #[serde(rename = "self", default)]
    is_self: bool,
    response_status: Option<String>,
}

impl When {
    fn said(&self) -> Option<Said> {
        match (&self.date, &self.date_time) {
            (Some(date), _) => Said::day(date),
            (None, Some(at)) => Said::moment(at, self.time_zone.as_deref()),
            (None, None) => None,
        }
    }
}

/// Reads a part of a list.
///
/// # Errors
/// When it is none.
pub fn page(body: &[u8]) -> Result<Page, NoPage> {
    let list: List = serde_json::from_slice(body)?;
    let mut page = Page { next: list.next_page_token, token: list.next_sync_token, ..Page::default() };
    for value in list.items {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (id, etag) = (text("id"), text("etag"));
        match serde_json::from_value::<Item>(value) {
            Ok(item) if item.is_gone() => page.gone.push(id),
            Ok(item) => page.entries.push(Provided::of(item.event(&id), id, etag)),
            Err(_) => page.entries.push(Provided::of(Event::unreadable(), id, etag)),
        }
    }
    Ok(page)
}

impl Item {
    fn is_cancelled(&self) -> bool {
        self.status.as_deref() == Some("cancelled")
    }

    /// One of a series that is cancelled stays, so that the series leaves it out.
    fn is_gone(&self) -> bool {
        self.is_cancelled() && self.recurring_event_id.is_none()
    }

    /// Which booking it was written for, what it is called, and its seal.
    fn sealed(&self) -> Option<(BookingId, &str, &str)> {
        let sealed = self.extended_properties.as_ref()?.private.as_ref()?;
        let summary = self.summary.as_deref().unwrap_or_default();
        let booking = sealed.crewline_booking.as_ref()?.parse().ok()?;
        Some((booking, summary, sealed.crewline_seal.as_deref()?))
    }

    fn event(&self, id: &str) -> Event {
        let declined =
            |attendee: &Attendee| attendee.is_self && attendee.response_status.as_deref() == Some("declined");
        let said = |time: &Option<When>| time.as_ref().and_then(When::said);
        let instead_of = said(&self.original_start_time).filter(|_| self.recurring_event_id.is_some());
        // All of a series share what its first is called; of one that is cancelled nothing else is told.
        let first = self.recurring_event_id.as_deref().unwrap_or(id);
        Draft {
            uid: self.uid.as_deref().filter(|uid| booking_of(uid).is_some()).unwrap_or(first),
            start: said(&self.start).or_else(|| instead_of.clone()),
            end: said(&self.end),
            instead_of,
            repeats: &self.recurrence,
            is_free: self.is_cancelled()
                || self.transparency.as_deref() == Some("transparent")
                || self.event_type.as_deref() == Some("workingLocation")
                || self.attendees.iter().any(declined),
            sealed: self.sealed(),
            booking: booking_at_google(id),
        }
        .event()
    }
}

/// What Google calls a booking: we name it, so what was written twice is there once.
pub fn id_of(booking: BookingId) -> String {
    google_id_of(booking)
}

/// Whether an entry is there no more: Google remembers those that were taken out.
pub fn is_gone(found: &str) -> bool {
    serde_json::from_str::<Item>(found).is_ok_and(|item| item.is_gone())
}

/// The entry that `found` is.
pub(crate) fn one(found: &str) -> Option<Event> {
    let said: Value = serde_json::from_str(found).ok()?;
    let id = text_at(&said, "/id").to_owned();
    Some(serde_json::from_value::<Item>(said).ok()?.event(&id))
}

/// The entry of a booking.
pub(crate) fn event(entry: &Entry) -> String {
    let mut event = written(entry, CONFIRMED);
    event["id"] = json!(google_id_of(entry.booking));
    event.to_string()
}

/// What is changed of an entry; all else of it stays.
pub(crate) fn event_over(entry: &Entry) -> String {
    let mut event = written(entry, CONFIRMED);
    // Where somebody made a day or a series of it.
    for time in ["start", "end"] {
        event[time]["date"] = Value::Null;
    }
    event["recurrence"] = Value::Null;
    event.to_string()
}

/// What is changed of the entry of a booking that is called off, where somebody wrote something down. What Google calls cancelled is
/// gone.
pub(crate) fn called_off(entry: &Entry, found: &str) -> Option<String> {
    let found: Value = serde_json::from_str(found).ok()?;
    if !has_words(&found, &["/description", "/location"], &["/attendees", "/attachments"]) {
        return None;
    }
    let mut event = written(entry, OFF);
    event["summary"] = json!(format!("{CALLED_OFF}{}", plain(entry).summary));
    event["transparency"] = json!("transparent");
    Some(event.to_string())
}

/// Whether an entry says that its booking is called off.
pub(crate) fn is_called_off(found: &str) -> bool {
    let state = format!("/extendedProperties/private/{STATE}");
    serde_json::from_str::<Value>(found).is_ok_and(|found| text_at(&found, &state) == OFF)
}

fn written(entry: &Entry, state: &str) -> Value {
    let Plain { from, until, summary, seal } = plain(entry);
    let time = |at| json!({"dateTime": stamp(at), "timeZone": "UTC"});
    json!({
        "summary": summary, "start": time(from), "end": time(until), "status": "confirmed", "transparency": "opaque",
        "extendedProperties": {"private": {BOOKING: entry.booking, SEAL: seal, STATE: state}},
    })
}
