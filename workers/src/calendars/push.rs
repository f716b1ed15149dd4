//! Writing a booking into a calendar, or taking it out. What a person changed there is never written over without a word, and what
//! they added to it stays.

use calendar::{Access, Entry, called_off, event, event_over, is_called_off, read};
use jobs::{BookingId, CalendarLinkId, TenantId, kinds::calendar_push::Pushed};
use store::calendars::{self, FoundThere, Stands, ToPush};

use super::{
    caldav::{Caldav, Fetched, If, Wrote},
    trouble::Trouble,
};
use crate::deps::Deps;

/// How often a write is tried while somebody else writes at the same moment.
const TRIES_MAX: usize = 3;

/// Brings a calendar up to date with a booking; answers how it stands.
pub(crate) async fn push(
    deps: &Deps,
    tenant: TenantId,
    (link, booking, wish): (CalendarLinkId, BookingId, i32),
) -> Result<Pushed, Trouble> {
    let Some(to_push) = calendars::to_push(&deps.db, tenant, (link, booking, wish)).await? else {
        return Ok(Pushed::Passed);
    };
    let access: Access = serde_json::from_str(&to_push.access).map_err(Trouble::unusable)?;
    let calendar = match &to_push.collection {
        Some(collection) => Caldav::at(&deps.outbound, &access, collection)?,
        None => Caldav::find(&deps.outbound, &access).await?,
    };
    let stands = bring(&calendar, access.email.as_deref(), booking, &to_push).await?;
    calendars::settle_push(&deps.db, tenant, (link, booking, wish), &stands).await?;
    Ok(match stands {
        Stands::Written { .. } => Pushed::Written,
        Stands::Absent => Pushed::Removed,
        Stands::Conflict(_) => Pushed::Conflict,
    })
}

async fn bring(
    calendar: &Caldav<'_>,
    owner: Option<&str>,
    booking: BookingId,
    to_push: &ToPush,
) -> Result<Stands, Trouble> {
    let name = || calendar.href_of(&format!("{booking}.ics"));
    let href = to_push.href.clone().unwrap_or_else(name);
    let entry = entry(booking, to_push);
    // What is not wanted may have been written all the same, by somebody who stopped before it was noted.
    let mut is_new = to_push.is_wanted && to_push.href.is_none() && to_push.over.is_none();
    for _ in 0..TRIES_MAX {
        let found = if is_new { None } else { calendar.get(&href).await? };
        if let Some(stands) = left_as_it_is(booking, to_push, found.as_ref()) {
            return Ok(stands);
        }
        let (condition, text) = match &found {
            None => (If::Absent, Some(event(&entry))),
            Some(found) if to_push.is_wanted => {
                (If::Seen(&found.etag), Some(event_over(&entry, &found.text, owner)))
            }
            Some(found) => (If::Seen(&found.etag), called_off(&entry, &found.text)),
        };
        let wrote = match text {
            Some(text) => calendar.put(&href, &text, condition).await?,
            None => calendar.delete(&href, condition).await?,
        };
        match wrote {
            Wrote::Done(etag) if to_push.is_wanted => return Ok(Stands::Written { href, etag }),
            Wrote::Done(_) => return Ok(Stands::Absent),
            Wrote::Moved => is_new = false,
        }
    }
    Err(Trouble::Answered(412, "an entry, again and again"))
}

/// How a booking stands where nothing is to be written: it is as it should be, or a person did something that nobody has seen to.
fn left_as_it_is(booking: BookingId, to_push: &ToPush, found: Option<&Fetched>) -> Option<Stands> {
    let Some(found) = found else {
        let is_removed = to_push.href.is_some() && to_push.over != Some(FoundThere::Removed);
        return match (to_push.is_wanted, is_removed) {
            (false, _) => Some(Stands::Absent),
            (true, true) => Some(Stands::Conflict(FoundThere::Removed)),
            (true, false) => None,
        };
    };
    if !to_push.is_wanted && is_called_off(&found.text, booking) {
        return Some(Stands::Absent);
    }
    let edited = FoundThere::Edited(found.etag.clone());
    let is_ours = to_push.etag.as_ref() == Some(&found.etag) || is_untouched(found, booking);
    let may_write = is_ours || to_push.over.as_ref() == Some(&edited);
    (!may_write).then_some(Stands::Conflict(edited))
}

/// Whether an entry is a booking as we wrote it, and nothing else.
fn is_untouched(found: &Fetched, booking: BookingId) -> bool {
    let events = read(found.text.as_bytes(), None).unwrap_or_default();
    let is_it = |event: &calendar::Event| {
        event.ours.as_ref().is_some_and(|ours| ours.booking == booking && ours.is_untouched)
    };
    !events.is_empty() && events.iter().all(is_it)
}

fn entry(booking: BookingId, to_push: &ToPush) -> Entry {
    Entry {
        booking,
        version: to_push.version,
        during: to_push.during,
        summary: to_push.reference.clone(),
        changed_at: to_push.changed_at,
    }
}
