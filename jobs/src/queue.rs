//! Queues: named lanes with their own concurrency.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A named lane of work. Workers choose which queues they listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// Small, quick work: many jobs at once in one process.
    Default,
    /// Pixels and frames: a core each.
    Media,
    /// Films and re-rendering: long work that must never delay new photographs.
    MediaBulk,
}

impl Queue {
    /// Every queue there is.
    pub const ALL: [Self; 3] = [Self::Default, Self::Media, Self::MediaBulk];

    /// The name in rows, tickets, settings and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Media => "media",
            Self::MediaBulk => "media_bulk",
        }
    }

    /// Most jobs that one ticket may claim. A long job is claimed alone, so that no other waits behind it.
    pub const fn claim_max(self) -> u16 {
        match self {
            Self::Default => 1_024,
            Self::Media | Self::MediaBulk => 1,
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No queue has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no queue is called {0:?}; there are default, media and media_bulk")]
pub struct UnknownQueue(String);

impl FromStr for Queue {
    type Err = UnknownQueue;
    fn from_str(name: &str) -> Result<Self, UnknownQueue> {
        Self::ALL.into_iter().find(|queue| queue.name() == name).ok_or_else(|| UnknownQueue(name.to_owned()))
    }
}
