//! Bookings in calendars outside: known by their UID, and by a seal whether a person changed them there.

use chrono::{DateTime, SecondsFormat, Utc};
use jobs::{BookingId, InvitationId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What follows the id of a booking in a UID.
const HOST: &str = "@crewline";
/// Bytes of the hash that are the seal.
const SEAL_BYTES: usize = 8;

/// A booking as a calendar outside has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ours {
    /// Which.
    pub booking: BookingId,
    /// Nobody changed when it is or what it is called since we wrote it.
    pub is_untouched: bool,
}

/// The UID of a booking: the same in every calendar, so a copy of a copy is known too.
pub(crate) fn uid_of(booking: BookingId) -> String {
    format!("{booking}{HOST}")
}

/// The UID of a booking in the calendar of a guest, which nobody else has seen.
pub(crate) fn invited_uid(booking: BookingId, invitation: InvitationId) -> String {
    format!("{booking}.{invitation}{HOST}")
}

/// The booking that has this UID, also in the calendar of a guest.
pub(crate) fn booking_of(uid: &str) -> Option<BookingId> {
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
