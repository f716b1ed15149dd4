//! Does `webhook.deliver`: tells an endpoint what happened, in an envelope of CloudEvents, signed as Standard Webhooks wants it.

use std::time::Duration;

use ::outbound::{Answer, OutboundError};
use chrono::Utc;
use jobs::{
    Failure, Outcome,
    failure::{Classify, Problem},
    kinds::webhook_deliver::{Delivered, WebhookDeliver},
};
use rand::Rng;
use serde_json::{Map, Value, json};
use store::outbox::{self, Dispatch, Tried};
use webhooks::{Event, SigningKey, sign};

use crate::{breakers::Called, cx::Cx, registry::Handle};

/// Bytes read of an answer.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
/// What an endpoint answers that wants to be told nothing more.
const GONE: u16 = 410;

impl Handle for WebhookDeliver {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Delivered> {
        let (db, tenant) = (&cx.deps.db, cx.tenant());
        let Some(dispatch) = outbox::dispatch(db, tenant, self.delivery).await? else {
            return Err(Failure::cancel("the message was forgotten, or its endpoint was removed"));
        };
        // Whoever submits such a job by hand may name another endpoint of theirs.
        let endpoint = dispatch.endpoint.id();
        if dispatch.is_delivered {
            return Ok(Delivered { delivery: self.delivery, status: None });
        }
        let is_last = cx.job.attempt >= cx.job.max_attempts;
        if let Some(reason) = &dispatch.endpoint.disabled_reason {
            let tried = refused(format!("the endpoint is switched off: {reason}"), 0);
            outbox::tried(db, tenant, endpoint, self.delivery, &Tried { is_last: true, ..tried }).await?;
            return Err(Failure::cancel(format!("the endpoint is switched off: {reason}")));
        }
        let leave = cx.deps.breakers.enter(Called::Endpoint(endpoint), tenant).map_err(|wait| {
            let why = "the endpoint did not answer the last times and is left alone for a while";
            Failure::Snooze { wait, problem: Problem::new("endpoint_away", why) }
        })?;
        let request = Request::signed(cx, &dispatch)?;
        let began = tokio::time::Instant::now();
        let answered = request.post(cx).await;
        leave.told(!is_away(&answered));
        let took_ms = began.elapsed().as_millis() as u64;
        let (tried, after) = match &answered {
            Ok(answer) => (told(answer, took_ms), answer.retry_after_s.map(Duration::from_secs)),
            Err(error) => (refused(words(error), took_ms), None),
        };
        let is_unwanted = tried.status == Some(GONE);
        let gives_up = is_last || is_unwanted || matches!(&answered, Err(error) if error.is_ours());
        let tried = Tried { request: Some(request.shown()), is_last: gives_up, is_unwanted, ..tried };
        if outbox::tried(db, tenant, endpoint, self.delivery, &tried).await? {
            tracing::warn!(
                "{endpoint} was switched off: it wants it so, or nothing has got through to it for days"
            );
        }
        if tried.is_delivered {
            return Ok(Delivered { delivery: self.delivery, status: tried.status });
        }
        if is_unwanted {
            return Err(Failure::cancel("the endpoint answered 410 and was switched off"));
        }
        let said = tried.error.unwrap_or_default();
        match &answered {
            Err(error) if error.is_ours() => Err(Failure::discard(error.word(), said)),
            _ => Err(later(cx.job.attempt, &said, after)),
        }
    }
}

/// Again, as the schedule says or when the endpoint wants it.
fn later(attempt: u16, said: &str, after: Option<Duration>) -> Failure {
    let wait = WebhookDeliver::wait(attempt, rand::rng().random());
    let after = after.map_or(wait, |after| after.max(wait));
    Failure::Retry { problem: Problem::new("not_delivered", said), after: Some(after) }
}

/// What is sent.
struct Request {
    url: String,
    headers: [(&'static str, String); 4],
    body: Vec<u8>,
}

impl Request {
    fn signed(cx: &Cx<'_>, dispatch: &Dispatch) -> Outcome<Self> {
        let now = Utc::now();
        let texts = outbox::keys(&cx.deps.db, &dispatch.endpoint, now)?;
        let keys: Vec<SigningKey> =
            texts.iter().map(|text| SigningKey::parse(text)).collect::<Result<_, _>>().discard("bad_key")?;
        let (id, tenant) = (dispatch.message.to_string(), cx.tenant().to_string());
        let event = Event {
            id: &id,
            tenant: &tenant,
            event_type: &dispatch.event_type,
            subject: &dispatch.subject,
            time: dispatch.happened_at,
            data: &dispatch.data,
        };
        let body = event.envelope().into_bytes();
        let signed = sign(&id, now.timestamp(), &body, &keys).discard("bad_key")?;
        let headers = [
            ("content-type", "application/cloudevents+json".to_owned()),
            ("webhook-id", signed.id),
            ("webhook-timestamp", signed.timestamp),
            ("webhook-signature", signed.signature),
        ];
        Ok(Self { url: dispatch.endpoint.url.clone(), headers, body })
    }

    async fn post(&self, cx: &Cx<'_>) -> Result<Answer, OutboundError> {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        cx.deps.outbound.post(&self.url, &headers, self.body.clone(), ANSWER_BYTES_MAX).await
    }

    /// As it is kept: without the body, which is the message's and the same each time.
    fn shown(&self) -> Value {
        let headers: Map<_, _> =
            self.headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        json!({ "url": self.url, "headers": headers })
    }
}

/// Whether nobody is there who could say anything about the message.
fn is_away(answered: &Result<Answer, OutboundError>) -> bool {
    match answered {
        Ok(answer) => matches!(answer.status, 408 | 429 | 500..),
        Err(error) => !error.is_ours(),
    }
}

fn told(answer: &Answer, took_ms: u64) -> Tried {
    let is_delivered = (200..300).contains(&answer.status);
    Tried {
        request: None,
        status: Some(answer.status),
        error: (!is_delivered).then(|| format!("it answered {}", answer.status)),
        took_ms,
        answer: Some(String::from_utf8_lossy(&answer.body).into_owned()),
        is_delivered,
        is_last: false,
        is_unwanted: false,
    }
}

fn refused(error: String, took_ms: u64) -> Tried {
    Tried {
        request: None,
        status: None,
        error: Some(error),
        took_ms,
        answer: None,
        is_delivered: false,
        is_last: false,
        is_unwanted: false,
    }
}

/// An error without its causes: they may name addresses of ours.
fn words(error: &OutboundError) -> String {
    error.to_string()
}
