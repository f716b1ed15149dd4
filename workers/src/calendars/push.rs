//! Writing a booking into a calendar, or taking it out. What a person changed there is never written over without a word, and what
//! they added to it stays.

use calendar::{Access, Entry, Tongue};
use jobs::{BookingId, CalendarLinkId, TenantId, kinds::calendar_push::Pushed};
use store::calendars::{self, FoundThere, Stands, ToPush};

use super::{
    book::{Book, Fetched, Wrote},
    caldav::Caldav,
    provided,
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
    let wanted = Wanted { booking, wish, to_push, owner: access.email.as_deref() };
    let stands = match (wanted.to_push.provider.as_str(), &wanted.to_push.collection) {
        ("google" | "microsoft" | "cronofy", _) => {
            provided::bring(deps, (tenant, link), &access, &wanted).await?
        }
        (_, Some(collection)) => {
            Some(bring(&Caldav::at(&deps.outbound, &access, collection)?, &wanted).await?)
        }
        (_, None) => Some(bring(&Caldav::find(&deps.outbound, &access).await?, &wanted).await?),
    };
    let Some(stands) = stands else { return Ok(Pushed::Passed) };
    calendars::settle_push(&deps.db, tenant, (link, booking, wish), &stands).await?;
    Ok(match stands {
        Stands::Written { .. } => Pushed::Written,
        Stands::Absent => Pushed::Removed,
        Stands::Conflict { .. } => Pushed::Conflict,
    })
}

/// What a calendar is to learn of a booking.
pub(super) struct Wanted<'a> {
    pub(super) booking: BookingId,
    pub(super) wish: i32,
    pub(super) to_push: ToPush,
    /// The address of whoever keeps the calendar.
    owner: Option<&'a str>,
}

impl Wanted<'_> {
    fn entry(&self) -> Entry {
        Entry {
            booking: self.booking,
            version: self.to_push.version,
            during: self.to_push.during,
            summary: self.to_push.reference.clone(),
            changed_at: self.to_push.changed_at,
        }
    }
}

/// Brings one calendar up to date. Whoever does not know what became of a write does it again: it is looked at first, or written
/// where nothing may be.
pub(super) async fn bring<B: Book>(book: &B, wanted: &Wanted<'_>) -> Result<Stands, Trouble> {
    let (to_push, entry) = (&wanted.to_push, wanted.entry());
    // What is not wanted may have been written all the same, by somebody who stopped before it was noted.
    let is_first = to_push.is_wanted && to_push.href.is_none() && to_push.over.is_none();
    let mut is_new = is_first && B::REFUSES_SECOND;
    for _ in 0..TRIES_MAX {
        let found = if is_new { None } else { book.look(wanted.booking, to_push.href.as_deref()).await? };
        if let Some(stands) = left_as_it_is(B::TONGUE, wanted, found.as_ref()) {
            return Ok(stands);
        }
        let wrote = match &found {
            None => book.write(wanted.booking, None, B::TONGUE.event(&entry, wanted.wish)).await?,
            Some(seen) if to_push.is_wanted => {
                let text = B::TONGUE.event_over(&entry, &seen.text, wanted.owner);
                book.write(wanted.booking, Some(seen), text).await?
            }
            Some(seen) => match B::TONGUE.called_off(&entry, &seen.text) {
                Some(text) => book.write(wanted.booking, Some(seen), text).await?,
                None => book.take_out(seen).await?,
            },
        };
        match wrote {
            Wrote::Done(href, etag) if to_push.is_wanted => return Ok(Stands::Written { href, etag }),
            Wrote::Done(..) => return Ok(Stands::Absent),
            Wrote::Moved => is_new = false,
        }
    }
    Err(Trouble::Answered(412, "an entry, again and again"))
}

/// How a booking stands where nothing is to be written: it is as it should be, or a person did something that nobody has seen to.
fn left_as_it_is(tongue: Tongue, wanted: &Wanted<'_>, found: Option<&Fetched>) -> Option<Stands> {
    let to_push = &wanted.to_push;
    let Some(found) = found else {
        let removed = to_push.href.clone().filter(|_| to_push.over != Some(FoundThere::Removed));
        return match (to_push.is_wanted, removed) {
            (false, _) => Some(Stands::Absent),
            (true, Some(href)) => Some(Stands::Conflict { href, found: FoundThere::Removed }),
            (true, None) => None,
        };
    };
    if !to_push.is_wanted && tongue.is_called_off(&found.text, wanted.booking) {
        return Some(Stands::Absent);
    }
    let edited = FoundThere::Edited(found.etag.clone());
    let is_ours =
        to_push.etag.as_ref() == Some(&found.etag) || tongue.is_untouched(&found.text, &wanted.entry());
    let may_write = is_ours || to_push.over.as_ref() == Some(&edited);
    (!may_write).then(|| Stands::Conflict { href: found.href.clone(), found: edited })
}
