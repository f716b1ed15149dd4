//! Bulk operations as clients ask for them and see them.

use ::jobs::{BulkOperationId, Priority, Queue, State, limits::TAG_BYTES_MAX};
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::bulk::{Action, Expected, Filter, Operation, OperationState, Preview, Wanted};
use utoipa::ToSchema;

use crate::{
    limits::{BULK_ERROR_CODE_BYTES_MAX, BULK_EXPECTED_MAX},
    problem::{FieldError, Problem},
    resource::JobResource,
};

/// What to do, and to which jobs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBulkOperation)]
pub(crate) struct BulkBody {
    /// `retry` runs ended jobs again and lets waiting ones skip their wait; `cancel` stops live jobs; `discard` gives
    /// waiting jobs up; `reprioritise` moves waiting jobs to the end of the line of another priority.
    #[schema(value_type = String, example = "retry")]
    pub action: Action,
    /// Which jobs.
    pub filter: FilterBody,
    /// The priority they get: for `reprioritise`, or to `retry` behind other work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 4)]
    pub priority: Option<Priority>,
    /// Only count the jobs and show some; change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// How many jobs you believe to fit, such as the `count` of a dry run. When the number has moved by more than a tenth,
    /// nothing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub expected_count: Option<i64>,
}

/// Which jobs. Every condition has to hold; what is left out is not asked about.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BulkFilter)]
pub(crate) struct FilterBody {
    /// In one of these states. `retry` takes scheduled, retryable, completed, cancelled, discarded; `cancel` takes
    /// available, scheduled, running, retryable; the others take available, scheduled, retryable.
    #[schema(value_type = Vec<String>, example = json!(["discarded"]))]
    states: Vec<State>,
    /// Of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// In this queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    queue: Option<Queue>,
    /// With this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    /// Whose latest `error` has this `code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "timeout")]
    error_code: Option<String>,
    /// Asked for then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_after: Option<DateTime<Utc>>,
    /// Asked for earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_before: Option<DateTime<Utc>>,
    /// Ended then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_after: Option<DateTime<Utc>>,
    /// Ended earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_before: Option<DateTime<Utc>>,
}

impl BulkBody {
    /// What is stored, or every field that keeps it from being stored.
    pub(crate) fn check(self) -> Result<(Wanted, Option<Expected>), Vec<FieldError>> {
        let mut errors = self.filter.check(self.action);
        match (self.action, self.priority) {
            (Action::Reprioritise, None) => {
                errors.push(FieldError::new("/priority", "reprioritise takes the new priority, 1 to 4"));
            }
            (Action::Cancel | Action::Discard, Some(_)) => {
                let detail = format!("{} takes no priority", self.action.name());
                errors.push(FieldError::new("/priority", detail));
            }
            _ => {}
        }
        if self.expected_count.is_some_and(|count| !(0..=BULK_EXPECTED_MAX).contains(&count)) {
            errors.push(FieldError::new("/expected_count", format!("0 to {BULK_EXPECTED_MAX}")));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let FilterBody {
            states,
            kind,
            queue,
            tag,
            error_code,
            created_after,
            created_before,
            finished_after,
            finished_before,
        } = self.filter;
        let filter = Filter {
            states,
            kind,
            queue,
            tag,
            error_code,
            created_after,
            created_before,
            finished_after,
            finished_before,
            changed_by: None,
        };
        let wanted = Wanted { action: self.action, filter, priority: self.priority };
        Ok((wanted, self.expected_count.map(Expected)))
    }
}

impl FilterBody {
    fn check(&self, action: Action) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut refuse = |pointer: &str, wrong: bool, detail: String| {
            if wrong {
                errors.push(FieldError::new(format!("/filter/{pointer}"), detail));
            }
        };
        let takes: Vec<&str> = action.takes().iter().map(|state| state.name()).collect();
        let odd = self.states.is_empty() || self.states.iter().any(|state| !action.takes().contains(state));
        refuse("states", odd, format!("{} takes one or more of {}", action.name(), takes.join(", ")));
        let unknown = self.kind.as_deref().is_some_and(|kind| ::jobs::spec(kind).is_none());
        refuse("kind", unknown, "no such kind; see GET /v1/kinds".to_owned());
        for (pointer, text, most) in
            [("tag", &self.tag, TAG_BYTES_MAX), ("error_code", &self.error_code, BULK_ERROR_CODE_BYTES_MAX)]
        {
            let fits =
                |text: &String| (1..=most).contains(&text.len()) && !text.chars().any(char::is_control);
            let detail = format!("1 to {most} bytes without control characters");
            refuse(pointer, !text.as_ref().is_none_or(fits), detail);
        }
        for (after, before, since, until) in [
            ("created_after", "created_before", self.created_after, self.created_before),
            ("finished_after", "finished_before", self.finished_after, self.finished_before),
        ] {
            let beyond = |at: Option<DateTime<Utc>>| at.is_some_and(|at| !(2000..=9999).contains(&at.year()));
            refuse(after, beyond(since), "in the years 2000 to 9999".to_owned());
            refuse(before, beyond(until), "in the years 2000 to 9999".to_owned());
            let is_empty = since.zip(until).is_some_and(|(since, until)| since >= until);
            refuse(before, is_empty, format!("later than {after}"));
        }
        errors
    }
}

