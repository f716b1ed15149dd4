//! Webhooks that go out: who wants to be told, what happened, and how telling went.
//!
//! What happened is written in the transaction in which it happened, and only for tenants that have an endpoint. A service
//! makes deliveries of it, each with its job.

mod deliveries;
mod endpoints;
mod fan_out;
mod listeners;
mod recovering;
mod sending;
mod subjects;
mod telling;

pub use deliveries::{Attempt, Delivery, Filter, Resent, attempts, deliveries, delivery, resend, test};
pub use endpoints::{Created, Endpoint, NewEndpoint, create, enable, get, keys, list, remove, rotate};
pub use fan_out::{fan_out, prune};
pub use listeners::Listening;
pub(crate) use listeners::{Listeners, listening};
pub use recovering::{Recovered, recover};
pub use sending::{Dispatch, Tried, dispatch, tried};
pub use subjects::{Told, told_of};
pub(crate) use telling::{tell, tell_ended};
