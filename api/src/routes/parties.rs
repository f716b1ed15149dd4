//! Parties: people and companies who can be told something.

use ::jobs::{ContactPointId, PartyId};
use axum::{
    Json as Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use rand::{TryRngCore, rngs::OsRng};
use schedule::Zone;
use serde::{Deserialize, Serialize};
use store::{
    parties::{self, Created, Party, Terms},
    submit::Answer,
};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    contact_points::ContactPointResource,
    jobs::{link_next, page_size, read_cursor, write_cursor},
    schedules::PageParams,
    submit::{mismatch, replayed, respond},
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Json, Params},
    idempotency,
    limits::{PAGE_DEFAULT, PAGE_MAX, PARTY_NAME_CHARS_MAX},
    problem::{FieldError, Problem, ProblemDocument},
};

const ROUTE: &str = "POST /v1/parties";

/// Somebody who can be told something.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewParty)]
pub(crate) struct PartyBody {
    /// What they are called, 1 to 200 characters.
    #[schema(example = "Ada Lovelace", max_length = 200)]
    name: String,
    /// Their language; `en` unless given.
    #[serde(default)]
    #[schema(example = "de-AT")]
    locale: Option<String>,
    /// Where their clock hangs, by the IANA database; quiet hours are by UTC unless given.
    #[serde(default)]
    #[schema(example = "Europe/Vienna")]
    timezone: Option<String>,
    /// When nothing may ring.
    #[serde(default)]
    quiet_hours: Option<QuietHours>,
}

/// When nothing may ring, by the recipient's clock. It may go across midnight.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuietHours {
    /// From then, `HH:MM`.
    #[schema(example = "22:00")]
    from: String,
    /// Until then, `HH:MM`.
    #[schema(example = "08:00")]
    until: String,
}

/// A party as it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Party)]
pub(crate) struct PartyResource {
    /// Who it is.
    #[schema(value_type = String, example = "pty_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: PartyId,
    /// What they are called.
    name: String,
    /// Their language.
    locale: String,
    /// Where their clock hangs.
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    /// When nothing may ring.
    #[serde(skip_serializing_if = "Option::is_none")]
    quiet_hours: Option<QuietHours>,
    /// Where they are reached; only when one party is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_points: Option<Vec<ContactPointResource>>,
    /// When they were noted.
    created_at: DateTime<Utc>,
    /// When they were changed last.
    updated_at: DateTime<Utc>,
}

impl PartyResource {
    fn of(party: Party) -> Self {
        let clock = |minute: i16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let quiet = party.quiet_from.zip(party.quiet_until);
        Self {
            id: party.id(),
            name: party.name,
            locale: party.locale,
            timezone: party.timezone,
            quiet_hours: quiet.map(|(from, until)| QuietHours { from: clock(from), until: clock(until) }),
            contact_points: None,
            created_at: party.created_at,
            updated_at: party.updated_at,
        }
    }
}

impl PartyBody {
    fn check(self) -> Result<Terms, Problem> {
        let mut errors = Vec::new();
        let name = self.name.trim().to_owned();
        if !(1..=PARTY_NAME_CHARS_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            errors.push(FieldError::new("/name", "takes 1 to 200 characters on one line"));
        }
        let locale = self.locale.unwrap_or_else(|| "en".to_owned());
        if !notify::is_locale(&locale) {
            errors.push(FieldError::new("/locale", "takes a language such as de or de-AT"));
        }
        if let Some(Err(unknown)) = self.timezone.as_deref().map(str::parse::<Zone>) {
            errors.push(FieldError::new("/timezone", unknown.to_string()));
        }
        let quiet = self.quiet_hours.as_ref().map(|quiet| minute(&quiet.from).zip(minute(&quiet.until)));
        let quiet = match quiet {
            Some(Some((from, until))) if from != until => Some((from, until)),
            None => None,
            Some(_) => {
                errors.push(FieldError::new("/quiet_hours", "takes two different times from 00:00 to 23:59"));
                None
            }
        };
        if errors.is_empty() {
            return Ok(Terms { name, locale, timezone: self.timezone, quiet });
        }
        Err(Problem::invalid(errors))
    }
}

