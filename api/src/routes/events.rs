//! `GET /v1/events`: every attempt of a tenant that ends, as it ends.
//!
//! Transactions may commit in another order than their rows are dated. So once a second a look reaches back
//! a few seconds, and what this connection has sent already is skipped. A client that comes back with
//! `Last-Event-ID` has that stretch read again too, and may get an event twice: at least once, never less.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    convert::Infallible,
    time::{Duration, Instant},
};

use ::jobs::{JobId, TenantId};
use axum::{
    extract::State as App,
    http::HeaderMap,
    response::{Response, sse::Event},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{Stream, stream};
use serde::Serialize;
use serde_json::Value;
use store::attempts::{self, Attempt};
use tokio::sync::watch;
use utoipa::ToSchema;

use super::job_events::{last_event_id, respond};
use crate::{
    AppState,
    auth::Reader,
    hub,
    limits::{STREAM_AGE_MAX, STREAM_PAUSE_ALL, STREAM_POLL},
    problem::{Code, Problem, ProblemDocument},
};

/// How far back a look reaches: longer than a settling transaction takes.
const OVERLAP: TimeDelta = TimeDelta::seconds(5);
/// How often a look reaches back at all: rows that were committed late may be told this much later.
const REACH_BACK: Duration = Duration::from_secs(1);
/// How far back a client may resume.
const RESUME_MAX: TimeDelta = TimeDelta::hours(24);
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
    let now = Utc::now();
    let since = match last_event_id(&headers) {
        None => now,
        Some(text) => {
            let wrong = || {
                Problem::new(Code::InvalidParameter, "Last-Event-ID takes the id of an event of this stream")
            };
            let at =
                read_name(text).and_then(|(at, ..)| DateTime::from_timestamp_micros(at)).ok_or_else(wrong)?;
            at.clamp(now - RESUME_MAX, now) - OVERLAP
        }
    };
    let moved = app.hub.any();
    let place = app.streams.open(caller.tenant)?;
    let follower = Follower {
        app,
        tenant: caller.tenant,
        moved,
        begins_at: since,
        latest: since,
        sent: BTreeMap::new(),
        ready: VecDeque::new(),
        ends_at: Instant::now() + STREAM_AGE_MAX,
        looked_at: None,
        reached_back_at: None,
        _place: place,
    };
    Ok(respond(follower.events()))
}

fn read_name(text: &str) -> Option<Name> {
    let (at, rest) = text.split_once('-')?;
    let (job, fence) = rest.split_once('-')?;
    Some((at.parse().ok()?, job.parse().ok()?, fence.parse().ok()?))
}

struct Follower {
    app: AppState,
    tenant: TenantId,
    moved: watch::Receiver<()>,
    begins_at: DateTime<Utc>,
    latest: DateTime<Utc>,
    // By time, so that what no look reaches back to any more can be forgotten.
    sent: BTreeMap<i64, BTreeSet<(JobId, i32)>>,
    ready: VecDeque<Event>,
    ends_at: Instant,
    looked_at: Option<Instant>,
    reached_back_at: Option<Instant>,
    _place: hub::Stream,
}

impl Follower {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
        stream::unfold(self, |mut this| async move { this.next().await.map(|event| (Ok(event), this)) })
    }

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
                let woken = tokio::time::timeout(STREAM_POLL, self.moved.changed());
                // Lost or late, a notice changes only how soon we look.
                drop(stopping.run_until_cancelled(woken).await?);
                let pause = STREAM_PAUSE_ALL.saturating_sub(looked_at.elapsed());
                stopping.run_until_cancelled(tokio::time::sleep(pause)).await?;
            } else {
                // A first event at once: it tells proxies and clients that the stream is open.
                self.ready.push_back(Event::default().comment("open"));
            }
            self.looked_at = Some(Instant::now());
            if let Err(problem) = self.look().await {
                tracing::warn!(error = ?problem, "Ending an event stream of {}", self.tenant);
                return None;
            }
        }
    }

    async fn look(&mut self) -> Result<(), Problem> {
        let mut since = self.latest;
        if self.reached_back_at.is_none_or(|at| at.elapsed() >= REACH_BACK) {
            since = (self.latest - OVERLAP).max(self.begins_at);
            self.reached_back_at = Some(Instant::now());
            self.sent = self.sent.split_off(&since.timestamp_micros());
        }
        loop {
            let ended = attempts::ended_since(&self.app.db, self.tenant, since, PAGE).await?;
            let is_last = ended.len() < PAGE as usize;
            let before = since;
            for attempt in ended {
                let Some(finished_at) = attempt.finished_at else { continue };
                since = finished_at;
                self.latest = self.latest.max(finished_at);
                self.tell(attempt, finished_at);
            }
            if is_last {
                return Ok(());
            }
            if since == before {
                // More attempts of one microsecond than fit a page: the next microsecond goes on.
                since += TimeDelta::microseconds(1);
            }
        }
    }

    fn tell(&mut self, attempt: Attempt, finished_at: DateTime<Utc>) {
        let (job, fence, at) = (attempt.job(), attempt.fence, finished_at.timestamp_micros());
        if !self.sent.entry(at).or_default().insert((job, fence)) {
            return;
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
        let event = Event::default().event("attempt").id(format!("{at}-{job}-{fence}")).json_data(&resource);
        self.ready.extend(event);
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
