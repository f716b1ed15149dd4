//! What people say of each other, what was seen of them, and whose time it is.

use ::jobs::PartyId;
use axum::{
    Json as Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::people::{self, Joined, Noted, Observed, Relation, Said};
use utoipa::ToSchema;

use super::{
    memberships::no_membership,
    paging::Paging,
    parties::{no_party, secret},
    schedules::PageParams,
    submit::{mismatch, replayed},
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Json, Params},
    idempotency,
    limits::ACCOUNT_CODE_MINUTES,
    problem::{Code, FieldError, Problem, ProblemDocument},
};

/// What one may say of another.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RelationWord {
    /// They should come.
    Preferred,
    /// They must not.
    Blocked,
}

/// What one says of another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RelationBody {
    /// `preferred` or `blocked`.
    word: RelationWord,
}

/// What one says of another.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Relation)]
pub(crate) struct RelationResource {
    /// Of whom.
    #[schema(value_type = String)]
    about: PartyId,
    /// `preferred` or `blocked`.
    word: String,
    /// When it was said.
    said_at: DateTime<Utc>,
}

fn both((by, about): &(String, String)) -> Result<(PartyId, PartyId), Problem> {
    let (by, about) = by.parse().ok().zip(about.parse().ok()).ok_or_else(no_party)?;
    if by == about {
        let error = FieldError::new("", "nobody prefers or blocks themselves");
        return Err(Problem::invalid(vec![error]));
    }
    Ok((by, about))
}

