//! What a JSON Pointer can find in a value of a known shape.

use serde_json::Value;

/// How deep schemas are followed; ours are shallow, and one that names itself must come to an end.
const DEPTH_MAX: usize = 32;

/// Whether `pointer` (RFC 6901) may lead to something in a value that is as `schema` (JSON Schema 2020-12) says. Members that
/// a schema does not name are not there, unless it says what they look like.
pub fn reaches(schema: &Value, pointer: &str) -> bool {
    let tokens = match pointer.strip_prefix('/') {
        None if pointer.is_empty() => return true,
        None => return false,
        Some(rest) => rest.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")),
    };
    leads(schema, schema, &tokens.collect::<Vec<_>>(), DEPTH_MAX)
}

fn leads(root: &Value, schema: &Value, tokens: &[String], depth: usize) -> bool {
    let (Some(token), true) = (tokens.first(), depth > 0) else { return tokens.is_empty() };
    let Some(members) = schema.as_object() else { return schema != &Value::Bool(false) };
    let on = |schema: &Value, tokens: &[String]| leads(root, schema, tokens, depth - 1);
    if let Some(name) = members.get("$ref").and_then(Value::as_str) {
        return name
            .strip_prefix('#')
            .and_then(|path| root.pointer(path))
            .is_none_or(|there| on(there, tokens));
    }
    let says = |word: &str| members.contains_key(word);
    let through_member = || {
        let named = members.get("properties").and_then(|named| named.get(token));
        named.or(members.get("additionalProperties")).is_some_and(|inner| on(inner, &tokens[1..]))
    };
    let through_item = || {
        token.parse::<usize>().is_ok() && members.get("items").is_some_and(|inner| on(inner, &tokens[1..]))
    };
    let through_choice = |word: &str| {
        let choices = members.get(word).and_then(Value::as_array);
        choices.is_some_and(|choices| choices.iter().any(|choice| on(choice, tokens)))
    };
    let is_open =
        !["type", "properties", "items", "anyOf", "oneOf", "allOf", "const", "enum"].into_iter().any(says);
    is_open
        || through_member()
        || through_item()
        || ["anyOf", "oneOf", "allOf"].into_iter().any(through_choice)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_pointer_leads_where_the_schema_lets_it() {
        let schema = json!({
            "type": "object",
            "properties": {
                "a/b": {"type": "string"},
                "list": {"type": "array", "items": {"$ref": "#/$defs/item"}},
                "map": {"type": "object", "additionalProperties": {"type": "integer"}},
                "any": {},
                "maybe": {"anyOf": [{"$ref": "#/$defs/item"}, {"type": "null"}]},
            },
            "$defs": {"item": {"type": "object", "properties": {"self": {"$ref": "#/$defs/item"}, "n": {"type": "integer"}}}},
        });
        for there in
            ["", "/a~1b", "/list", "/list/0/n", "/list/7/self/self/n", "/map/x", "/any/x/y", "/maybe/n"]
        {
            assert!(reaches(&schema, there), "{there}");
        }
        for nowhere in ["a", "/a", "/list/n", "/list/0/m", "/map/x/y", "/maybe/m", "/a~1b/c", "/"] {
            assert!(!reaches(&schema, nowhere), "{nowhere}");
        }
    }

    /// Where every pointer into `value` leads.
    fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            Value::Object(members) => {
                for (name, inner) in members {
                    pointers(inner, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
                }
            }
            Value::Array(items) => {
                for (index, inner) in items.iter().enumerate() {
                    pointers(inner, &format!("{at}/{index}"), found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn everything_in_the_example_of_a_kind_is_reached_by_its_schema() {
        for spec in crate::specs() {
            let mut found = Vec::new();
            pointers(&spec.example, "", &mut found);
            for pointer in found {
                assert!(reaches(&spec.args_schema, &pointer), "{} {pointer}", spec.kind);
            }
        }
    }
}
