use std::{str::FromStr, sync::Arc};

use opentelemetry_otlp::ExporterBuildError;
use tracing_subscriber::{filter::ParseError, util::TryInitError};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: one line, coloured on a terminal.
    Pretty,
    /// For machines: one JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, TelemetryError> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err(TelemetryError::LogFormat { text: text.to_owned() }),
        }
    }
}

/// What to record and where to send it.
#[derive(Debug, Clone)]
pub struct Options {
    /// The service that traces name: `api` or `workers`.
    pub service: &'static str,
    /// Its version, also for the traces.
    pub version: &'static str,
    /// How log lines look. They go to stderr.
    pub log_format: LogFormat,
    /// Which lines are written, such as `info,sqlx=warn`. Does not touch traces.
    pub log_filter: String,
    /// The OTLP/HTTP collector, without a path, such as `http://otel:4318`. `None` records no traces.
    pub otlp_endpoint: Option<String>,
    /// The share of new traces to record, from 0 to 1. A trace that was begun elsewhere follows its beginning.
    pub sample_ratio: f64,
    /// How long a batch of spans is collected before it is sent.
    pub export_interval_ms: u64,
    /// Longest wait for the collector to take a batch.
    pub export_timeout_ms: u64,
    /// Longest wait, when the process ends, for the last spans to be taken.
    pub flush_timeout_ms: u64,
}

/// Why telemetry could not be set up.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TelemetryError {
    /// The format of the log is none of ours.
    #[error("{text:?} is not a log format: pretty or json")]
    LogFormat {
        /// What was given.
        text: String,
    },
    /// The filter does not parse.
    #[error("{filter:?} is not a log filter")]
    LogFilter {
        /// What was given.
        filter: String,
        /// Why.
        #[source]
        source: Arc<ParseError>,
    },
    /// A share is between 0 and 1.
    #[error("the share of traces to record is between 0 and 1, not {ratio}")]
    SampleRatio {
        /// What was given.
        ratio: f64,
    },
    /// The client for the collector could not be made.
    #[error("could not make an HTTP client for the trace collector")]
    HttpClient {
        /// Why.
        #[source]
        source: Arc<reqwest::Error>,
    },
    /// The exporter could not be made.
    #[error("could not make an exporter to {endpoint}")]
    Exporter {
        /// The collector.
        endpoint: String,
        /// Why.
        #[source]
        source: Arc<ExporterBuildError>,
    },
    /// A thread could not be started.
    #[error("could not start a thread to make the exporter in")]
    Thread,
    /// This process has a subscriber already.
    #[error("could not install the subscriber for logs and traces")]
    Subscriber {
        /// Why.
        #[source]
        source: Arc<TryInitError>,
    },
    /// This process has a recorder already, or the buckets are wrong.
    #[error("could not install the recorder for metrics")]
    Prometheus {
        /// Why.
        #[source]
        source: Arc<metrics_exporter_prometheus::BuildError>,
    },
}
