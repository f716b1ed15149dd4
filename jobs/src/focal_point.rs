//! What a photograph is about, for presets that keep only a part of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// Thousandths of a side.
pub const WHOLE_PERMILLE: u16 = 1_000;

/// A point of a picture as it is displayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FocalPoint {
    /// Thousandths of the width, from the left: 0 to 1,000.
    pub x_permille: u16,
    /// Thousandths of the height, from the top: 0 to 1,000.
    pub y_permille: u16,
}

impl FocalPoint {
    /// Whether it lies inside.
    ///
    /// # Errors
    /// With a pointer to what does not.
    pub fn check(self) -> Result<(), Invalid> {
        let inside = |side: u16| side <= WHOLE_PERMILLE;
        Invalid::unless(inside(self.x_permille), "/x_permille", "takes 0 to 1000")?;
        Invalid::unless(inside(self.y_permille), "/y_permille", "takes 0 to 1000")
    }

    /// `preset` around this point, as it stands in keys and rows. No word of a mark's tag has a `t` in it.
    pub fn on(self, preset: &str) -> String {
        format!("{preset}-at{}x{}", self.x_permille, self.y_permille)
    }
}
