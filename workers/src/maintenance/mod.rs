//! What keeps the platform going: small services without input, each safe to run anywhere, twice, or not at all for a
//! while. They are woken by a signal and by a timer, and every query they make is bounded.

pub mod abandoned;
pub mod alerts;
pub mod bounces;
pub mod bulk;
pub mod calendars;
pub mod door;
pub mod fan_out;
pub mod film_parts;
pub mod forgotten_scans;
pub mod graves;
pub mod housekeeper;
pub mod leases;
pub mod old_scans;
pub mod parking;
pub mod payloads;
pub mod presence;
pub mod quarantine;
pub mod release;
pub mod rescuer;
pub mod resealing;
pub mod retention;
pub mod scheduler;
pub mod stranded;
pub mod summing;

/// An error and its causes on one line, for a service that will simply try again.
fn chain(error: &dyn std::error::Error) -> String {
    jobs::failure::Problem::of("", error).message
}
