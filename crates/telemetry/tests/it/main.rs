//! What leaves the process: spans to a collector, metrics to Prometheus.

#![expect(clippy::unwrap_used, reason = "what a test stands on has to hold, in its helpers too")]

mod export;
mod prometheus;
