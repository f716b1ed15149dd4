use std::{str::FromStr, sync::Arc, time::Duration};

use opentelemetry::{KeyValue, global, trace::TracerProvider};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{ParseError, Targets},
    fmt,
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

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

/// Keeps telemetry running. Dropping it sends what is left, for at most `flush_timeout_ms`.
#[must_use = "dropping the guard ends the export of traces"]
#[derive(Debug)]
pub struct Guard {
    provider: SdkTracerProvider,
    flush_timeout: Duration,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(self.flush_timeout) {
            tracing::warn!(%error, "The last traces may be lost");
        }
    }
}

/// Installs logs and traces for this process. Call it once, first thing in `main`, and hold the guard to the end.
pub fn init(options: &Options) -> Result<Guard, TelemetryError> {
    let (provider, subscriber) = build(options)?;
    global::set_text_map_propagator(TraceContextPropagator::new());
    let flush_timeout = Duration::from_millis(options.flush_timeout_ms);
    match subscriber.try_init() {
        Ok(()) => Ok(Guard { provider, flush_timeout }),
        Err(source) => Err(TelemetryError::Subscriber { source: Arc::new(source) }),
    }
}

fn build(options: &Options) -> Result<(SdkTracerProvider, impl SubscriberInitExt + use<>), TelemetryError> {
    let log_filter = EnvFilter::try_new(&options.log_filter).map_err(|source| TelemetryError::LogFilter {
        filter: options.log_filter.clone(),
        source: Arc::new(source),
    })?;
    let provider = provider(options)?;
    let traces = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("crewline"))
        .with_location(false)
        .with_threads(false)
        .with_filter(trace_filter());
    let subscriber = tracing_subscriber::registry()
        .with(traces)
        .with(log_layer(options.log_format).with_filter(log_filter));
    Ok((provider, subscriber))
}

// Traces have a filter of their own: a quiet log must not cut the thread that joins a request to its jobs.
// What the export itself does is left out, or each export would cause the next.
fn trace_filter() -> Targets {
    let exporting = ["opentelemetry", "reqwest", "hyper", "hyper_util", "h2", "rustls", "tower"];
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_targets(exporting.map(|target| (target, LevelFilter::OFF)))
}

type Traced = tracing_subscriber::layer::Layered<
    tracing_subscriber::filter::Filtered<
        tracing_opentelemetry::OpenTelemetryLayer<Registry, opentelemetry_sdk::trace::SdkTracer>,
        Targets,
        Registry,
    >,
    Registry,
>;

fn log_layer(format: LogFormat) -> Box<dyn Layer<Traced> + Send + Sync> {
    let lines = fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Pretty => Box::new(lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))),
        LogFormat::Json => {
            Box::new(lines.json().flatten_event(true).with_current_span(true).with_span_list(false))
        }
    }
}

fn provider(options: &Options) -> Result<SdkTracerProvider, TelemetryError> {
    if !(0.0..=1.0).contains(&options.sample_ratio) {
        return Err(TelemetryError::SampleRatio { ratio: options.sample_ratio });
    }
    let resource = Resource::builder()
        .with_service_name(options.service)
        .with_attribute(KeyValue::new("service.version", options.version))
        .build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = &options.otlp_endpoint else {
        // Spans still get their ids, for a job to carry. Nobody would read them, so none says it is recorded.
        let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
        return Ok(builder.with_sampler(sampler).build());
    };
    let config = BatchConfigBuilder::default()
        .with_scheduled_delay(Duration::from_millis(options.export_interval_ms))
        .build();
    let processor =
        BatchSpanProcessor::builder(exporter(endpoint, options)?).with_batch_config(config).build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(options.sample_ratio)));
    Ok(builder.with_sampler(sampler).with_span_processor(processor).build())
}

fn exporter(endpoint: &str, options: &Options) -> Result<SpanExporter, TelemetryError> {
    let timeout = Duration::from_millis(options.export_timeout_ms);
    // The process has one TLS provider. Whoever comes first installs it, and it is always this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A blocking client starts a runtime, which may not be done from within one.
    let made = std::thread::spawn(move || {
        reqwest::blocking::Client::builder().timeout(timeout).connect_timeout(timeout).build()
    });
    let client = made.join().map_err(|_| TelemetryError::Thread)?;
    let client = client.map_err(|source| TelemetryError::HttpClient { source: Arc::new(source) })?;
    SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(timeout)
        .build()
        .map_err(|source| TelemetryError::Exporter {
            endpoint: endpoint.to_owned(),
            source: Arc::new(source),
        })
}

#[cfg(test)]
mod tests {
    use std::{
        net::TcpListener,
        time::{Duration, Instant},
    };

