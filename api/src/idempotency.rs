//! Idempotency keys: a retry gets the answer of the first try, and never does the work twice.
//!
//! The answer is a row, written with the job. What is here is the key's shape, the fingerprint of a request, and the
//! requests of this process that are being answered.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::http::{HeaderMap, HeaderName};
use chrono::{TimeDelta, Utc};
use jobs::TenantId;
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::submit::Idempotency;

use crate::{
    limits::{IDEMPOTENCY_HOURS, IDEMPOTENCY_KEY_BYTES_MAX},
    problem::{Code, Problem},
};

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks an answer that was given before.
pub(crate) static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The key of a request to `route` whose body is `body`.
pub(crate) fn read(
    headers: &HeaderMap,
    route: &'static str,
    body: &impl Serialize,
    required: bool,
) -> Result<Option<Idempotency>, Problem> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let (value, another) = (values.next(), values.next());
    if another.is_some() {
        let twice = "send one Idempotency-Key: which of several is meant cannot be told";
        return Err(Problem::new(Code::InvalidParameter, twice));
    }
    let Some(value) = value else {
        let missing = "send an Idempotency-Key header with 1 to 255 characters, fresh for every new request";
        return if required { Err(Problem::new(Code::IdempotencyKeyRequired, missing)) } else { Ok(None) };
    };
    let key = value.to_str().ok().map(unquoted).filter(|key| fits(key)).ok_or_else(|| {
        Problem::new(Code::InvalidParameter, "Idempotency-Key takes 1 to 255 visible ASCII characters")
    })?;
    Ok(Some(Idempotency {
        key: key.to_owned(),
        route,
        fingerprint: fingerprint(body).map_err(Problem::internal)?,
        expires_at: Utc::now() + TimeDelta::hours(IDEMPOTENCY_HOURS),
    }))
}

/// The draft standard writes the key as a quoted string, everybody else without quotes: both mean the same.
fn unquoted(key: &str) -> &str {
    let key = key.trim();
    key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key)
}

fn fits(key: &str) -> bool {
    (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len())
        && key.bytes().all(|byte| (0x20..0x7F).contains(&byte))
}

/// SHA-256 of `body` as we write it, not as it came: its members in the order of its type, those of free objects sorted,
/// and no white space between them.
fn fingerprint(body: &impl Serialize) -> serde_json::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    serde_json::to_writer(&mut hash, body)?;
    Ok(hash.finalize().into())
}

type Name = (TenantId, &'static str, String);

/// The keys that are being answered by this process. Another process is waited for by the database.
#[derive(Default, Clone)]
pub(crate) struct InFlight(Arc<Mutex<HashSet<Name>>>);

/// A key that is taken. It travels with the work, not with the request: a client that goes away and comes back must
/// not get its key into the same transaction twice.
pub(crate) struct Held {
    keys: InFlight,
    name: Option<Name>,
}

impl InFlight {
    /// Takes the key for as long as the result lives.
    pub(crate) fn take(&self, tenant: TenantId, key: Option<&Idempotency>) -> Result<Held, Problem> {
        let name = key.map(|key| (tenant, key.route, key.key.clone()));
        if let Some(name) = &name
            && !self.names().insert(name.clone())
        {
            return Err(Problem::new(
                Code::RequestInFlight,
                "this Idempotency-Key is being answered; wait 1 s",
            )
            .retry_after(1));
        }
        Ok(Held { keys: self.clone(), name })
    }

    fn names(&self) -> MutexGuard<'_, HashSet<Name>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            self.keys.names().remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use serde_json::json;

    use super::{IDEMPOTENCY_KEY, fingerprint, read};

    #[test]
    fn the_order_of_members_does_not_change_a_fingerprint() {
        let one: serde_json::Value =
            serde_json::from_str(r#"{"b": [1, {"y": 1, "x": "é\n"}], "a": null}"#).unwrap();
        let two: serde_json::Value = serde_json::from_str(r#"{"a":null,"b":[1,{"x":"é\n","y":1}]}"#).unwrap();
        assert_eq!(fingerprint(&one).unwrap(), fingerprint(&two).unwrap());
        let other = json!({"a": null, "b": [{"x": "é\n", "y": 1}, 1]});
        assert_ne!(fingerprint(&one).unwrap(), fingerprint(&other).unwrap());
    }

    #[test]
    fn keys_are_read_with_and_without_quotes_and_bounded() {
        let key = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IDEMPOTENCY_KEY.clone(), text.parse().unwrap());
            read(&headers, "POST /", &json!({}), true).map(|key| key.unwrap().key).ok()
        };
        assert_eq!(key("\"8e03978e\"").as_deref(), Some("8e03978e"));
        assert_eq!(key("8e03978e").as_deref(), Some("8e03978e"));
        assert_eq!(key(""), None);
        assert_eq!(key("\"\""), None);
        assert_eq!(key("é"), None);
        assert_eq!(key(&"k".repeat(256)), None);
        assert!(key(&"k".repeat(255)).is_some());
        let twice = ["a", "a"].map(|key| (IDEMPOTENCY_KEY.clone(), key.parse().unwrap()));
        assert!(read(&twice.into_iter().collect(), "POST /", &json!({}), true).is_err());
        assert!(read(&HeaderMap::new(), "POST /", &json!({}), true).is_err());
        assert!(read(&HeaderMap::new(), "POST /", &json!({}), false).unwrap().is_none());
    }
}
