//! Schedules: work that repeats, and what became of each of its slots.
//!
//! A slot gets one job, however many processes look: the fire that says so has the schedule and the slot for its key, and
//! is written with the job in one transaction. What the time is, the database says.

mod fires;
mod firing;
mod record;
mod steering;
mod writing;

pub use fires::{Fire, fires, prune};
pub use firing::{Fired, Round, fire_due, next_due};
pub use record::{Schedule, Wanted, get, list};
pub use steering::{Ran, Run, pause, resume, run_now};
pub use writing::{Changed, Created, change, create, remove};
