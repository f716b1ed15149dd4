//! From what a handler returned to what the ledger is told.

use std::time::Duration;

use jobs::{Backoff, Failure, failure::Problem};
use rand::Rng;
use store::{payload::Payload, verdict::Verdict};

use crate::stop::Reason;

/// Longest wait that the other side's `Retry-After` may impose, or a schedule of a handler's own with what is drawn on top.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(30);

/// How a run came to its end.
#[derive(Debug)]
pub enum Ended {
    /// The handler returned.
    Returned(Result<Payload, Failure>),
    /// This process cannot do it; another may.
    Unknown(Problem),
    /// The handler panicked.
    Panicked(String),
    /// The handler took longer than its kind allows.
    TimedOut(Duration),
    /// The handler was stopped.
    Stopped(Reason),
}

/// Decides what becomes of a job after attempt `attempt` of `max_attempts`. None when the lease is lost: then nobody
/// would accept a verdict.
pub fn decide(
    ended: Ended,
    attempt: u16,
    max_attempts: u16,
    backoff: Backoff,
    rng: &mut impl Rng,
) -> Option<Verdict> {
    let failure = match ended {
        Ended::Returned(Ok(result)) => return Some(Verdict::Completed { result }),
        Ended::Returned(Err(failure)) => failure,
        Ended::Unknown(problem) => return Some(Verdict::Parked { problem }),
        Ended::Panicked(message) => Failure::retry("panic", format!("the handler panicked: {message}")),
        Ended::TimedOut(limit) => {
            Failure::retry("timeout", format!("the attempt took longer than {} s", limit.as_secs()))
        }
        Ended::Stopped(Reason::LeaseLost) => return None,
        Ended::Stopped(Reason::Shutdown) => return Some(Verdict::Returned),
        Ended::Stopped(Reason::Requested) => Failure::cancel("cancelled on request while it was running"),
    };
    Some(match failure {
        Failure::Discard { problem } => Verdict::Discarded { problem },
        Failure::Cancel { problem } => Verdict::Cancelled { problem },
        Failure::Snooze { wait, problem } => Verdict::Snoozed { problem, delay: wait },
        Failure::Retry { problem, .. } if attempt >= max_attempts => Verdict::Discarded { problem },
        Failure::Retry { problem, after } => {
            let drawn = backoff.delay(attempt, rng);
            let delay = after.map_or(drawn, |after| after.min(RETRY_AFTER_MAX).max(drawn));
            Verdict::Retried { problem, delay }
        }
    })
}

#[cfg(test)]
mod tests {
    use jobs::kinds::webhook_deliver::WebhookDeliver;
    use rand::{SeedableRng, rngs::StdRng};
    use serde_json::json;

    use super::*;

    const BACKOFF: Backoff = Backoff { base_ms: 1_000, cap_s: 60 };

    fn after(ended: Ended, attempt: u16) -> Option<Verdict> {
        decide(ended, attempt, 3, BACKOFF, &mut StdRng::seed_from_u64(1))
    }

    fn outcome(ended: Ended, attempt: u16) -> &'static str {
        after(ended, attempt).map_or("nothing", |verdict| verdict.outcome())
    }

    #[test]
    fn trouble_is_retried_until_the_attempts_are_used_up() {
        for ended in [
            || Ended::Returned(Err(Failure::retry("x", "y"))),
            || Ended::Panicked("boom".into()),
            || Ended::TimedOut(Duration::from_secs(1)),
        ] {
            assert_eq!(
                [1, 2, 3].map(|attempt| outcome(ended(), attempt)),
                ["retried", "retried", "discarded"]
            );
        }
    }

    #[test]
    fn each_way_to_end_has_one_verdict() {
        assert_eq!(outcome(Ended::Returned(Ok(json!(1).into())), 3), "completed");
        assert_eq!(outcome(Ended::Returned(Err(Failure::discard("x", "y"))), 1), "discarded");
        assert_eq!(outcome(Ended::Stopped(Reason::Requested), 1), "cancelled");
        assert_eq!(outcome(Ended::Stopped(Reason::Shutdown), 3), "returned");
        assert_eq!(outcome(Ended::Stopped(Reason::LeaseLost), 1), "nothing");
        assert_eq!(outcome(Ended::Unknown(Problem::new("x", "y")), 3), "parked");
        let snooze = Failure::Snooze { wait: Duration::from_secs(9), problem: Problem::new("x", "y") };
        assert!(
            matches!(after(Ended::Returned(Err(snooze)), 3), Some(Verdict::Snoozed { delay, .. }) if delay.as_secs() == 9)
        );
    }

    #[test]
    fn retry_after_is_a_lower_bound_with_a_ceiling() {
        let asked = |seconds| Failure::Retry {
            problem: Problem::new("x", "y"),
            after: Some(Duration::from_secs(seconds)),
        };
        let delay = |seconds| match after(Ended::Returned(Err(asked(seconds))), 1) {
            Some(Verdict::Retried { delay, .. }) => delay,
            other => panic!("{other:?}"),
        };
        assert_eq!(delay(30), Duration::from_secs(30));
        assert!(delay(0) <= Duration::from_secs(1));
        assert_eq!(delay(10_000_000), RETRY_AFTER_MAX);
        assert!(WebhookDeliver::wait(u16::MAX, 1.0) < RETRY_AFTER_MAX, "nobody's last wait is cut");
    }
}