/// A bulk operation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkOperation)]
pub(crate) struct BulkResource {
    /// Which it is.
    #[schema(value_type = String, example = "blk_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: BulkOperationId,
    /// What is done.
    action: &'static str,
    /// To which jobs, as it was asked for; `changed_by` names the operation that is taken back.
    #[schema(value_type = Object)]
    filter: Value,
    /// The priority they get.
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<i16>,
    /// `waiting` (for a second person), `running`, `paused`, `completed`, `cancelled` or `failed`.
    pub(crate) state: &'static str,
    /// The API key that asked.
    requested_by: String,
    /// Jobs that fitted when it began; at least so many while `matched_exactly` is false.
    matched: i64,
    /// Whether they have been counted to the end.
    matched_exactly: bool,
    /// Jobs met so far: `changed`, `skipped` and `failed` together.
    processed: i64,
    /// Jobs that were changed.
    changed: i64,
    /// Jobs left alone, because there was nothing to be done to them any more or the same work waits already.
    skipped: i64,
    /// Jobs that could not be read.
    failed: i64,
    /// How far it is, of a hundred; none before everything has been counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<i64>,
    /// Jobs met per second since it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    per_s: Option<f64>,
    /// In how many seconds it is likely to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_s: Option<i64>,
    /// When it was asked for. Only jobs that were there by then, or had ended, are met.
    created_at: DateTime<Utc>,
    /// When it last got further.
    updated_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
    /// When somebody stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_requested_at: Option<DateTime<Utc>>,
    /// The API key that stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_by: Option<String>,
    /// Who took it on, where a key that was made for nobody asked and two people are needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_on_by: Option<String>,
    /// The second person, where one was needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_by: Option<String>,
    /// When they said yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<DateTime<Utc>>,
    /// Since when it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_at: Option<DateTime<Utc>>,
    /// The API key that paused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_by: Option<String>,
    /// Why it failed: `code` and `message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
}

impl BulkResource {
    pub(crate) fn of(operation: &Operation) -> Result<Self, Problem> {
        let (action, state) = (operation.action()?, operation.state()?);
        let is_running = state == OperationState::Running;
        let (matched, processed) = (operation.matched, operation.processed);
        let percent = match state {
            OperationState::Completed => Some(100),
            // It is done when it says so, however many jobs went away meanwhile.
            _ => operation.matched_exactly.then(|| (processed * 100 / matched.max(1)).min(99)),
        };
        let until = operation.finished_at.or(operation.paused_at).unwrap_or(operation.updated_at);
        let took = until - operation.created_at - TimeDelta::milliseconds(operation.paused_ms);
        let per_s = (processed > 0 && took.num_milliseconds() > 0)
            .then(|| processed as f64 * 1_000.0 / took.num_milliseconds() as f64);
        let left = (matched - processed).max(0) as f64;
        let eta_s =
            per_s.filter(|_| is_running && operation.matched_exactly).map(|per_s| (left / per_s).ceil());
        Ok(Self {
            id: operation.id(),
            action: action.name(),
            filter: operation.filter.0.clone(),
            priority: operation.priority,
            state: state.name(),
            requested_by: operation.requested_by.clone(),
            matched,
            matched_exactly: operation.matched_exactly,
            processed,
            changed: operation.changed,
            skipped: operation.skipped,
            failed: operation.failed,
            percent,
            per_s: per_s.map(|per_s| (per_s * 10.0).round() / 10.0),
            eta_s: eta_s.map(|seconds| seconds as i64),
            created_at: operation.created_at,
            updated_at: operation.updated_at,
            finished_at: operation.finished_at,
            cancel_requested_at: operation.cancel_requested_at,
            cancelled_by: operation.cancelled_by.clone(),
            taken_on_by: operation.taken_on_by.clone(),
            confirmed_by: operation.confirmed_by.clone(),
            confirmed_at: operation.confirmed_at,
            paused_at: operation.paused_at,
            paused_by: operation.paused_by.clone(),
            error: operation.error.as_ref().and_then(|problem| serde_json::to_value(&problem.0).ok()),
        })
    }
}

/// What an operation would meet. Nothing was changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkPreview)]
pub(crate) struct PreviewResource {
    /// Always true.
    dry_run: bool,
    /// Jobs that fit; at least so many when `exact` is false.
    count: i64,
    /// Whether they were counted to the end.
    exact: bool,
    /// The same, by state and kind.
    by: Vec<CountedResource>,
    /// Ten of them, without args, result and metadata: the newest, when `exact` is true.
    sample: Vec<JobResource>,
}

/// How many jobs of one state and kind fit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkCount)]
pub(crate) struct CountedResource {
    /// In this state.
    state: &'static str,
    /// Of this kind.
    kind: String,
    /// So many.
    count: i64,
}

impl PreviewResource {
    pub(crate) fn of(preview: Preview) -> Result<Self, Problem> {
        Ok(Self {
            dry_run: true,
            count: preview.count,
            exact: preview.is_exact,
            by: preview
                .by
                .into_iter()
                .map(|of| CountedResource { state: of.state.name(), kind: of.kind, count: of.jobs })
                .collect(),
            sample: preview.sample.into_iter().map(JobResource::line).collect::<Result<_, _>>()?,
        })
    }
}
