//! Microsoft Graph, version 1.0: what the delta of a calendar view answers. It tells each time of a series by itself, within a
//! window that its token remembers; what changes outside of it is told without its times. And what it takes: a booking is known by
//! the transaction that made it, and carries its seal in properties of ours, which the delta does not tell.

use chrono::{DateTime, NaiveDateTime, NaiveTime, Utc};
use jobs::BookingId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CALLED_OFF, Draft, NoPage, Page, Provided, Said, has_words};
use crate::{
    event::Event,
    ours::booking_of,
    write::{Entry, Plain, plain},
};

/// How times are written.
const TIME: &str = "%Y-%m-%dT%H:%M:%S%.f";
/// Our properties: which booking it is, its seal, and how the booking stands.
const BOOKING: &str = "String {2f1c8a56-8e0b-4d0a-9c4e-6b3f7d5a1e90} Name CrewlineBooking";
const SEAL: &str = "String {2f1c8a56-8e0b-4d0a-9c4e-6b3f7d5a1e90} Name CrewlineSeal";
const STATE: &str = "String {2f1c8a56-8e0b-4d0a-9c4e-6b3f7d5a1e90} Name CrewlineState";
/// How a booking stands.
const CONFIRMED: &str = "confirmed";
const OFF: &str = "cancelled";

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    value: Vec<Value>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    delta: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    #[serde(rename = "@removed")]
    removed: Option<Value>,
    #[serde(rename = "type")]
    sort: Option<String>,
    i_cal_u_id: Option<String>,
    start: Option<Time>,
    end: Option<Time>,
    is_all_day: Option<bool>,
    #[serde(default)]
    is_cancelled: bool,
    show_as: Option<String>,
    response_status: Option<Response>,
    subject: Option<String>,
    transaction_id: Option<String>,
    #[serde(default)]
    single_value_extended_properties: Vec<Property>,
}

#[derive(Deserialize)]
struct Property {
    id: String,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Time {
    date_time: String,
    time_zone: String,
}

#[derive(Deserialize)]
struct Response {
    response: Option<String>,
}

impl Time {
    fn wall(&self) -> Option<NaiveDateTime> {
        NaiveDateTime::parse_from_str(self.date_time.trim_end_matches('Z'), TIME).ok()
    }

    fn is_midnight(&self) -> bool {
        self.wall().is_some_and(|wall| wall.time() == NaiveTime::MIN)
    }

    fn said(&self, is_all_day: bool) -> Option<Said> {
        let wall = self.wall()?;
        Some(match self.time_zone.as_str() {
            _ if is_all_day => Said::Day(wall.date()),
            "UTC" => Said::Utc(wall.and_utc()),
            zone => Said::Wall(wall, zone.to_owned()),
        })
    }
}

/// Reads a part of a list.
///
/// # Errors
/// When it is none.
pub fn page(body: &[u8]) -> Result<Page, NoPage> {
    let list: List = serde_json::from_slice(body)?;
    let mut page = Page { next: list.next, token: list.delta, ..Page::default() };
    for value in list.value {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (id, etag) = (text("id"), text("@odata.etag"));
        match serde_json::from_value::<Item>(value) {
            Ok(item) if item.removed.is_some() => page.gone.push(id),
            // Its times are told one by one.
            Ok(item) if item.sort.as_deref() == Some("seriesMaster") => {}
            Ok(item) => {
                let is_hollow = item.start.is_none();
                page.entries.push(Provided { is_hollow, ..Provided::of(item.event(&id), id, etag) });
            }
            Err(_) => page.entries.push(Provided::of(Event::unreadable(), id, etag)),
        }
    }
    Ok(page)
}

impl Item {
    /// A property of ours. Where it is told, its set may be written in other letters.
    fn property(&self, name: &str) -> Option<&str> {
        let found =
            self.single_value_extended_properties.iter().find(|has| has.id.eq_ignore_ascii_case(name));
        found.and_then(|found| found.value.as_deref())
    }

    /// Which booking it was written for, what it is called, and its seal.
    fn sealed(&self) -> Option<(BookingId, &str, &str)> {
        let summary = self.subject.as_deref().unwrap_or_default();
        Some((self.property(BOOKING)?.parse().ok()?, summary, self.property(SEAL)?))
    }

    /// The booking for which it was made, by the transaction that made it.
    fn made_for(&self) -> Option<BookingId> {
        self.transaction_id.as_deref()?.split_once('.')?.0.parse().ok()
    }

