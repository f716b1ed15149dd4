//! Tells a page when to look again. What there is to see the page asks for itself, so a break misses nothing.

use std::{convert::Infallible, time::Instant};

use axum::{
    extract::{Path, State},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, stream};
use tokio::sync::watch;

use super::guard::Visit;
use crate::{
    AppState, hub,
    limits::{HEARTBEAT, OPS_LIVE_PAUSE, STREAM_AGE_MAX, STREAM_POLL},
    problem::Problem,
};

/// Tells when a job of anybody moved, at most once a second.
pub(super) async fn follow(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let place = app.streams.open(visit.tenant()?)?;
    let moved = Moved::Any(app.hub.any());
    Ok(respond(Follower::new(app, moved, place).events()))
}

/// Tells when one job moved.
pub(super) async fn follow_job(
    State(app): State<AppState>,
    visit: Visit,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("job"))?;
    let place = app.streams.open(visit.tenant()?)?;
    let moved = Moved::Job(app.hub.job(id));
    Ok(respond(Follower::new(app, moved, place).events()))
}

fn respond(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let alive = KeepAlive::new().interval(HEARTBEAT).text("still here");
    ([("x-accel-buffering", "no")], Sse::new(events).keep_alive(alive)).into_response()
}

enum Moved {
    Any(watch::Receiver<()>),
    Job(hub::Watch),
}

impl Moved {
    /// Notices may be lost, so it ends by itself after a while.
    async fn moved(&mut self) {
        match self {
            Self::Job(watch) => watch.moved(STREAM_POLL).await,
            Self::Any(any) => drop(tokio::time::timeout(HEARTBEAT, any.changed()).await),
        }
    }
}

struct Follower {
    app: AppState,
    moved: Moved,
    ends_at: Instant,
    told_at: Option<Instant>,
    _place: hub::Stream,
}

impl Follower {
    fn new(app: AppState, moved: Moved, place: hub::Stream) -> Self {
        Self { app, moved, ends_at: Instant::now() + STREAM_AGE_MAX, told_at: None, _place: place }
    }

    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
        stream::unfold(self, |mut this| async move { this.next().await.map(|event| (Ok(event), this)) })
    }

    /// The next word; none when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        if Instant::now() >= self.ends_at {
            return None;
        }
        if let Some(told_at) = self.told_at {
            let stopping = self.app.stopping.clone();
            stopping.run_until_cancelled(self.moved.moved()).await?;
            let pause = OPS_LIVE_PAUSE.saturating_sub(told_at.elapsed());
            stopping.run_until_cancelled(tokio::time::sleep(pause)).await?;
        }
        self.told_at = Some(Instant::now());
        // An event without data is none to a browser.
        Some(Event::default().event("look").data("now"))
    }
}
