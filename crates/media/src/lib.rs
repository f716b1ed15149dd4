//! The media crate.
