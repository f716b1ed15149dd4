//! The ledger's protocol as a machine that fits in the head: claim, lease, renew, settle, rescue, cancel and tickets.
//!
//! Every state of it within a bound is visited, with every fault in every place, and held against what Crewline promises.
//! Broken variants of it have to be caught, or the promises say nothing. Records of real runs are walked through the same
//! rules ([`replay`]). Not here: SQL, time in seconds, which of two waiting jobs goes first, what a job does.
//!
//! **Invariant:** what happens to one job is decided by [`job::Job`] alone, for the machine and for records alike.

pub mod bound;
pub mod check;
pub mod config;
pub mod job;
pub mod lease;
mod numbering;
pub mod properties;
pub mod protocol;
mod replay;
pub mod state;
pub mod step;
pub mod trace;
mod transitions;
pub mod variant;

pub use replay::{Rejected, Replayed, replay};
