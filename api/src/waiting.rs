//! Why a job is not running now, and when it is likely to: facts of the ledger in plain words.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{JobId, State};
use serde::Serialize;
use store::{
    reads::JobRecord,
    why::{COUNTED_MAX, Facts, LimitFact, PauseFact},
};
use utoipa::ToSchema;

use crate::problem::Problem;

/// What a film says while jobs of their own make its parts.
const MAKING_PARTS: &str = "making_parts";
/// Slower than one job in so many seconds is no speed to tell the future from.
const SLOWEST_PER_S: f64 = 0.01;

/// Why a job is where it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Why)]
pub(crate) struct WhyResource {
    /// The job.
    #[schema(value_type = String)]
    job: JobId,
    /// Where in its life it is.
    #[schema(value_type = String, example = "available")]
    state: State,
    /// The first reason, as a sentence.
    #[schema(example = "The limit stripe lets 4 run at once, and 4 do.")]
    pub(crate) summary: String,
    /// Everything that keeps it from running, the weightiest first; or why it runs, or ran.
    pub(crate) reasons: Vec<Reason>,
    /// Who waits before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<Line>,
    /// When it is likely to begin; left out when nobody can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) likely_at: Option<DateTime<Utc>>,
    /// The same, in seconds from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    likely_in_s: Option<i64>,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = WaitReason)]
pub(crate) struct Reason {
    /// A stable word: `paused`, `no_worker`, `limit_concurrency`, `limit_rate`, `scheduled`, `retry_wait`,
    /// `parked`, `depends_on_jobs`, `quarantined`, `in_line`, `next`, `running`, `stopping` or `ended`.
    #[schema(value_type = String, example = "limit_concurrency")]
    code: &'static str,
    /// The reason in words, with its numbers.
    pub(crate) detail: String,
    /// Jobs that stand in the way, up to five.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub(crate) held_by: Vec<JobId>,
    /// When this reason ends, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<DateTime<Utc>>,
}

/// Who waits before a job. Counts stop at 10,001, which means "more than 10,000".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WaitingLine)]
pub(crate) struct Line {
    /// Jobs of its own line that go before it.
    ahead: u64,
    /// Jobs of the tenant in other lines of the queue; some of them may go before it.
    beside: u64,
    /// Other tenants with jobs waiting in the queue, who take turns with this one.
    other_tenants: u64,
}

impl Reason {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), held_by: Vec::new(), until: None }
    }

    fn until(self, until: Option<DateTime<Utc>>) -> Self {
        Self { until, ..self }
    }
}

/// Explains `record` by `facts`, which are there while it is live.
pub(crate) fn explain(
    record: &JobRecord,
    facts: Option<&Facts>,
    now: DateTime<Utc>,
) -> Result<WhyResource, Problem> {
    let state = record.state()?;
    let facts = facts.filter(|_| !state.is_final() && state != State::Running);
    let reasons = match facts {
        Some(facts) => waiting(facts, record, now),
        None => vec![not_waiting(record, state)],
    };
    let likely_at = facts.and_then(|facts| likely(facts, &reasons, now));
    Ok(WhyResource {
        job: record.id(),
        state,
        summary: reasons.first().map(|reason| reason.detail.clone()).unwrap_or_default(),
        reasons,
        line: facts.filter(|facts| facts.available).map(|facts| Line {
            ahead: facts.ahead_in_line,
            beside: facts.waiting_beside,
            other_tenants: facts.other_tenants,
        }),
        likely_at,
        likely_in_s: likely_at.map(|at| (at - now).num_seconds().max(0)),
    })
}

