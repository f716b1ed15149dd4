//! Rows of parties and addresses as the rules want them.

use notify::{Consent, Contact, Quiet, Suppression};
use schedule::Zone;
use store::{
    StoreError,
    parties::{ContactPoint, Party},
};

/// An address as it stands for the category that was asked for.
pub(crate) fn contact_of(row: &ContactPoint) -> Result<Contact, StoreError> {
    Ok(Contact {
        id: row.id(),
        channel: row.channel()?,
        is_verified: row.verified_at.is_some(),
        consent: match row.consent.as_deref() {
            Some("granted") => Consent::Granted,
            Some(_) => Consent::Withdrawn,
            None => Consent::Unasked,
        },
        suppression: row.suppression.as_deref().and_then(Suppression::named),
    })
}

/// When nothing may ring.
pub(crate) fn quiet_of(party: &Party) -> Option<Quiet> {
    let minute = |minute: i16| u32::try_from(minute).ok();
    Quiet::new(minute(party.quiet_from?)?, minute(party.quiet_until?)?)
}

/// Where their clock hangs; none also for a zone that this version does not know.
pub(crate) fn zone_of(party: &Party) -> Option<Zone> {
    party.timezone.as_deref()?.parse().ok()
}

/// Why nothing of the category that was asked for goes to an address any more.
pub(crate) fn closed(row: &ContactPoint, is_critical: bool) -> Option<&'static str> {
    match row.suppression.as_deref().and_then(Suppression::named) {
        Some(Suppression::HardBounce) => return Some("there is nobody at the address"),
        Some(Suppression::Stop) => return Some("the recipient answered STOP meanwhile"),
        Some(Suppression::Complaint) if !is_critical => {
            return Some("the recipient called it spam meanwhile");
        }
        Some(Suppression::Complaint) | None => {}
    }
    let withdrawn = row.consent.as_deref() == Some("withdrawn") && !is_critical;
    withdrawn.then_some("the recipient unsubscribed meanwhile")
}
