//! The blob crate.
