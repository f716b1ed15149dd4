//! What can go wrong between a client and the API.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Why there is no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client could not be made.
    #[error("could not set up the connection")]
    SetUp(#[source] reqwest::Error),
    /// What was given as the API's address is none.
    #[error("{0:?} is not the address of an API: it begins with http:// or https://")]
    Address(String),
    /// The body could not be written as JSON.
    #[error("could not write the request")]
    Unsent(#[source] serde_json::Error),
    /// Nobody answered, or not in time.
    #[error("{url} does not answer")]
    Unanswered {
        /// Who was asked.
        url: String,
        /// What came instead.
        #[source]
        source: reqwest::Error,
    },
    /// The API said no.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The answer is not what the API's description promises.
    #[error("the answer to {asked} is not what was described")]
    Unexpected {
        /// What was asked.
        asked: String,
        /// What is wrong with the answer.
        #[source]
        source: serde_json::Error,
    },
    /// Somebody answered that it is to be asked for elsewhere. Requests carry a key, and do not follow.
    #[error(
        "{asked} is answered by a redirect to {place:?}, which is not followed; if the API is there, that is the address to use"
    )]
    Elsewhere {
        /// What was asked.
        asked: String,
        /// Where it leads; empty when that was not said.
        place: String,
    },
    /// More came than is taken.
    #[error("{0} answered more than is taken")]
    TooMuch(String),
    /// A stream of events broke off again and again.
    #[error("the stream of events broke off {0} times in a row")]
    Broken(u32),
    /// A file could not be read.
    #[error("could not read {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is empty, or larger than anything that is taken.
    #[error("{0} is empty, or too large to be taken")]
    FileSize(String),
}

/// A refusal, as RFC 9457 writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable word: `/docs/problems` of the API explains each.
    #[serde(default)]
    pub code: String,
    /// What it is, the same for every problem of this code.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// What to change this time.
    #[serde(default)]
    pub detail: String,
    /// The id of the request, for whoever runs the API.
    #[serde(default)]
    pub instance: String,
    /// The fields that cannot be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What else belongs to the code, such as the `error` of a job.
    #[serde(flatten)]
    pub more: Map<String, Value>,
    /// When to ask again.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// A field that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Where: a JSON Pointer into the body.
    pub pointer: String,
    /// What to change.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.detail, self.status, self.code)?;
        if self.errors.len() > 1 {
            self.errors.iter().try_for_each(|error| write!(f, "; {}: {}", error.pointer, error.detail))?;
        }
        Ok(())
    }
}

impl Problem {
    /// What a body says, or what its status says when there is nothing in it that we know.
    pub(crate) fn read(status: reqwest::StatusCode, body: &[u8], retry_after: Option<Duration>) -> Self {
        let title = status.canonical_reason().unwrap_or("refused").to_owned();
        let read: Option<Self> =
            serde_json::from_slice(body).ok().filter(|problem: &Self| !problem.code.is_empty());
        let problem = read.unwrap_or_else(|| Self {
            code: "unknown".to_owned(),
            detail: title.clone(),
            title,
            status: 0,
            instance: String::new(),
            errors: Vec::new(),
            more: Map::new(),
            retry_after: None,
        });
        Self { status: status.as_u16(), retry_after, ..problem }
    }
}

impl Error {
    /// The refusal, if it is one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether sending the same again may help. What is not `repeatable` is sent again only when it certainly was not done.
    pub(crate) fn is_passing(&self, repeatable: bool) -> bool {
        match self {
            Self::Unanswered { source, .. } => repeatable || source.is_connect(),
            Self::Refused(problem) => match problem.status {
                429 => problem.code != "too_many_streams",
                409 => problem.code == "request_in_flight",
                500 | 502 | 503 | 504 => repeatable,
                _ => false,
            },
            _ => false,
        }
    }

    /// After how long the other side wants to be asked again.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.problem().and_then(|problem| problem.retry_after)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    fn refused(status: u16, code: &str) -> Error {
        let body = format!(r#"{{"code":"{code}","detail":"no","error":{{"code":"x"}}}}"#);
        let status = StatusCode::from_u16(status).unwrap();
        Error::Refused(Box::new(Problem::read(status, body.as_bytes(), None)))
    }

    #[test]
    fn only_what_passes_is_asked_again() {
        for (status, code, always, if_repeatable) in [
            (429, "rate_limited", true, true),
            (429, "too_many_streams", false, false),
            (409, "request_in_flight", true, true),
            (409, "too_late", false, false),
            (503, "unavailable", false, true),
            (404, "not_found", false, false),
        ] {
            let error = refused(status, code);
            assert_eq!((error.is_passing(false), error.is_passing(true)), (always, if_repeatable), "{code}");
        }
    }

    #[test]
    fn a_problem_keeps_what_belongs_to_its_code_and_a_page_of_a_proxy_is_one_too() {
        let Error::Refused(problem) = refused(410, "job_discarded") else { panic!("it was refused") };
        assert_eq!((problem.status, problem.more["error"]["code"].as_str()), (410, Some("x")));
        let problem = Problem::read(StatusCode::BAD_GATEWAY, b"<html>nginx</html>", None);
        assert_eq!((problem.status, problem.code.as_str()), (502, "unknown"));
        assert_eq!(problem.to_string(), "Bad Gateway (502 unknown)");
    }
}
