//! The queue crate.