/// Say that one prefers another, or wants nothing to do with them.
#[utoipa::path(
    put, path = "/v1/parties/{id}/relations/{about}", tag = "People", operation_id = "relate", request_body = RelationBody,
    params(("id" = String, Path, description = "Who says so"), ("about" = String, Path, description = "Of whom")),
    responses(
        (status = 204, description = "It is noted"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn relate(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Path(path): Path<(String, String)>,
    Json(body): Json<RelationBody>,
) -> Result<StatusCode, Problem> {
    let (by, about) = both(&path)?;
    let said = match body.word {
        RelationWord::Preferred => Said::Preferred,
        RelationWord::Blocked => Said::Blocked,
    };
    let noted = people::relate(&app.db, caller.tenant, by, about, said).await?;
    if noted { Ok(StatusCode::NO_CONTENT) } else { Err(no_party()) }
}

/// Take back what one said of another.
#[utoipa::path(
    delete, path = "/v1/parties/{id}/relations/{about}", tag = "People", operation_id = "unrelate",
    params(("id" = String, Path, description = "Who said so"), ("about" = String, Path, description = "Of whom")),
    responses(
        (status = 204, description = "Nothing is said any more"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn unrelate(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Path(path): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (by, about) = both(&path)?;
    let gone = people::unrelate(&app.db, caller.tenant, by, about).await?;
    if gone { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("relation")) }
}

/// A page of what one says of others.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RelationPage {
    /// What is said.
    relations: Vec<RelationResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List what one says of others.
#[utoipa::path(
    get, path = "/v1/parties/{id}/relations", tag = "People", operation_id = "list_relations",
    params(("id" = String, Path, description = "Who says so"), PageParams),
    responses(
        (status = 200, description = "A page", body = RelationPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_relations(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(by): Id<PartyId>,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let paging = Paging::of(&params, |id: PartyId| id.as_uuid())?;
    let found = people::relations(&app.db, caller.tenant, by, paging.before, paging.most()).await?;
    let said = |row: Relation| RelationResource { about: row.about(), word: row.word, said_at: row.said_at };
    let page = |found: Vec<Relation>, next| {
        Ok(RelationPage { relations: found.into_iter().map(said).collect(), next })
    };
    paging.answer(&format!("/v1/parties/{by}/relations"), found, |row| row.about().to_string(), page)
}

const RATING_ROUTE: &str = "POST /v1/parties/{id}/ratings";

/// What somebody thinks of how a party did.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RatingBody {
    /// From 1 to 5.
    #[schema(minimum = 1, maximum = 5)]
    stars: i16,
}

/// Note what somebody thinks of how a party did.
///
/// Visits and no-shows are noted with their bookings. What is older than 180 days counts no more.
#[utoipa::path(
    post, path = "/v1/parties/{id}/ratings", tag = "People", operation_id = "rate", request_body = RatingBody,
    params(
        ("id" = String, Path, description = "The party"),
        ("Idempotency-Key" = String, Header, description = "Fresh for every new request, the same for its retries; kept 24 h"),
    ),
    responses(
        (status = 204, description = "It is noted"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn rate(
    State(app): State<AppState>,
    Writer(caller): Writer,
    headers: HeaderMap,
    Id(party): Id<PartyId>,
    Json(body): Json<RatingBody>,
) -> Result<Response, Problem> {
    let key = idempotency::read(&headers, RATING_ROUTE, &(party, &body), app.settings.idempotency_required)?;
    let _held = app.in_flight.take(caller.tenant, key.as_ref())?;
    let RatingBody { stars } = body;
    if !(1..=5).contains(&stars) {
        return Err(Problem::invalid(vec![FieldError::new("/stars", "takes 1 to 5")]));
    }
    let seen = Observed::Rating { stars };
    match people::observe(&app.db, caller.tenant, party, seen, key.as_ref()).await? {
        Noted::New => Ok(StatusCode::NO_CONTENT.into_response()),
        Noted::Before => Ok(replayed(StatusCode::NO_CONTENT.into_response())),
        Noted::Mismatch => Err(mismatch()),
        Noted::Missing => Err(no_party()),
    }
}

/// A code to join an account with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountCode {
    /// Shown once. Whoever has it can make a party of theirs this very person.
    code: String,
    /// Until when it works.
    expires_at: DateTime<Utc>,
}

/// Make a code with which another company joins somebody's account.
///
/// For one person who works for several: their time is then protected across all of them, and each learns of the others
/// nothing but when they are busy.
#[utoipa::path(
    post, path = "/v1/parties/{id}/account-code", tag = "People", operation_id = "make_account_code",
    params(("id" = String, Path, description = "The party")),
    responses(
        (status = 201, description = "The code, in place of the one before", body = AccountCode),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn make_account_code(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(party): Id<PartyId>,
) -> Result<(StatusCode, Body<AccountCode>), Problem> {
    let code = hex::encode(secret()?);
    let hash = Sha256::digest(code.as_bytes()).into();
    let until = people::offer_account(&app.db, caller.tenant, party, hash, ACCOUNT_CODE_MINUTES).await?;
    let expires_at = until.ok_or_else(no_membership)?;
    Ok((StatusCode::CREATED, Body(AccountCode { code, expires_at })))
}

/// A code that another company made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinBody {
    /// The code.
    code: String,
}

/// Join somebody's account: this party is that very person.
#[utoipa::path(
    put, path = "/v1/parties/{id}/account", tag = "People", operation_id = "join_account", request_body = JoinBody,
    params(("id" = String, Path, description = "The party")),
    responses(
        (status = 204, description = "Their time is one"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn join_account(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(party): Id<PartyId>,
    Json(body): Json<JoinBody>,
) -> Result<StatusCode, Problem> {
    let hash = Sha256::digest(body.code.as_bytes()).into();
    match people::join(&app.db, caller.tenant, party, hash).await? {
        Joined::Done => Ok(StatusCode::NO_CONTENT),
        Joined::NoMembership => Err(no_membership()),
        Joined::WrongCode => {
            let error = FieldError::new("/code", "nobody has such a code, or not any more");
            Err(Problem::invalid(vec![error]))
        }
        Joined::Taken => {
            let detail = "bookings take the time of the party, or another party of yours is that person";
            Err(Problem::new(Code::TimeTaken, detail))
        }
    }
}
