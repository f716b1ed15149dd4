//! How a calendar outside is reached. Kept sealed; shown to nobody.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A token that runs out within so long is renewed.
const RENEW_BEFORE: TimeDelta = TimeDelta::minutes(2);

/// What opens a calendar.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Where it is. Whoever has the address of a feed has the feed. Of a calendar with a provider, what that calls it.
    pub url: String,
    /// Who asks for it, and their password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<(String, String)>,
    /// The address of whoever keeps it, as it stands in invitations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What its provider was allowed to give us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
}

/// Tokens of OAuth (RFC 6749).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What others are had for.
    pub refresh_token: String,
    /// What opens the calendar, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<(String, DateTime<Utc>)>,
}

impl Grant {
    /// What opens the calendar at `now` and for a while.
    pub fn token(&self, now: DateTime<Utc>) -> Option<&str> {
        let (token, until) = self.access_token.as_ref()?;
        (*until > now + RENEW_BEFORE).then_some(token)
    }
}
