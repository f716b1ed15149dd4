//! Rules 1 and 2: by which channels, and whether anything may go there.

use jobs::{Category, Channel};

use super::{contacts_of, is_critical};
use crate::{
    audience::{Consent, Contact, Recipient, Suppression},
    request::Request,
};

/// Rule 1: the channels to try, and why these.
pub(super) fn channels(request: &Request, recipient: &Recipient) -> (Vec<Channel>, &'static str) {
    if let Some(channels) = &request.channels {
        return (channels.clone(), "these channels were asked for");
    }
    let preferred = recipient.preferences.iter().find(|preference| preference.category == request.category);
    match preferred {
        // Whoever waits for a link to log in does not get to have none.
        Some(preference) if !(is_critical(request) && preference.channels.is_empty()) => {
            (preference.channels.clone(), "the recipient prefers these channels")
        }
        _ => (usual(request.category), "these are the usual channels"),
    }
}

fn usual(category: Category) -> Vec<Channel> {
    match category {
        Category::Critical | Category::Bulk => vec![Channel::Email],
        Category::Operational | Category::Social => vec![Channel::InApp, Channel::Email],
    }
}

/// Rule 2: the first address that may be used, or why there is none.
pub(super) fn reachable<'a>(
    channel: Channel,
    request: &Request,
    recipient: &'a Recipient,
) -> Result<(&'a Contact, String), String> {
    if !request.able.contains(&channel) {
        return Err(format!("this installation has no provider for {channel}"));
    }
    let mut refused = None;
    for contact in contacts_of(recipient, channel) {
        match barred(contact, request) {
            None => return Ok((contact, allowed(contact, request))),
            Some(why) => refused = refused.or(Some(why)),
        }
    }
    Err(refused.unwrap_or_else(|| format!("the recipient has no address for {channel}")))
}

/// Why nothing of this category goes to `contact`, if nothing does.
fn barred(contact: &Contact, request: &Request) -> Option<String> {
    let critical = is_critical(request);
    match contact.suppression {
        Some(Suppression::HardBounce) => {
            return Some("mail to this address bounced: there is no such mailbox".into());
        }
        Some(Suppression::Stop) => return Some("the recipient answered STOP".into()),
        Some(Suppression::Complaint) if !critical => return Some("the recipient called it spam".into()),
        Some(Suppression::Complaint) | None => {}
    }
    if critical || contact.channel == Channel::InApp {
        return None;
    }
    if !contact.is_verified {
        return Some("the address is not known to be the recipient's".into());
    }
    match contact.consent {
        Consent::Withdrawn => Some(format!("the recipient wants no {} messages there", request.category)),
        Consent::Unasked if needs_opt_in(contact.channel, request.category) => {
            Some(format!("the recipient was never asked about {} messages there", request.category))
        }
        Consent::Unasked | Consent::Granted => None,
    }
}

/// Where silence is not consent.
fn needs_opt_in(channel: Channel, category: Category) -> bool {
    category == Category::Bulk || (category == Category::Social && channel == Channel::Sms)
}

fn allowed(contact: &Contact, request: &Request) -> String {
    match (is_critical(request), contact.consent) {
        (true, _) => "critical messages need no consent".to_owned(),
        (false, Consent::Granted) => "the recipient agreed".to_owned(),
        (false, _) => "the recipient did not object".to_owned(),
    }
}
