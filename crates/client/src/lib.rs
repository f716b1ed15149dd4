//! The API of Crewline as Rust has it: a method for each operation, a type for each schema, both written from the API's own
//! description when this crate is built.
//!
//! A request that may be sent again is sent again, under the same `Idempotency-Key`, when there was no answer, when too many
//! were sent (429) and when the service was away (503): after as long as it says, and a bounded number of times. Lists come
//! as streams that follow their pages ([`Client::all_jobs`]), events as streams that resume where they broke off
//! ([`Client::follow_job`]), and errors as [`Problem`]s with their stable codes.
//!
//! **Invariant:** a job is never made twice by this crate, whatever the network does.

mod ask;
mod client;
mod error;
mod events;
mod follow;
mod operations;
mod pages;
/// What is sent and answered.
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "written from the description of the API")]
pub mod types {
    include!(concat!(env!("OUT_DIR"), "/types.rs"));
}
mod upload;

pub use client::{Client, Options};
pub use error::{Error, FieldError, Problem};
pub use follow::{Event, Events};
pub use operations::*;
pub use pages::Page;
pub use reqwest::Method;
pub use upload::FILE_BYTES_MAX;
