//! Streams of server-sent events: one loop for everybody who follows something.
//!
//! Notices only say "look", and may come late or never. So a stream looks when one comes and every few seconds besides, tells
//! what is new, and ends after an hour, when the server stops, or when there will be nothing more. A client that comes back
//! with `Last-Event-ID` goes on where it was.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::ControlFlow,
    time::{Duration, Instant},
};

use axum::{
    http::{HeaderMap, HeaderName},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream;

use crate::{
    AppState,
    limits::{HEARTBEAT, STREAM_AGE_MAX},
    problem::{Code, Problem},
};

/// How far back a look at dated rows reaches: longer than the transactions take that write them.
const OVERLAP: TimeDelta = TimeDelta::seconds(5);
/// How far back a client may resume.
const RESUME_MAX: TimeDelta = TimeDelta::hours(24);

static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Somebody who follows something.
pub(crate) trait Follow: Send + 'static {
    /// Looks are at least so far apart: news that come faster are told together.
    fn pause(&self) -> Duration;

    /// Waits until something may have happened, and not for ever.
    fn moved(&mut self) -> impl Future<Output = ()> + Send;

    /// Puts what is new into `ready`; breaks when there will be nothing more.
    fn look(
        &mut self,
        ready: &mut VecDeque<Event>,
    ) -> impl Future<Output = Result<ControlFlow<()>, Problem>> + Send;
}

struct Streaming<F, P> {
    follower: F,
    app: AppState,
    ready: VecDeque<Event>,
    ends_at: Instant,
    looked_at: Option<Instant>,
    is_over: bool,
    _place: P,
}

/// What `follower` tells for as long as it has its `place`, with a sign of life in between, which proxies must not hold back.
pub(crate) fn respond(app: AppState, place: impl Send + 'static, follower: impl Follow) -> Response {
    let streaming = Streaming {
        follower,
        app,
        // At once: it tells proxies and clients that the stream is open.
        ready: VecDeque::from([Event::default().comment("open")]),
        ends_at: Instant::now() + STREAM_AGE_MAX,
        looked_at: None,
        is_over: false,
        _place: place,
    };
    let events = stream::unfold(streaming, |mut streaming| async move {
        streaming.next().await.map(|event| (Ok::<_, std::convert::Infallible>(event), streaming))
    });
    let alive = KeepAlive::new().interval(HEARTBEAT).text("still here");
    ([("x-accel-buffering", "no")], Sse::new(events).keep_alive(alive)).into_response()
}

impl<F: Follow, P> Streaming<F, P> {
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
                stopping.run_until_cancelled(self.follower.moved()).await?;
                let pause = self.follower.pause().saturating_sub(looked_at.elapsed());
                stopping.run_until_cancelled(tokio::time::sleep(pause)).await?;
            }
            self.looked_at = Some(Instant::now());
            match self.follower.look(&mut self.ready).await {
                Ok(flow) => self.is_over = flow.is_break(),
                Err(problem) => {
                    // The client comes back by itself, and then gets the status that tells why.
                    tracing::warn!(error = ?problem, "Ending a stream of events");
                    return None;
                }
            }
        }
    }
}

/// The id that a client came back with.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(&LAST_EVENT_ID).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty())
}

/// An id that is none of the stream's.
pub(crate) fn no_event_of_this_stream() -> Problem {
    Problem::new(Code::InvalidParameter, "Last-Event-ID takes the id of an event of this stream")
}

/// Rows that are told in the order of their times, though they may be committed in another. A look reaches back a few
/// seconds, and what this stream has told is not told again; whoever comes back has that stretch told once more: at least
/// once, never less.
pub(crate) struct Dated<K> {
    begins_at: DateTime<Utc>,
    latest: DateTime<Utc>,
    // By time, so that what no look reaches back to any more can be forgotten.
    told: BTreeMap<i64, BTreeSet<K>>,
}

impl<K: Ord> Dated<K> {
    /// From now on, or from the event that the client had last: `read` finds its time, in microseconds since 1970.
    pub(crate) fn resumed(
        headers: &HeaderMap,
        read: impl FnOnce(&str) -> Option<i64>,
    ) -> Result<Self, Problem> {
        let now = Utc::now();
        let begins_at = match last_event_id(headers) {
            None => now,
            Some(text) => {
                let at = read(text).and_then(DateTime::from_timestamp_micros);
                at.ok_or_else(no_event_of_this_stream)?.clamp(now - RESUME_MAX, now) - OVERLAP
            }
        };
        Ok(Self { begins_at, latest: begins_at, told: BTreeMap::new() })
    }

    /// The latest time that was told.
    pub(crate) fn latest(&self) -> DateTime<Utc> {
        self.latest
    }

    /// From when a look has to read that must not miss what was committed late.
    pub(crate) fn reach_back(&mut self) -> DateTime<Utc> {
        let since = (self.latest - OVERLAP).max(self.begins_at);
        self.told = self.told.split_off(&since.timestamp_micros());
        since
    }

    /// Whether the row `key` of `at` was not told yet; from now on it was.
    pub(crate) fn is_news(&mut self, at: DateTime<Utc>, key: K) -> bool {
        self.latest = self.latest.max(at);
        self.told.entry(at.timestamp_micros()).or_default().insert(key)
    }
}

/// Where the page goes on after one that began at `since` and whose last row is of `last`.
pub(crate) fn next_page(since: DateTime<Utc>, last: DateTime<Utc>) -> DateTime<Utc> {
    // More rows of one microsecond than fit a page: the next microsecond goes on.
    if last == since { since + TimeDelta::microseconds(1) } else { last }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_committed_late_is_told_once_and_in_time() {
        let now = Utc::now();
        let mut dated = Dated::resumed(&HeaderMap::new(), |_| None).unwrap();
        let late = now + TimeDelta::seconds(1);
        assert!(dated.is_news(now + TimeDelta::seconds(3), 'a') && dated.is_news(late, 'b'));
        assert!(dated.reach_back() <= late && !dated.is_news(late, 'b') && dated.is_news(late, 'c'));
        assert!(dated.is_news(now + TimeDelta::seconds(20), 'd'));
        assert_eq!(dated.reach_back(), now + TimeDelta::seconds(15));
        assert!(dated.told.len() == 1, "what no look reaches any more is forgotten");
    }

    #[test]
    fn whoever_comes_back_has_the_last_seconds_again_and_a_day_at_most() {
        let resumed = |micros: i64| {
            let headers: HeaderMap = [(LAST_EVENT_ID.clone(), "x".parse().unwrap())].into_iter().collect();
            Dated::<u8>::resumed(&headers, |_| Some(micros)).map(|dated| Utc::now() - dated.latest())
        };
        let minutes = |count: i64| (Utc::now() - TimeDelta::minutes(count)).timestamp_micros();
        let about = |span: TimeDelta, wanted: TimeDelta| (span - wanted).abs() < TimeDelta::seconds(1);
        assert!(about(resumed(minutes(10)).unwrap(), TimeDelta::minutes(10) + OVERLAP));
        assert!(about(resumed(0).unwrap(), RESUME_MAX + OVERLAP));
        assert!(about(resumed(minutes(-10)).unwrap(), OVERLAP), "not from times to come");
        assert!(resumed(i64::MAX).is_err());
    }
}
