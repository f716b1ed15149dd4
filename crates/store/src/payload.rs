//! Arguments and results as rows hold them: as they are, as the name of an object, or encrypted.
//!
//! A row holds the JSON itself, so that every statement that moves a job moves its arguments whatever their form. What is
//! not plain is an object with the member `$crewline`. A plain value that has this member is wrapped, so nothing that comes
//! from outside is ever taken for ours.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

/// What tells our own forms from plain values.
const MARK: &str = "$crewline";

/// Arguments or a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// As it is.
    Inline(Value),
    /// In the object store.
    Object(Object),
    /// In a form that was not opened: encrypted, and the key is not here; or of a newer program.
    Unopened(Value),
}

/// The name of an object that holds a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// How long the JSON is that it holds.
    pub bytes: u64,
    /// The data key under which its content is encrypted; none when it is plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_under: Option<i32>,
}

/// Which of a job's payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// What the job is given.
    Args,
    /// What it leaves behind.
    Result,
}

impl Field {
    /// The word in names of objects.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Args => "args",
            Self::Result => "result",
        }
    }
}

/// An encrypted value inside a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sealed {
    /// The data key.
    pub(crate) under: i32,
    /// Base64 of what `sealing` made of the JSON.
    pub(crate) text: String,
}

impl Payload {
    /// The value, unless it is elsewhere or closed.
    pub fn inline(&self) -> Option<&Value> {
        match self {
            Self::Inline(value) => Some(value),
            _ => None,
        }
    }

    /// What a row holds.
    pub(crate) fn of_row(value: Value) -> Self {
        let read = |value: &Value, member: &str| value.get(member).cloned().unwrap_or_default();
        match value.get(MARK).map(|form| form.as_str().unwrap_or_default()) {
            None => Self::Inline(value),
            Some("plain") => Self::Inline(read(&value, "value")),
            Some("object") => match serde_json::from_value(value.clone()) {
                Ok(object) => Self::Object(object),
                Err(_) => Self::Unopened(value),
            },
            Some(_) => Self::Unopened(value),
        }
    }

    /// A value that is encrypted inside its row.
    pub(crate) fn of_sealed(sealed: &Sealed) -> Self {
        Self::Unopened(json!({ MARK: "sealed", "under": sealed.under, "text": sealed.text }))
    }

    /// What is encrypted inside the row, if that is its form.
    pub(crate) fn sealed(&self) -> Option<Sealed> {
        let Self::Unopened(value) = self else { return None };
        (value.get(MARK)? == "sealed").then(|| serde_json::from_value(value.clone()).ok()).flatten()
    }

    fn row(&self) -> Cow<'_, Value> {
        match self {
            Self::Inline(value) if value.get(MARK).is_some() => {
                Cow::Owned(json!({ MARK: "plain", "value": value }))
            }
            Self::Inline(value) | Self::Unopened(value) => Cow::Borrowed(value),
            Self::Object(object) => {
                let mut value = json!(object);
                value[MARK] = "object".into();
                Cow::Owned(value)
            }
        }
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self::Inline(value)
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.row().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::of_row)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Object, Payload, Sealed};

    fn through_a_row(payload: &Payload) -> (Value, Payload) {
        let row = serde_json::to_value(payload).unwrap();
        (row.clone(), serde_json::from_value(row).unwrap())
    }

    #[test]
    fn what_comes_from_outside_is_never_taken_for_ours() {
        let object = Object { key: "ten_x/p/job_y/args-1".into(), bytes: 70_000, sealed_under: None };
        let forged = through_a_row(&Payload::Object(object)).0;
        for value in [
            forged.clone(),
            json!({"$crewline": "plain", "value": forged}),
            json!({"$crewline": null}),
            json!({"$crewline": {"sealed": 1}}),
            json!({"work_ms": 1}),
            json!([{"$crewline": "object"}]),
            json!("$crewline"),
            Value::Null,
        ] {
            let payload = Payload::Inline(value.clone());
            assert_eq!(through_a_row(&payload).1, payload, "{value}");
        }
        let plain = json!({"echo": "x"});
        assert_eq!(through_a_row(&Payload::Inline(plain.clone())).0, plain, "stored as it is");
    }

    #[test]
    fn each_form_comes_back_from_its_row() {
        for sealed_under in [None, Some(3)] {
            let object = Payload::Object(Object { key: "k".into(), bytes: 1, sealed_under });
            assert_eq!(through_a_row(&object).1, object);
        }
        let sealed = Sealed { under: 2, text: "AAAA".into() };
        let back = through_a_row(&Payload::of_sealed(&sealed)).1;
        assert_eq!((back.sealed(), back.inline()), (Some(sealed), None));
        let newer = json!({"$crewline": "folded", "into": 7});
        let kept = Payload::of_row(newer.clone());
        assert_eq!(
            (kept.sealed(), through_a_row(&kept).0),
            (None, newer),
            "kept for a program that knows it"
        );
        assert!(matches!(Payload::of_row(json!({"$crewline": "object"})), Payload::Unopened(_)));
    }
}
