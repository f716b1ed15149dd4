//! The sets of files that a delivery can be had in.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which file of each photograph is meant. A film's is its MP4, except where uploads are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// JPEG, 2048 px along the longer side: what listing services take.
    Mls,
    /// JPEG, 4500 px along the longer side: A4 and more at 300 dots per inch.
    Print,
    /// As `mls`, with the tenant's mark. Most listing services refuse pictures with one.
    MlsBranded,
    /// As `print`, with the tenant's mark.
    PrintBranded,
    /// What the photographer uploaded.
    Original,
}

impl Variant {
    /// Every variant there is.
    pub const ALL: [Self; 5] = [Self::Mls, Self::Print, Self::MlsBranded, Self::PrintBranded, Self::Original];

    /// The word in rows, names of objects, and links.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mls => "mls",
            Self::Print => "print",
            Self::MlsBranded => "mls_branded",
            Self::PrintBranded => "print_branded",
            Self::Original => "original",
        }
    }

    /// Whether the tenant's mark is on it.
    pub const fn is_branded(self) -> bool {
        matches!(self, Self::MlsBranded | Self::PrintBranded)
    }

    /// The preset and the rung that a photograph's file is made by; none for the original.
    pub const fn rung(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Mls | Self::MlsBranded => Some(("listing@1", "mls_2048")),
            Self::Print | Self::PrintBranded => Some(("print@1", "print_4500")),
            Self::Original => None,
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no such variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no variant is called {0:?}; there are mls, print, mls_branded, print_branded and original")]
pub struct UnknownVariant(String);

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Self, UnknownVariant> {
        Self::ALL
            .into_iter()
            .find(|variant| variant.name() == name)
            .ok_or_else(|| UnknownVariant(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset;

    #[test]
    fn every_variant_names_a_rung_that_is_made_as_jpeg() {
        for (preset, rung) in Variant::ALL.into_iter().filter_map(Variant::rung) {
            let preset = preset::find(preset).unwrap();
            assert!(preset.rungs.iter().any(|known| known.name == rung));
            assert!(preset.formats.contains(&preset::PictureFormat::Jpeg));
        }
    }

    #[test]
    fn a_variant_is_found_by_its_name_only() {
        for variant in Variant::ALL {
            assert_eq!(variant.name().parse(), Ok(variant));
            assert_eq!(serde_json::to_value(variant).unwrap(), variant.name());
        }
        assert!("MLS".parse::<Variant>().is_err());
    }
}
