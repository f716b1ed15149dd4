//! `GET /v1/jobs/{id}/events`: one job, as it happens.
//!
//! Every event carries the `seq` of the last log line sent as its id. A client that comes back with `Last-Event-ID` gets
//! the lines after it, and the state as it stands: nothing is missed, and the state may be told twice.

use std::{collections::VecDeque, ops::ControlFlow, time::Duration};

use ::jobs::{JobId, State, TenantId};
use axum::{
    extract::State as App,
    http::HeaderMap,
    response::{Response, sse::Event},
};
use serde::Serialize;
use serde_json::json;
use store::{logs, reads};

use super::attempts::LogLine;
use crate::{
    AppState,
    auth::Reader,
    extract::Id,
    follow::{Follow, last_event_id, no_event_of_this_stream, respond},
    hub::Watch,
    large,
    limits::{LINES_MAX, STREAM_PAUSE, STREAM_POLL},
    problem::{Problem, ProblemDocument},
    resource::{self, JobResource, ProgressResource},
    seeing::Sight,
};

/// Follow a job.
///
/// A stream of server-sent events: `state` (the job, whenever its state or attempt changes), `progress` (percent and message),
/// `log` (a line) and, last, `end` (the job with its result or error). Come back with `Last-Event-ID` after a break:
/// lines go on where they stopped, and the current state is told again. Keys without the scope `payloads:read` get no lines.
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
    let after = match last_event_id(&headers) {
        None => 0,
        Some(text) => text.parse().map_err(|_| no_event_of_this_stream())?,
    };
    // Before the first look, so that nothing can happen in between.
    let moved = app.hub.job(id);
    reads::get(&app.db, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("job"))?;
    let place = app.streams.open(caller.tenant)?;
    let seen = Seen { after, ..Seen::default() };
    let (tenant, sight) = (caller.tenant, caller.sight());
    let follower = JobFollower { app: app.clone(), tenant, sight, id, moved, seen };
    Ok(respond(app, place, follower))
}

/// What the client knows already.
#[derive(Default)]
struct Seen {
    after: i64,
    state: Option<(State, i16, bool)>,
    progress: Option<ProgressResource>,
}

struct JobFollower {
    app: AppState,
    tenant: TenantId,
    sight: Sight,
    id: JobId,
    moved: Watch,
    seen: Seen,
}

impl Follow for JobFollower {
    fn pause(&self) -> Duration {
        STREAM_PAUSE
    }

    async fn moved(&mut self) {
        self.moved.moved(STREAM_POLL).await;
    }

    /// Reads the job and then its log, so that the lines of an ended job are complete.
    async fn look(&mut self, ready: &mut VecDeque<Event>) -> Result<ControlFlow<()>, Problem> {
        let record = reads::get(&self.app.db, self.tenant, self.id).await?;
        let record = record.ok_or_else(|| Problem::not_found("job"))?;
        let progress = resource::progress(&record);
        let is_stopping = record.cancel_requested_at.is_some();
        let (state, attempt) = (record.state()?, record.attempt);
        let mut job = JobResource::of(record)?;
        large::link(&self.app, &mut job).await?;
        let job = self.sight.of(&job)?;
        let is_news =
            self.seen.state.replace((state, attempt, is_stopping)) != Some((state, attempt, is_stopping));
        if is_news && !state.is_final() {
            ready.extend(self.event("state", &job));
        }
        if progress.is_some() && progress != self.seen.progress && !state.is_final() {
            ready.extend(self.event("progress", &json!(progress)));
        }
        self.seen.progress = progress;
        if self.sight.payloads {
            self.lines(ready).await?;
        }
        if state.is_final() {
            ready.extend(self.event("state", &job));
            ready.extend(self.event("end", &job));
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl JobFollower {
    async fn lines(&mut self, ready: &mut VecDeque<Event>) -> Result<(), Problem> {
        loop {
            let lines =
                logs::lines(&self.app.db, self.tenant, self.id, self.seen.after, i64::from(LINES_MAX))
                    .await?;
            let is_last = lines.len() < usize::from(LINES_MAX);
            for line in lines.into_iter().map(LogLine::from) {
                self.seen.after = line.seq;
                ready.extend(self.event("log", &line));
            }
            if is_last {
                return Ok(());
            }
        }
    }

    fn event(&self, name: &str, data: &impl Serialize) -> Option<Event> {
        Event::default().event(name).id(self.seen.after.to_string()).json_data(data).ok()
    }
}
