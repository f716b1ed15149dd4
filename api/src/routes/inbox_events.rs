//! `GET /v1/inbox/events`: the inbox of a party, as it fills.
//!
//! Lines may be committed in another order than they are dated. So every look reaches back a few seconds, and what this
//! connection has sent already is skipped. A client that comes back with `Last-Event-ID` has that stretch read again too,
//! and may get a line twice: at least once, never less.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    convert::Infallible,
    time::Instant,
};

use ::jobs::{MessageId, PartyId, TenantId};
use axum::{
    extract::State as App,
    http::HeaderMap,
    response::{Response, sse::Event},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{Stream, stream};
use serde::Deserialize;
use serde_json::json;
use store::{
    messages::{self, Message},
    parties,
};
use utoipa::IntoParams;

use super::{
    inbox::InboxLine,
    job_events::{last_event_id, respond},
    parties::no_party,
};
use crate::{
    AppState,
    auth::Reader,
    extract::Params,
    hub::{self, Watch},
    limits::{LINES_MAX, STREAM_AGE_MAX, STREAM_PAUSE, STREAM_POLL},
    problem::{Code, Problem, ProblemDocument},
};

/// How far back a look reaches: longer than a settling transaction takes.
const OVERLAP: TimeDelta = TimeDelta::seconds(5);
/// How far back a client may resume.
const RESUME_MAX: TimeDelta = TimeDelta::hours(24);

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
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn follow_inbox(
    App(app): App<AppState>,
    Reader(caller): Reader,
    Params(params): Params<InboxEventsParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let now = Utc::now();
    let since = match last_event_id(&headers) {
        None => now,
        Some(text) => {
            let wrong = || {
                Problem::new(Code::InvalidParameter, "Last-Event-ID takes the id of an event of this stream")
            };
            let micros = text.parse::<i64>().map_err(|_| wrong())?;
            let at = DateTime::from_timestamp_micros(micros).ok_or_else(wrong)?;
            at.clamp(now - RESUME_MAX, now) - OVERLAP
        }
    };
    // Before the first look, so that nothing can happen in between.
    let moved = app.hub.party(params.party);
    parties::party(&app.db, caller.tenant, params.party).await?.ok_or_else(no_party)?;
    let place = app.streams.open(caller.tenant)?;
    let follower = Follower {
        app,
        tenant: caller.tenant,
        party: params.party,
        moved,
        begins_at: since,
        latest: since,
        sent: BTreeMap::new(),
        unread: None,
        ready: VecDeque::new(),
        ends_at: Instant::now() + STREAM_AGE_MAX,
        looked_at: None,
        _place: place,
    };
    Ok(respond(follower.events()))
}

struct Follower {
    app: AppState,
    tenant: TenantId,
    party: PartyId,
    moved: Watch,
    begins_at: DateTime<Utc>,
    latest: DateTime<Utc>,
    // By time, so that what no look reaches back to any more can be forgotten.
    sent: BTreeMap<i64, BTreeSet<MessageId>>,
    unread: Option<i64>,
    ready: VecDeque<Event>,
    ends_at: Instant,
    looked_at: Option<Instant>,
    _place: hub::Stream,
}

impl Follower {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
        stream::unfold(self, |mut this| async move { this.next().await.map(|event| (Ok(event), this)) })
    }

    /// The next event; none when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if Instant::now() >= self.ends_at {
                return None;
            }
            if let Some(looked_at) = self.looked_at {
                let stopping = self.app.stopping.clone();
                stopping.run_until_cancelled(self.moved.moved(STREAM_POLL)).await?;
                let pause = STREAM_PAUSE.saturating_sub(looked_at.elapsed());
                stopping.run_until_cancelled(tokio::time::sleep(pause)).await?;
            }
            self.looked_at = Some(Instant::now());
            if let Err(problem) = self.look().await {
                tracing::warn!(error = ?problem, "Ending the event stream of an inbox of {}", self.tenant);
                return None;
            }
        }
    }

    async fn look(&mut self) -> Result<(), Problem> {
        let mut since = (self.latest - OVERLAP).max(self.begins_at);
        self.sent = self.sent.split_off(&since.timestamp_micros());
        loop {
            let lines =
                messages::lines_since(&self.app.db, self.tenant, self.party, since, i64::from(LINES_MAX))
                    .await?;
            let is_last = lines.len() < usize::from(LINES_MAX);
            let before = since;
            for line in &lines {
                let Some(sent_at) = line.sent_at else { continue };
                since = sent_at;
                self.latest = self.latest.max(sent_at);
                self.tell(line, sent_at);
            }
            if is_last {
                break;
            }
            if since == before {
                // More lines of one microsecond than fit a page: the next microsecond goes on.
                since += TimeDelta::microseconds(1);
            }
        }
        let unread = messages::unread(&self.app.db, self.tenant, self.party).await?;
        if self.unread.replace(unread) != Some(unread) {
            self.push("unread", &json!({"unread": unread}));
        }
        Ok(())
    }

    fn tell(&mut self, message: &Message, sent_at: DateTime<Utc>) {
        if !self.sent.entry(sent_at.timestamp_micros()).or_default().insert(message.id()) {
            return;
        }
        if let Some(line) = InboxLine::of(message) {
            self.push("line", &json!(line));
        }
    }

    fn push(&mut self, name: &str, data: &serde_json::Value) {
        let id = self.latest.timestamp_micros().to_string();
        self.ready.extend(Event::default().event(name).id(id).json_data(data));
    }
}
