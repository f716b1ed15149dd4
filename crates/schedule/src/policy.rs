//! What happens when a slot comes while the work of the one before is not done, and when slots were missed.

use std::{fmt, str::FromStr};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// A slot that is taken within this time is on time. Later it was missed, and [`CatchUp`] says what becomes of it.
pub const ON_TIME: TimeDelta = TimeDelta::seconds(60);
/// Missed slots that may be made up for with a job each.
pub const CATCH_UP_SLOTS_MAX: u16 = 100;
/// Shortest age, in seconds, from which missed slots may be given up: what is on time is never given up.
pub const CATCH_UP_AGE_S_MIN: u32 = 60;
/// Longest age, in seconds, up to which missed slots may be made up for: a week.
pub const CATCH_UP_AGE_S_MAX: u32 = 604_800;

/// No policy has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {found:?}; it takes {}", known.join(", "))]
pub struct UnknownPolicy {
    found: String,
    known: &'static [&'static str],
}

macro_rules! policies {
    ($($(#[$doc:meta])* $policy:ident { $($(#[$said:meta])* $name:ident = $word:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case", try_from = "String")]
        pub enum $policy {
            $($(#[$said])* $name,)+
        }

        impl $policy {
            /// The word in rows and in JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }
        }

        impl fmt::Display for $policy {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $policy {
            type Err = UnknownPolicy;

            fn from_str(word: &str) -> Result<Self, UnknownPolicy> {
                match word {
                    $($word => Ok(Self::$name),)+
                    other => Err(UnknownPolicy { found: other.to_owned(), known: &[$($word),+] }),
                }
            }
        }

        impl TryFrom<String> for $policy {
            type Error = UnknownPolicy;

            fn try_from(word: String) -> Result<Self, UnknownPolicy> {
                word.parse()
            }
        }
    )+};
}

policies! {
    /// What a slot does while a job of this schedule has not ended.
    Overlap {
        /// Its job waits and runs beside it.
        #[default]
        Allow = "allow",
        /// It is skipped.
        Skip = "skip",
        /// The job that has not ended is cancelled.
        CancelPrevious = "cancel_previous",
    }

    /// What becomes of slots that were missed, because nothing was there to take them.
    CatchUp {
        /// They are given up.
        None = "none",
        /// One job makes up for all that has piled up: that of the newest slot.
        #[default]
        One = "one",
        /// Each has its job, as far as number and age allow; the newest come first.
        All = "all",
    }
}

/// What to do about missed slots, with its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatchUpRule {
    /// Which of them have jobs.
    pub policy: CatchUp,
    /// For [`CatchUp::All`]: how many at most.
    pub slots_max: u16,
    /// For [`CatchUp::All`]: how old, in seconds.
    pub age_s: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_called_the_same_in_rows_and_in_json() {
        for policy in [Overlap::Allow, Overlap::Skip, Overlap::CancelPrevious] {
            assert_eq!(policy.name().parse(), Ok(policy));
            assert!(format!("{policy:?}").to_lowercase() == policy.name().replace('_', ""));
        }
        for policy in [CatchUp::None, CatchUp::One, CatchUp::All] {
            assert_eq!(policy.name().parse(), Ok(policy));
        }
        let unknown = "sometimes".parse::<Overlap>().unwrap_err().to_string();
        assert_eq!(unknown, "there is no \"sometimes\"; it takes allow, skip, cancel_previous");
    }
}
