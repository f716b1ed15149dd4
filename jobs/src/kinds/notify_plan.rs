//! `notify.plan`: who is told what, by which way, and when.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{Backoff, Category, Channel, Invalid, Job, MessageId, PartyId, Policy, Priority, Queue};

/// Recipients of one notification.
pub const RECIPIENTS_MAX: usize = 20;
/// Bytes of a template's name, of what a message is about, of its thread.
pub const NAME_BYTES_MAX: usize = 120;
/// Longest time in which the same is not told twice, in seconds: 30 days.
pub const DEDUPE_S_MAX: u32 = 2_592_000;
/// Longest life of an offer whose messages climb a ladder, in seconds: a week.
pub const LADDER_S_MAX: u32 = 604_800;

/// Decides for each recipient and channel whether, when and why, and has the messages sent. Nothing is sent when a
/// variable of the template is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyPlan {
    /// Who is told; 1 to 20.
    #[schemars(length(min = 1, max = 20))]
    pub recipients: Vec<PartyId>,
    /// The template, one of the tenant's or of the product's.
    #[schemars(length(min = 1, max = 120))]
    pub template: String,
    /// What it is about.
    pub category: Category,
    /// What the template needs.
    #[serde(default)]
    #[schemars(extend("x-private" = true))]
    pub variables: Map<String, Value>,
    /// Channels to use; what the recipient prefers unless given.
    #[serde(default)]
    pub channels: Option<Vec<Channel>>,
    /// What it is about; when that has moved on, what waits is not sent.
    #[serde(default)]
    pub subject: Option<Subject>,
    /// Messages of one thread are gathered in one digest.
    #[serde(default)]
    pub thread: Option<String>,
    /// The same is not told twice within so many seconds; what the category says unless given.
    #[serde(default)]
    pub dedupe_s: Option<u32>,
    /// One channel after the other until somebody reads it.
    #[serde(default)]
    pub ladder: Option<Ladder>,
}

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its name, such as `order/1017`.
    pub reference: String,
    /// The version the message speaks of.
    pub version: u32,
    /// When it takes place.
    #[serde(default)]
    pub at: Option<DateTime<Utc>>,
}

/// Channels that are climbed until somebody reads the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ladder {
    /// How long the offer stands, in seconds.
    pub ttl_s: u32,
    /// Who is told at half of that, when nobody has read it.
    #[serde(default)]
    pub call_out: Option<PartyId>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Planned {
    /// The messages, with those that will not be sent.
    pub messages: Vec<MessageId>,
    /// How many of them will be sent, now or later.
    pub sending: u32,
    /// How many wait for a digest.
    pub gathered: u32,
    /// How many will not be sent.
    pub skipped: u32,
}

impl Job for NotifyPlan {
    const KIND: &'static str = "notify.plan";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Tell people something by the ways they want, once";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 5,
        timeout_s: 30,
        backoff: Backoff { base_ms: 1_000, cap_s: 60 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = Planned;

    fn check(&self) -> Result<(), Invalid> {
        let named =
            |text: &str| (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        let count = self.recipients.len();
        Invalid::unless((1..=RECIPIENTS_MAX).contains(&count), "/recipients", "takes 1 to 20 parties")?;
        let twice = (1..count).any(|at| self.recipients[..at].contains(&self.recipients[at]));
        Invalid::unless(!twice, "/recipients", "takes each party once")?;
        Invalid::unless(named(&self.template), "/template", "takes 1 to 120 bytes on one line")?;
        if let Some(subject) = &self.subject {
            Invalid::unless(
                named(&subject.reference),
                "/subject/reference",
                "takes 1 to 120 bytes on one line",
            )?;
            let version = i32::try_from(subject.version).is_ok();
            Invalid::unless(version, "/subject/version", "takes 0 to 2147483647")?;
        }
        let thread = self.thread.as_deref().is_none_or(named);
        Invalid::unless(thread, "/thread", "takes 1 to 120 bytes on one line")?;
        let channels = self.channels.as_ref().is_none_or(|channels| {
            !channels.is_empty() && (1..channels.len()).all(|at| !channels[..at].contains(&channels[at]))
        });
        Invalid::unless(channels, "/channels", "takes each channel once, and one at least")?;
        let dedupe = self.dedupe_s.is_none_or(|seconds| seconds <= DEDUPE_S_MAX);
        Invalid::unless(dedupe, "/dedupe_s", "takes 0 to 2592000 seconds")?;
        let ttl = self.ladder.as_ref().is_none_or(|ladder| (1..=LADDER_S_MAX).contains(&ladder.ttl_s));
        Invalid::unless(ttl, "/ladder/ttl_s", "takes 1 to 604800 seconds")
    }

    fn example() -> Self {
        let variables = json!({"name": "Ada", "address": "12 Elm Street", "starts": "Monday, 09:00"});
        Self {
            recipients: vec![PartyId::new()],
            template: "reminder".to_owned(),
            category: Category::Operational,
            variables: variables.as_object().cloned().unwrap_or_default(),
            channels: None,
            subject: None,
            thread: None,
            dedupe_s: None,
            ladder: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_planned_is_pointed_at() {
        let refused = |change: fn(&mut NotifyPlan)| {
            let mut plan = NotifyPlan::example();
            change(&mut plan);
            plan.check().unwrap_err().pointer
        };
        assert_eq!(refused(|plan| plan.recipients.clear()), "/recipients");
        assert_eq!(refused(|plan| plan.recipients.push(plan.recipients[0])), "/recipients");
        assert_eq!(refused(|plan| plan.template = "a\nb".to_owned()), "/template");
        assert_eq!(refused(|plan| plan.channels = Some(vec![Channel::Sms, Channel::Sms])), "/channels");
        assert_eq!(refused(|plan| plan.dedupe_s = Some(DEDUPE_S_MAX + 1)), "/dedupe_s");
        assert_eq!(refused(|plan| plan.ladder = Some(Ladder { ttl_s: 0, call_out: None })), "/ladder/ttl_s");
    }
}
