//! How a command ends, as a number that scripts can rely on. docs/command-line.md has the table.

use client::{Error, Problem};
use serde_json::json;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// What was asked for was done.
    Done,
    /// A job that was waited for was cancelled or discarded, or something is wrong on this machine.
    Failed,
    /// The call is wrong: clap ends with the same.
    Usage,
    /// The API knows nothing of this name.
    NotFound,
    /// The API key is not valid, or may not do this.
    NotAllowed,
    /// The API took the request for wrong.
    Refused,
    /// It cannot be done as things stand.
    Conflict,
    /// The API does not answer, or asks for patience longer than ours.
    Away,
    /// What was waited for did not happen in time.
    TooLong,
}

/// What was waited for did not happen in time.
#[derive(Debug)]
pub(crate) struct TooLong(pub(crate) String);

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TooLong {}

impl Ending {
    /// The exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotAllowed => 4,
            Self::Refused => 5,
            Self::Conflict => 6,
            Self::Away => 7,
            Self::TooLong => 8,
        }
    }

    /// What `error` stands for.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if error.is::<TooLong>() {
            return Self::TooLong;
        }
        if error.is::<crate::commands::Usage>() {
            return Self::Usage;
        }
        match error.downcast_ref::<Error>() {
            Some(Error::Refused(problem)) => match problem.status {
                401 | 403 => Self::NotAllowed,
                404 => Self::NotFound,
                409 | 410 => Self::Conflict,
                429 | 500.. => Self::Away,
                _ => Self::Refused,
            },
            Some(Error::Unanswered { .. } | Error::Broken(_)) => Self::Away,
            Some(Error::Address(_) | Error::Elsewhere { .. }) => Self::Usage,
            _ => Self::Failed,
        }
    }
}

/// `error` for a person, or as JSON for a script.
pub(crate) fn told(error: &anyhow::Error, is_json: bool) -> String {
    let text = crate::output::plain(&format!("{error:#}"));
    if !is_json {
        return format!("error: {text}");
    }
    let problem = error.downcast_ref::<Error>().and_then(Error::problem);
    told_json(&text, problem)
}

/// An error as a line of JSON, with what the API said of it.
pub(crate) fn told_json(error: &str, problem: Option<&Problem>) -> String {
    json!({ "error": error.trim(), "problem": problem }).to_string()
}
