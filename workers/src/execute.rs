//! One attempt at one job, from the claim to the verdict.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use jobs::{Policy, failure::Problem};
use serde_json::Value;
use store::{claim::Claimed, payload::Payload};
use tracing::Instrument;

use crate::{
    cx::{After, Cx},
    deps::Deps,
    faults::{Faults, Point},
    knows::Knows,
    large,
    meters::{self, Meters},
    registry::{self, Start},
    settler::Settler,
    speaker::Speaker,
    stop::Stop,
    verdict::{self, Ended},
};

/// What every attempt needs.
pub struct Executor {
    /// The outside.
    pub deps: Arc<Deps>,
    /// Takes verdicts.
    pub settler: Settler,
    /// Takes what jobs say.
    pub speaker: Speaker,
    /// Which kinds and versions this process can do.
    pub knows: Arc<Knows>,
    /// What this process was told to suffer.
    pub faults: Faults,
    /// Counts attempts.
    pub meters: Arc<Meters>,
}

impl Executor {
    /// Works on `job` until it ends or `stop` is given, and settles it.
    ///
    /// What is rare is boxed in here and below: the future of every job is moved when it is spawned, so its size counts.
    pub async fn execute(&self, mut job: Claimed, stop: Arc<Stop>) {
        let args = std::mem::replace(&mut job.args, Payload::Inline(Value::Null));
        let span = tracing::info_span!(
            "job.work",
            job.id = %job.id, job.kind = job.kind, job.attempt = job.attempt, tenant.id = %job.tenant
        );
        if let Some(parent) = &job.traceparent {
            telemetry::trace_context::set_parent(&span, parent);
        }
        async {
            let began = tokio::time::Instant::now();
            let (ended, after) = self.attempt(&job, args, &stop).await;
            let policy = policy_of(&job.kind);
            let verdict =
                verdict::decide(ended, job.attempt, job.max_attempts, policy.backoff, &mut rand::rng());
            report(&self.meters, &job, verdict.as_ref(), began.elapsed());
            if after.has_spoken {
                Box::pin(self.speaker.last_words()).await;
            }
            self.settler.settle(&job, verdict, after).await;
        }
        .instrument(span)
        .await;
    }

    /// Runs the handler within its time, catching its panics, until it is told to stop.
    async fn attempt(&self, job: &Claimed, args: Payload, stop: &Stop) -> (Ended, After) {
        if let Some(problem) = self.knows.why_not(&job.kind, job.kind_version) {
            return (Ended::Unknown(problem), After::default());
        }
        let Some(start) = registry::find(&job.kind) else {
            let problem = Problem::new("unknown_kind", format!("this worker knows no kind {}", job.kind));
            return (Ended::Unknown(problem), After::default());
        };
        let limit = Duration::from_secs(u64::from(policy_of(&job.kind).timeout_s));
        let cx = Cx::new(job, &self.deps, &self.speaker, self.faults);
        self.faults.reach(Point::AfterClaim);
        let ended = {
            let work = AssertUnwindSafe(self.work(start, job, args, &cx)).catch_unwind();
            tokio::select! {
                biased;
                reason = stop.requested() => Ended::Stopped(reason),
                worked = tokio::time::timeout(limit, work) => match worked {
                    Ok(Ok(ended)) => ended,
                    Ok(Err(panic)) => Ended::Panicked(words(panic.as_ref())),
                    Err(_) => Ended::TimedOut(limit),
                },
            }
        };
        let mut after = cx.into_after();
        let ended = match ended {
            Ended::Returned(Ok(result)) if !after.follow_ups.is_empty() => {
                let stowed = Box::pin(large::follow_ups(&self.deps, job.tenant, &mut after.follow_ups)).await;
                Ended::Returned(stowed.map(|()| result))
            }
            ended => ended,
        };
        (ended, after)
    }

    /// The handler's work, with what is too large for a row fetched before and stowed after it.
    async fn work(&self, start: Start, job: &Claimed, args: Payload, cx: &Cx<'_>) -> Ended {
        let args = match large::args(&self.deps, job, args).await {
            Ok(args) => args,
            Err(ended) => return ended,
        };
        match start(job.kind_version, args, cx).await {
            Ok(result) => large::result(&self.deps, job, result, self.faults).await,
            Err(failure) => Ended::Returned(Err(failure)),
        }
    }
}

/// The policy of a kind; for one this version does not know, the strictest there is, since it is only parked.
fn policy_of(kind: &str) -> Policy {
    jobs::spec(kind).map_or(
        Policy {
            max_attempts: 1,
            timeout_s: 1,
            backoff: jobs::Backoff { base_ms: 1_000, cap_s: 60 },
            priority: jobs::Priority::LOW,
            promise_s: None,
        },
        |spec| spec.policy,
    )
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// How the job's promise went, once that is decided.
fn promise(job: &Claimed, verdict: Option<&store::verdict::Verdict>) -> Option<&'static str> {
    let due_at = job.due_at?;
    match verdict? {
        store::verdict::Verdict::Completed { .. } if chrono::Utc::now() <= due_at => Some("kept"),
        store::verdict::Verdict::Completed { .. } | store::verdict::Verdict::Discarded { .. } => {
            Some("broken")
        }
        _ => None,
    }
}

/// The one place where attempts are counted and logged.
fn report(meters: &Meters, job: &Claimed, verdict: Option<&store::verdict::Verdict>, took: Duration) {
    let outcome = verdict.map_or(meters::LOST, store::verdict::Verdict::outcome);
    let waited = (chrono::Utc::now() - job.scheduled_at).to_std().unwrap_or_default().saturating_sub(took);
    meters.count(&job.kind, verdict, waited, took);
    if let Some(outcome) = promise(job, verdict) {
        meters.count_promise(&job.kind, outcome);
    }
    let took_ms = took.as_millis() as u64;
    match verdict {
        Some(store::verdict::Verdict::Completed { .. }) => {
            tracing::debug!(job.outcome = outcome, job.duration_ms = took_ms, "Completed {}", job.id);
        }
        Some(verdict) => {
            let problem = verdict.problem().map(|problem| format!("{}: {}", problem.code, problem.message));
            tracing::warn!(
                job.outcome = outcome,
                job.duration_ms = took_ms,
                error = problem,
                "Attempt {} of {} ended as {outcome}",
                job.attempt,
                job.id
            );
        }
        None => tracing::warn!(job.outcome = outcome, "Stopped {}, because its lease was lost", job.id),
    }
}
