//! The states of an original. `docs/states.md` has the diagram.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether an original may be served. Only a clean one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssetState {
    /// Waits for the virus scanner.
    Quarantined,
    /// The scanner found nothing, or an operator called what it found harmless.
    Clean,
    /// The scanner found something. Kept, never served.
    Infected,
    /// The scanner could not look at all of it. Kept, never served.
    Unscannable,
}

impl AssetState {
    /// Every state there is.
    pub const ALL: [Self; 4] = [Self::Quarantined, Self::Clean, Self::Infected, Self::Unscannable];

    /// The name in rows and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quarantined => "quarantined",
            Self::Clean => "clean",
            Self::Infected => "infected",
            Self::Unscannable => "unscannable",
        }
    }

    /// Whether it stays where it is until an operator decides.
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Infected | Self::Unscannable)
    }
}

impl fmt::Display for AssetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No state has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an asset is quarantined, clean, infected or unscannable, and not {0:?}")]
pub struct UnknownAssetState(String);

impl FromStr for AssetState {
    type Err = UnknownAssetState;
    fn from_str(name: &str) -> Result<Self, UnknownAssetState> {
        let found = Self::ALL.into_iter().find(|state| state.name() == name);
        found.ok_or_else(|| UnknownAssetState(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::AssetState;

    #[test]
    fn names_are_the_same_everywhere() {
        for state in AssetState::ALL {
            assert_eq!(state.name().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        assert!("ready".parse::<AssetState>().is_err());
    }
}
