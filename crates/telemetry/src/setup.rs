use std::{sync::Arc, time::Duration};

use opentelemetry::{KeyValue, global, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{LogFormat, Options, TelemetryError};

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
    let (provider, subscriber) = build(options, std::io::stderr)?;
    global::set_text_map_propagator(TraceContextPropagator::new());
    let flush_timeout = Duration::from_millis(options.flush_timeout_ms);
    match subscriber.try_init() {
        Ok(()) => Ok(Guard { provider, flush_timeout }),
        Err(source) => Err(TelemetryError::Subscriber { source: Arc::new(source) }),
    }
}

fn build<W>(
    options: &Options,
    log: W,
) -> Result<(SdkTracerProvider, impl SubscriberInitExt + use<W>), TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let log_filter = EnvFilter::try_new(&options.log_filter).map_err(|source| TelemetryError::LogFilter {
        filter: options.log_filter.clone(),
        source: Arc::new(source),
    })?;
    let provider = provider(options)?;
    let mut layers = vec![log_layer(options.log_format, log).with_filter(log_filter).boxed()];
    // A span that nobody reads still costs as much as a small job.
    if options.otlp_endpoint.is_some() {
        let traces = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("crewline"))
            .with_location(false)
            .with_threads(false);
        layers.insert(0, traces.with_filter(trace_filter()).boxed());
    }
    Ok((provider, tracing_subscriber::registry().with(layers)))
}

// Traces have a filter of their own: a quiet log must not cut the thread that joins a request to its jobs.
// What the export itself does is left out, or each export would cause the next; the embedded S3 is left out because
// its spans hold whole requests. A name here stands for all that begin with it.
fn trace_filter() -> Targets {
    let left_out = ["opentelemetry", "reqwest", "hyper", "h2", "rustls", "s3s"];
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_targets(left_out.map(|target| (target, LevelFilter::OFF)))
}

fn log_layer<W>(format: LogFormat, log: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(log);
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
        return Ok(builder.build());
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
        io::Write,
        net::TcpListener,
        sync::{Arc, Mutex, MutexGuard, PoisonError},
        time::{Duration, Instant},
    };

    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing::{Instrument, subscriber::DefaultGuard};
    use tracing_subscriber::{fmt::MakeWriter, util::SubscriberInitExt};

    use super::{Guard, build};
    use crate::trace_context::{
        carry, current, current_traceparent, set_parent, set_parent_with_state, trace_id,
    };
    use crate::{LogFormat, Options, TelemetryError, fields};

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

    /// Spans are made, and go nowhere.
    fn collected() -> Options {
        Options { otlp_endpoint: Some("http://127.0.0.1:9".to_owned()), ..options() }
    }

    /// One subscriber at a time: one that goes while another comes is dropped under the lock of the list that both are in,
    /// and what it says as it goes waits for that lock forever. A process has one and never meets this.
    static ALONE: Mutex<()> = Mutex::new(());

    /// A subscriber at work until this goes, and nobody else's before.
    struct Installed {
        _default: DefaultGuard,
        _alone: MutexGuard<'static, ()>,
    }

    fn install<W>(options: &Options, log: W) -> (SdkTracerProvider, Installed)
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (provider, subscriber) = build(options, log).unwrap();
        (provider, Installed { _default: subscriber.set_default(), _alone: alone })
    }

    #[tokio::test]
    async fn a_trace_goes_through_a_row_without_any_collector() {
        let _installed = install(&options(), std::io::sink);
        assert_eq!(current_traceparent(), None);

        let told = async || tracing::info_span!("request").in_scope(|| current_traceparent().unwrap());
        let carried = carry(None, told()).await;
        assert_eq!((carried.len(), &carried[..3]), (55, "00-"));
        // Nobody records here, so nobody downstream is told that somebody does.
        assert!(carried.ends_with("-00"), "{carried}");
        assert_ne!(carried, carry(None, told()).await);

        let next = carry(Some(&carried), told()).await;
        assert_ne!(next, carried);
        assert_eq!(trace_id(&next), trace_id(&carried));
        assert!(carry(Some(SAMPLED), told()).await.ends_with("-01"), "as its beginning has it");
        assert_eq!(carry(Some("hello"), told()).await.len(), 55);
    }

    #[tokio::test]
    async fn a_trace_goes_through_a_row_to_a_collector() {
        let _installed = install(&collected(), std::io::sink);
        let told = async || current_traceparent().unwrap();
        let carried = carry(None, told().instrument(tracing::info_span!("request"))).await;
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
    }

    #[test]
    fn what_the_caller_began_is_carried_on_as_it_was() {
        let _installed = install(&collected(), std::io::sink);
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
        let _installed = install(&collected(), std::io::sink);
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

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_line_is_one_object_with_the_fields_of_its_span() {
        let lines = Lines::default();
        let log = lines.clone();
        let options =
            Options { log_format: LogFormat::Json, log_filter: "info,noisy=warn".to_owned(), ..options() };
        let _installed = install(&options, move || log.clone());
        let span = tracing::info_span!(fields::SPAN_JOB_WORK, { fields::JOB_ID } = "job_1");
        span.in_scope(|| {
            tracing::info!({ fields::JOB_KIND } = "media.rendition", "Working on job_1");
            tracing::debug!("not this");
            tracing::info!(target: "noisy", "nor this");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "Working on job_1");
        assert_eq!(line["job.kind"], "media.rendition");
        assert_eq!(line["span"]["name"], "job.work");
        assert_eq!(line["span"]["job.id"], "job_1");
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        let refused = |options: Options| build(&options, std::io::sink).err().unwrap();
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
        let (provider, installed) = install(&options, std::io::sink);
        tracing::info_span!("request").in_scope(|| {});
        drop(installed);
        let dropped_at = Instant::now();
        drop(Guard { provider, flush_timeout: Duration::from_millis(options.flush_timeout_ms) });
        assert!(dropped_at.elapsed() < Duration::from_secs(5), "{:?}", dropped_at.elapsed());
    }
}
