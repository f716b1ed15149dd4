//! The client against an API that behaves as badly as networks do. What the real one answers is tried where it is: in
//! `crates/cli`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod flaky;
mod following;
mod paging;
mod trying;
