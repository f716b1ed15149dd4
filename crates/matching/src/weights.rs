//! How much each factor counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What each factor is worth, in hundredths: together a hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// That they have time.
    pub availability: u8,
    /// That they are preferred.
    pub preferred: u8,
    /// That they come, and on time, and do well.
    pub reliability: u8,
    /// That they live near.
    pub distance: u8,
    /// That they know how.
    pub skill: u8,
}

/// Weights that do not come to a hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the weights come to {sum}, and have to come to 100")]
pub struct WeightsError {
    sum: u16,
}

impl Weights {
    /// Those of a media agency.
    pub const VREM: Self = Self { availability: 30, preferred: 25, reliability: 20, distance: 15, skill: 10 };

    /// Whether they come to a hundred.
    ///
    /// # Errors
    /// When they do not.
    pub fn check(&self) -> Result<(), WeightsError> {
        let sum = self.each().iter().map(|weight| u16::from(*weight)).sum();
        if sum == 100 { Ok(()) } else { Err(WeightsError { sum }) }
    }

    /// In the order of the factors.
    pub(crate) fn each(self) -> [u8; 5] {
        [self.availability, self.preferred, self.reliability, self.distance, self.skill]
    }
}
