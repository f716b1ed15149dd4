//! A tenant's mark, and how it is laid over pictures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a mark goes on a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Corner {
    /// At the upper left.
    TopLeft,
    /// At the upper right.
    TopRight,
    /// At the lower left.
    BottomLeft,
    /// At the lower right.
    BottomRight,
    /// In the middle.
    Center,
}

impl Corner {
    /// Every place there is.
    pub const ALL: [Self; 5] =
        [Self::TopLeft, Self::TopRight, Self::BottomLeft, Self::BottomRight, Self::Center];

    /// The word in rows and requests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopLeft => "top_left",
            Self::TopRight => "top_right",
            Self::BottomLeft => "bottom_left",
            Self::BottomRight => "bottom_right",
            Self::Center => "center",
        }
    }

    /// The place called `name`.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|corner| corner.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_the_names_they_have_in_requests() {
        for corner in Corner::ALL {
            assert_eq!(Corner::find(corner.name()), Some(corner));
            assert_eq!(serde_json::to_value(corner).unwrap(), corner.name());
        }
    }
}
