//! `text.count`: how many words a text has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, Invalid, Job, Policy, Priority, Queue};

/// Counts the words of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextCount {
    /// The text, at most 10,000 bytes.
    #[schemars(length(max = 10_000))]
    pub text: String,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TextCounted {
    /// Words: whatever white space separates.
    pub words: u32,
}

impl Job for TextCount {
    const KIND: &'static str = "text.count";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Counts the words of a text";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 3,
        timeout_s: 10,
        backoff: Backoff { base_ms: 500, cap_s: 60 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = TextCounted;

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.text.len() <= 10_000, "/text", "at most 10000 bytes")
    }

    fn example() -> Self {
        Self { text: "every photo on time".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_refused_where_it_stands() {
        let refused = TextCount { text: "x".repeat(10_001) }.check().unwrap_err();
        assert_eq!(refused.pointer, "/text");
    }
}
