//! What is to be told, and what was told lately.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{Category, Channel};

/// What a message is about, and when that takes place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub reference: String,
    /// When it takes place.
    pub at: Option<DateTime<Utc>>,
}

/// Channels that are climbed until somebody reads the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rungs {
    /// How long what is offered stands.
    pub ttl: TimeDelta,
    /// Whether this recipient is the one who is called out when nobody has read it.
    pub is_call_out: bool,
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What sort of thing.
    pub category: Category,
    /// By which template.
    pub template: String,
    /// Exactly these channels, instead of what the recipient prefers.
    pub channels: Option<Vec<Channel>>,
    /// What it is about.
    pub about: Option<About>,
    /// SHA-256 of the template and its variables.
    pub content_sha256: String,
    /// The same is not told twice within this; none for what the category says.
    pub dedupe: Option<TimeDelta>,
    /// One channel after the other.
    pub rungs: Option<Rungs>,
    /// What this installation can send by.
    pub able: Vec<Channel>,
}

/// A message to the recipient that was planned, and not skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// By which channel.
    pub channel: Channel,
    /// What sort of thing.
    pub category: Category,
    /// By which template.
    pub template: String,
    /// About what.
    pub reference: Option<String>,
    /// SHA-256 of the template and its variables.
    pub content_sha256: String,
    /// When it was planned.
    pub at: DateTime<Utc>,
}

/// What the recipient was told lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Messages, in any order.
    pub told: Vec<Told>,
    /// When the digest closes that gathers for this recipient, category and thread, if one does.
    pub digest_closes_at: Option<DateTime<Utc>>,
}
