//! Calls over HTTP: bounded in time and size, and led nowhere else.

use std::{error::Error, time::Duration};

use reqwest::{Client, RequestBuilder, StatusCode, header::RETRY_AFTER, redirect::Policy};

use super::Answer;

/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Longest wait for the whole of an answer.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(40);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The client of all who are called.
pub(super) fn client() -> anyhow::Result<Client> {
    let client = Client::builder()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_MAX)
        .timeout(ANSWER_MAX)
        .user_agent("Crewline");
    Ok(client.build()?)
}

/// What was answered.
pub(super) struct Said {
    pub(super) status: StatusCode,
    /// They want to be asked again after so long.
    pub(super) after: Option<Duration>,
    /// The beginning of the body.
    pub(super) body: Vec<u8>,
}

/// What was answered, or what that means when there was no answer.
pub(super) async fn call(request: RequestBuilder) -> Result<Said, Answer> {
    call_for(request, ANSWER_BYTES_MAX).await
}

/// The same of an answer of which more is read.
pub(super) async fn call_for(request: RequestBuilder, bytes_max: usize) -> Result<Said, Answer> {
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() => return Err(Answer::Away(words(&error), None)),
        Err(error) if error.is_builder() => return Err(Answer::Refused(words(&error))),
        Err(error) => return Err(Answer::Unknown(words(&error))),
    };
    let status = response.status();
    // Only seconds: whoever sends a date is asked again when it suits us.
    let after =
        response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.trim().parse().ok());
    let after = after.map(|seconds: u64| Duration::from_secs(seconds));
    let mut body = Vec::new();
    // The status has said what became of it; a body that breaks off says less, not something else.
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > bytes_max {
            body.truncate(bytes_max);
            break;
        }
    }
    Ok(Said { status, after, body })
}

/// What an answer without a word of its own means. Of a server that stumbled nobody knows what it did before.
pub(super) fn meaning(said: &Said) -> Answer {
    meaning_of(said.status.as_u16(), said.after, &said.body)
}

/// The same of a status and the beginning of a body.
pub(super) fn meaning_of(status: u16, after: Option<Duration>, body: &[u8]) -> Answer {
    let said: String = String::from_utf8_lossy(body).chars().take(200).collect();
    let said = format!("{status} {said}");
    match status {
        200..=299 => Answer::Done(None),
        408 | 425 | 429 | 503 => Answer::Away(said, after),
        404 | 410 => Answer::Nobody(said),
        500.. => Answer::Unknown(said),
        _ => Answer::Failed(said),
    }
}

/// An error and its causes, without the address, which is a secret of the tenant's.
fn words(error: &reqwest::Error) -> String {
    let mut said =
        if error.is_timeout() { "no answer in time".to_owned() } else { "the call failed".to_owned() };
    let mut cause = error.source();
    while let Some(next) = cause {
        said.push_str(": ");
        said.push_str(&next.to_string());
        cause = next.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_took_may_come_again_and_what_somebody_may_have_taken_may_not() {
        let later = Some(Duration::from_secs(17));
        for status in [408, 425, 429, 503] {
            for after in [None, later] {
                let away = Answer::Away(format!("{status} wait"), after);
                assert_eq!(meaning_of(status, after, b"wait"), away);
            }
        }
        // A server that stumbled may have sent it first, whatever it says about coming again.
        for status in [500, 501, 502, 504, 507, 520, 599] {
            assert_eq!(meaning_of(status, later, b"oh"), Answer::Unknown(format!("{status} oh")));
        }
        for status in [404, 410] {
            assert_eq!(meaning_of(status, later, b"who"), Answer::Nobody(format!("{status} who")));
        }
        // Nobody is led elsewhere.
        for status in [301, 302, 307, 308, 400, 401, 403, 409, 413, 422] {
            assert_eq!(meaning_of(status, later, b"no"), Answer::Failed(format!("{status} no")));
        }
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(meaning_of(status, later, b"ok"), Answer::Done(None));
        }
    }

    #[test]
    fn of_what_they_say_the_beginning_is_told_whatever_it_is() {
        let Answer::Failed(said) = meaning_of(400, None, &[0xff; 1_000]) else { unreachable!("it failed") };
        assert_eq!(said.chars().count(), "400 ".len() + 200);
    }
}
