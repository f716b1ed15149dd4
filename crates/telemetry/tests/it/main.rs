//! What leaves the process: spans to a collector, metrics to Prometheus.

mod export;
mod prometheus;
