//! `GET /v1/events`: every attempt of a tenant that ends, as it ends.
//!
//! Looks reach back once a second only: what a busy tenant did in the last seconds is much.

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use ::jobs::{JobId, TenantId};
use axum::{
    extract::State as App,
    http::HeaderMap,
    response::{Response, sse::Event},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use store::attempts::{self, Attempt};
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Reader,
    follow::{Dated, Follow, next_page, respond},
    limits::{STREAM_PAUSE_ALL, STREAM_POLL},
    problem::{Problem, ProblemDocument},
};

/// How often a look reaches back at all: rows that were committed late may be told this much later.
const REACH_BACK: Duration = Duration::from_secs(1);
/// Attempts read at once.
const PAGE: i64 = 500;

/// An attempt that ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AttemptEvent)]
pub(crate) struct EndedResource {
    /// The job.
    #[schema(value_type = String)]
    job: JobId,
    /// What it does.
    kind: String,
    /// Where it ran.
    queue: String,
    /// 1 for the first run; 0 for a job that was cancelled before any.
    attempt: i16,
    /// `completed`, `retried`, `snoozed`, `returned`, `crashed`, `cancelled` or `discarded`.
    outcome: String,
    /// The state the job ended in, if it ended with this attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    final_state: Option<String>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    finished_at: DateTime<Utc>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
}

/// Orders events and names them: `<finished_at in microseconds>-<job>-<fence>`.
type Name = (i64, JobId, i32);

/// Follow all jobs.
///
/// A stream of server-sent events named `attempt`, one for every attempt that ends, with or without the job. Come back
/// with `Last-Event-ID` after a break: nothing is missed, but the last few seconds may be told again, so skip ids you
/// know.
#[utoipa::path(
    get, path = "/v1/events", tag = "Jobs", operation_id = "follow_all",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event you got; up to 24 h old")),
    responses(
        (status = 200, description = "Events, for at most an hour", body = EndedResource, content_type = "text/event-stream"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn follow_all(
    App(app): App<AppState>,
    Reader(caller): Reader,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let dated = Dated::resumed(&headers, |text| read_name(text).map(|(at, ..)| at))?;
    let moved = app.hub.any();
    let place = app.streams.open(caller.tenant)?;
    let follower =
        AllFollower { app: app.clone(), tenant: caller.tenant, moved, dated, reached_back_at: None };
    Ok(respond(app, place, follower))
}

fn read_name(text: &str) -> Option<Name> {
    let (at, rest) = text.split_once('-')?;
    let (job, fence) = rest.split_once('-')?;
    Some((at.parse().ok()?, job.parse().ok()?, fence.parse().ok()?))
}

struct AllFollower {
    app: AppState,
    tenant: TenantId,
    moved: watch::Receiver<()>,
    dated: Dated<(JobId, i32)>,
    reached_back_at: Option<Instant>,
}

impl Follow for AllFollower {
    fn pause(&self) -> Duration {
        STREAM_PAUSE_ALL
    }

    async fn moved(&mut self) {
        // Lost or late, a notice changes only how soon we look.
        drop(tokio::time::timeout(STREAM_POLL, self.moved.changed()).await);
    }

    async fn look(&mut self, ready: &mut VecDeque<Event>) -> Result<ControlFlow<()>, Problem> {
        let mut since = self.dated.latest();
        if self.reached_back_at.is_none_or(|at| at.elapsed() >= REACH_BACK) {
            since = self.dated.reach_back();
            self.reached_back_at = Some(Instant::now());
        }
        loop {
            let ended = attempts::ended_since(&self.app.db, self.tenant, since, PAGE).await?;
            let is_last = ended.len() < PAGE as usize;
            let last = ended.iter().rev().find_map(|attempt| attempt.finished_at).unwrap_or(since);
            ready.extend(ended.into_iter().filter_map(|attempt| self.event(attempt)));
            if is_last {
                return Ok(ControlFlow::Continue(()));
            }
            since = next_page(since, last);
        }
    }
}

impl AllFollower {
    /// What is told of `attempt`; none when it was told before.
    fn event(&mut self, attempt: Attempt) -> Option<Event> {
        let (job, fence, finished_at) = (attempt.job(), attempt.fence, attempt.finished_at?);
        if !self.dated.is_news(finished_at, (job, fence)) {
            return None;
        }
        let resource = EndedResource {
            job,
            kind: attempt.kind,
            queue: attempt.queue,
            attempt: attempt.attempt,
            outcome: attempt.outcome,
            final_state: attempt.final_state,
            started_at: attempt.started_at,
            finished_at,
            error: attempt.error.map(|error| error.0),
        };
        let id = format!("{}-{job}-{fence}", finished_at.timestamp_micros());
        Event::default().event("attempt").id(id).json_data(&resource).ok()
    }
}

#[cfg(test)]
mod tests {
    use ::jobs::JobId;

    use super::read_name;

    #[test]
    fn a_name_comes_back_and_nothing_else_is_one() {
        let job = JobId::new();
        assert_eq!(read_name(&format!("1700000000000000-{job}-3")), Some((1_700_000_000_000_000, job, 3)));
        for wrong in
            ["", "1", "1-2-3", "x-y-z", &format!("{job}-1-1"), &format!("9{}-{job}-1", "9".repeat(30))]
        {
            assert_eq!(read_name(wrong), None, "{wrong:?}");
        }
    }
}