    use tracing_subscriber::util::SubscriberInitExt;

    use super::{Guard, LogFormat, Options, TelemetryError, build};
    use crate::trace_context::{current, current_traceparent, set_parent, set_parent_with_state, trace_id};

    fn options() -> Options {
        Options {
            service: "test",
            version: "0",
            log_format: LogFormat::Pretty,
            log_filter: "off".to_owned(),
            otlp_endpoint: None,
            sample_ratio: 1.0,
            export_interval_ms: 3_600_000,
            export_timeout_ms: 30_000,
            flush_timeout_ms: 300,
        }
    }

    const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_trace_goes_through_a_row_without_any_collector() {
        let (_provider, subscriber) = build(&options()).unwrap();
        let _default = subscriber.set_default();
        assert_eq!(current_traceparent(), None);

        let carried = tracing::info_span!("request").in_scope(|| current_traceparent().unwrap());
        assert_eq!((carried.len(), &carried[..3]), (55, "00-"));
        let trace = trace_id(&carried).unwrap();

        let attempt = tracing::info_span!("attempt");
        assert!(set_parent(&attempt, &carried));
        let (inner, deeper) = attempt.in_scope(|| {
            let deeper = tracing::info_span!("deeper").in_scope(|| current_traceparent().unwrap());
            (current_traceparent().unwrap(), deeper)
        });
        assert_eq!(trace_id(&inner).as_ref(), Some(&trace));
        assert_eq!(trace_id(&deeper).as_ref(), Some(&trace));
        assert_ne!(inner, carried);
        assert_ne!(inner, deeper);
        // Nobody records here, so nobody downstream is told that somebody does.
        assert!(carried.ends_with("-00"), "{carried}");
    }

    #[test]
    fn what_the_caller_began_is_carried_on_as_it_was() {
        let (_provider, subscriber) = build(&options()).unwrap();
        let _default = subscriber.set_default();
        let span = tracing::info_span!("request");
        assert!(set_parent_with_state(&span, SAMPLED, Some("vendor=1")));
        let (traceparent, tracestate) = span.in_scope(current);
        let traceparent = traceparent.unwrap();
        assert!(traceparent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{traceparent}");
        assert!(traceparent.ends_with("-01"), "{traceparent}");
        assert_eq!(tracestate.as_deref(), Some("vendor=1"));
        assert!(!set_parent(&span, SAMPLED), "it has begun");
    }

    #[test]
    fn what_is_no_traceparent_changes_nothing() {
        let (_provider, subscriber) = build(&options()).unwrap();
        let _default = subscriber.set_default();
        for text in [
            "",
            "hello",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-1-2-01",
            &format!("{SAMPLED}-x"),
            &SAMPLED.to_uppercase(),
        ] {
            let span = tracing::info_span!("request");
            assert!(!set_parent(&span, text), "{text:?}");
            assert_eq!(trace_id(text), None);
            assert!(span.in_scope(current_traceparent).is_some());
        }
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        let refused = |options: Options| build(&options).err().unwrap();
        let filter = refused(Options { log_filter: "a=b=c".to_owned(), ..options() });
        assert!(matches!(filter, TelemetryError::LogFilter { .. }), "{filter:?}");
        let ratio = refused(Options { sample_ratio: 1.5, ..options() });
        assert!(matches!(ratio, TelemetryError::SampleRatio { .. }), "{ratio:?}");
        let ratio = refused(Options { sample_ratio: f64::NAN, ..options() });
        assert!(matches!(ratio, TelemetryError::SampleRatio { .. }), "{ratio:?}");
        let endpoint = refused(Options { otlp_endpoint: Some("not a url".to_owned()), ..options() });
        assert!(matches!(endpoint, TelemetryError::Exporter { .. }), "{endpoint:?}");
        assert!("xml".parse::<LogFormat>().is_err());
        assert_eq!("json".parse::<LogFormat>().unwrap(), LogFormat::Json);
    }

    #[test]
    fn a_collector_that_says_nothing_does_not_hold_the_process() {
        // The system accepts for it; nobody ever reads.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let options = Options { otlp_endpoint: Some(endpoint), ..options() };
        let (provider, subscriber) = build(&options).unwrap();
        let default = subscriber.set_default();
        tracing::info_span!("request").in_scope(|| {});
        drop(default);
        let dropped_at = Instant::now();
        drop(Guard { provider, flush_timeout: Duration::from_millis(options.flush_timeout_ms) });
        assert!(dropped_at.elapsed() < Duration::from_secs(5), "{:?}", dropped_at.elapsed());
    }
}
