//! Stretches of time.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// From a moment, which is in it, until a moment, which is not: what ends at 11 and what begins then do not touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The first moment.
    pub from: DateTime<Utc>,
    /// The first moment after it.
    pub until: DateTime<Utc>,
}

impl Span {
    /// Whether both share a moment.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.from < other.until && other.from < self.until
    }

    /// Whether all of `other` is in it.
    pub fn contains(&self, other: &Self) -> bool {
        self.from <= other.from && other.until <= self.until
    }

    /// The same with so much more on either side.
    #[must_use]
    pub fn widened(&self, before: TimeDelta, after: TimeDelta) -> Self {
        Self { from: self.from - before, until: self.until + after }
    }

    /// Its length in whole minutes.
    pub fn minutes(&self) -> i64 {
        (self.until - self.from).num_minutes()
    }
}

/// Joins spans that touch or overlap; the earliest comes first.
pub fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
            _ => joined.push(span),
        }
    }
    joined
}
