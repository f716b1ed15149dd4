//! Tells a page when to look again. What there is to see the page asks for itself, so a break misses nothing.

use std::{collections::VecDeque, ops::ControlFlow, time::Duration};

use axum::{
    extract::{Path, State},
    response::{Response, sse::Event},
};
use tokio::sync::watch;

use super::guard::Visit;
use crate::{
    AppState,
    follow::{Follow, respond},
    hub,
    limits::{HEARTBEAT, OPS_LIVE_PAUSE, OPS_LIVE_PAUSE_OF_JOB, STREAM_POLL},
    problem::Problem,
};

/// Tells when a job of anybody moved, every few seconds at most.
pub(super) async fn follow(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let place = app.pages.open(visit.user)?;
    let moved = Moved::Any(app.hub.any());
    Ok(respond(app, place, moved))
}

/// Tells when one job moved.
pub(super) async fn follow_job(
    State(app): State<AppState>,
    visit: Visit,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("job"))?;
    let place = app.pages.open(visit.user)?;
    let moved = Moved::Job(app.hub.job(id));
    Ok(respond(app, place, moved))
}

enum Moved {
    Any(watch::Receiver<()>),
    Job(hub::Watch),
}

impl Follow for Moved {
    fn pause(&self) -> Duration {
        match self {
            Self::Any(_) => OPS_LIVE_PAUSE,
            Self::Job(_) => OPS_LIVE_PAUSE_OF_JOB,
        }
    }

    /// Notices may be lost, so it ends by itself after a while.
    async fn moved(&mut self) {
        match self {
            Self::Job(watch) => watch.moved(STREAM_POLL).await,
            Self::Any(any) => drop(tokio::time::timeout(HEARTBEAT, any.changed()).await),
        }
    }

    async fn look(&mut self, ready: &mut VecDeque<Event>) -> Result<ControlFlow<()>, Problem> {
        // An event without data is none to a browser.
        ready.push_back(Event::default().event("look").data("now"));
        Ok(ControlFlow::Continue(()))
    }
}
