//! Calendars outside: reading what they say, and writing bookings into them.

mod caldav;
mod multistatus;
mod pull;
mod push;
mod trouble;

pub(crate) use self::{pull::pull, push::push, trouble::Trouble};
