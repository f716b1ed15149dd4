//! Writing a booking into a calendar, or taking it out. What a person changed there is never written over without a word.

use calendar::{Access, Entry, event, read};
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
    let stands = bring(&calendar, booking, &to_push).await?;
    calendars::settle_push(&deps.db, tenant, (link, booking, wish), &stands).await?;
    Ok(match stands {
        Stands::Written { .. } => Pushed::Written,
        Stands::Absent => Pushed::Removed,
        Stands::Conflict(_) => Pushed::Conflict,
    })
}

async fn bring(calendar: &Caldav<'_>, booking: BookingId, to_push: &ToPush) -> Result<Stands, Trouble> {
    let name = || calendar.href_of(&format!("{booking}.ics"));
    let href = to_push.href.clone().unwrap_or_else(name);
    let mut seen = to_push.etag.clone();
    // Where it is not known how it is, it is looked at first. What is not wanted may have been written all the same, by
    // somebody who stopped before it was noted.
    let is_noted = to_push.etag.is_some() || (to_push.href.is_none() && to_push.is_wanted);
    let mut is_known = !to_push.is_forced && is_noted;
    for _ in 0..TRIES_MAX {
        if !is_known {
            match calendar.get(&href).await? {
                Some(found) if to_push.is_forced || is_untouched(&found, booking) => seen = Some(found.etag),
                Some(found) => return Ok(Stands::Conflict(FoundThere::Edited(found.etag))),
                None if !to_push.is_wanted => return Ok(Stands::Absent),
                None if to_push.href.is_some() && !to_push.is_forced => {
                    return Ok(Stands::Conflict(FoundThere::Removed));
                }
                None => seen = None,
            }
        }
        match (to_push.is_wanted, &seen) {
            (false, None) => return Ok(Stands::Absent),
            (false, Some(etag)) => {
                if let Wrote::Done(_) = calendar.delete(&href, etag).await? {
                    return Ok(Stands::Absent);
                }
            }
            (true, seen) => {
                let condition = seen.as_deref().map_or(If::Absent, If::Seen);
                if let Wrote::Done(etag) = calendar.put(&href, &text(booking, to_push), condition).await? {
                    return Ok(Stands::Written { href, etag });
                }
            }
        }
        is_known = false;
    }
    Err(Trouble::Answered(412, "an entry, again and again"))
}

/// Whether an entry is a booking as we wrote it, and nothing else.
fn is_untouched(found: &Fetched, booking: BookingId) -> bool {
    let events = read(found.text.as_bytes(), None).unwrap_or_default();
    let is_it = |event: &calendar::Event| {
        event.ours.as_ref().is_some_and(|ours| ours.booking == booking && ours.is_untouched)
    };
    !events.is_empty() && events.iter().all(is_it)
}

fn text(booking: BookingId, to_push: &ToPush) -> String {
    event(&Entry {
        booking,
        version: to_push.version,
        during: to_push.during,
        summary: to_push.reference.clone(),
        changed_at: to_push.changed_at,
    })
}
