//! Cronofy, version 1: what reading events answers. It tells each time of a series by itself. And what it takes: a booking is known by
//! its name. Cronofy has no word for how an entry is, so what stands for that is made of what it says.

use jobs::BookingId;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{CALLED_OFF, Draft, NoPage, Page, Provided, Said, has_words, stamp, text_at};
use crate::{
    event::Event,
    write::{Entry, Plain, plain},
};

#[derive(Deserialize)]
struct List {
    pages: Pages,
    #[serde(default)]
    events: Vec<Value>,
}

#[derive(Deserialize)]
struct Pages {
    next_page: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    start: Option<String>,
    end: Option<String>,
    #[serde(default)]
    deleted: bool,
    transparency: Option<String>,
    participation_status: Option<String>,
    event_status: Option<String>,
}

/// Reads a part of a list.
///
/// # Errors
/// When it is none.
pub fn page(body: &[u8]) -> Result<Page, NoPage> {
    let list: List = serde_json::from_slice(body)?;
    let next = list.pages.next_page.filter(|next| !next.is_empty());
    let mut page = Page { next, ..Page::default() };
    for value in list.events {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let booking = booking_of(&value);
        // Times of one series share a name.
        let other = || format!("{}/{}/{}", text("calendar_id"), text("event_uid"), text("start"));
        let id = booking.map_or_else(other, |booking| booking.to_string());
        let etag = if booking.is_some() { mark(&value) } else { text("updated") };
        match serde_json::from_value::<Item>(value) {
            Ok(item) if item.deleted => page.gone.push(id),
            Ok(item) => page.entries.push(Provided::of(item.event(&id, booking), id, etag)),
            Err(_) => page.entries.push(Provided::of(Event::unreadable(), id, etag)),
        }
    }
    Ok(page)
}

impl Item {
    fn event(&self, id: &str, booking: Option<BookingId>) -> Event {
        let said = |text: &Option<String>| {
            let text = text.as_deref()?;
            Said::day(text).or_else(|| Said::moment(text, None))
        };
        Draft {
            uid: id,
            start: said(&self.start),
            end: said(&self.end),
            is_free: self.transparency.as_deref() == Some("transparent")
                || self.participation_status.as_deref() == Some("declined")
                || self.event_status.as_deref() == Some("cancelled"),
            booking,
            ..Draft::default()
        }
        .event()
    }
}

/// The booking that an entry is, by the name that we gave it.
fn booking_of(said: &Value) -> Option<BookingId> {
    text_at(said, "/event_id").parse().ok()
}

/// The entry of a booking in a part of a list, if it is there; and where the next part is.
///
/// # Errors
/// When that is none.
pub fn find(body: &[u8], booking: BookingId) -> Result<(Option<String>, Option<String>), NoPage> {
    let list: List = serde_json::from_slice(body)?;
    let is_it = |said: &&Value| booking_of(said) == Some(booking) && said["deleted"] != json!(true);
    let found = list.events.iter().find(is_it).map(Value::to_string);
    Ok((found, list.pages.next_page.filter(|next| !next.is_empty())))
}

#[derive(Deserialize)]
struct Calendars {
    calendars: Vec<Kept>,
}

#[derive(Deserialize)]
struct Kept {
    #[serde(rename = "calendar_id")]
    id: String,
    #[serde(rename = "calendar_primary", default)]
    is_primary: bool,
    #[serde(rename = "calendar_readonly", default)]
    is_read_only: bool,
    #[serde(rename = "calendar_deleted", default)]
    is_deleted: bool,
}

/// What the first calendar of somebody is called, of those that they have; none when it cannot be written.
///
/// # Errors
/// When that is no list of calendars.
pub fn first(body: &[u8]) -> Result<Option<String>, NoPage> {
    let list: Calendars = serde_json::from_slice(body)?;
    let is_it = |kept: &Kept| kept.is_primary && !kept.is_read_only && !kept.is_deleted;
    Ok(list.calendars.into_iter().find(is_it).map(|kept| kept.id))
}

/// How an entry is: when, what it is called, and whether it takes time.
pub fn mark_of(said: &str) -> String {
    serde_json::from_str(said).map(|said| mark(&said)).unwrap_or_default()
}

fn mark(said: &Value) -> String {
    let time = |path: &str| {
        let text = text_at(said, path);
        Said::moment(text, None).and_then(|said| said.at()).map_or_else(|| text.to_owned(), stamp)
    };
    let (summary, shows) = (text_at(said, "/summary"), text_at(said, "/transparency"));
    let parts = [time("/start"), time("/end"), summary.to_owned(), shows.to_owned()];
    hex::encode(Sha256::digest(parts.join("\n")))
}

/// The entry of a booking.
pub(crate) fn event(entry: &Entry) -> String {
    written(entry).to_string()
}

/// The entry of a booking in place of `found`. What is not said might be forgotten there.
pub(crate) fn event_over(entry: &Entry, found: &str) -> String {
    with_theirs(written(entry), found).to_string()
}

/// The entry of a booking that is called off, in place of `found`, where somebody wrote something down.
pub(crate) fn called_off(entry: &Entry, found: &str) -> Option<String> {
    let said: Value = serde_json::from_str(found).ok()?;
    if !has_words(&said, &["/description", "/location/description"], &["/attendees"]) {
        return None;
    }
    let mut event = with_theirs(written(entry), found);
    event["summary"] = json!(format!("{CALLED_OFF}{}", plain(entry).summary));
    event["transparency"] = json!("transparent");
    Some(event.to_string())
}

/// Whether an entry says that its booking is called off.
pub(crate) fn is_called_off(found: &str) -> bool {
    let is_off = |said: &Value| {
        text_at(said, "/transparency") == "transparent" && text_at(said, "/summary").starts_with(CALLED_OFF)
    };
    serde_json::from_str(found).is_ok_and(|said| is_off(&said))
}

fn written(entry: &Entry) -> Value {
    let Plain { from, until, summary, .. } = plain(entry);
    json!({
        "event_id": entry.booking, "summary": summary, "description": "", "start": stamp(from), "end": stamp(until),
        "tzid": "Etc/UTC", "transparency": "opaque",
    })
}

/// With what a person wrote down.
fn with_theirs(mut event: Value, found: &str) -> Value {
    let found: Value = serde_json::from_str(found).unwrap_or_default();
    event["description"] = json!(text_at(&found, "/description"));
    if let Some(place) = found.get("location").filter(|place| place.is_object()) {
        event["location"] = place.clone();
    }
    event
}
