//! `GET /v1/inbox/events`: the inbox of a party, as it fills.

use std::{collections::VecDeque, ops::ControlFlow, time::Duration};

use ::jobs::{MessageId, PartyId, TenantId};
use axum::{
    extract::State as App,
    http::HeaderMap,
    response::{Response, sse::Event},
};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{messages, parties};
use utoipa::IntoParams;

use super::{inbox::InboxLine, parties::no_party};
use crate::{
    AppState,
    auth::Reader,
    extract::Params,
    follow::{Dated, Follow, next_page, respond},
    hub::Watch,
    limits::{LINES_MAX, STREAM_PAUSE, STREAM_POLL},
    problem::{Problem, ProblemDocument},
};

/// Whose inbox.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InboxEventsParams {
    /// Whose.
    #[param(value_type = String)]
    party: PartyId,
}

/// Follow an inbox.
///
/// A stream of server-sent events: `unread` (how many lines are unread; at once, and whenever that changes) and `line` (one that
/// came). Come back with `Last-Event-ID` after a break: nothing is missed, but the last few seconds may be told again, so
/// skip lines you know.
#[utoipa::path(
    get, path = "/v1/inbox/events", tag = "Messages", operation_id = "follow_inbox",
    params(
        InboxEventsParams,
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event you got; up to 24 h old"),
    ),
    responses(
        (status = 200, description = "Events, for at most an hour", body = InboxLine, content_type = "text/event-stream"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read", "payloads:read", "private:read"])),
)]
pub(crate) async fn follow_inbox(
    App(app): App<AppState>,
    Reader(caller): Reader,
    Params(params): Params<InboxEventsParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.sight().check_private()?;
    let dated = Dated::resumed(&headers, |text| text.parse().ok())?;
    // Before the first look, so that nothing can happen in between.
    let moved = app.hub.party(params.party);
    parties::party(&app.db, caller.tenant, params.party).await?.ok_or_else(no_party)?;
    let place = app.streams.open(caller.tenant)?;
    let follower = InboxFollower {
        app: app.clone(),
        tenant: caller.tenant,
        party: params.party,
        moved,
        dated,
        unread: None,
    };
    Ok(respond(app, place, follower))
}

struct InboxFollower {
    app: AppState,
    tenant: TenantId,
    party: PartyId,
    moved: Watch,
    dated: Dated<MessageId>,
    unread: Option<i64>,
}

impl Follow for InboxFollower {
    fn pause(&self) -> Duration {
        STREAM_PAUSE
    }

    async fn moved(&mut self) {
        self.moved.moved(STREAM_POLL).await;
    }

    async fn look(&mut self, ready: &mut VecDeque<Event>) -> Result<ControlFlow<()>, Problem> {
        let (db, tenant, party) = (&self.app.db, self.tenant, self.party);
        let mut since = self.dated.reach_back();
        loop {
            let lines = messages::lines_since(db, tenant, party, since, i64::from(LINES_MAX)).await?;
            let is_last = lines.len() < usize::from(LINES_MAX);
            let last = lines.iter().rev().find_map(|line| line.sent_at).unwrap_or(since);
            for line in &lines {
                if line.sent_at.is_some_and(|sent_at| self.dated.is_news(sent_at, line.id())) {
                    ready.extend(InboxLine::of(line).and_then(|line| self.event("line", &json!(line))));
                }
            }
            if is_last {
                break;
            }
            since = next_page(since, last);
        }
        let unread = messages::unread(db, tenant, party).await?;
        if self.unread.replace(unread) != Some(unread) {
            ready.extend(self.event("unread", &json!({"unread": unread})));
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl InboxFollower {
    fn event(&self, name: &str, data: &Value) -> Option<Event> {
        let id = self.dated.latest().timestamp_micros().to_string();
        Event::default().event(name).id(id).json_data(data).ok()
    }
}
