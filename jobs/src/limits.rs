//! Limits that the contracts themselves carry. Each is published in ARCHITECTURE.md.

/// Arguments of one job that are kept in its row, serialised.
pub const ARGS_BYTES_MAX: usize = 64 * 1024;
/// Result of one job that is kept in its row, serialised.
pub const RESULT_BYTES_MAX: usize = 64 * 1024;
/// Arguments of one job, serialised; those too large for a row are an object in S3.
pub const LARGE_ARGS_BYTES_MAX: usize = 1024 * 1024;
/// Result of one job, serialised; one too large for a row is an object in S3.
pub const LARGE_RESULT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Jobs that one settle may enqueue in its transaction.
pub const FOLLOW_UPS_MAX: usize = 100;
/// Tags on one job.
pub const TAGS_MAX: usize = 16;
/// Bytes of one tag.
pub const TAG_BYTES_MAX: usize = 64;
/// Metadata of one job, serialised.
pub const METADATA_BYTES_MAX: usize = 4 * 1024;
/// How far ahead a job may be scheduled.
pub const SCHEDULE_AHEAD_DAYS_MAX: i64 = 400;
/// Bytes of a concurrency key.
pub const CONCURRENCY_KEY_BYTES_MAX: usize = 180;
/// Longest promise, in seconds: a week.
pub const PROMISE_S_MAX: u32 = 604_800;
/// Longest wait before a job changes over to another queue, in seconds: a week.
pub const HOP_AFTER_S_MAX: u32 = 604_800;
/// Attempts a caller may ask for.
pub const ATTEMPTS_MAX: u16 = 50;
/// Workers a job may take down with it before it is discarded.
pub const CRASHES_MAX: u16 = 3;
/// Longest error text kept of an attempt.
pub const ERROR_BYTES_MAX: usize = 4 * 1024;
/// Log lines kept of one attempt.
pub const LOG_LINES_MAX: u32 = 1_000;
/// Bytes of one log line.
pub const LOG_LINE_BYTES_MAX: usize = 2 * 1024;
/// Candidates that are asked about one visit, one after the other, each time that somebody is looked for.
pub const MATCH_ROUNDS_MAX: i16 = 5;
/// Candidates that are asked about one visit in all, however often somebody else is looked for.
pub const MATCH_ROUNDS_EVER_MAX: i16 = 100;
