//! The rules, in their order. Each that has a say writes down why, in words for whoever asks later.

mod timing;
mod wanted;

use chrono::{DateTime, Utc};
use jobs::{Category, Channel, ContactPointId};
use serde::{Deserialize, Serialize};

pub use self::timing::{Ringing, Throttle, dedupe_window, quiet_until, throttle};
use self::{
    timing::{climbed, gathered, held, throttled},
    wanted::{channels, reachable},
};
use crate::{
    audience::{Contact, Recipient},
    request::{History, Request, Told},
};

/// What one rule said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Which of the nine.
    pub rule: u8,
    /// Why, in plain words.
    pub said: String,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is sent.
    Send {
        /// Not before.
        at: DateTime<Utc>,
        /// Only if nobody has read the same by another channel by then.
        unless_read: bool,
    },
    /// It waits for a digest.
    Gather {
        /// When the digest closes.
        closes_at: DateTime<Utc>,
    },
    /// It is not sent.
    Skip,
}

/// A verdict on one channel, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The channel.
    pub channel: Channel,
    /// The address; none when there is none to send to.
    pub contact: Option<ContactPointId>,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What the rules said, in their order.
    pub notes: Vec<Note>,
}

impl Decision {
    fn note(&mut self, rule: u8, said: impl Into<String>) {
        self.notes.push(Note { rule, said: said.into() });
    }

    fn skip(&mut self, rule: u8, said: impl Into<String>) {
        self.verdict = Verdict::Skip;
        self.note(rule, said);
    }
}

/// Decides for each channel whether `recipient` is told, when, and why.
///
/// Templates (rule 8) and providers (rule 9) come after it: nothing is decided there, something may fail there.
pub fn decide(
    request: &Request,
    recipient: &Recipient,
    history: &History,
    now: DateTime<Utc>,
) -> Vec<Decision> {
    let (wanted, why) = channels(request, recipient);
    let mut decisions: Vec<Decision> = wanted
        .into_iter()
        .map(|channel| {
            let verdict = Verdict::Send { at: now, unless_read: false };
            let mut decision = Decision { channel, contact: None, verdict, notes: Vec::new() };
            decision.note(1, format!("{}: {why}", request.category));
            judge(&mut decision, request, recipient, history, now);
            decision
        })
        .collect();
    climbed(&mut decisions, request, recipient, now);
    decisions
}

fn judge(
    decision: &mut Decision,
    request: &Request,
    recipient: &Recipient,
    history: &History,
    now: DateTime<Utc>,
) {
    let contact = match reachable(decision.channel, request, recipient) {
        Ok((contact, said)) => {
            decision.note(2, said);
            contact
        }
        Err(said) => return decision.skip(2, said),
    };
    decision.contact = Some(contact.id);
    let at = held(decision, request, recipient, now);
    if let Some(before) = same(decision.channel, request, history, now) {
        let said = format!("the same was told at {} already", before.format("%Y-%m-%d %H:%M UTC"));
        return decision.skip(4, said);
    }
    let gathers =
        gathered(decision, request, history, now).or_else(|| throttled(decision, request, history, now));
    decision.verdict = match gathers {
        // What is gathered and may not ring yet is told when it may.
        Some(closes_at) => Verdict::Gather { closes_at: closes_at.max(at) },
        None => Verdict::Send { at, unless_read: false },
    };
}

/// Rule 4: when the same was told within its window.
fn same(channel: Channel, request: &Request, history: &History, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let window = request.dedupe.unwrap_or_else(|| dedupe_window(request.category));
    let reference = request.about.as_ref().map(|about| about.reference.as_str());
    let is_same = |told: &&Told| {
        told.channel == channel
            && told.template == request.template
            && told.reference.as_deref() == reference
            && told.content_sha256 == request.content_sha256
            && now - told.at < window
    };
    history.told.iter().filter(is_same).map(|told| told.at).max()
}

/// Whether consent and quiet hours do not count, because somebody waits for it.
fn is_critical(request: &Request) -> bool {
    request.category == Category::Critical
}

/// The contacts of `channel`, in the order in which they are tried.
fn contacts_of(recipient: &Recipient, channel: Channel) -> impl Iterator<Item = &Contact> {
    recipient.contacts.iter().filter(move |contact| contact.channel == channel)
}

#[cfg(test)]
mod tests;
