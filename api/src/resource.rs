//! A job as clients see it, and the answers that are kept for idempotency keys.

use chrono::{DateTime, Utc};
use jobs::{JobId, State, WorkflowId};
use serde::Serialize;
use serde_json::{Value, json};
use store::{
    enqueue::{Enqueued, NewJob},
    payload::{Object, Payload},
    reads::JobRecord,
    submit::Answer,
};
use utoipa::ToSchema;

use crate::problem::Problem;

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobResource {
    /// Which it is.
    #[schema(value_type = String, example = "job_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: JobId,
    /// What it does.
    #[schema(example = "media.rendition")]
    kind: String,
    /// Version of its arguments.
    version: i16,
    /// Where in its life it is.
    #[schema(value_type = String, example = "available")]
    state: State,
    /// The lane it runs in.
    queue: String,
    /// Who goes first: 1 before 4.
    priority: i16,
    /// Attempts begun so far.
    attempt: i16,
    /// Attempts before it is discarded.
    max_attempts: i16,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// Not before.
    scheduled_at: DateTime<Utc>,
    /// When the latest attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempted_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    finalized_at: Option<DateTime<Utc>>,
    /// When somebody asked for it to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_requested_at: Option<DateTime<Utc>>,
    /// It waits for a worker that knows its kind and version; `error` says what the last one knew.
    #[serde(skip_serializing_if = "is_false")]
    parked: bool,
    /// How far the running attempt is.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ProgressResource>,
    /// Its arguments. Left out in lists, and for keys without the scope `payloads:read`, as are result and metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    args: Option<Value>,
    /// Where its arguments are, when they take more than 64 KiB: for 15 minutes, or with your key if they are encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) args_url: Option<String>,
    /// What it left behind, once it is completed. Left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// Where its result is, when it takes more than 64 KiB: for 15 minutes, or with your key if it is encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result_url: Option<String>,
    #[serde(skip)]
    pub(crate) large_args: Option<Object>,
    #[serde(skip)]
    pub(crate) large_result: Option<Object>,
    /// What went wrong last: `code` and `message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
    /// The worker that has it, or had it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    /// Words to find it by.
    tags: Vec<String>,
    /// Anything of the caller's. Left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
    /// The trace it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    /// The workflow it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    workflow: Option<WorkflowId>,
    /// The same work was there already, and this is it.
    #[serde(skip_serializing_if = "is_false")]
    existing: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// How far a running job is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Progress)]
pub(crate) struct ProgressResource {
    /// 0 to 100.
    pub percent: i16,
    /// What it is doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl JobResource {
    /// A job that is about to be.
    pub(crate) fn of_new(new: &NewJob) -> Self {
        let state = if new.scheduled_at > new.created_at { State::Scheduled } else { State::Available };
        Self {
            id: new.id,
            kind: new.kind.to_owned(),
            version: new.kind_version as i16,
            state,
            queue: new.queue.name().to_owned(),
            priority: i16::from(new.priority.get()),
            attempt: 0,
            max_attempts: new.max_attempts as i16,
            created_at: new.created_at,
            scheduled_at: new.scheduled_at,
            attempted_at: None,
            finalized_at: None,
            cancel_requested_at: None,
            parked: false,
            progress: None,
            args: new.args.inline().cloned(),
            args_url: None,
            result: None,
            result_url: None,
            large_args: None,
            large_result: None,
            error: None,
            worker: None,
            tags: new.tags.clone(),
            metadata: new.metadata.clone(),
            workflow: new.member_of.map(|member| member.workflow),
            trace_id: new.traceparent.as_deref().and_then(telemetry::trace_context::trace_id),
            existing: false,
        }
    }

    /// A job with everything that is known of it.
    pub(crate) fn of(record: JobRecord) -> Result<Self, Problem> {
        let (id, state, member_of) = (record.id(), record.state()?, record.member_of());
        let progress = progress(&record);
        let (args, large_args) = apart(record.args.0);
        let (result, large_result) = record.result.map(|result| apart(result.0)).unwrap_or_default();
        Ok(Self {
            id,
            kind: record.kind,
            version: record.kind_version,
            state,
            queue: record.queue,
            priority: record.priority,
            attempt: record.attempt,
            max_attempts: record.max_attempts,
            created_at: record.created_at,
            scheduled_at: record.scheduled_at,
            attempted_at: record.attempted_at,
            finalized_at: record.finalized_at,
            cancel_requested_at: record.cancel_requested_at,
            parked: record.parked,
            progress,
            workflow: member_of.map(|member| member.workflow),
            args,
            args_url: None,
            result,
            result_url: None,
            large_args,
            large_result,
            error: record.error.map(|error| error.0),
            worker: record.worker,
            tags: record.tags.unwrap_or_default(),
            metadata: record.metadata.map(|metadata| metadata.0),
            trace_id: record.traceparent.as_deref().and_then(telemetry::trace_context::trace_id),
            existing: false,
        })
    }

    /// A job as a line of a list: without what may be large.
    pub(crate) fn line(record: JobRecord) -> Result<Self, Problem> {
        Ok(Self {
            args: None,
            result: None,
            large_args: None,
            large_result: None,
            metadata: None,
            ..Self::of(record)?
        })
    }

    /// Which it is.
    pub(crate) fn id(&self) -> JobId {
        self.id
    }

    /// After how many seconds it is worth to look again; none once it has ended.
    pub(crate) fn look_again_in_s(&self) -> Option<u64> {
        const LONGEST_S: i64 = 60;
        match self.state {
            state if state.is_final() => None,
            State::Scheduled | State::Retryable => {
                Some((self.scheduled_at - Utc::now()).num_seconds().clamp(1, LONGEST_S) as u64)
            }
            _ => Some(1),
        }
    }
}

/// What is in the row, and the object that stands for what is not.
fn apart(payload: Payload) -> (Option<Value>, Option<Object>) {
    match payload {
        Payload::Inline(value) => (Some(value), None),
        Payload::Object(object) => (None, Some(object)),
        Payload::Unopened(_) => (None, None),
    }
}

/// How far the running attempt of `record` is.
pub(crate) fn progress(record: &JobRecord) -> Option<ProgressResource> {
    let percent = record.progress_percent?;
    Some(ProgressResource { percent, message: record.progress_message.clone() })
}

/// Where a job is found.
pub(crate) fn location(job: JobId) -> String {
    format!("/v1/jobs/{job}")
}

/// The answer to a submission of one job that is new.
pub(crate) fn answer_accepted(new: &NewJob) -> Answer {
    Answer::of(202, Some(location(new.id)), &JobResource::of_new(new))
}

/// The answer to a submission of one job that exists already, as `id`.
pub(crate) fn answer_existing(id: JobId, record: Option<&JobRecord>) -> Answer {
    match record.cloned().and_then(|record| JobResource::of(record).ok()) {
        Some(resource) => Answer::of(200, Some(location(id)), &JobResource { existing: true, ..resource }),
        // Its history may have been pruned; its id still stands for the work.
        None => Answer::of(200, Some(location(id)), &json!({ "id": id, "existing": true })),
    }
}

/// The answer to a batch some of whose jobs exist already.
pub(crate) fn answer_batch(answer: &Answer, jobs: &[NewJob], enqueued: &[Enqueued]) -> Answer {
    let mut body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let items = body.get_mut("jobs").and_then(Value::as_array_mut).into_iter().flatten();
    let accepted = items.filter(|item| item.get("outcome").is_some_and(|outcome| outcome == "accepted"));
    let mut existing = 0_u64;
    for (item, (_, enqueued)) in accepted.zip(jobs.iter().zip(enqueued)) {
        if let Enqueued::Existing(id) = enqueued {
            existing += 1;
            item["outcome"] = "existing".into();
            item["id"] = id.to_string().into();
            item["location"] = location(*id).into();
        }
    }
    let accepted = jobs.len() as u64 - existing;
    body["accepted"] = accepted.into();
    body["existing"] = existing.into();
    Answer::of(if accepted > 0 { 202 } else { 200 }, None, &body)
}
