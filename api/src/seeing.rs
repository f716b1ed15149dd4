//! What somebody may see of what jobs are given, leave behind and say. The one place that decides it, for keys and for people.
//!
//! **The rule:** whoever may not see payloads gets every document without the members that hold one or lead to one, and is refused
//! (403, `missing_scope`) what is nothing but a payload, and to look for what one holds. Whoever may see payloads, but not what of them is
//! private, gets [`COVER`](jobs::private::COVER) in place of what the fields hold that a kind marks.

use axum::{
    Json as Body,
    response::{IntoResponse, Response},
};
use jobs::private;
use serde::Serialize;
use serde_json::{Map, Value};
use store::{
    payload::{Field, Payload},
    reads::JobRecord,
    submit::Answer,
};

use crate::{
    auth::Scope,
    problem::{Code, Problem},
};

/// The members of documents that hold payloads, or lead to them: of jobs, schedules and workflows; of messages; of webhooks that came and
/// went.
const PAYLOADS: [&str; 10] = [
    "args",
    "args_url",
    "result",
    "result_url",
    "metadata",
    "content",
    "headers",
    "body_base64",
    "body",
    "answer",
];

/// What somebody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Arguments, results, metadata, log lines, and what messages and webhooks say.
    pub(crate) payloads: bool,
    /// What those hold in fields that kinds call private.
    pub(crate) private: bool,
}

impl Sight {
    /// Refuses what is nothing but a payload.
    pub(crate) fn check(self) -> Result<(), Problem> {
        if self.payloads {
            return Ok(());
        }
        let detail = format!("this needs a key with the scope {}", Scope::PayloadsRead.name());
        Err(Problem::new(Code::MissingScope, detail))
    }

    /// Arguments or a result of a kind, for somebody who may see payloads. Of a kind that is not known any more nobody can tell what is
    /// private.
    pub(crate) fn value(self, kind: &str, field: Field, mut value: Value) -> Value {
        if !self.private {
            match schema(kind, field) {
                Some(schema) => private::cover(schema, &mut value),
                None => value = private::COVER.into(),
            }
        }
        value
    }

    /// Refuses what holds nothing but what somebody is told.
    pub(crate) fn check_private(self) -> Result<(), Problem> {
        self.check()?;
        if self.private {
            return Ok(());
        }
        let detail = format!("this needs a key with the scope {}", Scope::PrivateRead.name());
        Err(Problem::new(Code::MissingScope, detail))
    }

    /// The arguments that somebody made, `made`, of those that they were shown of work of a `kind` that has `args`. What they left covered
    /// is what it was, as long as nothing else is another: who could change the rest could have what is private sent to where they see it.
    pub(crate) fn made(self, kind: &str, args: &Value, mut made: Value) -> Result<Value, Problem> {
        let Some(schema) = schema(kind, Field::Args).filter(|_| !self.private) else { return Ok(made) };
        if private::is_covered(schema, &made) {
            if made != self.value(kind, Field::Args, args.clone()) {
                return Err(Problem::new(Code::MissingScope, carried()));
            }
            private::uncover(schema, &mut made, args);
        }
        Ok(made)
    }

    /// A job, for somebody who may see payloads.
    pub(crate) fn record(self, mut record: JobRecord) -> JobRecord {
        if let Payload::Inline(args) = &mut record.args.0 {
            *args = self.value(&record.kind, Field::Args, args.take());
        }
        if let Some(Payload::Inline(result)) = record.result.as_mut().map(|result| &mut result.0) {
            *result = self.value(&record.kind, Field::Result, result.take());
        }
        record
    }

    /// `document` as they may see it.
    pub(crate) fn of(self, document: &impl Serialize) -> Result<Value, Problem> {
        let mut shown = serde_json::to_value(document).map_err(Problem::internal)?;
        self.hide(&mut shown);
        Ok(shown)
    }

    /// An answer about a job. What a key itself sent it may have back, unless it is the same work as somebody else's.
    pub(crate) fn answer(self, answer: Answer, is_own: bool) -> Answer {
        if self.sees_all() || is_own && answer.status != 200 {
            return answer;
        }
        let mut shown: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        self.hide(&mut shown);
        Answer { body: shown.to_string(), ..answer }
    }