fn not_waiting(record: &JobRecord, state: State) -> Reason {
    let worker = record.worker.as_deref().unwrap_or("a worker");
    if state == State::Running {
        return match record.cancel_requested_at {
            Some(at) => Reason::new("stopping", format!("{worker} was told at {} to stop it.", clock(at))),
            None => Reason::new("running", format!("{worker} runs attempt {} of it.", record.attempt)),
        };
    }
    let at = record.finalized_at.map(|at| format!(" at {}", clock(at))).unwrap_or_default();
    let cause = record.error.as_ref().filter(|_| state != State::Completed).and_then(|error| {
        let message = error.0.get("message")?.as_str()?;
        Some(format!(": {message}"))
    });
    Reason::new("ended", format!("It was {state}{at}{}.", cause.unwrap_or_default()))
}

fn waiting(facts: &Facts, record: &JobRecord, now: DateTime<Utc>) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = facts.pauses.iter().map(paused).collect();
    if !facts.available {
        reasons.push(not_due(facts, record, now));
    }
    if facts.workers == 0 {
        reasons.push(Reason::new("no_worker", format!("No worker listens to the queue {}.", facts.queue)));
    }
    reasons.extend(facts.limits.iter().filter(|limit| limit.is_exhausted()).map(exhausted));
    if facts.quarantine > 0 {
        reasons.push(quarantined(facts));
    }
    if facts.available {
        reasons.push(in_line(facts));
    }
    reasons
}

fn paused(pause: &PauseFact) -> Reason {
    let what = match (&pause.queue, &pause.kind) {
        (Some(queue), Some(kind)) => format!("{kind} in the queue {queue}"),
        (Some(queue), None) => format!("The queue {queue}"),
        (None, Some(kind)) => kind.clone(),
        (None, None) => "Everything".to_owned(),
    };
    let whose = if pause.whole_installation { ", for every tenant" } else { "" };
    let until =
        pause.expires_at.map_or("until it is resumed".to_owned(), |at| format!("until {}", clock(at)));
    let detail = format!(
        "{what} is paused{whose} {until}, by {} since {}: {}",
        pause.paused_by,
        clock(pause.since),
        pause.reason
    );
    Reason::new("paused", detail).until(pause.expires_at)
}

fn not_due(facts: &Facts, record: &JobRecord, now: DateTime<Utc>) -> Reason {
    let Some(at) = facts.scheduled_at else {
        return Reason::new("depends_on_jobs", "It begins when the jobs it depends on have ended.");
    };
    let in_s = (at - now).num_seconds().max(0);
    if record.parked {
        let detail = format!(
            "It waits for a worker that knows {} in version {}; it is tried again at {}, in {in_s} s.",
            record.kind,
            record.kind_version,
            clock(at)
        );
        return Reason::new("parked", detail);
    }
    let error = record.error.as_ref().and_then(|error| error.0.get("message")?.as_str().map(str::to_owned));
    if record.attempt == 0
        && let Some(what) = &error
    {
        let waits_for_jobs = record.error.as_ref().is_some_and(|error| error.0["code"] == MAKING_PARTS);
        let code = if waits_for_jobs { "depends_on_jobs" } else { "scheduled" };
        let detail = format!("It waits: {what}. It looks again at {}, in {in_s} s.", clock(at));
        return Reason::new(code, detail).until(Some(at));
    }
    if record.attempt == 0 {
        return Reason::new("scheduled", format!("It is scheduled for {}, in {in_s} s.", clock(at)))
            .until(Some(at));
    }
    let cause = error.map(|error| format!(" ({error})")).unwrap_or_default();
    let detail = format!(
        "Attempt {} of {} did not succeed{cause}; the next may begin at {}, in {in_s} s.",
        record.attempt,
        record.max_attempts,
        clock(at)
    );
    Reason::new("retry_wait", detail).until(Some(at))
}

