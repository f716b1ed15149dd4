//! Messages: what somebody is told by one channel, what was decided about it, and what came of it.

mod digests;
mod effects;
mod feedback;
mod inbox;
mod planning;
mod pruning;
mod reading;
mod resolving;
mod stranded;
mod subjects;
mod unclosed;

use chrono::{DateTime, Utc};
use jobs::{Category, Channel, ContactPointId, DigestId, JobId, MessageId, PartyId};
use serde_json::Value;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

pub use self::{
    digests::{ClosedDigest, Digest, close, digest, open_digest},
    effects::{Begun, Ended, attributed, begin, drop_message, end, is_disputed},
    feedback::{Feedback, Known, find_sent, note_feedback, note_returned},
    inbox::{deliver_line, lines_since, mark_read, unread},
    planning::{Gathering, History, NewMessage, Overflow, Plan, history, plan},
    pruning::prune,
    reading::{Effect, Filter, effects, is_read, list, message},
    resolving::{Resolution, Resolved, resolve},
    stranded::{Cursor, Round, settle_stranded},
    subjects::{Subject, has_passed, set_subject, subject},
    unclosed::{Unclosed, settle_unclosed},
};
use crate::error::StoreError;

/// Something told to one party by one channel.
#[derive(Debug, Clone, FromRow)]
pub struct Message {
    id: Uuid,
    party_id: Uuid,
    contact_point_id: Option<Uuid>,
    request_id: Uuid,
    channel: String,
    category: String,
    /// By which template.
    pub template: String,
    /// In which version; 0 for the product's own.
    pub template_version: i32,
    /// In which language.
    pub locale: String,
    /// What it is about.
    pub subject_reference: Option<String>,
    /// Which version of that it speaks of.
    pub subject_version: Option<i32>,
    /// When what it is about takes place.
    pub subject_at: Option<DateTime<Utc>>,
    /// SHA-256 of the template and its variables.
    pub content_sha256: String,
    /// `planned`, `gathered`, `sending`, `sent`, `unknown`, `failed`, `dropped`, `skipped`; or, told afterwards, `delivered`,
    /// `read`, `bounced` or `complained`.
    pub state: String,
    /// What the rules said.
    pub decisions: Json<Value>,
    /// What the channel is handed.
    pub content: Option<Json<Value>>,
    /// Only if nobody has read the same by another channel.
    pub unless_read: bool,
    digest_id: Option<Uuid>,
    /// Not before.
    pub scheduled_at: DateTime<Utc>,
    /// What the provider calls it.
    pub provider_id: Option<String>,
    /// Why it was dropped, or failed, or came back, or nobody knows.
    pub detail: Option<String>,
    /// When it was planned.
    pub created_at: DateTime<Utc>,
    /// When it was sent.
    pub sent_at: Option<DateTime<Utc>>,
    /// When it was read.
    pub read_at: Option<DateTime<Utc>>,
    cost_amount: Option<String>,
    cost_currency: Option<String>,
}

const COLUMNS: &str = "id, party_id, contact_point_id, request_id, channel, category, template, template_version, locale,
    subject_reference, subject_version, subject_at, content_sha256, state, decisions, content, unless_read, digest_id, scheduled_at,
    provider_id, detail, created_at, sent_at, read_at, cost_amount::text as cost_amount, cost_currency";

impl Message {
    /// Which it is.
    pub fn id(&self) -> MessageId {
        MessageId::from_uuid(self.id)
    }

    /// To whom.
    pub fn party(&self) -> PartyId {
        PartyId::from_uuid(self.party_id)
    }

    /// Where to.
    pub fn contact(&self) -> Option<ContactPointId> {
        self.contact_point_id.map(ContactPointId::from_uuid)
    }

    /// The job that decided about it.
    pub fn request(&self) -> JobId {
        JobId::from_uuid(self.request_id)
    }

    /// The digest it waits in, or was told in.
    pub fn digest(&self) -> Option<DigestId> {
        self.digest_id.map(DigestId::from_uuid)
    }

    /// What it cost, once its carrier has said so: the amount, a decimal number, and its currency.
    pub fn cost(&self) -> Option<(&str, &str)> {
        self.cost_amount.as_deref().zip(self.cost_currency.as_deref())
    }

    /// By which channel.
    ///
    /// # Errors
    /// When this version knows no such channel.
    pub fn channel(&self) -> Result<Channel, StoreError> {
        self.channel.parse().map_err(|_| unreadable(&self.channel))
    }

    /// What sort of thing.
    ///
    /// # Errors
    /// When this version knows no such category.
    pub fn category(&self) -> Result<Category, StoreError> {
        self.category.parse().map_err(|_| unreadable(&self.category))
    }
}

fn unreadable(found: &str) -> StoreError {
    StoreError::Unreadable { table: "message", found: found.to_owned() }
}
