//! Names of spans and of their fields, dotted, with the unit last.
//!
//! `tracing` macros take field names as literals or as `{ CONSTANT }`:
//!
//! ```ignore
//! let span = info_span!("job.work", { fields::JOB_ID } = %id, { fields::JOB_KIND } = kind);
//! ```

/// Span: one attempt at a job.
pub const SPAN_JOB_WORK: &str = "job.work";
/// Span: a request is answered.
pub const SPAN_HTTP_REQUEST: &str = "http.request";

/// A job, as `job_…`.
pub const JOB_ID: &str = "job.id";
/// What the job is.
pub const JOB_KIND: &str = "job.kind";
/// Which attempt this is, from 1.
pub const JOB_ATTEMPT: &str = "job.attempt";
/// How the attempt ended.
pub const JOB_OUTCOME: &str = "job.outcome";
/// How long the attempt took.
pub const JOB_DURATION_MS: &str = "job.duration_ms";
/// The lane.
pub const QUEUE_NAME: &str = "queue.name";
/// Whose work it is, as `ten_…`.
pub const TENANT_ID: &str = "tenant.id";
/// The worker process.
pub const WORKER_NAME: &str = "worker.name";
/// Work that repeats, as `sch_…`.
pub const SCHEDULE_ID: &str = "schedule.id";
/// A bulk operation, as `blk_…`.
pub const BULK_ID: &str = "bulk.id";
/// An original, as `ast_…`.
pub const ASSET_ID: &str = "asset.id";
/// The request, as the client sees it.
pub const REQUEST_ID: &str = "request.id";
/// Method of the request.
pub const HTTP_METHOD: &str = "http.request.method";
/// The route's pattern, never the path.
pub const HTTP_ROUTE: &str = "http.route";
/// Status of the answer.
pub const HTTP_STATUS: &str = "http.response.status_code";
/// An object in S3.
pub const BLOB_KEY: &str = "blob.key";
/// What went wrong, with its causes.
pub const ERROR: &str = "error";
