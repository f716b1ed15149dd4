//! Arguments and results that are too large for a row: into the object store before the row is written, and back.
//!
//! Not here: what fits into a row. And no list of objects: an object is named by its job and its content, and the row
//! names the object, so what no row names is nobody's.
//!
//! **Invariant:** an object is written before a row names it, holds what its name says, and is encrypted if its tenant is.

mod error;

use blob::{Blobs, Key};
use jobs::{
    JobId, TenantId,
    limits::{ARGS_BYTES_MAX, LARGE_ARGS_BYTES_MAX, LARGE_RESULT_BYTES_MAX, RESULT_BYTES_MAX},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::{
    Db,
    payload::{Field, Object, Payload},
    sealing::Place,
};

pub use error::PayloadError;

/// What encryption adds to an object, at most.
const SEAL_BYTES_MAX: usize = 64;
/// What S3 is told of a plain payload, and of an encrypted one.
const PLAIN_TYPE: &str = "application/json";
const SEALED_TYPE: &str = "application/octet-stream";
/// Nobody but us reads an object twice.
const CACHE_CONTROL: &str = "private, no-store";

/// A payload and whose it is.
#[derive(Debug, Clone, Copy)]
pub struct Of {
    /// The tenant.
    pub tenant: TenantId,
    /// The job.
    pub job: JobId,
    /// Which of its payloads.
    pub field: Field,
}

impl Of {
    /// Bytes that a row takes, and bytes that are taken at all.
    const fn bytes_max(self) -> (usize, usize) {
        match self.field {
            Field::Args => (ARGS_BYTES_MAX, LARGE_ARGS_BYTES_MAX),
            Field::Result => (RESULT_BYTES_MAX, LARGE_RESULT_BYTES_MAX),
        }
    }

    fn place(self) -> Place {
        Place::of_job(self.job, self.field)
    }
}

/// `value` as a row can hold it: as it is, or written to an object whose name stands for it.
///
/// # Errors
/// When it is larger than is taken at all, or cannot be written.
pub async fn stow(db: &Db, blobs: &Blobs, of: Of, value: Value) -> Result<Payload, PayloadError> {
    let (row_bytes_max, bytes_max) = of.bytes_max();
    if is_surely_within(&value, &mut { row_bytes_max }) {
        return Ok(Payload::Inline(value));
    }
    let plain = value.to_string().into_bytes();
    let bytes = plain.len();
    if bytes <= row_bytes_max {
        return Ok(Payload::Inline(value));
    }
    if bytes > bytes_max {
        return Err(PayloadError::TooLarge { field: of.field, bytes, bytes_max });
    }
    Box::pin(put(db, blobs, of, plain)).await.map(Payload::Object)
}

/// Whether the JSON of `value` takes no more bytes than `left`, however much of it has to be escaped. Most payloads are so
/// small that this shows without writing them.
fn is_surely_within(value: &Value, left: &mut usize) -> bool {
    const NUMBER: usize = 32;
    let text = |text: &str| 6 * text.len() + 4;
    let take = |left: &mut usize, bytes: usize| left.checked_sub(bytes).map(|rest| *left = rest).is_some();
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => take(left, NUMBER),
        Value::String(string) => take(left, text(string)),
        Value::Array(items) => {
            take(left, 2) && items.iter().all(|item| take(left, 1) && is_surely_within(item, left))
        }
        Value::Object(members) => {
            take(left, 2)
                && members.iter().all(|(name, item)| take(left, text(name)) && is_surely_within(item, left))
        }
    }
}

async fn put(db: &Db, blobs: &Blobs, of: Of, plain: Vec<u8>) -> Result<Object, PayloadError> {
    let bytes = plain.len() as u64;
    let (content, sealed_under) = db.seal_bytes(of.tenant, &of.place(), plain).await?;
    let key = key(of, &content)?;
    let content_type = if sealed_under.is_some() { SEALED_TYPE } else { PLAIN_TYPE };
    blobs.put(&key, content.into(), content_type, CACHE_CONTROL).await?;
    Ok(Object { key: key.to_string(), bytes, sealed_under })
}

fn key(of: Of, content: &[u8]) -> Result<Key, PayloadError> {
    let sha256 = hex::encode(Sha256::digest(content));
    Ok(Key::payload(&of.tenant.to_string(), &of.job.to_string(), of.field.name(), &sha256)?)
}

/// The value of `payload`, from wherever it is.
///
/// # Errors
/// When it is encrypted and this process has no key, or the object is gone, changed, or out of reach.
pub async fn fetch(db: &Db, blobs: &Blobs, of: Of, payload: Payload) -> Result<Value, PayloadError> {
    let object = match payload {
        Payload::Inline(value) => return Ok(value),
        Payload::Unopened(_) => return Err(PayloadError::Closed),
        Payload::Object(object) => object,
    };
    // Boxed, so that what is rare does not make larger what is not.
    let plain = Box::pin(read(db, blobs, of, &object)).await?;
    serde_json::from_slice(&plain).map_err(|_| PayloadError::Damaged { key: object.key })
}

/// What `object` holds, decrypted.
async fn read(db: &Db, blobs: &Blobs, of: Of, object: &Object) -> Result<Vec<u8>, PayloadError> {
    let named = Key::parse(&object.key)?;
    let (_, bytes_max) = of.bytes_max();
    let content = blobs.get(&named, (bytes_max + SEAL_BYTES_MAX) as u64).await?;
    if key(of, &content)? != named {
        return Err(PayloadError::Damaged { key: object.key.clone() });
    }
    match object.sealed_under {
        Some(under) => Ok(db.open_bytes(of.tenant, &of.place(), under, content.into()).await?),
        None => Ok(content.into()),
    }
}

/// The same payload in another object, under the newest data key of its tenant.
///
/// # Errors
/// As [`fetch`] and [`stow`].
pub async fn reseal(db: &Db, blobs: &Blobs, of: Of, object: &Object) -> Result<Object, PayloadError> {
    let plain = read(db, blobs, of, object).await?;
    put(db, blobs, of, plain).await
}

/// Removes an object that no row will name. What stays behind is collected by maintenance.
///
/// # Errors
/// When the object store refuses.
pub async fn remove(blobs: &Blobs, object: &Object) -> Result<(), PayloadError> {
    blobs.delete(&Key::parse(&object.key)?).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
            "[\\x00-\\x1f\"\\\\]*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map("[\\x00-\\x7f]{0,8}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Or a row would take more than it may hold.
        #[test]
        fn what_surely_fits_fits(value in any_value()) {
            let bytes = value.to_string().len();
            prop_assert!(!is_surely_within(&value, &mut { bytes - 1 }), "{bytes} bytes do not fit into one less");
        }
    }

    #[test]
    fn small_payloads_need_not_be_written_to_be_measured() {
        let value = serde_json::json!({ "work_ms": 0, "echo": "hello", "list": [true, null] });
        assert!(is_surely_within(&value, &mut { 512 }));
    }
}
