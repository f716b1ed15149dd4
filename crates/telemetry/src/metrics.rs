//! Names and meanings of all metrics, and the recorder that Prometheus reads.
//!
//! Each has its labels beside it. No label holds an id: a series per job or tenant would outgrow any server.

use std::sync::Arc;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
pub use metrics_exporter_prometheus::PrometheusHandle;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

use crate::TelemetryError;

/// Counter `{kind,queue}`: jobs taken in.
pub const JOBS_ENQUEUED_TOTAL: &str = "jobs_enqueued_total";
/// Counter `{kind,outcome}`: attempts that ended.
pub const JOB_ATTEMPTS_TOTAL: &str = "job_attempts_total";
/// Histogram `{kind}`: how long an attempt took.
pub const JOB_DURATION_SECONDS: &str = "job_duration_seconds";
/// Histogram `{kind}`: from the moment a job could run to the start of its attempt.
pub const JOB_WAIT_SECONDS: &str = "job_wait_seconds";
/// Counter `{kind,outcome}`: promises `kept` and `broken` by jobs that ended.
pub const PROMISES_TOTAL: &str = "promises_total";
/// Gauge `{queue}`: live jobs whose promise is broken or has less than half of its time left, read from Postgres when
/// scraped.
pub const PROMISES_AT_RISK: &str = "promises_at_risk";
/// Gauge `{state,queue}`: jobs by state, read from Postgres when scraped.
pub const JOBS: &str = "jobs";
/// Gauge `{queue}`: age of the oldest job that could run, read from Postgres when scraped.
pub const QUEUE_OLDEST_SECONDS: &str = "queue_oldest_seconds";
/// Gauge `{queue}`: tickets in Redis that no worker has taken.
pub const TICKETS_WAITING: &str = "tickets_waiting";
/// Counter `{route,method,status}`: requests answered.
pub const HTTP_REQUESTS_TOTAL: &str = "http_requests_total";
/// Histogram `{route,method}`: how long an answer took.
pub const HTTP_REQUEST_DURATION_SECONDS: &str = "http_request_duration_seconds";
/// Gauge `{queue,state}`: slots of this worker, `busy` and `free`.
pub const WORKER_SLOTS: &str = "worker_slots";
/// Counter `{outcome}`: jobs taken back from dead workers.
pub const JOBS_RESCUED_TOTAL: &str = "jobs_rescued_total";
/// Counter `{outcome}`: slots of schedules that were decided about.
pub const SCHEDULE_FIRES_TOTAL: &str = "schedule_fires_total";
/// Counter `{action,outcome}`: jobs that bulk operations met.
pub const BULK_JOBS_TOTAL: &str = "bulk_jobs_total";
/// Counter `{outcome}`: originals that the virus scanner gave its opinion of.
pub const ASSETS_SCANNED_TOTAL: &str = "assets_scanned_total";
/// Counter `{outcome}`: messages that were handed to whoever carries them.
pub const MESSAGES_TOTAL: &str = "messages_total";
/// Counter `{outcome}`: alerts that fired or ended.
pub const ALERTS_TOTAL: &str = "alerts_total";
/// Counter: log lines and progress that could not be stored in time.
pub const JOB_WORDS_LOST_TOTAL: &str = "job_words_lost_total";

/// Label: the kind of a job.
pub const LABEL_KIND: &str = "kind";
/// Label: a queue.
pub const LABEL_QUEUE: &str = "queue";
/// Label: how an attempt ended.
pub const LABEL_OUTCOME: &str = "outcome";
/// Label: the state of a job or a slot.
pub const LABEL_STATE: &str = "state";
/// Label: a route's pattern.
pub const LABEL_ROUTE: &str = "route";
/// Label: a request's method.
pub const LABEL_METHOD: &str = "method";
/// Label: an answer's status.
pub const LABEL_STATUS: &str = "status";

/// Upper bounds for waits and durations of jobs: from a thumbnail's millisecond to an hour of film.
pub const JOB_BUCKETS_S: [f64; 21] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0,
    300.0, 600.0, 1_800.0, 3_600.0,
];
/// Upper bounds for answers over HTTP. An answer after a minute has failed, whatever it says.
pub const HTTP_BUCKETS_S: [f64; 14] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0];

/// Makes this process record metrics and describes them. Once per process; render the handle when scraped.
///
/// Histograms keep what they were given until they are rendered or [`PrometheusHandle::run_upkeep`] is called: the
/// caller does that every few seconds, so that a process nobody scrapes does not grow.
pub fn install_prometheus() -> Result<PrometheusHandle, TelemetryError> {
    let failed = |error| TelemetryError::Prometheus { source: Arc::new(error) };
    let handle = PrometheusBuilder::new()
        .set_buckets(&JOB_BUCKETS_S)
        .and_then(|builder| {
            let http = Matcher::Full(HTTP_REQUEST_DURATION_SECONDS.to_owned());
            builder.set_buckets_for_metric(http, &HTTP_BUCKETS_S)
        })
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(failed)?;
    describe();
    Ok(handle)
}

fn describe() {
    describe_counter!(JOBS_ENQUEUED_TOTAL, Unit::Count, "Jobs taken in.");
    describe_counter!(JOB_ATTEMPTS_TOTAL, Unit::Count, "Attempts that ended, by how.");
    describe_histogram!(JOB_DURATION_SECONDS, Unit::Seconds, "How long an attempt took.");
    describe_histogram!(JOB_WAIT_SECONDS, Unit::Seconds, "From the moment a job could run until it did.");
    describe_counter!(PROMISES_TOTAL, Unit::Count, "Promises kept and broken by jobs that ended.");
    describe_gauge!(PROMISES_AT_RISK, Unit::Count, "Live jobs whose promise is at risk or broken.");
    describe_gauge!(JOBS, Unit::Count, "Jobs by state.");
    describe_gauge!(QUEUE_OLDEST_SECONDS, Unit::Seconds, "Age of the oldest job that could run.");
    describe_gauge!(TICKETS_WAITING, Unit::Count, "Tickets that no worker has taken.");
    describe_counter!(HTTP_REQUESTS_TOTAL, Unit::Count, "Requests answered.");
    describe_histogram!(HTTP_REQUEST_DURATION_SECONDS, Unit::Seconds, "How long an answer took.");
    describe_gauge!(WORKER_SLOTS, Unit::Count, "Slots of this worker, busy and free.");
    describe_counter!(JOBS_RESCUED_TOTAL, Unit::Count, "Jobs taken back from dead workers.");
    describe_counter!(SCHEDULE_FIRES_TOTAL, Unit::Count, "Slots of schedules that were decided about.");
    describe_counter!(BULK_JOBS_TOTAL, Unit::Count, "Jobs that bulk operations met.");
    describe_counter!(ASSETS_SCANNED_TOTAL, Unit::Count, "Originals scanned for viruses, by verdict.");
    describe_counter!(MESSAGES_TOTAL, Unit::Count, "Messages handed over, by what became of them.");
    describe_counter!(ALERTS_TOTAL, Unit::Count, "Alerts that fired or ended.");
    describe_counter!(
        JOB_WORDS_LOST_TOTAL,
        Unit::Count,
        "Log lines and progress that could not be stored in time."
    );
}
