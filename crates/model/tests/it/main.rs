//! The model against its promises, against what breaks them, and against records of real runs.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and how far it looked is worth reading"
)]

mod bounds;
mod broken;
mod documents;
mod recorded;
mod tampered;
