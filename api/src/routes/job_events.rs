//! `GET /v1/jobs/{id}/events`: one job, as it happens.
//!
//! Every event carries the `seq` of the last log line sent as its id. A client that comes back with `Last-Event-ID` gets
//! the lines after it, and the state as it stands: nothing is missed, and the state may be told twice.

use std::{collections::VecDeque, convert::Infallible, time::Instant};

use ::jobs::{JobId, State, TenantId};
use axum::{
    extract::State as App,
    http::{HeaderMap, HeaderName},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, stream};
use serde::Serialize;
use serde_json::json;
use store::{logs, reads};

use super::attempts::LogLine;
use crate::{
    AppState,
    auth::Reader,
    extract::Id,
    hub::{self, Watch},
    large,
    limits::{HEARTBEAT, LINES_MAX, STREAM_AGE_MAX, STREAM_PAUSE, STREAM_POLL},
    problem::{Code, Problem, ProblemDocument},
    resource::{self, JobResource, ProgressResource},
};

static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Follow a job.
///
/// A stream of server-sent events: `state` (the job, whenever its state or attempt changes), `progress` (percent and message),
/// `log` (a line) and, last, `end` (the job with its result or error). Come back with `Last-Event-ID` after a break:
/// lines go on where they stopped, and the current state is told again.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/events", tag = "Jobs", operation_id = "follow_job",
    params(
        ("id" = String, Path, description = "The job"),
        ("Last-Event-ID" = Option<i64>, Header, description = "The id of the last event you got"),
    ),
    responses(
        (status = 200, description = "Events until the job ends, for at most an hour", body = String, content_type = "text/event-stream"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn follow_job(
    App(app): App<AppState>,
    Reader(caller): Reader,
    Id(id): Id<JobId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = last_event_id(&headers).map_or(Ok(0), |text| {
        let wrong =
            |_| Problem::new(Code::InvalidParameter, "Last-Event-ID takes the id of an event of this stream");
        text.parse::<i64>().map_err(wrong)
    })?;
    // Before the first look, so that nothing can happen in between.
    let moved = app.hub.job(id);
    reads::get(&app.db, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("job"))?;
    let place = app.streams.open(caller.tenant)?;
    let follower = Follower {
        app,
        tenant: caller.tenant,
        id,
        moved,
        seen: Seen { after, ..Seen::default() },
        ready: VecDeque::new(),
        ends_at: Instant::now() + STREAM_AGE_MAX,
        looked_at: None,
        is_over: false,
        _place: place,
    };
    Ok(respond(follower.events()))
}

/// The id that a client came back with.
pub(super) fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(&LAST_EVENT_ID).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty())
}

/// Events with a sign of life in between, which proxies must not hold back.
pub(super) fn respond(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let alive = KeepAlive::new().interval(HEARTBEAT).text("still here");
    ([("x-accel-buffering", "no")], Sse::new(events).keep_alive(alive)).into_response()
}

/// What the client knows already.
#[derive(Default)]
struct Seen {
    after: i64,
    state: Option<(State, i16, bool)>,
    progress: Option<ProgressResource>,
}

struct Follower {
    app: AppState,
    tenant: TenantId,
    id: JobId,
    moved: Watch,
    seen: Seen,
    ready: VecDeque<Event>,
    ends_at: Instant,
    looked_at: Option<Instant>,
    is_over: bool,
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
            if self.is_over || Instant::now() >= self.ends_at {
                return None;
            }
            if let Some(looked_at) = self.looked_at {
                let stopping = self.app.stopping.clone();
                stopping.run_until_cancelled(self.moved.moved(STREAM_POLL)).await?;
                // News that come faster than that are told together.
                let pause = STREAM_PAUSE.saturating_sub(looked_at.elapsed());
                stopping.run_until_cancelled(tokio::time::sleep(pause)).await?;
            }
            self.looked_at = Some(Instant::now());
            if let Err(problem) = self.look().await {
                // The client comes back by itself, and then gets the status that tells why.
                tracing::warn!(error = ?problem, "Ending the event stream of {}", self.id);
                return None;
            }
        }
    }

    /// Reads the job and then its log, so that the lines of an ended job are complete.
    async fn look(&mut self) -> Result<(), Problem> {
        let record = reads::get(&self.app.db, self.tenant, self.id).await?;
        let record = record.ok_or_else(|| Problem::not_found("job"))?;
        let progress = resource::progress(&record);
        let is_stopping = record.cancel_requested_at.is_some();
        let (state, attempt) = (record.state()?, record.attempt);
        let mut job = JobResource::of(record)?;
        large::link(&self.app, &mut job).await?;
        let is_news =
            self.seen.state.replace((state, attempt, is_stopping)) != Some((state, attempt, is_stopping));
        if is_news && !state.is_final() {
            self.push("state", &job);
        }
        if progress.is_some() && progress != self.seen.progress && !state.is_final() {
            self.push("progress", &json!(progress));
        }
        self.seen.progress = progress;
        self.lines().await?;
        if state.is_final() {
            self.push("state", &job);
            self.push("end", &job);
            self.is_over = true;
        }
        Ok(())
    }

    async fn lines(&mut self) -> Result<(), Problem> {
        loop {
            let lines =
                logs::lines(&self.app.db, self.tenant, self.id, self.seen.after, i64::from(LINES_MAX))
                    .await?;
            let is_last = lines.len() < usize::from(LINES_MAX);
            for line in lines.into_iter().map(LogLine::from) {
                self.seen.after = line.seq;
                self.push("log", &line);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    fn push(&mut self, name: &str, data: &impl Serialize) {
        let event = Event::default().event(name).id(self.seen.after.to_string()).json_data(data);
        self.ready.extend(event);
    }
}
