//! Microsoft Graph, version 1.0: what the delta of a calendar view answers. It tells each time of a series by itself, within a window
//! that its token remembers.

use chrono::NaiveDateTime;
use serde::Deserialize;
use serde_json::Value;

use super::{Draft, NoPage, Page, Provided, Said};
use crate::{event::Event, ours::booking_of};

/// How times are written.
const TIME: &str = "%Y-%m-%dT%H:%M:%S%.f";

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
    #[serde(default)]
    is_all_day: bool,
    #[serde(default)]
    is_cancelled: bool,
    show_as: Option<String>,
    response_status: Option<Response>,
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
    fn said(&self, is_all_day: bool) -> Option<Said> {
        let wall = NaiveDateTime::parse_from_str(self.date_time.trim_end_matches('Z'), TIME).ok()?;
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
            Ok(item) => page.entries.push(Provided { event: item.event(&id), id, etag }),
            Err(_) => page.entries.push(Provided { id, etag, event: Event::unreadable() }),
        }
    }
    Ok(page)
}

impl Item {
    fn event(&self, id: &str) -> Event {
        let said = |time: &Option<Time>| time.as_ref().and_then(|time| time.said(self.is_all_day));
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
            ..Draft::default()
        }
        .event()
    }
}
