//! Telling an endpoint once more what fits a filter.

use jobs::{Job, TenantId, WebhookEndpointId, WebhookMessageId, kinds::webhook_deliver::WebhookDeliver};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    deliveries::{FITS, Filter},
    fan_out::deliver,
};
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// What is told once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// How many messages.
    pub messages: usize,
    /// The last of them, when there may be more that fit: go on after it.
    pub next: Option<WebhookMessageId>,
}

/// Tells `endpoint` once more what fits `filter`, after `after`, oldest first, at most `max`. Left out is what is on its way
/// already, and what a job has in hand that is about to end.
///
/// # Errors
/// When the database fails.
pub async fn recover(
    db: &Db,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    filter: &Filter,
    after: Option<WebhookMessageId>,
    max: i64,
) -> Result<Recovered, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select m.id from webhook_delivery d join webhook_message m on m.id = d.message_id
         where d.tenant_id = $1 and d.endpoint_id = $2 and {FITS} and d.state <> 'pending' and ($8::uuid is null or m.id > $8)
             and not exists (select from job j where j.tenant_id = $1 and j.kind = $10
                 and j.unique_key = 'whd_' || replace(d.id::text, '-', ''))
         order by m.id limit $9"
    );
    let found: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(endpoint.as_uuid())
        .bind(&filter.state)
        .bind(&filter.event_type)
        .bind(filter.since)
        .bind(filter.until)
        .bind(filter.oldest())
        .bind(after.map(|after| after.as_uuid()))
        .bind(max)
        .bind(WebhookDeliver::KIND)
        .fetch_all(&mut *tx)
        .await
        .or_failed("find what to tell once more")?;
    let pairs: Vec<(Uuid, Uuid)> = found.iter().map(|message| (endpoint.as_uuid(), *message)).collect();
    deliver(db, &mut tx, tenant, &pairs).await?;
    commit(tx, "tell an endpoint what it missed").await?;
    let next =
        found.last().filter(|_| found.len() as i64 == max).map(|last| WebhookMessageId::from_uuid(*last));
    Ok(Recovered { messages: found.len(), next })
}
