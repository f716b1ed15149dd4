//! Arguments for those who may not see them: which fields there are and of what type, and nothing of what they hold.

use maud::{Markup, html};
use serde_json::{Map, Value};
use store::reads::JobRecord;
use tr::tr;

use super::words::mark;

/// All of it.
pub(super) fn of(record: &JobRecord) -> Markup {
    let fields = record.args.0.inline().map(|args| fields(&record.kind, args));
    html! {
        h2 { (tr!("Arguments")) }
        @match &fields {
            Some(fields) if fields.is_empty() => p.soft { (tr!("None.")) },
            Some(fields) => dl.facts { @for (name, is) in fields { div {
                dt { @match name { Some(name) => (name), None => (tr!("another field")) } }
                dd { (tr!(is)) }
            } } },
            None => p.soft { (tr!("They are large and lie in the object store.")) },
        }
        p.soft { (tr!("What they hold, result and log are for those who may see payloads.")) }
    }
}

/// The fields that were given, by the names that the kind gives them. Other names may tell something: people choose them.
fn fields<'a>(kind: &str, args: &'a Value) -> Vec<(Option<&'a str>, &'static str)> {
    let known = ::jobs::spec(kind).and_then(|spec| spec.args_schema["properties"].as_object());
    let named = |name: &String| known.is_some_and(|known: &Map<String, Value>| known.contains_key(name));
    let given = args.as_object().into_iter().flatten();
    given.map(|(name, value)| (named(name).then_some(name.as_str()), is(value))).collect()
}

fn is(value: &Value) -> &'static str {
    match value {
        Value::Null => mark!("nothing"),
        Value::Bool(_) => mark!("yes or no"),
        Value::Number(_) => mark!("a number"),
        Value::String(_) => mark!("a text"),
        Value::Array(_) => mark!("a list"),
        Value::Object(_) => mark!("an object"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::fields;

    #[test]
    fn names_and_types_are_told_and_nothing_else() {
        let args = json!({"echo": "secret", "endings": [{"retry": 1}], "ann@example.com": {"x": 1}});
        let told = fields("probe.work", &args);
        assert_eq!(told, [(None, "an object"), (Some("echo"), "a text"), (Some("endings"), "a list")]);
        assert_eq!(fields("gone.kind", &json!({"echo": null})), [(None, "nothing")]);
    }
}
