//! How work gets done: the runtime that claims jobs and settles them, the handlers, and maintenance.
//!
//! Start reading at [`execute`]. Any number of these processes may run, anywhere that reaches the same Postgres, Redis
//! and S3; none of them has to be alive for anything to be safe.
//!
//! **Invariant:** no handler holds a database transaction while it works, and nothing a handler decides counts before
//! the ledger has accepted it under the lease the job was claimed with.

mod addressed;
pub mod archive;
mod asking;
mod breakers;
pub mod calendars;
pub mod claims;
pub mod clamd;
pub mod config;
pub mod cx;
pub mod deps;
pub mod execute;
pub mod faults;
mod feedback;
pub mod film_child;
mod film_in_parts;
pub mod film_orders;
pub mod geocoder;
pub mod handlers;
pub mod health;
pub mod held;
pub mod huge_pages;
pub mod knows;
mod large;
mod mailbox;
pub mod maintenance;
pub mod media_child;
pub mod media_pool;
pub mod meters;
mod originals;
pub mod picture_child;
pub mod registry;
pub mod runtime;
pub mod scratch;
pub mod senders;
pub mod settler;
pub mod speaker;
pub mod stop;
pub mod verdict;
mod wording;
