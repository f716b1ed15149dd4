//! Cronofy, version 1: what reading events answers. It tells each time of a series by itself.

use serde::Deserialize;
use serde_json::Value;

use super::{Draft, NoPage, Page, Provided, Said};
use crate::event::Event;

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
        // Times of one series share a name.
        let id = format!("{}/{}/{}", text("calendar_id"), text("event_uid"), text("start"));
        let etag = text("updated");
        match serde_json::from_value::<Item>(value) {
            Ok(item) if item.deleted => page.gone.push(id),
            Ok(item) => page.entries.push(Provided { event: item.event(&id), id, etag }),
            Err(_) => page.entries.push(Provided { id, etag, event: Event::unreadable() }),
        }
    }
    Ok(page)
}

impl Item {
    fn event(&self, id: &str) -> Event {
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
            ..Draft::default()
        }
        .event()
    }
}
