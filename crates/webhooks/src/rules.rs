//! Rules that are data: which events become a job of which kind, and where its arguments come from.

use glob::Pattern;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Characters of a glob or a pointer.
const TEXT_CHARS_MAX: usize = 200;
/// Matches of one rule.
const MATCHES_MAX: usize = 16;
/// Arguments of one rule.
const ARGS_MAX: usize = 64;

/// A rule: events that fit become a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which types of events, such as `invoice.*`.
    pub event_type: Glob,
    /// What else has to hold.
    #[serde(default)]
    pub matches: Vec<Match>,
    /// The kind of the job.
    pub kind: String,
    /// Where each of its arguments comes from.
    #[serde(default)]
    pub args: Map<String, Value>,
}

/// Something that has to hold of an event's body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Where: a JSON Pointer.
    pub pointer: String,
    /// What has to stand there.
    pub equals: Value,
}

/// Where an argument comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Source {
    /// What stands at this JSON Pointer of the body.
    Pointer(String),
    /// This, whatever the event.
    Constant(Value),
}

/// A pattern of event types: `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(String);

/// What is wrong with a rule, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {reason}")]
pub struct BadRule {
    /// JSON Pointer into the rule.
    pub pointer: String,
    /// What is wrong.
    pub reason: &'static str,
}

impl BadRule {
    fn at(pointer: impl Into<String>, reason: &'static str) -> Self {
        Self { pointer: pointer.into(), reason }
    }
}

impl Glob {
    /// A pattern as somebody wrote it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether it can be used.
    pub fn is_valid(&self) -> bool {
        (1..=TEXT_CHARS_MAX).contains(&self.0.chars().count())
            && !self.0.chars().any(char::is_control)
            && !self.0.contains("**")
            && Pattern::new(&self.0).is_ok()
    }

    /// Whether it fits `event_type`. One that cannot be used fits nothing.
    pub fn fits(&self, event_type: &str) -> bool {
        Pattern::new(&self.0).is_ok_and(|pattern| pattern.matches(event_type))
    }
}

impl Rule {
    /// Whether the rule is one, its kind not looked at.
    ///
    /// # Errors
    /// Says where it is not.
    pub fn check(&self) -> Result<(), BadRule> {
        if !self.event_type.is_valid() {
            return Err(BadRule::at(
                "/event_type",
                "1 to 200 characters; * stands for any, ** does not exist",
            ));
        }
        if self.matches.len() > MATCHES_MAX {
            return Err(BadRule::at("/matches", "at most 16"));
        }
        if self.args.len() > ARGS_MAX {
            return Err(BadRule::at("/args", "at most 64"));
        }
        for (index, wanted) in self.matches.iter().enumerate() {
            if !is_pointer(&wanted.pointer) {
                return Err(BadRule::at(format!("/matches/{index}/pointer"), NO_POINTER));
            }
        }
        self.sources().map(drop)
    }

    /// Each argument's name and where it comes from.
    ///
    /// # Errors
    /// Says which of them comes from nowhere.
    pub fn sources(&self) -> Result<Vec<(&str, Source)>, BadRule> {
        self.args.iter().map(|(name, source)| Ok((name.as_str(), read(name, source)?))).collect()
    }

    /// Whether an event of this type and body is meant.
    pub fn fits(&self, event_type: &str, body: &Value) -> bool {
        self.event_type.fits(event_type)
            && self.matches.iter().all(|wanted| body.pointer(&wanted.pointer) == Some(&wanted.equals))
    }

    /// The arguments of the job that `body` becomes. What a pointer does not find is left out, so that the kind's default
    /// holds, or its refusal names the field.
    ///
    /// # Errors
    /// Says which argument comes from nowhere.
    pub fn args(&self, body: &Value) -> Result<Map<String, Value>, BadRule> {
        let found = |(name, source): (&str, Source)| {
            let value = match source {
                Source::Constant(value) => Some(value),
                Source::Pointer(pointer) => body.pointer(&pointer).cloned(),
            };
            value.map(|value| (name.to_owned(), value))
        };
        Ok(self.sources()?.into_iter().filter_map(found).collect())
    }
}

fn read(name: &str, source: &Value) -> Result<Source, BadRule> {
    let at = format!("/args/{}", name.replace('~', "~0").replace('/', "~1"));
    match serde_json::from_value(source.clone()) {
        Ok(Source::Pointer(pointer)) if !is_pointer(&pointer) => {
            Err(BadRule::at(format!("{at}/pointer"), NO_POINTER))
        }
        Ok(source) => Ok(source),
        Err(_) => Err(BadRule::at(at, "either {\"pointer\": …} or {\"constant\": …}")),
    }
}

const NO_POINTER: &str = "a JSON Pointer: empty, or beginning with /";

/// RFC 6901, and not too long.
fn is_pointer(text: &str) -> bool {
    (text.is_empty() || text.starts_with('/')) && text.chars().count() <= TEXT_CHARS_MAX
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule() -> Rule {
        serde_json::from_value(json!({
            "event_type": "invoice.*", "kind": "probe.work", "matches": [{"pointer": "/data/paid", "equals": true}],
            "args": {"echo": {"pointer": "/data/id"}, "work_ms": {"constant": 5}, "follow_ups": {"pointer": "/none"}},
        }))
        .unwrap()
    }

    #[test]
    fn a_rule_takes_what_fits_and_maps_its_arguments() {
        let (rule, body) = (rule(), json!({"data": {"paid": true, "id": "in_1"}}));
        rule.check().unwrap();
        assert!(rule.fits("invoice.paid", &body) && !rule.fits("charge.paid", &body));
        assert!(!rule.fits("invoice.paid", &json!({"data": {"paid": "true"}})));
        assert_eq!(Value::Object(rule.args(&body).unwrap()), json!({"echo": "in_1", "work_ms": 5}));
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_pointed_at() {
        for (change, pointer) in [
            (json!({"event_type": ""}), "/event_type"),
            (json!({"event_type": "a**"}), "/event_type"),
            (json!({"event_type": "[a"}), "/event_type"),
            (json!({"matches": [{"pointer": "data", "equals": 1}]}), "/matches/0/pointer"),
            (json!({"args": {"echo": "x"}}), "/args/echo"),
            (json!({"args": {"echo": {"pointer": "x"}}}), "/args/echo/pointer"),
        ] {
            let mut rule = serde_json::to_value(rule()).unwrap();
            rule.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let rule: Rule = serde_json::from_value(rule).unwrap();
            assert_eq!(rule.check().unwrap_err().pointer, pointer);
        }
    }
}
