//! What is asked for when a calendar outside is to be linked, and how a link looks.

use ::jobs::{CalendarLinkId, PartyId};
use calendar::Access;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::calendars::{Link, NewLink};
use utoipa::ToSchema;

use crate::{
    limits::{CALENDAR_EMAIL_BYTES_MAX, CALENDAR_PASSWORD_BYTES_MAX, CALENDAR_USER_BYTES_MAX},
    problem::{FieldError, Problem},
};

/// How a calendar is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CalendarProvider)]
pub(crate) enum Provider {
    /// CalDAV: read and written.
    Caldav,
    /// An iCalendar file at an address: read.
    Ics,
}

impl Provider {
    const fn word(self) -> &'static str {
        match self {
            Self::Caldav => "caldav",
            Self::Ics => "ics",
        }
    }
}

/// A calendar that somebody keeps elsewhere.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCalendarLink)]
pub(crate) struct LinkBody {
    /// Whose it is.
    #[schema(value_type = String, example = "pty_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    party: PartyId,
    /// How it is spoken to.
    provider: Provider,
    /// Where it is: a calendar, or a server where its user has one. `webcal://` stands for `https://`.
    #[schema(example = "https://dav.example.com/ada/", max_length = 2000)]
    url: String,
    /// Who asks for it.
    #[serde(default)]
    #[schema(max_length = 320)]
    username: Option<String>,
    /// Their password there, best one for this alone.
    #[serde(default)]
    #[schema(max_length = 1024)]
    password: Option<String>,
    /// Their address in invitations: what they declined takes none of their time.
    #[serde(default)]
    #[schema(max_length = 320)]
    email: Option<String>,
    /// Whether bookings are written into it; so unless given, where that can be.
    #[serde(default)]
    write: Option<bool>,
}

impl LinkBody {
    pub(super) fn check(&self, loopback: bool, by: String) -> Result<NewLink, Problem> {
        let mut errors = Vec::new();
        let url = self
            .url
            .strip_prefix("webcal://")
            .map_or_else(|| self.url.clone(), |rest| format!("https://{rest}"));
        let host = match outbound::check(&url, loopback) {
            Ok(url) => url.host_str().unwrap_or_default().to_owned(),
            Err(bad) => {
                errors.push(FieldError::new("/url", bad.to_string()));
                String::new()
            }
        };
        for (pointer, text, most) in [
            ("/username", &self.username, CALENDAR_USER_BYTES_MAX),
            ("/password", &self.password, CALENDAR_PASSWORD_BYTES_MAX),
            ("/email", &self.email, CALENDAR_EMAIL_BYTES_MAX),
        ] {
            let fits = |text: &String| (1..=most).contains(&text.len()) && !text.contains(char::is_control);
            if !text.as_ref().is_none_or(fits) {
                errors
                    .push(FieldError::new(pointer, format!("1 to {most} bytes, without control characters")));
            }
        }
        if self.username.is_some() != self.password.is_some() {
            errors.push(FieldError::new("/password", "goes with a username"));
        }
        if self.provider == Provider::Ics && self.write == Some(true) {
            errors.push(FieldError::new("/write", "an iCalendar file can only be read"));
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let access =
            Access { url, user: self.username.clone().zip(self.password.clone()), email: self.email.clone() };
        Ok(NewLink {
            id: CalendarLinkId::new(),
            party: self.party,
            provider: self.provider.word(),
            host,
            access: serde_json::to_string(&access).map_err(Problem::internal)?,
            is_written: self.provider == Provider::Caldav && self.write != Some(false),
            by,
        })
    }
}

/// A link to a calendar outside. What opens it is never shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarLink)]
pub(crate) struct LinkResource {
    /// Which it is.
    #[schema(value_type = String, example = "cal_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: CalendarLinkId,
    /// Whose calendar it is.
    #[schema(value_type = String)]
    party: PartyId,
    /// `caldav` or `ics`.
    provider: String,
    /// Where it is.
    host: String,
    /// Whether bookings are written into it.
    write: bool,
    /// `linking` until it was read once, then `live`; `failing` when it cannot be read, `refused` when it does not let us in.
    state: &'static str,
    /// When it was read last.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<DateTime<Utc>>,
    /// It was not read for half an hour: what it said may not hold.
    stale: bool,
    /// Entries that could not be understood. They count as busy.
    doubts: i32,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<DateTime<Utc>>,
    /// When it was linked.
    created_at: DateTime<Utc>,
}

impl LinkResource {
    pub(super) fn of(row: &Link) -> Self {
        let state = match (row.is_refused, &row.problem, row.read_at) {
            (true, ..) => "refused",
            (_, Some(_), _) => "failing",
            (.., None) => "linking",
            (.., Some(_)) => "live",
        };
        Self {
            id: row.id(),
            party: row.party(),
            provider: row.provider.clone(),
            host: row.host.clone(),
            write: row.is_written,
            state,
            read_at: row.read_at,
            stale: row.is_stale,
            doubts: row.doubts,
            problem: row.problem.clone(),
            failing_since: row.failing_since,
            created_at: row.created_at,
        }
    }
}
