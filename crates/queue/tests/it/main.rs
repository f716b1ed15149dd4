//! Tickets through a real Redis and the real apalis.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod consuming;
mod ringing;
mod traps;
mod world;
