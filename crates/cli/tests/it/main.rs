//! The program as it is built, against the real API with real workers behind it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod asking;
mod documents;
mod operating;
mod profiles;
mod steering;
mod world;
