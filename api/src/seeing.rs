//! What somebody may see of what jobs are given, leave behind and say. The one place that decides it, for keys and for people.
//!
//! **The rule:** whoever may not see payloads gets every document without the members that hold one or lead to one, and is refused
//! (403, `missing_scope`) what is nothing but a payload, and to look for what one holds.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use store::submit::Answer;

use crate::{
    auth::Scope,
    problem::{Code, Problem},
};

/// The members of documents that hold payloads, or lead to them: of jobs, schedules and workflows; of messages; of webhooks that came.
const PAYLOADS: [&str; 8] =
    ["args", "args_url", "result", "result_url", "metadata", "content", "headers", "body_base64"];

/// What somebody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Arguments, results, metadata, log lines, and what messages and webhooks say.
    pub(crate) payloads: bool,
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

    /// `document` as they may see it.
    pub(crate) fn of(self, document: &impl Serialize) -> Result<Value, Problem> {
        let mut shown = serde_json::to_value(document).map_err(Problem::internal)?;
        self.hide(&mut shown);
        Ok(shown)
    }

    /// An answer about a job that may be somebody else's: the same work was there already. What a key itself sent it may have back.
    pub(crate) fn answer(self, answer: Answer) -> Answer {
        if self.payloads || answer.status != 200 {
            return answer;
        }
        let mut shown: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        self.hide(&mut shown);
        Answer { body: shown.to_string(), ..answer }
    }

    fn hide(self, shown: &mut Value) {
        if self.payloads {
            return;
        }
        match shown {
            Value::Object(members) => {
                members.retain(|name, _| !PAYLOADS.contains(&name.as_str()));
                members.values_mut().for_each(|member| self.hide(member));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide(item)),
            _ => {}
        }
    }
}

/// A document, as whoever asked for it may see it.
pub(crate) struct Shown<T>(pub(crate) Sight, pub(crate) T);

impl<T: Serialize> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        let Self(sight, document) = self;
        if sight.payloads {
            return Json(document).into_response();
        }
        sight.of(&document).map(Json).into_response()
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
        let blind = Sight { payloads: false };
        let shown = json!({"jobs": [{"id": "job_1", "error": {"code": "e"}}, {"tags": ["t"]}], "next": null});
        assert_eq!(blind.of(&page).unwrap(), shown);
        assert_eq!(Sight { payloads: true }.of(&page).unwrap(), page);
        assert!(blind.check().is_err());
    }

    #[test]
    fn what_a_key_sent_it_has_back() {
        let blind = Sight { payloads: false };
        let job = json!({"args": {"a": 1}});
        let of = |status| blind.answer(Answer::of(status, None, &job)).body;
        assert_eq!((of(202).as_str(), of(200).as_str()), ("{\"args\":{\"a\":1}}", "{}"));
    }
}
