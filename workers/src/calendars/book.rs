//! Calendars that bookings are written into, whoever keeps them.

use calendar::Tongue;
use jobs::BookingId;

use super::{
    caldav::{Caldav, If},
    trouble::Trouble,
};

/// An entry as it stands there.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) href: String,
    pub(super) etag: String,
    pub(super) text: String,
}

/// What became of a write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrote {
    /// It was written: where, and how it is then, if the calendar says.
    Done(String, Option<String>),
    /// It is not as it was when it was seen.
    Moved,
}

/// A calendar that bookings are written into.
pub(super) trait Book {
    /// How its entries are written down.
    const TONGUE: Tongue;
    /// Whether it refuses a first write where an entry is already, so that nobody has to look before.
    const REFUSES_SECOND: bool;

    /// The entry of a booking as it is: at `href` where that is known, else wherever it is. None when there is none.
    async fn look(&self, booking: BookingId, href: Option<&str>) -> Result<Option<Fetched>, Trouble>;

    /// Writes the entry of a booking: over what was seen as long as it is as it was, or anew where nothing is.
    async fn write(&self, booking: BookingId, over: Option<&Fetched>, text: String)
    -> Result<Wrote, Trouble>;

    /// Takes out what was seen, as long as it is as it was.
    async fn take_out(&self, seen: &Fetched) -> Result<Wrote, Trouble>;
}

impl Book for Caldav<'_> {
    const TONGUE: Tongue = Tongue::File;
    const REFUSES_SECOND: bool = true;

    async fn look(&self, booking: BookingId, href: Option<&str>) -> Result<Option<Fetched>, Trouble> {
        let named = || self.href_of(&format!("{booking}.ics"));
        self.get(&href.map_or_else(named, str::to_owned)).await
    }

    async fn write(
        &self,
        booking: BookingId,
        over: Option<&Fetched>,
        text: String,
    ) -> Result<Wrote, Trouble> {
        let href = over.map(|seen| seen.href.clone());
        let href = href.unwrap_or_else(|| self.href_of(&format!("{booking}.ics")));
        self.put(href, &text, over.map_or(If::Absent, |seen| If::Seen(&seen.etag))).await
    }

    async fn take_out(&self, seen: &Fetched) -> Result<Wrote, Trouble> {
        self.delete(&seen.href, If::Seen(&seen.etag)).await
    }
}
