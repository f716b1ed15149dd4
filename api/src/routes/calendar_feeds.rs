//! Feeds: links by which the calendar program of somebody shows what they are booked for.

use ::jobs::{CalendarFeedId, PartyId};
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{
    calendars::{self, Feed, FeedMade, NewFeed, Shown},
    submit::Answer,
};
use utoipa::ToSchema;

use super::{
    memberships::no_membership,
    paging::Paging,
    parties::secret,
    schedules::PageParams,
    submit::{mismatch, replayed, respond},
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Json, Params},
    idempotency,
    limits::CALENDAR_FEEDS_MAX,
    problem::{Code, Problem, ProblemDocument},
};

const ROUTE: &str = "POST /v1/calendar-feeds";
/// When a program may ask again that comes before there is anything to show, in seconds.
const NOT_YET_S: u64 = 2;

/// A feed that is to be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCalendarFeed)]
pub(crate) struct FeedBody {
    /// Whose bookings it shows.
    #[schema(value_type = String, example = "pty_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    party: PartyId,
}

/// A feed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarFeed)]
pub(crate) struct FeedResource {
    /// Which it is.
    #[schema(value_type = String, example = "cfd_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: CalendarFeedId,
    /// Whose bookings it shows.
    #[schema(value_type = String)]
    party: PartyId,
    /// The address for a calendar program. Whoever has it sees the bookings; it is shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl FeedResource {
    fn of(row: &Feed, url: Option<String>) -> Self {
        Self { id: row.id(), party: row.party(), url, created_at: row.created_at }
    }
}

/// Make a feed.
///
/// A calendar program that is given `url` shows what the party is booked for: from a month ago to a year ahead.
#[utoipa::path(
    post, path = "/v1/calendar-feeds", tag = "Calendars", operation_id = "create_calendar_feed", request_body = FeedBody,
    params(("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h")),
    responses(
        (status = 201, description = "It is there; `url` is shown once", body = FeedResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn create_calendar_feed(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Json(body): Json<FeedBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, ROUTE, &body, app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let secret = BASE64_URL_SAFE_NO_PAD.encode(secret()?);
    let new = NewFeed {
        id: CalendarFeedId::new(),
        party: body.party,
        secret_sha256: Sha256::digest(&secret).into(),
        by: caller.key.to_string(),
    };
    let url = format!("{}/c/{secret}.ics", app.settings.public_url);
    let answer = |made: &Feed| Answer::of(201, None, &FeedResource::of(made, Some(url)));
    match calendars::create_feed(&app.db, caller.tenant, &new, CALENDAR_FEEDS_MAX, key.as_ref(), answer)
        .await?
    {
        FeedMade::New(answer) => Ok(respond(answer)),
        FeedMade::Replayed(answer) => Ok(replayed(respond(answer))),
        FeedMade::Mismatch => Err(mismatch()),
        FeedMade::NoMembership => Err(no_membership()),
        FeedMade::TooMany => {
            let detail = format!("a party has at most {CALENDAR_FEEDS_MAX} feeds; remove one");
            Err(Problem::new(Code::TooMany, detail))
        }
    }
}

/// A page of feeds, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CalendarFeedPage {
    /// The feeds, without their addresses.
    feeds: Vec<FeedResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List the feeds of somebody, newest first.
#[utoipa::path(
    get, path = "/v1/parties/{id}/calendar-feeds", tag = "Calendars", operation_id = "list_calendar_feeds",
    params(("id" = String, Path, description = "The party"), PageParams),
    responses(
        (status = 200, description = "A page", body = CalendarFeedPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_calendar_feeds(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(party): Id<PartyId>,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let paging = Paging::of(&params, |id: CalendarFeedId| id.as_uuid())?;
    let found = calendars::feeds(&app.db, caller.tenant, party, paging.before, paging.most()).await?;
    let page = |found: Vec<Feed>, next| {
        Ok(CalendarFeedPage { feeds: found.iter().map(|feed| FeedResource::of(feed, None)).collect(), next })
    };
    paging.answer(&format!("/v1/parties/{party}/calendar-feeds"), found, |row| row.id().to_string(), page)
}

/// End a feed.
///
/// Its address shows nothing from then on.
#[utoipa::path(
    delete, path = "/v1/calendar-feeds/{id}", tag = "Calendars", operation_id = "remove_calendar_feed",
    params(("id" = String, Path, description = "The feed")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_calendar_feed(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<CalendarFeedId>,
) -> Result<StatusCode, Problem> {
    let removed = calendars::remove_feed(&app.db, caller.tenant, id).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("calendar feed")) }
}

/// Everything under `/c`. Needs no key: a link is one.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/c/{name}", get(show))
}

async fn show(
    State(app): State<AppState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let gone = || Problem::not_found("calendar feed");
    let secret = name.strip_suffix(".ics").ok_or_else(gone)?;
    let (body, etag) = match calendars::shown(&app.db, Sha256::digest(secret).into()).await? {
        Shown::File(body, etag) => (body, etag),
        Shown::NotYet => {
            let detail = "the feed was made a moment ago";
            return Err(Problem::new(Code::Unavailable, detail).retry_after(NOT_YET_S));
        }
        Shown::Unknown => return Err(gone()),
    };
    let seen = headers.get(header::IF_NONE_MATCH).and_then(|seen| seen.to_str().ok()).unwrap_or_default();
    let is_seen = seen.split(',').any(|seen| seen.trim().trim_start_matches("W/") == etag);
    let about = [
        (header::ETAG, HeaderValue::try_from(etag).map_err(Problem::internal)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
    ];
    if is_seen {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    let kind =
        [(header::CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8; method=PUBLISH"))];
    Ok((about, kind, body).into_response())
}
