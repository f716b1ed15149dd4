//! What an alert looks at.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an alert looks at, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// For how many seconds the first in line has waited, or is late where it was promised to be done by a time.
    QueueAge,
    /// Of a hundred attempts, how many more went wrong than of a hundred in the day before.
    ErrorRate,
    /// Jobs that were given up.
    DeadLetters,
    /// Worker processes that fell silent.
    SilentWorkers,
    /// Visits ahead for which nobody is left to be asked.
    NeedsDispatch,
}

impl Measure {
    /// Everything that can be looked at.
    pub const ALL: [Self; 5] =
        [Self::QueueAge, Self::ErrorRate, Self::DeadLetters, Self::SilentWorkers, Self::NeedsDispatch];

    /// The word in rows and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueAge => "queue_age",
            Self::ErrorRate => "error_rate",
            Self::DeadLetters => "dead_letters",
            Self::SilentWorkers => "silent_workers",
            Self::NeedsDispatch => "needs_dispatch",
        }
    }

    /// What stands behind its number.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::QueueAge => "s",
            Self::ErrorRate => "% over the day before",
            Self::DeadLetters => "jobs given up",
            Self::SilentWorkers => "workers gone",
            Self::NeedsDispatch => "visits without anybody",
        }
    }

    /// Whether it can be looked at in one queue alone.
    pub const fn is_of_queues(self) -> bool {
        !matches!(self, Self::NeedsDispatch)
    }

    /// Whether it can be looked at for one kind alone.
    pub const fn is_of_kinds(self) -> bool {
        !matches!(self, Self::SilentWorkers | Self::NeedsDispatch)
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Nothing that can be looked at has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing is measured that is called {0:?}")]
pub struct UnknownMeasure(String);

impl FromStr for Measure {
    type Err = UnknownMeasure;
    fn from_str(name: &str) -> Result<Self, UnknownMeasure> {
        let found = Self::ALL.into_iter().find(|measure| measure.name() == name);
        found.ok_or_else(|| UnknownMeasure(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_read_by_its_name() {
        for measure in Measure::ALL {
            assert_eq!(measure.name().parse(), Ok(measure));
            assert_eq!(serde_json::to_value(measure).unwrap(), measure.name());
        }
        assert!("queue".parse::<Measure>().is_err());
    }
}
