//! What is asked for when somebody is to send us webhooks, and how such a source looks.

use ::jobs::{Channel, WebhookSourceId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::inbox::{NewSource, Source};
use utoipa::ToSchema;
use webhooks::{Scheme, Secret};

use crate::{
    limits::WEBHOOK_WINDOW_S_MAX,
    problem::{FieldError, Problem},
};

/// Characters of a source's name, and of a pointer.
const NAME_CHARS_MAX: usize = 63;
const POINTER_CHARS_MAX: usize = 200;
/// Bytes of the ARN of a topic.
const TOPIC_BYTES_MAX: usize = 300;

/// Somebody who is to send us webhooks.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhookSource)]
pub(crate) struct SourceBody {
    /// Unique among your sources: a-z, 0-9, `_`, `-` and `.`.
    #[schema(example = "stripe-live", max_length = 63)]
    pub(super) name: String,
    /// How it signs: `type` is `stripe`, `mux`, `twilio`, `cronofy`, `standard_webhooks` (Resend, Svix), `github`, `sns` (SES) or
    /// `generic`. The last has `header`, `algorithm` (`sha1`, `sha256`, `sha512`), `encoding` (`hex`, `base64`) and, where they are
    /// used, `prefix`, `timestamp_header`, `id_header`, `id_pointer` and `type_pointer`.
    #[schema(value_type = Object, example = json!({"type": "stripe"}))]
    pub(super) scheme: Scheme,
    /// What it signs with, as it shows it to you; none for `sns`.
    #[serde(default)]
    pub(super) secret: Option<String>,
    /// How old a message may be, in seconds, where the time is signed; 300 unless given, 7,200 for `sns`.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 86_400)]
    pub(super) window_s: Option<u32>,
    /// JSON Pointer to the thing that a message is about. Messages about one thing are worked one at a time.
    #[serde(default)]
    #[schema(example = "/data/object/id", max_length = 200)]
    pub(super) order_pointer: Option<String>,
    /// With `order_pointer`: JSON Pointer to what grows with each event about the thing, a number or a time of RFC 3339. What comes
    /// after a newer one was processed is `superseded`, and starts nothing.
    #[serde(default)]
    #[schema(example = "/created", max_length = 200)]
    pub(super) sequence_pointer: Option<String>,
    /// `email` or `sms`: it is the provider of that channel, and tells what becomes of our messages.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "email")]
    pub(super) feedback: Option<Channel>,
    /// With `feedback` by `sns`: the ARN of the topic that is believed, and subscribed to when it asks.
    #[serde(default)]
    #[schema(example = "arn:aws:sns:eu-west-1:123456789012:mails", max_length = 300)]
    pub(super) feedback_topic: Option<String>,
}

impl SourceBody {
    pub(super) fn check(&self, by: String) -> Result<NewSource, Problem> {
        let mut errors = Vec::new();
        if !is_name(&self.name) {
            let detail = "1 to 63 of a-z, 0-9, _, - and ., beginning with a letter or a digit";
            errors.push(FieldError::new("/name", detail));
        }
        errors.extend(check_scheme(&self.scheme));
        errors.extend(check_secret(&self.scheme, self.secret.as_deref()));
        let window_s = self.window_s.unwrap_or_else(|| self.scheme.window_s());
        if !(1..=WEBHOOK_WINDOW_S_MAX).contains(&window_s) {
            errors.push(FieldError::new("/window_s", format!("1 to {WEBHOOK_WINDOW_S_MAX}")));
        }
        if self.order_pointer.as_deref().is_some_and(|pointer| !is_pointer(pointer)) {
            errors.push(FieldError::new("/order_pointer", "a JSON Pointer of up to 200 characters"));
        }
        errors.extend(self.check_sequence());
        errors.extend(self.check_feedback());
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        Ok(NewSource {
            id: WebhookSourceId::new(),
            name: self.name.clone(),
            scheme: serde_json::to_value(&self.scheme).map_err(Problem::internal)?,
            window_s,
            order_pointer: self.order_pointer.clone(),
            sequence_pointer: self.sequence_pointer.clone(),
            feedback: self.feedback,
            feedback_topic: self.feedback_topic.clone(),
            secret: self.secret.clone(),
            by,
        })
    }

    fn check_sequence(&self) -> Option<FieldError> {
        let pointer = self.sequence_pointer.as_deref()?;
        let detail = if !is_pointer(pointer) {
            "a JSON Pointer of up to 200 characters"
        } else if self.order_pointer.is_none() {
            "only with order_pointer, which says what an event is about"
        } else if self.feedback.is_some() {
            "not with feedback: what is told of a message has an order of its own"
        } else {
            return None;
        };
        Some(FieldError::new("/sequence_pointer", detail))
    }

    fn check_feedback(&self) -> Option<FieldError> {
        let topic = self.feedback_topic.as_deref();
        // What Amazon signs says for whom it was published only by the topic.
        let needs_topic = self.feedback.is_some() && self.scheme == Scheme::Sns;
        let is_topic = |topic: &str| topic.starts_with("arn:aws") && topic.len() <= TOPIC_BYTES_MAX;
        match self.feedback {
            None | Some(Channel::Email | Channel::Sms) => {}
            Some(_) => {
                return Some(FieldError::new("/feedback", "email or sms: nobody tells of other channels"));
            }
        }
        match (needs_topic, topic) {
            (true, None) => Some(FieldError::new("/feedback_topic", "the ARN of the topic that is believed")),
            (true, Some(topic)) if !is_topic(topic) => Some(FieldError::new(
                "/feedback_topic",
                "an ARN such as arn:aws:sns:eu-west-1:123456789012:mails",
            )),
            (false, Some(_)) => {
                Some(FieldError::new("/feedback_topic", "only for feedback by sns; leave it out"))
            }
            _ => None,
        }
    }
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().next().is_some_and(plain)
        && name.bytes().all(|byte| plain(byte) || matches!(byte, b'_' | b'-' | b'.'))
}

fn is_pointer(text: &str) -> bool {
    text.starts_with('/') && text.chars().count() <= POINTER_CHARS_MAX && !text.contains('\0')
}

fn check_scheme(scheme: &Scheme) -> Vec<FieldError> {
    let Scheme::Generic(generic) = scheme else { return Vec::new() };
    let is_header = |name: &str| axum::http::HeaderName::try_from(name).is_ok();
    let headers = [
        ("/scheme/header", Some(&generic.header)),
        ("/scheme/timestamp_header", generic.timestamp_header.as_ref()),
        ("/scheme/id_header", generic.id_header.as_ref()),
    ];
    let pointers = [
        ("/scheme/id_pointer", generic.id_pointer.as_ref()),
        ("/scheme/type_pointer", generic.type_pointer.as_ref()),
    ];
    let bad_headers = headers.into_iter().filter(|(_, name)| name.is_some_and(|name| !is_header(name)));
    let bad_pointers = pointers.into_iter().filter(|(_, text)| text.is_some_and(|text| !is_pointer(text)));
    let headers = bad_headers.map(|(at, _)| FieldError::new(at, "the name of a header"));
    headers.chain(bad_pointers.map(|(at, _)| FieldError::new(at, "a JSON Pointer"))).collect()
}

/// Whether `secret` is one that `scheme` can check with.
pub(super) fn check_secret(scheme: &Scheme, secret: Option<&str>) -> Option<FieldError> {
    match (scheme.has_secret(), secret) {
        (true, None) => Some(FieldError::new("/secret", "what the sender signs with, as it shows it to you")),
        (false, Some(_)) => Some(FieldError::new("/secret", "this scheme has none; leave it out")),
        (false, None) => None,
        (true, Some(secret)) => {
            Secret::parse(scheme, secret).err().map(|bad| FieldError::new("/secret", bad.to_string()))
        }
    }
}

/// Somebody who sends us webhooks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookSource)]
pub(crate) struct SourceResource {
    /// Which it is.
    #[schema(value_type = String, example = "whs_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: WebhookSourceId,
    /// What it is called.
    name: String,
    /// Where it is to send: give this to the sender.
    url: String,
    /// How it signs.
    #[schema(value_type = Object)]
    scheme: Value,
    /// How old a message may be, in seconds.
    window_s: i32,
    /// Where the thing stands that a message is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_pointer: Option<String>,
    /// Where what grows with each event about that thing stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_pointer: Option<String>,
    /// The channel whose provider it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<String>,
    /// The topic that is believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback_topic: Option<String>,
    /// `enabled` or `disabled`.
    state: &'static str,
    /// Until when the secret of before holds too.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_until: Option<DateTime<Utc>>,
    /// Messages that were not believed and written down.
    refusals: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl SourceResource {
    pub(super) fn of(source: &Source, public_url: &str) -> Self {
        Self {
            id: source.id(),
            name: source.name.clone(),
            url: format!("{}/v1/hooks/{}", public_url.trim_end_matches('/'), source.id()),
            scheme: source.scheme.0.clone(),
            window_s: source.window_s,
            order_pointer: source.order_pointer.clone(),
            sequence_pointer: source.sequence_pointer.clone(),
            feedback: source.feedback.clone(),
            feedback_topic: source.feedback_topic.clone(),
            state: if source.disabled_at.is_some() { "disabled" } else { "enabled" },
            previous_secret_until: source.previous_until.filter(|until| *until > Utc::now()),
            refusals: source.refusals,
            created_at: source.created_at,
        }
    }
}
