//! JSON merge patches (RFC 7396).

use serde_json::{Map, Value};

/// Changes in `target` what `patch` names. As deep as the patch, which the reader of JSON has bounded.
pub(crate) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(&name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::merge;

    #[test]
    fn a_patch_changes_what_it_names() {
        let mut schedule =
            json!({"name": "a", "args": {"echo": "x", "work_ms": 1}, "queue": "media", "tags": ["a"]});
        merge(&mut schedule, json!({"args": {"echo": null, "follow_ups": 2}, "queue": null, "tags": ["b"]}));
        assert_eq!(schedule, json!({"name": "a", "args": {"work_ms": 1, "follow_ups": 2}, "tags": ["b"]}));
    }
}
