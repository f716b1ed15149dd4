//! What can go wrong with a calendar outside, and what follows from it.

use std::time::Duration;

use jobs::{Failure, failure::Problem};
use outbound::{Answer, OutboundError};
use store::StoreError;

/// How soon a calendar is looked at again whose token somebody renews, or into which somebody wrote while it was read.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// How soon a calendar is written again that takes a while to write what it took.
const SETTLED_AFTER: Duration = Duration::from_mins(1);

/// A calendar could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// It could not be reached.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// It does not let us in.
    #[error("it does not let us in: it answered {0}")]
    Refused(u16),
    /// It wants to be left alone.
    #[error("it wants to be left alone: it answered {0}")]
    Busy(u16, Option<Duration>),
    /// It answered something else than was asked for.
    #[error("it answered {0} to {1}")]
    Answered(u16, &'static str),
    /// It will not take what was written, and will not another time.
    #[error("it does not take the entry: it answered {0}")]
    Unwritable(u16),
    /// What was written a moment ago is not told yet.
    #[error("it has not written yet what it took")]
    Settling,
    /// What it says cannot be used.
    #[error("what it says cannot be used: {0}")]
    Unusable(String),
    /// Somebody else renews what opens it, at this moment.
    #[error("its token is being renewed")]
    Renewing,
    /// It was written into while it was read, and says otherwise.
    #[error("it was written into while it was read")]
    Outdated,
    /// It takes too long.
    #[error("reading it takes more than {} s", .0.as_secs())]
    Slow(Duration),
    /// Our own side.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Trouble {
    /// An answer that is none to what was asked for.
    pub(super) fn of(answer: &Answer, asked: &'static str) -> Self {
        let after = answer.retry_after_s.map(Duration::from_secs);
        match answer.status {
            status @ (401 | 403) => Self::Refused(status),
            status @ (429 | 503) => Self::Busy(status, after),
            status => Self::Answered(status, asked),
        }
    }

    /// An answer that is none to a write. What is wrong with the entry, or with where it goes, is so the next time too.
    pub(super) fn of_write(answer: &Answer, asked: &'static str) -> Self {
        match answer.status {
            status @ (400 | 404 | 405 | 413 | 422) => Self::Unwritable(status),
            _ => Self::of(answer, asked),
        }
    }

    /// What it says cannot be used.
    pub(super) fn unusable(why: impl std::fmt::Display) -> Self {
        Self::Unusable(why.to_string())
    }

    /// Whether the other side answered at all.
    pub(crate) fn is_answer(&self) -> bool {
        match self {
            Self::Outbound(error) => error.is_ours(),
            Self::Busy(..) | Self::Slow(_) => false,
            Self::Answered(status, _) => *status < 500,
            Self::Refused(_)
            | Self::Unwritable(_)
            | Self::Settling
            | Self::Unusable(_)
            | Self::Renewing
            | Self::Outdated
            | Self::Store(_) => true,
        }
    }

    /// Whether it is for somebody to change how we are let in.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Whether it passes within moments.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Renewing | Self::Outdated)
    }

    /// What becomes of the job. Whoever is refused does not try again at once: passwords are locked for that.
    pub(crate) fn into_failure(self) -> Failure {
        let after = if let Self::Busy(_, after) = self { after } else { None };
        match self {
            Self::Store(error) => error.into(),
            Self::Renewing | Self::Outdated => {
                Failure::Snooze { wait: AGAIN_AFTER, problem: Problem::of("calendar", &self) }
            }
            Self::Settling => {
                Failure::Snooze { wait: SETTLED_AFTER, problem: Problem::of("calendar", &self) }
            }
            Self::Refused(_) | Self::Unwritable(_) => {
                Failure::Discard { problem: Problem::of("calendar", &self) }
            }
            error => Failure::Retry { problem: Problem::of("calendar", &error), after },
        }
    }
}
