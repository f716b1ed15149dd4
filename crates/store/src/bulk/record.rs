//! What is asked for, and the row that says how far it is.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use jobs::{BulkOperationId, Priority, Queue, State, UserId, failure::Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use crate::error::StoreError;

/// What is done to each job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Run it again, or skip its wait.
    Retry,
    /// Stop it: at once while it waits, through its worker while it runs.
    Cancel,
    /// Give it up while it waits.
    Discard,
    /// Put it at the end of the line of another priority while it waits.
    Reprioritise,
}

impl Action {
    /// Every action there is.
    pub const ALL: [Self; 4] = [Self::Retry, Self::Cancel, Self::Discard, Self::Reprioritise];

    /// The word in rows and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Discard => "discard",
            Self::Reprioritise => "reprioritise",
        }
    }

    /// Whether the work of jobs is lost by it.
    pub const fn throws_away(self) -> bool {
        matches!(self, Self::Cancel | Self::Discard)
    }

    /// The states of the jobs it can be done to.
    pub const fn takes(self) -> &'static [State] {
        match self {
            Self::Retry => {
                &[State::Scheduled, State::Retryable, State::Completed, State::Cancelled, State::Discarded]
            }
            Self::Cancel => &[State::Available, State::Scheduled, State::Running, State::Retryable],
            Self::Discard | Self::Reprioritise => &[State::Available, State::Scheduled, State::Retryable],
        }
    }
}

impl FromStr for Action {
    type Err = StoreError;

    fn from_str(name: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|action| action.name() == name)
            .ok_or_else(|| StoreError::Unreadable { table: "bulk_operation", found: name.to_owned() })
    }
}

/// Which jobs. What is left out is not asked about.
///
/// Read back strictly: a version that does not know one of its conditions must not do more than was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// In one of these states.
    pub states: Vec<State>,
    /// Of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// In this queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// With this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Whose latest error has this code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// Asked for then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_after: Option<DateTime<Utc>>,
    /// Asked for earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_before: Option<DateTime<Utc>>,
    /// Ended then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_after: Option<DateTime<Utc>>,
    /// Ended earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_before: Option<DateTime<Utc>>,
    /// Ended or moved by this operation, and not touched since: it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<BulkOperationId>,
}

/// An operation that is about to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What is done.
    pub action: Action,
    /// To which jobs.
    pub filter: Filter,
    /// The priority they get, for [`Action::Reprioritise`]; or run again with, for [`Action::Retry`].
    pub priority: Option<Priority>,
}

/// Where an operation is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationState {
    /// A second person has to say yes.
    Waiting,
    /// There is more to do.
    Running,
    /// There is more to do, and somebody wants nothing done for now.
    Paused,
    /// Every job was met.
    Completed,
    /// Somebody stopped it; what was done stays done.
    Cancelled,
    /// It could not go on.
    Failed,
}

impl OperationState {
    /// Whether there is nothing more to come.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running | Self::Paused)
    }

    /// The word in rows and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for OperationState {
    type Err = StoreError;

    fn from_str(name: &str) -> Result<Self, StoreError> {
        [Self::Waiting, Self::Running, Self::Paused, Self::Completed, Self::Cancelled, Self::Failed]
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| StoreError::Unreadable { table: "bulk_operation", found: name.to_owned() })
    }
}

/// Who wants something.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// As it is written down: an API key, or somebody's address.
    pub name: &'a str,
    /// Which person that is; none for keys that were made for nobody.
    pub person: Option<UserId>,
}

pub(super) const COLUMNS: &str =
    "id, action, filter, priority, state, requested_by, matched, matched_exactly, processed, changed, skipped, failed,
    created_at, updated_at, finished_at, cancel_requested_at, cancelled_by, paused_at, paused_by, paused_ms, confirmed_by, confirmed_at,
    person_id, taken_on_by, error";

/// An operation as it stands.
#[derive(Debug, Clone, FromRow)]
pub struct Operation {
    id: Uuid,
    action: String,
    state: String,
    /// Which jobs, as they were asked for.
    pub filter: Json<Value>,
    /// The priority they get.
    pub priority: Option<i16>,
    /// The API key that asked.
    pub requested_by: String,
    /// Jobs that fitted when it began.
    pub matched: i64,
    /// Whether they were counted to the end.
    pub matched_exactly: bool,
    /// Jobs met so far.
    pub processed: i64,
    /// Of these, jobs that were changed.
    pub changed: i64,
    /// Jobs left alone, because there was nothing to do to them any more.
    pub skipped: i64,
    /// Jobs that this version cannot read.
    pub failed: i64,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it last got further.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When somebody stopped it.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// The API key that stopped it.
    pub cancelled_by: Option<String>,
    /// The second person, where one was needed.
    pub confirmed_by: Option<String>,
    /// When they said yes.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// The API key that paused it.
    pub paused_by: Option<String>,
    /// How long it was paused before, in milliseconds.
    pub paused_ms: i64,
    person_id: Option<Uuid>,
    /// Who took it on, where a key of nobody's asked for it.
    pub taken_on_by: Option<String>,
    /// Why it failed.
    pub error: Option<Json<Problem>>,
}

impl Operation {
    /// Which it is.
    pub fn id(&self) -> BulkOperationId {
        BulkOperationId::from_uuid(self.id)
    }

    /// Who asked for it or took it on; none while that is nobody in particular.
    pub fn person(&self) -> Option<UserId> {
        self.person_id.map(UserId::from_uuid)
    }

    /// What is done.
    pub fn action(&self) -> Result<Action, StoreError> {
        self.action.parse()
    }

    /// Where in its life it is.
    pub fn state(&self) -> Result<OperationState, StoreError> {
        self.state.parse()
    }
}
