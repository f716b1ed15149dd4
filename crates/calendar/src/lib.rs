//! What calendars outside say: entries in, busy time out; and bookings as the entries that we write.
//!
//! A wrong "free" sends somebody to two places at once, so whatever cannot be understood counts as busy, and is counted as a
//! doubt. Of an entry nothing is kept but when it is: no title, no place, nobody's name.
//!
//! **Invariant:** no I/O and no clock. Rules are followed by the clock on the wall and only then put into time, so a change
//! of clocks moves an entry as the wall clock does.

mod access;
mod busy;
mod event;
mod invite;
mod kept;
mod ours;
pub mod provided;
mod read;
mod rule;
mod tongue;
mod write;

pub use access::{Access, Grant};
pub use busy::{Busy, OCCURRENCES_MAX, TooMuch, busy};
pub use event::{Clock, Event, Moment};
pub use invite::{Method, NoReply, Person, Reply, Said, invitation, reply};
pub use ours::Ours;
pub use read::{CALENDAR_BYTES_MAX, EVENTS_MAX, Unreadable, read};
pub use tongue::Tongue;
pub use write::{Entry, feed};
