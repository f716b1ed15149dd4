//! What is asked for when a calendar outside is to be linked, and how a link looks.

use ::jobs::{CalendarLinkId, PartyId};
use calendar::{Access, Grant};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::calendars::{Link, NewLink};
use utoipa::ToSchema;

use crate::{
    limits::{
        CALENDAR_EMAIL_BYTES_MAX, CALENDAR_NAME_BYTES_MAX, CALENDAR_PASSWORD_BYTES_MAX,
        CALENDAR_TOKEN_BYTES_MAX, CALENDAR_USER_BYTES_MAX,
    },
    problem::{FieldError, Problem},
};

/// What the first calendar of somebody is called.
const FIRST: &str = "primary";

/// How a calendar is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CalendarProvider)]
pub(crate) enum Provider {
    /// CalDAV: read and written.
    Caldav,
    /// An iCalendar file at an address: read.
    Ics,
    /// Google Calendar: read and written.
    Google,
    /// Microsoft 365 and Outlook: read and written.
    Microsoft,
    /// Cronofy: read and written.
    Cronofy,
}

impl Provider {
    const fn word(self) -> &'static str {
        match self {
            Self::Caldav => "caldav",
            Self::Ics => "ics",
            Self::Google => "google",
            Self::Microsoft => "microsoft",
            Self::Cronofy => "cronofy",
        }
    }

    /// Where calendars of a provider are that lets us in by tokens.
    const fn granted_at(self) -> Option<&'static str> {
        match self {
            Self::Caldav | Self::Ics => None,
            Self::Google => Some("calendar.google.com"),
            Self::Microsoft => Some("outlook.office.com"),
            Self::Cronofy => Some("app.cronofy.com"),
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
    /// Of `caldav` and `ics`, where it is: a calendar, or a server where its user has one. `webcal://` stands for `https://`.
    #[serde(default)]
    #[schema(example = "https://dav.example.com/ada/", max_length = 2000)]
    url: Option<String>,
    /// Of the others, the refresh token that their OAuth gave your client, which the workers have to be too.
    #[serde(default)]
    #[schema(max_length = 4096)]
    refresh_token: Option<String>,
    /// Of the others, which calendar; the first of whoever allowed it unless given.
    #[serde(default)]
    #[schema(max_length = 500)]
    calendar: Option<String>,
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
    /// Whether bookings are written into it; so unless given, where that can be. Of the others, the token has to allow it.
    #[serde(default)]
    write: Option<bool>,
}

impl LinkBody {
    pub(super) fn check(&self, loopback: bool, by: String) -> Result<NewLink, Problem> {
        let mut errors = Vec::new();
        let granted_at = self.provider.granted_at();
        let (host, url) = match granted_at {
            Some(host) => (host.to_owned(), self.calendar.clone().unwrap_or_else(|| FIRST.to_owned())),
            None => self.address(loopback, &mut errors),
        };
        self.check_fit(granted_at.is_some(), &mut errors);
        for (pointer, text, most) in [
            ("/username", &self.username, CALENDAR_USER_BYTES_MAX),
            ("/password", &self.password, CALENDAR_PASSWORD_BYTES_MAX),
            ("/email", &self.email, CALENDAR_EMAIL_BYTES_MAX),
            ("/refresh_token", &self.refresh_token, CALENDAR_TOKEN_BYTES_MAX),
            ("/calendar", &self.calendar, CALENDAR_NAME_BYTES_MAX),
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
        let can_be_written = self.provider != Provider::Ics;
        if !can_be_written && self.write == Some(true) {
            errors.push(FieldError::new("/write", "a file at an address cannot be written"));
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let grant =
            self.refresh_token.clone().map(|refresh_token| Grant { refresh_token, access_token: None });
        let user = self.username.clone().zip(self.password.clone());
        let access = Access { url, user, email: self.email.clone(), grant };
        Ok(NewLink {
            id: CalendarLinkId::new(),
            party: self.party,
            provider: self.provider.word(),
            host,
            access: serde_json::to_string(&access).map_err(Problem::internal)?,
            is_written: can_be_written && self.write != Some(false),
            by,
        })
    }

    /// Where a calendar with an address is.
    fn address(&self, loopback: bool, errors: &mut Vec<FieldError>) -> (String, String) {
        let url = self.url.clone().unwrap_or_default();
        let url = url.strip_prefix("webcal://").map_or_else(|| url.clone(), |rest| format!("https://{rest}"));
        let host = match outbound::check(&url, loopback) {
            Ok(url) => url.host_str().unwrap_or_default().to_owned(),
            Err(bad) => {
                errors.push(FieldError::new("/url", bad.to_string()));
                String::new()
            }
        };
        (host, url)
    }

    /// What goes with how a calendar lets us in, and what does not.
    fn check_fit(&self, is_granted: bool, errors: &mut Vec<FieldError>) {
        if is_granted && self.refresh_token.is_none() {
            errors.push(FieldError::new("/refresh_token", "is what this provider lets us in by"));
        }
        let (by_address, by_token) = ("goes with caldav and ics", "goes with google, microsoft and cronofy");
        for (pointer, is_there, is_of_token, why) in [
            ("/url", self.url.is_some(), false, by_address),
            ("/username", self.username.is_some(), false, by_address),
            ("/refresh_token", self.refresh_token.is_some(), true, by_token),
            ("/calendar", self.calendar.is_some(), true, by_token),
        ] {
            if is_there && is_of_token != is_granted {
                errors.push(FieldError::new(pointer, why));
            }
        }
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
    /// `caldav`, `ics`, `google`, `microsoft` or `cronofy`.
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
