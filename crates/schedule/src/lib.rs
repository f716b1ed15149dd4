//! When something that repeats comes due: cron expressions, time zones, and what to do about slots that were missed.
//!
//! Times in, times out. Not here: whose schedule it is, what it starts, and what the time is now; that is `store`.
//!
//! **Invariant:** no I/O and no clock. The same expression, zone and time always give the same slots.

mod catch_up;
mod cron;
mod describe;
mod field;
mod policy;
mod slots;
mod zone;

pub use catch_up::{Due, Skipped, due};
pub use cron::{Cron, EXPRESSION_BYTES_MAX, HORIZON_DAYS_MAX};
pub use field::Refused;
pub use policy::{
    CATCH_UP_AGE_S_MAX, CATCH_UP_AGE_S_MIN, CATCH_UP_SLOTS_MAX, CatchUp, CatchUpRule, ON_TIME, Overlap,
    UnknownPolicy,
};
pub use zone::{UnknownZone, ZONES_RELEASE, Zone};
