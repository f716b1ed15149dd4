//! From what happened to deliveries, each with its job.

use std::collections::HashMap;

use chrono::NaiveDate;
use jobs::{TenantId, WebhookDeliveryId, WebhookEndpointId, kinds::webhook_deliver::WebhookDeliver};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, Tx, commit},
    enqueue::{self, Enqueued, NewJob},
    error::{OrFailed, StoreError},
};

/// Messages taken in one transaction.
const BATCH_MAX: i64 = 100;
/// Messages forgotten at once.
const PRUNE_MAX: i64 = 5_000;

#[derive(FromRow)]
struct Message {
    id: Uuid,
    tenant_id: Uuid,
    #[sqlx(rename = "type")]
    event_type: String,
}

#[derive(FromRow)]
struct Listener {
    id: Uuid,
    tenant_id: Uuid,
    event_types: Vec<String>,
}

/// Makes deliveries of up to 100 messages that nobody else has in hand; answers how many messages. `fits` tells whether a
/// pattern fits a type. For workers.
///
/// # Errors
/// When the database fails; then all of them wait.
pub async fn fan_out(db: &Db, fits: impl Fn(&str, &str) -> bool) -> Result<usize, StoreError> {
    let mut tx = db.begin().await?;
    let messages: Vec<Message> = sqlx::query_as(
        "select id, tenant_id, type from webhook_message where fanned_out_at is null order by id limit $1
         for update skip locked",
    )
    .bind(BATCH_MAX)
    .fetch_all(&mut *tx)
    .await
    .or_failed("take what endpoints are to be told")?;
    if messages.is_empty() {
        return Ok(0);
    }
    let listeners: Vec<Listener> = sqlx::query_as(
        "select id, tenant_id, event_types from webhook_endpoint where tenant_id = any ($1) and disabled_at is null",
    )
    .bind(messages.iter().map(|message| message.tenant_id).collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await
    .or_failed("see who wants to be told")?;
    let mut wanted: HashMap<Uuid, Vec<(Uuid, Uuid)>> = HashMap::new();
    for message in &messages {
        let wants = |listener: &&Listener| {
            listener.tenant_id == message.tenant_id
                && listener.event_types.iter().any(|pattern| fits(pattern, &message.event_type))
        };
        let pairs = listeners.iter().filter(wants).map(|listener| (listener.id, message.id));
        wanted.entry(message.tenant_id).or_default().extend(pairs);
    }
    for (tenant, pairs) in wanted {
        deliver(db, &mut tx, TenantId::from_uuid(tenant), &pairs).await?;
    }
    sqlx::query("update webhook_message set fanned_out_at = clock_timestamp() where id = any ($1)")
        .bind(messages.iter().map(|message| message.id).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await
        .or_failed("note that deliveries were made")?;
    commit(tx, "make deliveries of messages").await?;
    Ok(messages.len())
}

/// Makes deliveries of pairs of endpoint and message, unless they are there, and has all of them sent: by a new job, or by the
/// one that has each in hand already.
pub(super) async fn deliver(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    pairs: &[(Uuid, Uuid)],
) -> Result<Vec<(WebhookDeliveryId, Enqueued)>, StoreError> {
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "insert into webhook_delivery (id, tenant_id, endpoint_id, message_id)
         select x.id, $1, x.endpoint, x.message from unnest($2::uuid[], $3::uuid[], $4::uuid[]) as x (id, endpoint, message)
         on conflict (endpoint_id, message_id) do update set state = 'pending'
         returning id, endpoint_id",
    )
    .bind(tenant.as_uuid())
    .bind(pairs.iter().map(|_| WebhookDeliveryId::new().as_uuid()).collect::<Vec<_>>())
    .bind(pairs.iter().map(|(endpoint, _)| *endpoint).collect::<Vec<_>>())
    .bind(pairs.iter().map(|(_, message)| *message).collect::<Vec<_>>())
    .fetch_all(&mut **tx)
    .await
    .or_failed("make deliveries of messages")?;
    let unreadable = |_| StoreError::Unreadable { table: "webhook_delivery", found: tenant.to_string() };
    let mut new = Vec::with_capacity(rows.len());
    for (delivery, endpoint) in &rows {
        let args = WebhookDeliver {
            endpoint: WebhookEndpointId::from_uuid(*endpoint),
            delivery: WebhookDeliveryId::from_uuid(*delivery),
        };
        new.push(NewJob::of(&args).map_err(unreadable)?);
    }
    let enqueued = enqueue::insert(db, tx, tenant, &new).await?;
    let deliveries = rows.into_iter().map(|(delivery, _)| WebhookDeliveryId::from_uuid(delivery));
    Ok(deliveries.zip(enqueued).collect())
}

/// Forgets messages from before `keep_from` with their deliveries, up to 5,000; answers how many. For workers.
///
/// # Errors
/// When the database fails.
pub async fn prune(db: &Db, keep_from: NaiveDate) -> Result<u64, StoreError> {
    let forgotten = sqlx::query(
        "delete from webhook_message where id = any (array(
             select id from webhook_message where created_at < $1 order by created_at limit $2))",
    )
    .bind(keep_from)
    .bind(PRUNE_MAX)
    .execute(db.pool())
    .await
    .or_failed("forget old messages")?;
    Ok(forgotten.rows_affected())
}
