//! Fields of arguments and results that few may see: a kind marks them in its schema, and they are covered for everybody else.

use std::cell::Cell;

use serde_json::Value;

/// The member of a schema that marks a field: `#[schemars(extend("x-private" = true))]`.
pub const MARK: &str = "x-private";
/// What stands in place of what such a field holds.
pub const COVER: &str = "•••";
/// How deep schemas are followed; ours are shallow, and one that names itself must come to an end.
const DEPTH_MAX: usize = 32;

/// Covers what `value` holds in fields that `schema` (JSON Schema 2020-12) marks.
pub fn cover(schema: &Value, value: &mut Value) {
    walk(schema, schema, (value, None), DEPTH_MAX, &|held, _| {
        if !held.is_null() {
            *held = COVER.into();
        }
    });
}

/// Puts what `before` holds wherever `value` is covered.
pub fn uncover(schema: &Value, value: &mut Value, before: &Value) {
    walk(schema, schema, (value, Some(before)), DEPTH_MAX, &|held, before| {
        if let Some(before) = before.filter(|_| held == COVER) {
            held.clone_from(before);
        }
    });
}

/// Whether `value` has anything covered in fields that `schema` marks.
pub fn is_covered(schema: &Value, value: &Value) -> bool {
    let found = Cell::new(false);
    walk(schema, schema, (&mut value.clone(), None), DEPTH_MAX, &|held, _| {
        found.set(found.get() || held == COVER);
    });
    found.get()
}

/// Whether `schema` marks any field.
pub fn has_any(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => {
            members.get(MARK).is_some_and(|mark| mark == true) || members.values().any(has_any)
        }
        Value::Array(items) => items.iter().any(has_any),
        _ => false,
    }
}

/// Does `act` to whatever is marked, with what stood in its place before.
fn walk(
    root: &Value,
    schema: &Value,
    (value, before): (&mut Value, Option<&Value>),
    depth: usize,
    act: &impl Fn(&mut Value, Option<&Value>),
) {
    if schema.get(MARK).is_some_and(|mark| mark == true) {
        return act(value, before);
    }
    let Some(depth) = depth.checked_sub(1) else { return };
    let referred = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
    if let Some(there) = referred.and_then(|path| root.pointer(path)) {
        walk(root, there, (value, before), depth, act);
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        for choice in schema.get(word).and_then(Value::as_array).into_iter().flatten() {
            walk(root, choice, (value, before), depth, act);
        }
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let named = schema.get("properties").and_then(|named| named.get(name));
                if let Some(inner) = named.or_else(|| schema.get("additionalProperties")) {
                    walk(root, inner, (member, before.and_then(|before| before.get(name))), depth, act);
                }
            }
        }
        Value::Array(items) => {
            let Some(inner) = schema.get("items") else { return };
            for (at, item) in items.iter_mut().enumerate() {
                walk(root, inner, (item, before.and_then(|before| before.get(at))), depth, act);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{COVER, cover, has_any, is_covered, uncover};

    #[test]
    fn what_is_marked_is_covered_wherever_it_stands_and_comes_back() {
        let schema = json!({
            "properties": {
                "who": {"$ref": "#/$defs/Person"},
                "guests": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/Person"}, {"type": "null"}]}},
                "words": {"type": "object", "x-private": true},
                "note": {"type": ["string", "null"], "x-private": true},
                "open": {"type": "string", "x-private": false},
            },
            "$defs": {"Person": {"properties": {"mail": {"type": "string", "x-private": true}, "age": {}}}},
        });
        let held = json!({
            "who": {"mail": "a@b", "age": 7}, "guests": [{"mail": "c@d"}, null], "words": {"a": [1]}, "note": null,
            "open": "x", "more": "y",
        });
        let mut covered = held.clone();
        cover(&schema, &mut covered);
        let shown = json!({
            "who": {"mail": COVER, "age": 7}, "guests": [{"mail": COVER}, null], "words": COVER, "note": null,
            "open": "x", "more": "y",
        });
        assert_eq!(covered, shown);
        assert!(is_covered(&schema, &covered) && !is_covered(&schema, &held));
        assert!(!is_covered(&schema, &json!({"open": COVER, "words": {"a": COVER}})));
        covered["who"]["mail"] = json!("e@f");
        uncover(&schema, &mut covered, &held);
        assert_eq!((&covered["who"]["mail"], &covered["guests"]), (&json!("e@f"), &held["guests"]));
        assert_eq!(covered["words"], held["words"]);
        assert!(has_any(&schema) && !has_any(&json!({"properties": {"a": {"type": "string"}}})));
    }

    #[test]
    fn kinds_that_hold_what_is_personal_say_so() {
        for (kind, field) in [
            ("geo.geocode", "address"),
            ("geo.geocode", "position"),
            ("invite.reply", "calendar"),
            ("invite.reply", "from"),
            ("notify.plan", "variables"),
        ] {
            let schema = &crate::spec(kind).unwrap().args_schema;
            let mut args = json!({ field: {"x": 1} });
            cover(schema, &mut args);
            assert_eq!(args[field], COVER, "{kind} {field}: {schema}");
        }
        let mut result = json!({"address": "1 Main St", "timezone": "Europe/Vienna"});
        cover(&crate::spec("geo.geocode").unwrap().result_schema, &mut result);
        assert_eq!(result, json!({"address": COVER, "timezone": "Europe/Vienna"}));
    }
}
