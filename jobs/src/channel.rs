//! Ways to reach somebody, and what a message is about.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A way to reach somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A mail.
    Email,
    /// A text message.
    Sms,
    /// A notice on a device.
    Push,
    /// A line in a chat room.
    Chat,
    /// A line in the inbox of the product itself.
    InApp,
}

impl Channel {
    /// Every channel there is.
    pub const ALL: [Self; 5] = [Self::Email, Self::Sms, Self::Push, Self::Chat, Self::InApp];

    /// The word in rows and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Push => "push",
            Self::Chat => "chat",
            Self::InApp => "in_app",
        }
    }
}

/// What a message is about, which decides what it may disturb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Somebody waits for it: a link to log in, a payment that failed.
    Critical,
    /// The work itself: an offer, a visit, a reminder.
    Operational,
    /// What people say to each other.
    Social,
    /// What nobody asked for: digests, news.
    Bulk,
}

impl Category {
    /// Every category there is.
    pub const ALL: [Self; 4] = [Self::Critical, Self::Operational, Self::Social, Self::Bulk];

    /// The word in rows and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Operational => "operational",
            Self::Social => "social",
            Self::Bulk => "bulk",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Nothing is called so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no channel or category is called {0:?}")]
pub struct UnknownWord(String);

impl FromStr for Channel {
    type Err = UnknownWord;
    fn from_str(name: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.name() == name)
            .ok_or_else(|| UnknownWord(name.to_owned()))
    }
}

impl FromStr for Category {
    type Err = UnknownWord;
    fn from_str(name: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| UnknownWord(name.to_owned()))
    }
}
