//! Why an argument was refused, in a form an API can point at.

/// A refused argument: where it is (JSON Pointer, RFC 6901; empty for the whole document) and what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {reason}")]
pub struct Invalid {
    /// JSON Pointer into the arguments, such as `/rungs/0`.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl Invalid {
    /// A refusal of the field at `pointer`.
    pub fn new(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), reason: reason.into() }
    }

    /// Passes when `holds`; otherwise refuses `pointer` with `reason`.
    pub fn unless(holds: bool, pointer: &str, reason: &str) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::new(pointer, reason)) }
    }
}
