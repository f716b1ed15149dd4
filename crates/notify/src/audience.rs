//! Somebody who may be told something: where, whether they want it, and when it disturbs them.

use jobs::{Category, Channel, ContactPointId};
use schedule::Zone;

use crate::quiet::Quiet;

/// What somebody said about messages of a category to one of their addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Nothing.
    Unasked,
    /// Yes.
    Granted,
    /// No: they unsubscribed.
    Withdrawn,
}

/// Why nothing at all goes to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suppression {
    /// There is no such mailbox or number.
    HardBounce,
    /// They called it spam.
    Complaint,
    /// They answered STOP.
    Stop,
}

impl Suppression {
    /// The suppression that a row calls so.
    pub fn named(word: &str) -> Option<Self> {
        Some(match word {
            "hard_bounce" => Self::HardBounce,
            "complaint" => Self::Complaint,
            "stop" => Self::Stop,
            _ => return None,
        })
    }

    /// The word in rows and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HardBounce => "hard_bounce",
            Self::Complaint => "complaint",
            Self::Stop => "stop",
        }
    }
}

/// An address of somebody, as it stands for messages of the category in question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Which.
    pub id: ContactPointId,
    /// By which channel.
    pub channel: Channel,
    /// Whether it is known to be theirs.
    pub is_verified: bool,
    /// What they said about the category.
    pub consent: Consent,
    /// Why nothing goes there, if nothing does.
    pub suppression: Option<Suppression>,
}

/// The channels somebody wants for a category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    /// What it is about.
    pub category: Category,
    /// Where to; none of them for not at all.
    pub channels: Vec<Channel>,
}

/// Somebody who is to be told something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Where they are reached, in the order in which they are tried.
    pub contacts: Vec<Contact>,
    /// What they chose.
    pub preferences: Vec<Preference>,
    /// When nothing may ring.
    pub quiet: Option<Quiet>,
    /// Where their clock hangs; none is UTC.
    pub zone: Option<Zone>,
}