    /// Whether it is days. Times of a series may be told without that word; days are told from midnight to midnight.
    fn is_all_day(&self) -> bool {
        let are_days = || {
            let mut times = [&self.start, &self.end].into_iter();
            times.all(|time| time.as_ref().is_some_and(Time::is_midnight))
        };
        self.is_all_day.unwrap_or_else(are_days)
    }

    fn event(&self, id: &str) -> Event {
        let is_all_day = self.is_all_day();
        let said = |time: &Option<Time>| time.as_ref().and_then(|time| time.said(is_all_day));
        let response = self.response_status.as_ref().and_then(|status| status.response.as_deref());
        let uid = self.i_cal_u_id.as_deref();
        Draft {
            // Times of one series share a UID, and are no series here: ours are known by it, others by their name.
            uid: uid.filter(|uid| booking_of(uid).is_some()).unwrap_or(id),
            start: said(&self.start),
            end: said(&self.end),
            is_free: self.is_cancelled
                || matches!(self.show_as.as_deref(), Some("free" | "workingElsewhere"))
                || response == Some("declined"),
            sealed: self.sealed(),
            booking: self.made_for().or(self.sealed().map(|(booking, ..)| booking)),
            ..Draft::default()
        }
        .event()
    }
}

/// What has to be asked for with an entry, so that its seal is told: a parameter and its value.
pub fn with_seal() -> (&'static str, String) {
    let wanted = [BOOKING, SEAL, STATE].map(|name| format!("id eq '{name}'")).join(" or ");
    ("$expand", format!("singleValueExtendedProperties($filter={wanted})"))
}

/// What the entry of a booking is asked for by, where nobody knows what it is called: a parameter and its value.
pub fn for_booking(booking: BookingId) -> (&'static str, String) {
    let has = format!("ep/id eq '{BOOKING}' and ep/value eq '{booking}'");
    ("$filter", format!("singleValueExtendedProperties/Any(ep: {has})"))
}

/// An entry that was asked for by itself; none of a series, whose times are told one by one.
pub fn asked(found: &str) -> Option<Provided> {
    page(format!(r#"{{"value":[{found}]}}"#).as_bytes()).ok()?.entries.pop()
}

/// Whether an entry, with its seal, is as we wrote it.
pub fn is_sealed(found: &str) -> bool {
    one(found).and_then(|event| event.ours).is_some_and(|ours| ours.is_untouched)
}

/// The entry that `found` is.
pub(crate) fn one(found: &str) -> Option<Event> {
    let item: Item = serde_json::from_str(found).ok()?;
    let is_series = item.sort.as_deref() == Some("seriesMaster");
    (!is_series).then(|| item.event(""))
}

/// The entry of a booking. Who asks twice for one `wish` is answered with one entry.
pub(crate) fn event(entry: &Entry, wish: i32) -> String {
    let mut event = written(entry, CONFIRMED);
    event["transactionId"] = json!(format!("{}.{wish}", entry.booking));
    event.to_string()
}

/// What is changed of an entry; all else of it stays.
pub(crate) fn event_over(entry: &Entry) -> String {
    let mut event = written(entry, CONFIRMED);
    // Where somebody made a series of it.
    event["recurrence"] = Value::Null;
    event.to_string()
}

/// What is changed of the entry of a booking that is called off, where somebody wrote something down.
pub(crate) fn called_off(entry: &Entry, found: &str) -> Option<String> {
    let said: Value = serde_json::from_str(found).ok()?;
    let has_files = said.get("hasAttachments").and_then(Value::as_bool).unwrap_or_default();
    if !has_files && !has_words(&said, &["/bodyPreview", "/location/displayName"], &["/attendees"]) {
        return None;
    }
    let mut event = written(entry, OFF);
    event["subject"] = json!(format!("{CALLED_OFF}{}", plain(entry).summary));
    event["showAs"] = json!("free");
    Some(event.to_string())
}

/// Whether an entry says that its booking is called off.
pub(crate) fn is_called_off(found: &str) -> bool {
    serde_json::from_str::<Item>(found).is_ok_and(|item| item.property(STATE) == Some(OFF))
}

fn written(entry: &Entry, state: &str) -> Value {
    let Plain { from, until, summary, seal } = plain(entry);
    let time = |at: DateTime<Utc>| json!({"dateTime": at.format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": "UTC"});
    let property = |(id, value): (&str, String)| json!({"id": id, "value": value});
    let ours = [(BOOKING, entry.booking.to_string()), (SEAL, seal), (STATE, state.to_owned())].map(property);
    json!({
        "subject": summary, "start": time(from), "end": time(until), "isAllDay": false, "showAs": "busy",
        "singleValueExtendedProperties": ours,
    })
}