    /// Covers what is private in a document of something that has a kind. Where it lies elsewhere the address of it would lead around that;
    /// `/args` and `/result` have it.
    fn cover(self, members: &mut Map<String, Value>) {
        let Some(kind) = members.get("kind").and_then(Value::as_str).map(str::to_owned) else { return };
        for (field, url) in [(Field::Args, "args_url"), (Field::Result, "result_url")] {
            if let Some(held) = members.get_mut(field.name()) {
                *held = self.value(&kind, field, held.take());
            }
            if schema(&kind, field).is_none_or(private::has_any) {
                members.remove(url);
            }
        }
    }

    fn sees_all(self) -> bool {
        self.payloads && self.private
    }

    fn hide(self, shown: &mut Value) {
        if self.sees_all() {
            return;
        }
        match shown {
            Value::Object(members) if !self.payloads => {
                members.retain(|name, _| !PAYLOADS.contains(&name.as_str()));
                members.values_mut().for_each(|member| self.hide(member));
            }
            Value::Object(members) => {
                self.cover(members);
                members.values_mut().for_each(|member| self.hide(member));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide(item)),
            _ => {}
        }
    }
}

/// Why covered arguments cannot go on into other work.
pub(crate) fn carried() -> String {
    let scope = Scope::PrivateRead.name();
    format!(
        "what is covered goes on only where nothing else changes; say it anew, or use a key with the scope {scope}"
    )
}

/// What arguments or results of a kind look like.
fn schema(kind: &str, field: Field) -> Option<&'static Value> {
    let spec = jobs::spec(kind)?;
    Some(match field {
        Field::Args => &spec.args_schema,
        Field::Result => &spec.result_schema,
    })
}

/// A document, as whoever asked for it may see it.
pub(crate) struct Shown<T>(pub(crate) Sight, pub(crate) T);

impl<T: Serialize> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        let Self(sight, document) = self;
        if sight.sees_all() {
            return Body(document).into_response();
        }
        sight.of(&document).map(Body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::submit::Answer;

    use super::Sight;

    #[test]
    fn what_holds_a_payload_is_left_out_wherever_it_stands() {
        let job = json!({"id": "job_1", "args": {"a": 1}, "result_url": "x", "error": {"code": "e"}});
        let page = json!({"jobs": [job, {"metadata": {}, "tags": ["t"]}], "next": null});
        let blind = Sight { payloads: false, private: true };
        let shown = json!({"jobs": [{"id": "job_1", "error": {"code": "e"}}, {"tags": ["t"]}], "next": null});
        assert_eq!(blind.of(&page).unwrap(), shown);
        assert_eq!(Sight { payloads: true, private: true }.of(&page).unwrap(), page);
        assert!(blind.check().is_err());
    }

    #[test]
    fn what_a_kind_calls_private_is_covered_for_those_who_see_the_rest() {
        let half = Sight { payloads: true, private: false };
        let args = json!({"address": "1 Main St", "countries": ["at"]});
        let job = json!({"kind": "geo.geocode", "args": args, "args_url": "x", "metadata": {"a": 1}});
        let shown = json!({"kind": "geo.geocode", "args": {"address": "•••", "countries": ["at"]}, "metadata": {"a": 1}});
        assert_eq!(half.of(&json!({"jobs": [job]})).unwrap(), json!({"jobs": [shown]}));
        let gone = half.of(&json!({"kind": "gone.kind", "result": {"a": 1}})).unwrap();
        assert_eq!(gone["result"], "•••", "nobody can tell any more what is private in it");
        let probe = json!({"kind": "probe.work", "args": {"echo": "x"}, "args_url": "y"});
        assert_eq!(half.of(&probe).unwrap(), probe);
    }

    #[test]
    fn what_a_key_sent_it_has_back() {
        let blind = Sight { payloads: false, private: true };
        let job = json!({"args": {"a": 1}});
        let of = |status| blind.answer(Answer::of(status, None, &job), true).body;
        assert_eq!((of(202).as_str(), of(200).as_str()), ("{\"args\":{\"a\":1}}", "{}"));
    }
}
