//! Does `calendar.export`.

use calendar::{Entry, feed};
use jobs::{
    Outcome,
    kinds::calendar_export::{CalendarExport, CalendarExported},
};
use sha2::{Digest, Sha256};
use store::calendars;

use crate::{cx::Cx, registry::Handle};

impl Handle for CalendarExport {
    async fn run(self, cx: &Cx<'_>) -> Outcome<CalendarExported> {
        let (db, tenant) = (&cx.deps.db, cx.tenant());
        let gone = CalendarExported { feed: self.feed, bookings: None };
        let Some(found) = calendars::feed_bookings(db, tenant, self.feed).await? else { return Ok(gone) };
        let entry = |booking: &calendars::FeedBooking| Entry {
            booking: booking.id(),
            version: booking.version,
            during: booking.during(),
            summary: booking.reference.clone(),
            changed_at: booking.updated_at,
        };
        let entries: Vec<Entry> = found.bookings.iter().map(entry).collect();
        let body = feed(&found.name, &entries);
        let etag = format!("\"{}\"", hex::encode(Sha256::digest(&body)));
        let shown = calendars::show(db, tenant, self.feed, found.wish, (&body, &etag)).await?;
        Ok(if shown { CalendarExported { bookings: Some(entries.len() as u32), ..gone } } else { gone })
    }
}
