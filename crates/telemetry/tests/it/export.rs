use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
};
use prost::Message;
use telemetry::{LogFormat, Options, TelemetryError, fields, trace_context};
use tracing::{Instrument, info_span};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A collector that takes one request.
fn collector() -> (SocketAddr, mpsc::Receiver<(String, ExportTraceServiceRequest)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (taken, received) = mpsc::channel();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let (mut head, mut bytes) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line == "\r\n" {
                break;
            }
            if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                bytes = length.trim().parse().unwrap();
            }
            head.push_str(&line);
        }
        let mut body = vec![0; bytes];
        reader.read_exact(&mut body).unwrap();
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        taken.send((head, ExportTraceServiceRequest::decode(body.as_slice()).unwrap())).unwrap();
    });
    (address, received)
}

fn options(address: SocketAddr) -> Options {
    Options {
        service: "workers",
        version: "1.2.3",
        log_format: LogFormat::Json,
        log_filter: "error".to_owned(),
        otlp_endpoint: Some(format!("http://{address}/")),
        sample_ratio: 1.0,
        // Longer than the test: what arrives was sent by dropping the guard.
        export_interval_ms: 3_600_000,
        export_timeout_ms: 5_000,
        flush_timeout_ms: 5_000,
    }
}

fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == name)?;
    match &attribute.value {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some(text.clone()),
        other => Some(format!("{other:?}")),
    }
}

// The one test that installs a subscriber for this process, from within a runtime, as both programs do.
#[tokio::test]
async fn spans_reach_the_collector_when_the_guard_goes() {
    let (address, received) = collector();
    let guard = telemetry::init(&options(address)).unwrap();
    let twice = telemetry::init(&Options { otlp_endpoint: None, ..options(address) });
    assert!(matches!(twice, Err(TelemetryError::Subscriber { .. })));

    let span = info_span!(
        fields::SPAN_JOB_WORK,
        { fields::JOB_ID } = "job_1",
        { fields::JOB_KIND } = "media.rendition",
        { fields::JOB_ATTEMPT } = 2,
        { fields::JOB_OUTCOME } = tracing::field::Empty,
    );
    assert!(trace_context::set_parent(&span, PARENT));
    let inner = async { trace_context::current_traceparent().unwrap() }.instrument(span.clone()).await;
    span.record(fields::JOB_OUTCOME, "completed");
    drop(span);
    drop(guard);

    let (head, request) = received.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("content-type: application/x-protobuf"), "{head}");
    let resource = &request.resource_spans[0];
    let about = &resource.resource.as_ref().unwrap().attributes;
    assert_eq!(text(about, "service.name").as_deref(), Some("workers"));
    assert_eq!(text(about, "service.version").as_deref(), Some("1.2.3"));
    let span = &resource.scope_spans[0].spans[0];
    assert_eq!(span.name, "job.work");
    assert_eq!(hex(&span.trace_id), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(hex(&span.parent_span_id), "b7ad6b7169203331");
    assert_eq!(inner, format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id)));
    assert_eq!(text(&span.attributes, "job.id").as_deref(), Some("job_1"));
    assert_eq!(text(&span.attributes, "job.kind").as_deref(), Some("media.rendition"));
    assert_eq!(text(&span.attributes, "job.outcome").as_deref(), Some("completed"));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
