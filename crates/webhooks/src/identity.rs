//! Which event a message is: what tells it from others, and what it is about. Both come from outside, so both are bounded.

use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::{incoming::Incoming, scheme::Scheme, schemes::standard};

/// Bytes of an event's id; a longer one is kept as its hash.
pub const EVENT_ID_BYTES_MAX: usize = 200;
/// Bytes of an event's type; a longer one is cut.
pub const EVENT_TYPE_BYTES_MAX: usize = 200;
/// The type of a message that does not say.
const UNKNOWN: &str = "unknown";

/// Which event a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Equal for one event however often it is sent. The hash of the body where the sender gives no id.
    pub id: String,
    /// What happened.
    pub event_type: String,
}

impl Identity {
    pub(crate) fn of(scheme: &Scheme, incoming: &Incoming<'_>) -> Self {
        // A body that is no JSON has a type only where a header says it.
        let body: Value = serde_json::from_slice(incoming.body).unwrap_or_default();
        let at = |pointer: &str| scalar(body.pointer(pointer));
        let header = |name: &str| incoming.header(name).map(str::to_owned);
        let (id, event_type) = match scheme {
            Scheme::Stripe | Scheme::Mux => (at("/id"), at("/type")),
            Scheme::StandardWebhooks => (
                standard::header(incoming, "id").map(str::to_owned),
                at("/type").or_else(|| at("/event_type")),
            ),
            // One delivery is one try of the sender; it keeps its id when somebody sends it again by hand.
            Scheme::Github => {
                (header("x-github-delivery"), github_type(header("x-github-event"), at("/action")))
            }
            Scheme::Cronofy => (None, at("/notification/type")),
            Scheme::Sns => (at("/MessageId"), sns_type(&body)),
            Scheme::Twilio => twilio(incoming, &body),
            Scheme::Generic(generic) => {
                let id = generic.id_header.as_deref().and_then(header);
                let id = id.or_else(|| generic.id_pointer.as_deref().and_then(at));
                (id, generic.type_pointer.as_deref().and_then(at))
            }
        };
        Self {
            id: bounded_id(id.filter(|id| !id.is_empty()), incoming.body),
            event_type: bounded_type(event_type),
        }
    }
}

/// A text or a number.
fn scalar(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn github_type(event: Option<String>, action: Option<String>) -> Option<String> {
    let event = event?;
    Some(match action {
        Some(action) => format!("{event}.{action}"),
        None => event,
    })
}

/// What SES says inside of what SNS says.
fn sns_type(body: &Value) -> Option<String> {
    let kind = scalar(body.pointer("/Type"))?;
    let inner: Option<Value> =
        body.pointer("/Message").and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
    let inner = inner
        .as_ref()
        .and_then(|inner| scalar(inner.get("notificationType")).or_else(|| scalar(inner.get("eventType"))));
    Some(inner.unwrap_or(kind))
}

/// Twilio's words for what a message is about, by the parameter that tells it.
const TWILIO_STATES: [&str; 4] = ["MessageStatus", "SmsStatus", "CallStatus", "EventType"];
/// The parameters that name the thing it is about.
const TWILIO_SIDS: [&str; 4] = ["MessageSid", "SmsSid", "CallSid", "Sid"];

fn twilio(incoming: &Incoming<'_>, body: &Value) -> (Option<String>, Option<String>) {
    let form: Vec<(String, String)> = form_urlencoded::parse(incoming.body).into_owned().collect();
    let value = |name: &str| {
        let in_form = form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        in_form.or_else(|| scalar(body.get(name)))
    };
    let state = TWILIO_STATES.iter().find_map(|name| value(name));
    let sid = TWILIO_SIDS.iter().find_map(|name| value(name));
    // A thing is told of once in each of its states.
    let by_state = sid.zip(state.clone()).map(|(sid, state)| format!("{sid}/{state}"));
    let id = incoming.header("i-twilio-idempotency-token").map(str::to_owned).or(by_state);
    (id, state)
}

fn bounded_id(id: Option<String>, body: &[u8]) -> String {
    match id {
        Some(id) if id.len() <= EVENT_ID_BYTES_MAX && !id.contains('\0') => id,
        Some(id) => format!("sha256:{}", hex::encode(digest(&SHA256, id.as_bytes()))),
        None => format!("sha256:{}", hex::encode(digest(&SHA256, body))),
    }
}

fn bounded_type(event_type: Option<String>) -> String {
    let mut event_type = event_type.unwrap_or_default().replace(char::is_control, "");
    if event_type.len() > EVENT_TYPE_BYTES_MAX {
        let end = (0..=EVENT_TYPE_BYTES_MAX).rev().find(|at| event_type.is_char_boundary(*at)).unwrap_or(0);
        event_type.truncate(end);
    }
    if event_type.is_empty() { UNKNOWN.to_owned() } else { event_type }
}
