//! What the world tells of messages that went out, in one form whoever tells it.
//!
//! Providers say it in their own words and in any order. Nothing here is believed because of what it says: who said it was
//! checked before, and whether the message is one of ours shows in the ledger.

mod cost;
mod keywords;
mod mailed;
mod mailed_reply;
mod resend;
mod ses;
mod twilio;

use jobs::{Channel, MessageId};
use serde_json::Value;

pub use cost::Cost;
pub use keywords::Keyword;
pub use mailed::{hear_mail, is_nobody};
pub use mailed_reply::{MailedReply, reply_in};
pub use ses::is_amazon_subscription;

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// What became of a message.
    Fate(Report),
    /// Somebody answered a text message.
    Answer {
        /// Their number.
        from: String,
        /// The word that carriers have a rule for; none when they said anything else.
        keyword: Option<Keyword>,
    },
    /// A topic of Amazon SNS wants to be subscribed to.
    Subscription {
        /// What has to be visited.
        url: String,
        /// The ARN of the topic.
        topic: String,
    },
    /// Nothing that has to be noted.
    Nothing,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which message, where our own name for it was told.
    pub message: Option<MessageId>,
    /// What the provider calls it.
    pub provider_id: Option<String>,
    /// What became of it.
    pub fate: Fate,
    /// In the provider's words.
    pub detail: Option<String>,
    /// What it cost, if that was told.
    pub cost: Option<Cost>,
}

/// What became of a message outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The provider took it.
    Sent,
    /// It is there.
    Delivered,
    /// It came back, and the next may not.
    Bounced,
    /// It came back, and so will every other: there is nobody.
    Gone,
    /// It came back: the recipient wants none.
    Stopped,
    /// The recipient called it spam.
    Complained,
}

impl Fate {
    /// The state of the message from then on, unless it is in a later one.
    pub const fn state(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Bounced | Self::Gone | Self::Stopped => "bounced",
            Self::Complained => "complained",
        }
    }

    /// Why nothing goes to the address from then on.
    pub const fn suppression(self) -> Option<&'static str> {
        match self {
            Self::Sent | Self::Delivered | Self::Bounced => None,
            Self::Gone => Some("hard_bounce"),
            Self::Stopped => Some("stop"),
            Self::Complained => Some("complaint"),
        }
    }
}

/// What a provider said is not what it is documented to say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it does not read as feedback: {0}")]
pub struct NoFeedback(&'static str);

/// Reads what a provider of `channel` said.
///
/// # Errors
/// When it is in no form that is known.
pub fn hear(channel: Channel, body: &Value) -> Result<Heard, NoFeedback> {
    match channel {
        Channel::Email if body.get("TopicArn").is_some() => ses::hear(body),
        Channel::Email => resend::hear(body),
        Channel::Sms => twilio::hear(body),
        Channel::Push | Channel::Chat | Channel::InApp => Err(NoFeedback("nobody tells of this channel")),
    }
}

/// Characters of what a provider said that are kept.
const DETAIL_CHARS_MAX: usize = 300;

/// The texts that are there, one after the other.
fn detail(parts: &[Option<&str>]) -> Option<String> {
    let parts: Vec<&str> =
        parts.iter().flatten().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
    let said: String = parts.join(": ").chars().filter(|c| !c.is_control()).take(DETAIL_CHARS_MAX).collect();
    (!said.is_empty()).then_some(said)
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The message that a `Message-ID` of ours names, whatever domain it was sent from.
pub fn message_named(message_id: &str) -> Option<MessageId> {
    let id = message_id.trim().trim_start_matches('<').trim_end_matches('>');
    id.split_once('@').map_or(id, |(local, _)| local).parse().ok()
}

/// The message that a list of headers names: `[{"name": "Message-ID", "value": "<…>"}]`.
fn message_among(headers: Option<&Value>) -> Option<MessageId> {
    let headers = headers.and_then(Value::as_array)?;
    let is_it =
        |header: &&Value| text(header, "/name").is_some_and(|name| name.eq_ignore_ascii_case("message-id"));
    headers.iter().filter(is_it).find_map(|header| message_named(text(header, "/value")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_by_the_name_we_gave_it() {
        let id = MessageId::new();
        for spelled in [format!("<{id}@acme.test>"), format!("{id}@other.test"), format!(" {id} ")] {
            assert_eq!(message_named(&spelled), Some(id), "{spelled}");
        }
        for spelled in ["<abc@acme.test>", "", "<>", "msg_", &format!("x{id}@acme.test")] {
            assert_eq!(message_named(spelled), None, "{spelled}");
        }
    }

    #[test]
    fn what_providers_say_is_cut_and_has_no_control_characters() {
        assert_eq!(detail(&[Some("a\r\nb"), None, Some(" c ")]).unwrap(), "ab: c");
        assert_eq!(detail(&[Some(&"x".repeat(1_000))]).unwrap().len(), DETAIL_CHARS_MAX);
        assert_eq!(detail(&[None, Some(" ")]), None);
    }
}
