//! What a shoot brings: the kinds of work, where each runs and who goes first.

use jobs::{Backoff, Job, Priority, Queue, kinds::media_rendition::MediaRendition};
use serde_json::{Value, json};

/// A kind of work. The ledger does not look into a job, so kinds that no handler knows will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Work {
    /// The ladder of pictures of a new photograph.
    Photo,
    /// The ladder of a film.
    Film,
    /// Everything of a shoot in one archive.
    Package,
    /// The ladder of an old photograph, made again.
    Rerender,
    /// A payment or booking that somebody else's service tells of.
    Webhook,
    /// Who takes the shoot.
    Match,
    /// A shoot written into somebody's calendar.
    Calendar,
    /// A mail, a text or a push.
    Notice,
    /// What is sent some hours after.
    Reminder,
    /// The mail of the morning.
    Digest,
}

impl Work {
    /// `family.thing`.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Photo | Self::Rerender => MediaRendition::KIND,
            Self::Film => "video.transcode",
            Self::Package => "delivery.zip",
            Self::Webhook => "webhook.process",
            Self::Match => "match.rank",
            Self::Calendar => "calendar.push",
            Self::Notice => "notify.send",
            Self::Reminder => "reminder.fire",
            Self::Digest => "notify.digest",
        }
    }

    /// Where it runs.
    pub const fn queue(self) -> Queue {
        match self {
            Self::Photo | Self::Film => Queue::Media,
            Self::Package | Self::Rerender => Queue::MediaBulk,
            _ => Queue::Default,
        }
    }

    /// Who goes first.
    pub const fn priority(self) -> Priority {
        match self {
            Self::Photo => MediaRendition::POLICY.priority,
            Self::Webhook => Priority::URGENT,
            Self::Rerender | Self::Digest => Priority::LOW,
            _ => Priority::NORMAL,
        }
    }

    /// Runs before it is discarded.
    pub const fn max_attempts(self) -> u16 {
        MediaRendition::POLICY.max_attempts
    }

    /// The wait between runs.
    pub const fn backoff(self) -> Backoff {
        MediaRendition::POLICY.backoff
    }

    /// Arguments about as large as the real ones.
    pub fn args(self, shoot: u32, nth: u32) -> Value {
        match self {
            Self::Photo | Self::Rerender => {
                json!({"asset": format!("ast_{shoot:016x}{nth:016x}"), "preset": "listing@1"})
            }
            _ => json!({"subject": format!("sht_{shoot:032x}"), "nth": nth}),
        }
    }
}
