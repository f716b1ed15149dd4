//! How a calendar outside is reached. Kept sealed; shown to nobody.

use serde::{Deserialize, Serialize};

/// What opens a calendar.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Where it is. Whoever has the address of a feed has the feed.
    pub url: String,
    /// Who asks for it, and their password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<(String, String)>,
    /// The address of whoever keeps it, as it stands in invitations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}
