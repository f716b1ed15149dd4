//! Carrying a trace across the queue: the row of a job holds the context of the request that made it, so that request,
//! attempts and webhooks are one trace. W3C Trace Context, version 00.
//!
//! Where nobody collects spans there are none; then [`carry`] keeps the thread in hand.

use std::{collections::HashMap, future::Future};

use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{IdGenerator, RandomIdGenerator},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

tokio::task_local! {
    static CARRIED: String;
}

/// Runs `future` as a part of the trace that `parent` names, or of a new one, for [`current_traceparent`] to tell. A span
/// that is collected knows better and goes before.
pub fn carry<F: Future>(parent: Option<&str>, future: F) -> impl Future<Output = F::Output> {
    CARRIED.scope(child_of(parent), future)
}

/// A new span's `traceparent`. Nobody records it, so a trace that begins with it is not sampled.
fn child_of(parent: Option<&str>) -> String {
    let context = parent.and_then(|parent| extract(parent, None));
    let begun = context.as_ref().map(|context| context.span().span_context().clone());
    let ids = RandomIdGenerator::default();
    let trace = begun.as_ref().map_or_else(|| ids.new_trace_id(), SpanContext::trace_id);
    let flags = begun.map_or(TraceFlags::default(), |begun| begun.trace_flags());
    format!("00-{trace}-{}-{:02x}", ids.new_span_id(), flags.to_u8())
}

/// The `traceparent` of the current span, or of what is [carried](carry); `None` outside of any.
pub fn current_traceparent() -> Option<String> {
    current().0.or_else(|| CARRIED.try_with(Clone::clone).ok())
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
    !span.is_disabled()
        && extract(traceparent, tracestate).is_some_and(|context| span.set_parent(context).is_ok())
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
