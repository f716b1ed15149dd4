//! What is counted for every attempt, found once per kind and not once per job.

use std::{collections::HashMap, time::Duration};

use metrics::{Counter, Histogram};
use store::verdict::Verdict;
use telemetry::metrics as names;

/// What an attempt without a verdict is counted as: its lease was lost.
pub(crate) const LOST: &str = "lost";
/// A kind that this process does not know.
const UNKNOWN: &str = "unknown";

/// The meters of every kind.
pub struct Meters {
    kinds: HashMap<&'static str, OfKind>,
    unknown: OfKind,
}

struct OfKind {
    kind: &'static str,
    took: Histogram,
    waited: Histogram,
    completed: Counter,
}

impl Default for Meters {
    /// Those of the catalogue. Make them when the recorder is installed.
    fn default() -> Self {
        let kinds = jobs::specs().iter().map(|spec| (spec.kind, OfKind::new(spec.kind)));
        Self { kinds: kinds.collect(), unknown: OfKind::new(UNKNOWN) }
    }
}

impl Meters {
    /// Counts an attempt at a job of `kind` that waited and took so long.
    pub fn count(&self, kind: &str, verdict: Option<&Verdict>, waited: Duration, took: Duration) {
        let of = self.kinds.get(kind).unwrap_or(&self.unknown);
        match verdict {
            Some(Verdict::Completed { .. }) => of.completed.increment(1),
            other => attempts(of.kind, other.map_or(LOST, Verdict::outcome)).increment(1),
        }
        of.took.record(took.as_secs_f64());
        of.waited.record(waited.as_secs_f64());
    }

    /// Counts a promise that was `kept` or `broken`.
    pub fn count_promise(&self, kind: &str, outcome: &'static str) {
        let kind = self.kinds.get(kind).unwrap_or(&self.unknown).kind;
        metrics::counter!(names::PROMISES_TOTAL, names::LABEL_KIND => kind, names::LABEL_OUTCOME => outcome)
            .increment(1);
    }
}

impl OfKind {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            took: metrics::histogram!(names::JOB_DURATION_SECONDS, names::LABEL_KIND => kind),
            waited: metrics::histogram!(names::JOB_WAIT_SECONDS, names::LABEL_KIND => kind),
            completed: attempts(kind, "completed"),
        }
    }
}

fn attempts(kind: &'static str, outcome: &'static str) -> Counter {
    metrics::counter!(names::JOB_ATTEMPTS_TOTAL, names::LABEL_KIND => kind, names::LABEL_OUTCOME => outcome)
}
