//! A body as rules look at it.

use serde_json::{Map, Value};

/// A body as rules look at it: JSON, or the fields of a form. In anything else there is nothing to look at.
pub fn read_body(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| {
        let fields = form_urlencoded::parse(body).into_owned();
        Value::Object(fields.map(|(name, value)| (name, Value::String(value))).collect::<Map<_, _>>())
    })
}
