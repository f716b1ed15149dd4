//! Inboxes: the lines that parties have in the product itself.

use ::jobs::{Channel, MessageId, PartyId};
use axum::{
    Json as Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use notify::{Content, Inbox};
use serde::{Deserialize, Serialize};
use store::messages::{self, Filter, Message};
use utoipa::{IntoParams, ToSchema};

use super::{
    jobs::{link_filtered, page_size, read_cursor, write_cursor},
    messages::no_message,
};
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Params},
    limits::{PAGE_DEFAULT, PAGE_MAX},
    problem::{Problem, ProblemDocument},
};

/// A line of an inbox.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InboxLine {
    /// Which it is.
    #[schema(value_type = String)]
    id: MessageId,
    /// One line.
    title: String,
    /// What it says.
    body: String,
    /// Where it leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// When it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<DateTime<Utc>>,
    /// When it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<DateTime<Utc>>,
}

impl InboxLine {
    pub(super) fn of(message: &Message) -> Option<Self> {
        let content = serde_json::from_value(message.content.as_ref()?.0.clone()).ok()?;
        let Content::InApp(Inbox { title, body, url }) = content else { return None };
        let (id, sent_at, read_at) = (message.id(), message.sent_at, message.read_at);
        Some(Self { id, title, body, url, sent_at, read_at })
    }
}

/// Whose inbox, and which page of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InboxParams {
    /// Whose.
    #[param(value_type = String)]
    party: PartyId,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// A page of an inbox, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InboxPage {
    /// How many lines are unread, on all pages; 10,000 when there are more.
    unread: i64,
    /// The lines.
    lines: Vec<InboxLine>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// Read an inbox, newest first.
#[utoipa::path(
    get, path = "/v1/inbox", tag = "Messages", operation_id = "read_inbox", params(InboxParams),
    responses(
        (status = 200, description = "A page", body = InboxPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read", "payloads:read", "private:read"])),
)]
pub(crate) async fn read_inbox(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<InboxParams>,
) -> Result<Response, Problem> {
    caller.sight().check_private()?;
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let before = params.cursor.as_deref().map(read_cursor::<MessageId>).transpose()?;
    let filter = Filter {
        state: None,
        party: Some(params.party),
        channel: Some(Channel::InApp.name().to_owned()),
        before: before.map(|id| id.as_uuid()),
    };
    let mut found = messages::list(&app.db, caller.tenant, &filter, i64::from(limit) + 1).await?;
    let has_more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found.last().filter(|_| has_more).map(|last| write_cursor(last.id()));
    let link = next.as_ref().and_then(|next| {
        let filters = [("party", Some(params.party.to_string())), ("cursor", Some(next.clone()))];
        HeaderValue::try_from(link_filtered("/v1/inbox", limit, &filters)).ok()
    });
    let unread = messages::unread(&app.db, caller.tenant, params.party).await?;
    let is_there = |message: &&Message| matches!(message.state.as_str(), "sent" | "read");
    let lines = found.iter().filter(is_there).filter_map(InboxLine::of).collect();
    let mut response = Body(InboxPage { unread, lines, next }).into_response();
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}

/// Note that a message was read.
///
/// Of an offer that climbs a ladder, the rungs above are not used then. It works for messages of every channel.
#[utoipa::path(
    post, path = "/v1/inbox/{id}/read", tag = "Messages", operation_id = "mark_read",
    params(("id" = String, Path, description = "The message")),
    responses(
        (status = 204, description = "It is read"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn mark_read(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<MessageId>,
) -> Result<StatusCode, Problem> {
    if messages::mark_read(&app.db, caller.tenant, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_message())
    }
}
