//! How a run can end other than well, decided where it is known.

use std::{error::Error, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::ERROR_BYTES_MAX;

/// What a handler returns.
pub type Outcome<T> = Result<T, Failure>;

/// What went wrong, as operators and API clients read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// A stable, machine-readable word such as `timeout` or `unsupported_format`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl Problem {
    /// A problem whose message can be stored: cut to its limit at a character boundary, without U+0000.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        // Postgres cannot store U+0000, and a message must never be the reason that a verdict is lost.
        let mut message = message.into().replace('\0', "\u{fffd}");
        if message.len() > ERROR_BYTES_MAX {
            let cut = (0..=ERROR_BYTES_MAX).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
            message.truncate(cut);
        }
        Self { code: code.to_owned(), message }
    }

    /// An error and everything that caused it, on one line.
    pub fn of(code: &str, error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            message.push_str(": ");
            message.push_str(&next.to_string());
            cause = next.source();
        }
        Self::new(code, message)
    }
}

/// A verdict other than success. `?` on any error means [`Failure::Retry`]: most trouble passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Try again, by the kind's backoff or, where the other side said so, not before `after`.
    Retry {
        /// What went wrong.
        problem: Problem,
        /// The other side's `Retry-After`, if it gave one.
        after: Option<Duration>,
    },
    /// It will never work: keep it for people to look at.
    Discard {
        /// What went wrong.
        problem: Problem,
    },
    /// It should not be done any more.
    Cancel {
        /// Why.
        problem: Problem,
    },
    /// Not yet: run again after `wait`, without using up an attempt.
    Snooze {
        /// How long to wait.
        wait: Duration,
        /// Why.
        problem: Problem,
    },
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Retry { problem: Problem::of("error", &error), after: None }
    }
}

impl Failure {
    /// Try again by the kind's backoff.
    pub fn retry(code: &str, message: impl Into<String>) -> Self {
        Self::Retry { problem: Problem::new(code, message), after: None }
    }

    /// Give up.
    pub fn discard(code: &str, message: impl Into<String>) -> Self {
        Self::Discard { problem: Problem::new(code, message) }
    }

    /// Stop, because it is not wanted any more.
    pub fn cancel(message: impl Into<String>) -> Self {
        Self::Cancel { problem: Problem::new("cancelled", message) }
    }

    /// What went wrong, whichever the verdict.
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Retry { problem, .. }
            | Self::Discard { problem }
            | Self::Cancel { problem }
            | Self::Snooze { problem, .. } => problem,
        }
    }
}

/// Verdicts at the point of knowledge: `decode(bytes).discard("not_an_image")?`.
pub trait Classify<T> {
    /// An error here will never go away.
    fn discard(self, code: &str) -> Outcome<T>;
    /// An error here may pass; `code` names it.
    fn retry(self, code: &str) -> Outcome<T>;
}

impl<T, E: Error> Classify<T> for Result<T, E> {
    fn discard(self, code: &str) -> Outcome<T> {
        self.map_err(|error| Failure::Discard { problem: Problem::of(code, &error) })
    }

    fn retry(self, code: &str) -> Outcome<T> {
        self.map_err(|error| Failure::Retry { problem: Problem::of(code, &error), after: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let problem = Problem::new("x", "é".repeat(ERROR_BYTES_MAX));
        assert!(problem.message.len() <= ERROR_BYTES_MAX && problem.message.ends_with('é'));
    }

    #[test]
    fn a_bare_question_mark_means_try_again() {
        fn handler() -> Outcome<()> {
            "x".parse::<u8>()?;
            Ok(())
        }
        assert!(matches!(handler(), Err(Failure::Retry { after: None, .. })));
    }
}
