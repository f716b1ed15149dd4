//! Google Calendar, version 3: what `events.list` answers. Series come as their rule, and what takes the place of one of their times
//! as an entry of its own.

use serde::Deserialize;
use serde_json::Value;

use super::{Draft, NoPage, Page, Provided, Said};
use crate::{event::Event, ours::booking_of};

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
            Ok(item) => page.entries.push(Provided { event: item.event(&id), id, etag }),
            Err(_) => page.entries.push(Provided { id, etag, event: Event::unreadable() }),
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
        }
        .event()
    }
}