fn exhausted(limit: &LimitFact) -> Reason {
    let by_key = limit.key.as_deref().map(|key| format!(" with the key {key}")).unwrap_or_default();
    let whose = if limit.whole_installation { " of every tenant" } else { "" };
    if let (Some(most), Some(running)) = (limit.concurrency, limit.running)
        && running >= most
    {
        let detail = format!(
            "The limit {} lets {most} jobs{by_key}{whose} run at once, and {running} do.",
            limit.name
        );
        return Reason { held_by: limit.holders(), ..Reason::new("limit_concurrency", detail) };
    }
    let (count, period_s) = (limit.rate_count.unwrap_or_default(), limit.rate_period_s.unwrap_or_default());
    let next = limit.next_at.map(|at| format!("; the next may at {}", clock(at))).unwrap_or_default();
    let detail =
        format!("The limit {} lets {count} jobs{by_key}{whose} begin every {period_s} s{next}.", limit.name);
    Reason::new("limit_rate", detail).until(limit.next_at)
}

fn quarantined(facts: &Facts) -> Reason {
    let how = if facts.quarantine == 1 { "apart from others" } else { "alone" };
    Reason::new(
        "quarantined",
        format!("It was running when a worker died, so it runs {how}, in a process of its own."),
    )
}

fn in_line(facts: &Facts) -> Reason {
    if facts.ahead_in_line == 0 && facts.waiting_beside == 0 && facts.other_tenants == 0 {
        return Reason::new("next", "It is next: a worker takes it as soon as a slot is free.");
    }
    let mut parts = vec![format!("It is number {} in its line", or_more(facts.ahead_in_line + 1))];
    if facts.waiting_beside > 0 {
        parts.push(format!("{} more jobs of this tenant wait in the queue", or_more(facts.waiting_beside)));
    }
    if facts.other_tenants > 0 {
        parts.push(format!("{} other tenants take turns with this one", facts.other_tenants));
    }
    parts.push(format!("{} of {} slots are busy.", facts.running.min(facts.slots), facts.slots));
    Reason::new("in_line", parts.join("; "))
}

/// When the job is likely to begin: when the last of the reasons that end by themselves has ended, and those before it
/// have gone at the speed of the last minute. None when a reason has no known end.
fn likely(facts: &Facts, reasons: &[Reason], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let endless = |reason: &Reason| match reason.code {
        "paused" | "scheduled" | "retry_wait" => reason.until.is_none(),
        "no_worker" | "depends_on_jobs" | "parked" => true,
        _ => false,
    };
    if reasons.iter().any(endless) {
        return None;
    }
    let ahead = facts.ahead_in_line + facts.waiting_beside;
    let free = facts.slots > facts.running && !facts.limits.iter().any(LimitFact::is_exhausted);
    let speed = facts.tenant_per_s.filter(|per_s| *per_s > SLOWEST_PER_S);
    let in_s = match speed {
        _ if !facts.available => 0.0,
        _ if ahead < facts.slots.saturating_sub(facts.running) && free => 0.0,
        Some(per_s) => (ahead + 1) as f64 / per_s,
        None => return None,
    };
    let by_rate = facts.limits.iter().filter_map(|limit| by_rate(limit, facts.ahead_in_line)).max();
    let ends = reasons.iter().filter_map(|reason| reason.until).chain(by_rate).max().unwrap_or(now);
    Some(ends.max(now + TimeDelta::milliseconds((in_s * 1_000.0) as i64)))
}

/// When a rate lets a job begin that has so many before it; none when it does already.
fn by_rate(limit: &LimitFact, ahead: u64) -> Option<DateTime<Utc>> {
    let (count, period_s, next_at) = (limit.rate_count?, limit.rate_period_s?, limit.next_at?);
    let more = ahead as f64 - limit.tokens.unwrap_or_default();
    if more < 0.0 {
        return None;
    }
    let is_window = limit.rate_algorithm.as_deref() == Some("window");
    let turns = more / f64::from(count.max(1));
    let turns = if is_window { turns.floor() } else { turns };
    Some(next_at + TimeDelta::milliseconds((turns * period_s * 1_000.0) as i64))
}

