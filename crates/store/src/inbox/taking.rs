//! Taking a message in: its row and the job that will look at it, in one transaction.

use jobs::{TenantId, WebhookEventId, WebhookSourceId, kinds::webhook_process::WebhookProcess};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::types::Json;
use uuid::Uuid;

use super::concurrency_key;
use crate::{
    db::{Db, commit},
    enqueue::{self, NewJob},
    error::{OrFailed, StoreError},
    sealing::Place,
};

/// Body of a message.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Bytes of the name of the thing that a message is about; of a longer one the hash is taken.
const OBJECT_BYTES_MAX: usize = 120;

/// A message that was believed.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Who sent it.
    pub source: WebhookSourceId,
    /// As the sender names it.
    pub event_id: String,
    /// What happened.
    pub event_type: String,
    /// The thing it is about, where the source says where that stands.
    pub object: Option<String>,
    /// Where it stands among those about that thing: a decimal number.
    pub sequence: Option<String>,
    /// Its headers, without those that prove who sent it.
    pub headers: Value,
    /// Byte for byte.
    pub body: Vec<u8>,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It is kept, and a job will look at it.
    New(WebhookEventId),
    /// It was here before, as this event.
    Before(WebhookEventId),
}

/// Keeps a message once, however often it comes.
///
/// # Errors
/// When the database fails; then nothing is kept.
pub async fn take(db: &Db, tenant: TenantId, new: NewEvent) -> Result<Received, StoreError> {
    let id = WebhookEventId::new();
    let (body, under) = db.seal_bytes(tenant, &Place::of_webhook(id), new.body).await?;
    let object = new.object.as_deref().map(|object| concurrency_key(new.source, &bounded(object)));
    let mut tx = db.busy_tenant(tenant).await?;
    let inserted = sqlx::query(
        "insert into webhook_event (id, tenant_id, source_id, event_id, event_type, object_key, headers, body, body_under,
             sequence)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::numeric) on conflict (source_id, event_id) do nothing",
    )
    .bind(id.as_uuid())
    .bind(tenant.as_uuid())
    .bind(new.source.as_uuid())
    .bind(&new.event_id)
    .bind(&new.event_type)
    .bind(&object)
    .bind(Json(&new.headers))
    .bind(body)
    .bind(under)
    .bind(&new.sequence)
    .execute(&mut *tx)
    .await
    .or_failed("keep a webhook")?;
    if inserted.rows_affected() == 0 {
        let before: Uuid =
            sqlx::query_scalar("select id from webhook_event where source_id = $1 and event_id = $2")
                .bind(new.source.as_uuid())
                .bind(&new.event_id)
                .fetch_one(&mut *tx)
                .await
                .or_failed("find a webhook that came before")?;
        return Ok(Received::Before(WebhookEventId::from_uuid(before)));
    }
    let job = process(id, 0, object, new.traceparent)?;
    enqueue::insert(db, &mut tx, tenant, &[job]).await?;
    commit(tx, "keep a webhook").await?;
    Ok(Received::New(id))
}

/// The job that looks at an event.
pub(super) fn process(
    event: WebhookEventId,
    replay: u16,
    object_key: Option<String>,
    traceparent: Option<String>,
) -> Result<NewJob, StoreError> {
    let unreadable = |_| StoreError::Unreadable { table: "webhook_event", found: event.to_string() };
    let new = NewJob::of(&WebhookProcess { event, replay }).map_err(unreadable)?;
    Ok(NewJob { concurrency_key: object_key, traceparent, ..new })
}

/// A name that can stand in a key, and that no limit takes for a pattern.
fn bounded(object: &str) -> String {
    let is_plain = !object.is_empty()
        && object.len() <= OBJECT_BYTES_MAX
        && !object.contains('*')
        && !object.chars().any(char::is_control);
    if is_plain { object.to_owned() } else { hex::encode(Sha256::digest(object)) }
}
