//! How entries of bookings are written down: as calendar files say them, or as providers take them.

use jobs::BookingId;

use crate::{
    event::Event,
    kept,
    provided::{cronofy, google, microsoft},
    read::read,
    write::{self, Entry},
};

/// How entries are written down somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// As a calendar file.
    File,
    /// As Google takes them.
    Google,
    /// As Microsoft takes them.
    Microsoft,
    /// As Cronofy takes them.
    Cronofy,
}

impl Tongue {
    /// The entry of a booking. `wish` tells one making of it from another, for whom that matters.
    pub fn event(self, entry: &Entry, wish: i32) -> String {
        match self {
            Self::File => write::event(entry),
            Self::Google => google::event(entry),
            Self::Microsoft => microsoft::event(entry, wish),
            Self::Cronofy => cronofy::event(entry),
        }
    }

    /// The entry of a booking in place of `found`: with what a person added there. Not with what would leave the time free, as that
    /// `owner`, an address, declined.
    pub fn event_over(self, entry: &Entry, found: &str, owner: Option<&str>) -> String {
        match self {
            Self::File => kept::event_over(entry, found, owner),
            Self::Google => google::event_over(entry),
            Self::Microsoft => microsoft::event_over(entry),
            Self::Cronofy => cronofy::event_over(entry, found),
        }
    }

    /// The entry of a booking that is called off, in place of `found`, for somebody who wrote something down there. None when nobody
    /// did.
    pub fn called_off(self, entry: &Entry, found: &str) -> Option<String> {
        match self {
            Self::File => kept::called_off(entry, found),
            Self::Google => google::called_off(entry, found),
            Self::Microsoft => microsoft::called_off(entry, found),
            Self::Cronofy => cronofy::called_off(entry, found),
        }
    }

    /// Whether an entry says that its booking is called off.
    pub fn is_called_off(self, found: &str, booking: BookingId) -> bool {
        match self {
            Self::File => kept::is_called_off(found, booking),
            Self::Google => google::is_called_off(found),
            Self::Microsoft => microsoft::is_called_off(found),
            Self::Cronofy => cronofy::is_called_off(found),
        }
    }

    /// Whether what was found is a booking as we wrote it, and nothing else. What carries no seal has to be as `entry` is.
    pub fn is_untouched(self, found: &str, entry: &Entry) -> bool {
        let events = match self {
            Self::File => read(found.as_bytes(), None).unwrap_or_default(),
            Self::Google => google::one(found).into_iter().collect(),
            Self::Microsoft => microsoft::one(found).into_iter().collect(),
            Self::Cronofy => return cronofy::mark_of(found) == cronofy::mark_of(&cronofy::event(entry)),
        };
        let is_it = |event: &Event| {
            event.ours.as_ref().is_some_and(|ours| ours.booking == entry.booking && ours.is_untouched)
        };
        !events.is_empty() && events.iter().all(is_it)
    }
}
