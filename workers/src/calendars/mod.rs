//! Calendars outside: reading what they say, and writing bookings into them.

mod book;
mod caldav;
mod granted;
mod multistatus;
mod provided;
mod providers;
mod pull;
mod push;
mod trouble;
mod watch;

pub use self::providers::CalendarArgs;
pub(crate) use self::{pull::pull, push::push, trouble::Trouble, watch::watch};
