//! Logs, traces and metrics: how they are set up, and the names of what they carry.
//!
//! Not here: what is worth saying. Spans are opened and metrics touched where the work is, with the names from
//! [`fields`] and [`metrics`].
//!
//! **Invariant:** nothing in here can stop the work. A collector that is down costs spans, never a job.

pub mod fields;
pub mod metrics;
mod options;
mod setup;
pub mod trace_context;

pub use options::{LogFormat, Options, TelemetryError};
pub use setup::{Guard, init};