/// The minute of the day that `HH:MM` names.
fn minute(text: &str) -> Option<i16> {
    let (hours, minutes) = text.split_once(':').filter(|_| text.len() == 5)?;
    let number =
        |digits: &str| digits.parse::<i16>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// 32 bytes that nobody guesses.
pub(super) fn secret() -> Result<[u8; 32], Problem> {
    let mut secret = [0; 32];
    OsRng.try_fill_bytes(&mut secret).map_err(Problem::internal)?;
    Ok(secret)
}

/// Note somebody who can be told something.
///
/// They have an inbox from then on; where else they are reached is noted with their contact points.
#[utoipa::path(
    post, path = "/v1/parties", tag = "Messages", operation_id = "create_party", request_body = PartyBody,
    params(("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h")),
    responses(
        (status = 201, description = "They are noted", body = PartyResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn create_party(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Json(body): Json<PartyBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, ROUTE, &body, app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let (id, terms) = (PartyId::new(), body.check()?);
    let inbox = (ContactPointId::new(), secret()?);
    let answer = |made| Answer::of(201, Some(format!("/v1/parties/{id}")), &PartyResource::of(made));
    match parties::create(&app.db, caller.tenant, id, &terms, inbox, key.as_ref(), answer).await? {
        Created::New(answer) => Ok(respond(answer)),
        Created::Replayed(answer) => Ok(replayed(respond(answer))),
        Created::Mismatch => Err(mismatch()),
    }
}

/// A page of parties, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PartyPage {
    /// The parties.
    parties: Vec<PartyResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List parties, newest first.
#[utoipa::path(
    get, path = "/v1/parties", tag = "Messages", operation_id = "list_parties", params(PageParams),
    responses(
        (status = 200, description = "A page", body = PartyPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_parties(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let before = params.cursor.as_deref().map(read_cursor::<PartyId>).transpose()?;
    let before: Option<Uuid> = before.map(|id| id.as_uuid());
    let mut found = parties::list(&app.db, caller.tenant, before, i64::from(limit) + 1).await?;
    let has_more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found.last().filter(|_| has_more).map(|last| write_cursor(last.id()));
    let link = next.as_ref().and_then(|next| link_next("/v1/parties", limit, next));
    let parties = found.into_iter().map(PartyResource::of).collect();
    let mut response = Body(PartyPage { parties, next }).into_response();
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}

/// Look at a party.
#[utoipa::path(
    get, path = "/v1/parties/{id}", tag = "Messages", operation_id = "get_party",
    params(("id" = String, Path, description = "The party")),
    responses(
        (status = 200, description = "The party, and where they are reached", body = PartyResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_party(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<PartyId>,
) -> Result<Body<PartyResource>, Problem> {
    let party = parties::party(&app.db, caller.tenant, id).await?.ok_or_else(no_party)?;
    let contacts = parties::contacts(&app.db, caller.tenant, id).await?;
    let contact_points = contacts.iter().map(ContactPointResource::of).collect::<Result<_, _>>()?;
    Ok(Body(PartyResource { contact_points: Some(contact_points), ..PartyResource::of(party) }))
}

/// Say something else about a party.
///
/// All of it: what is not given is not known any more.
#[utoipa::path(
    put, path = "/v1/parties/{id}", tag = "Messages", operation_id = "change_party", request_body = PartyBody,
    params(("id" = String, Path, description = "The party")),
    responses(
        (status = 200, description = "The party as it is now", body = PartyResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn change_party(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<PartyId>,
    Json(body): Json<PartyBody>,
) -> Result<Body<PartyResource>, Problem> {
    let terms = body.check()?;
    let party = parties::change(&app.db, caller.tenant, id, &terms).await?.ok_or_else(no_party)?;
    Ok(Body(PartyResource::of(party)))
}

/// Forget a party.
///
/// With where they were reached, what they chose, and what they were told.
#[utoipa::path(
    delete, path = "/v1/parties/{id}", tag = "Messages", operation_id = "remove_party",
    params(("id" = String, Path, description = "The party")),
    responses(
        (status = 204, description = "They are forgotten"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_party(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<PartyId>,
) -> Result<StatusCode, Problem> {
    if parties::remove(&app.db, caller.tenant, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_party())
    }
}

pub(super) fn no_party() -> Problem {
    Problem::not_found("party")
}

#[cfg(test)]
mod tests {
    use super::minute;

    #[test]
    fn a_time_of_day_is_read_strictly() {
        assert_eq!((minute("00:00"), minute("08:05"), minute("23:59")), (Some(0), Some(485), Some(1_439)));
        for wrong in ["24:00", "8:00", "08:60", "0800", "-1:00", "+8:00", "08:00 "] {
            assert_eq!(minute(wrong), None, "{wrong}");
        }
    }
}
