//! Postgres: the only crate that names sqlx.
//!
//! Verbs by intention (`enqueue`, `claim`, `settle`, `rescue`, `cancel`), each moving a job and writing down that it
//! moved in one transaction. Not here: what a job means (`jobs`), when to run it (`workers`), how it looks (`api`).
//!
//! **Invariant:** nothing outside this crate can spell SQL, and a request sees rows of one tenant only, because the
//! role it acts under cannot see more.

pub mod administration;
pub mod alerts;
pub mod assets;
pub mod attempts;
pub mod audit;
pub mod audit_lines;
pub mod backfill;
pub mod bookings;
pub mod brands;
pub mod bulk;
pub mod calendars;
pub mod cancel;
pub mod claim;
mod db;
pub mod dead_letters;
pub mod deliveries;
pub mod enqueue;
mod error;
pub mod error_groups;
pub mod film_parts;
pub mod films;
pub mod fleet;
pub mod focal_points;
pub mod graves;
pub mod hop;
pub mod housekeeping;
pub mod identities;
pub mod inbox;
pub mod invitations;
pub mod keys;
pub mod lanes;
pub mod leases;
pub mod limits;
pub mod listing;
pub mod logs;
pub mod looking_into;
pub mod matches;
pub mod media;
pub mod messages;
pub mod notices;
pub mod notification_templates;
pub mod objects;
pub mod observing;
pub mod outbox;
pub mod parking;
pub mod parties;
pub mod pauses;
pub mod payload;
pub mod people;
pub mod presence;
pub mod probes;
mod progress;
pub mod promises;
pub mod quotas;
pub mod reads;
pub mod relatives;
pub mod release;
pub mod rescue;
pub mod retention;
pub mod retry;
pub mod scans;
pub mod schedules;
pub mod sealing;
mod second_factor;
pub mod sessions;
pub mod settle;
pub mod step_spec;
pub mod stepping;
pub mod submit;
#[cfg(feature = "testing")]
pub mod testing;
pub mod turns;
pub mod uploads;
pub mod users;
pub mod verdict;
pub mod views;
mod webhook_secrets;
pub mod weights;
pub mod why;
pub mod workflow_retry;
pub mod workflows;

pub use db::{Db, MIGRATOR, Options, Role, Tx, migrate};
pub use error::StoreError;
