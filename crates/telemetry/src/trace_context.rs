//! Carrying a trace across the queue: the row of a job holds the context of the request that made it, so that request,
//! attempts and webhooks are one trace. W3C Trace Context, version 00.

use std::collections::HashMap;

use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// The `traceparent` of the current span, `None` outside of any.
pub fn current_traceparent() -> Option<String> {
    current().0
}

/// The `traceparent` and, where the trace brought one along, the `tracestate` of the current span.
pub fn current() -> (Option<String>, Option<String>) {
    let mut headers = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut headers);
    let tracestate = headers.remove(TRACESTATE).filter(|state| !state.is_empty());
    (headers.remove(TRACEPARENT), tracestate)
}

/// The trace that a `traceparent` names in hexadecimal, for showing it. `None` where it is not one.
pub fn trace_id(traceparent: &str) -> Option<String> {
    let context = extract(traceparent, None)?;
    let id = context.span().span_context().trace_id();
    (id != TraceId::INVALID).then(|| id.to_string())
}

/// Makes `span` a child of the span that `traceparent` names. Call it before the span is entered or has children.
///
/// Returns whether it did: a text that is no `traceparent`, or a span that has begun, leaves the span as it was.
pub fn set_parent(span: &Span, traceparent: &str) -> bool {
    set_parent_with_state(span, traceparent, None)
}

/// As [`set_parent`], with the `tracestate` that came along.
pub fn set_parent_with_state(span: &Span, traceparent: &str, tracestate: Option<&str>) -> bool {
    extract(traceparent, tracestate).is_some_and(|context| span.set_parent(context).is_ok())
}

fn extract(traceparent: &str, tracestate: Option<&str>) -> Option<Context> {
    if !is_well_formed(traceparent) {
        return None;
    }
    let mut parts = traceparent.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?) & TraceFlags::SAMPLED;
    // A trace state that cannot be read is no reason to lose the trace.
    let state = tracestate.and_then(|state| state.parse().ok()).unwrap_or_default();
    let remote = SpanContext::new(trace, span, flags, true, state);
    remote.is_valid().then(|| Context::new().with_remote_span_context(remote))
}

// Ids are read as numbers, and would be taken if they were shorter than the standard has them.
fn is_well_formed(traceparent: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut parts = traceparent.split('-');
    let widths_fit = [2, 32, 16, 2].into_iter().all(|width| {
        let part = parts.next().unwrap_or_default();
        part.len() == width && is_hex(part)
    });
    // Later versions may append; this one may not.
    widths_fit && (parts.next().is_none() || !traceparent.starts_with("00-"))
}