fn or_more(count: u64) -> String {
    if count > COUNTED_MAX { format!("more than {COUNTED_MAX}") } else { count.to_string() }
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn limit(algorithm: &str, tokens: u32, next_at: DateTime<Utc>) -> LimitFact {
        serde_json::from_value(json!({
            "name": "rate", "whole_installation": false, "rate_count": 10, "rate_period_s": 100.0,
            "rate_algorithm": algorithm, "tokens": tokens, "next_at": next_at,
        }))
        .unwrap()
    }

    #[test]
    fn a_rate_delays_whom_it_delays_and_a_window_by_whole_periods() {
        let now = DateTime::UNIX_EPOCH;
        let wait = |algorithm, tokens, ahead| {
            by_rate(&limit(algorithm, tokens, now), ahead).map(|at| (at - now).num_seconds())
        };
        assert_eq!([wait("window", 1, 0), wait("bucket", 3, 2)], [None, None], "their turn is now");
        assert_eq!(
            [wait("window", 0, 0), wait("window", 0, 9), wait("window", 0, 10)],
            [Some(0), Some(0), Some(100)]
        );
        assert_eq!([wait("window", 4, 4), wait("window", 4, 24)], [Some(0), Some(200)]);
        assert_eq!(
            [wait("bucket", 0, 0), wait("bucket", 0, 9), wait("bucket", 2, 4)],
            [Some(0), Some(90), Some(20)]
        );
    }

    /// A job that is due, behind so many of its line, where two slots are both busy.
    fn behind(ahead_in_line: u64) -> Facts {
        Facts {
            available: true,
            passed: None,
            quarantine: 0,
            queue: "default".to_owned(),
            priority: 2,
            concurrency_key: None,
            scheduled_at: None,
            due_at: None,
            pauses: Vec::new(),
            limits: Vec::new(),
            ahead_in_line,
            waiting_beside: 0,
            other_tenants: 0,
            tenant_per_s: None,
            queue_per_s: None,
            workers: 1,
            slots: 2,
            running: 2,
        }
    }

    #[test]
    fn a_line_moves_on_as_fast_as_it_did() {
        let now = DateTime::UNIX_EPOCH;
        let wait = |facts: &Facts| {
            let reasons = [in_line(facts)];
            likely(facts, &reasons, now).map(|at| (at - now).num_milliseconds())
        };
        let at = |per_s, ahead| Facts { tenant_per_s: Some(per_s), ..behind(ahead) };
        assert_eq!(wait(&at(4.0, 0)), Some(250), "itself is one of those that have to go");
        assert_eq!(wait(&at(4.0, 39)), Some(10_000));
        assert_eq!(wait(&Facts { waiting_beside: 20, ..at(4.0, 19) }), Some(10_000), "other lines go too");
        assert_eq!(
            [wait(&behind(3)), wait(&at(0.001, 3))],
            [None, None],
            "where nothing moves nobody can tell"
        );
        assert_eq!(wait(&Facts { running: 0, ..behind(1) }), Some(0), "a slot is free for it");
        let no_worker = [Reason::new("no_worker", "")];
        assert_eq!(likely(&at(4.0, 0), &no_worker, now), None);
    }

    #[test]
    fn a_place_in_line_is_told_with_its_numbers() {
        let facts = Facts { waiting_beside: 7, other_tenants: 2, ..behind(2) };
        assert_eq!(
            in_line(&facts).detail,
            "It is number 3 in its line; 7 more jobs of this tenant wait in the queue; \
             2 other tenants take turns with this one; 2 of 2 slots are busy."
        );
        let far = in_line(&behind(COUNTED_MAX)).detail;
        assert!(far.starts_with(&format!("It is number more than {COUNTED_MAX} in its line")), "{far}");
        assert_eq!(in_line(&behind(0)).code, "next");
        for (quarantine, how) in [(1, "apart from others"), (2, "alone")] {
            let told = quarantined(&Facts { quarantine, ..behind(0) });
            assert_eq!(told.code, "quarantined");
            assert!(told.detail.contains(how), "{}", told.detail);
        }
    }
}
