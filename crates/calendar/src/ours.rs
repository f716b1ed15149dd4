//! Bookings in calendars outside: known by their UID, and by a seal whether a person changed them there.

use chrono::{DateTime, SecondsFormat, Utc};
use jobs::{BookingId, InvitationId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::event::is_false;

/// What follows the id of a booking in a UID.
const HOST: &str = "@crewline";
/// What Google makes a UID of its names with.
const GOOGLE_HOST: &str = "@google.com";
/// Bytes of the hash that are the seal.
const SEAL_BYTES: usize = 8;

/// A booking as a calendar outside has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ours {
    /// Which.
    pub booking: BookingId,
    /// Nobody changed when it is or what it is called since we wrote it.
    pub is_untouched: bool,
    /// It is not the entry that we wrote, but a copy of it that somebody made, or what a guest was told.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_copy: bool,
}

/// The UID of a booking: the same in every calendar, so a copy of a copy is known too.
pub(crate) fn uid_of(booking: BookingId) -> String {
    format!("{booking}{HOST}")
}

/// The UID of a booking in the calendar of a guest, which nobody else has seen.
pub(crate) fn invited_uid(booking: BookingId, invitation: InvitationId) -> String {
    format!("{booking}.{invitation}{HOST}")
}

/// What Google calls a booking: it takes letters up to v and digits, and makes a UID of them by itself.
pub(crate) fn google_id_of(booking: BookingId) -> String {
    booking.to_string().replace('_', "")
}

/// The booking that Google calls so.
pub(crate) fn booking_at_google(id: &str) -> Option<BookingId> {
    let (prefix, hex) = id.split_at_checked(BookingId::PREFIX.len())?;
    format!("{prefix}_{hex}").parse().ok()
}

/// The booking that has this UID, also in the calendar of a guest, or one that Google made for it.
pub(crate) fn booking_of(uid: &str) -> Option<BookingId> {
    if let Some(id) = uid.strip_suffix(GOOGLE_HOST) {
        return booking_at_google(id);
    }
    let uid = uid.strip_suffix(HOST)?;
    uid.split_once('.').map_or(uid, |(booking, _)| booking).parse().ok()
}

/// The invitation that has this UID, and its booking.
pub(crate) fn invitation_of(uid: &str) -> Option<(InvitationId, BookingId)> {
    let (booking, invitation) = uid.strip_suffix(HOST)?.split_once('.')?;
    Some((invitation.parse().ok()?, booking.parse().ok()?))
}

/// What stands for everything that we wrote of a booking.
pub(crate) fn seal(
    booking: BookingId,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    summary: &str,
) -> String {
    let [from, until] = [from, until].map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
    let hash = Sha256::digest(format!("{booking}\n{from}\n{until}\n{summary}"));
    hex::encode(hash.iter().copied().take(SEAL_BYTES).collect::<Vec<u8>>())
}
