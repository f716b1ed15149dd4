//! Writing down what happened, in the transaction in which it happened.

use jobs::{Job, JobId, TenantId, WebhookMessageId, kinds::webhook_deliver::WebhookDeliver};
use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use crate::error::{OrFailed, StoreError};

/// Writes down that these jobs ended in this transaction, of those tenants that have an endpoint. Not of those that tell
/// endpoints, or there would be no end to it.
pub(crate) async fn tell_ended(tx: &mut PgConnection, jobs: &[(TenantId, JobId)]) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into webhook_message (id, tenant_id, type, subject, data)
         select x.message, x.tenant, 'job.' || a.final_state, x.name, jsonb_strip_nulls(jsonb_build_object(
             'id', x.name, 'kind', a.kind, 'state', a.final_state, 'attempt', a.attempt, 'created_at', a.created_at,
             'finalized_at', a.finished_at, 'error', a.error, 'tags', to_jsonb(a.tags), 'metadata', a.metadata))
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) as x (tenant, job, message, name)
         join attempt a on a.tenant_id = x.tenant and a.job_id = x.job and a.finished_at >= now() and a.final_state is not null
         where a.kind <> $5 and exists (select from webhook_endpoint e where e.tenant_id = x.tenant and e.disabled_at is null)",
    )
    .bind(jobs.iter().map(|(tenant, _)| tenant.as_uuid()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.as_uuid()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|_| WebhookMessageId::new().as_uuid()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.to_string()).collect::<Vec<_>>())
    .bind(WebhookDeliver::KIND)
    .execute(tx)
    .await
    .or_failed("write down that jobs ended")?;
    Ok(())
}

/// Writes down that something happened to `subject`, if `tenant` has an endpoint.
pub(crate) async fn tell(
    tx: &mut PgConnection,
    tenant: TenantId,
    event_type: &str,
    subject: &str,
    data: &Value,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into webhook_message (id, tenant_id, type, subject, data) select $2, $1, $3, $4, $5
         where exists (select from webhook_endpoint where tenant_id = $1 and disabled_at is null)",
    )
    .bind(tenant.as_uuid())
    .bind(WebhookMessageId::new().as_uuid())
    .bind(event_type)
    .bind(subject)
    .bind(Json(data))
    .execute(tx)
    .await
    .or_failed("write down what happened")?;
    Ok(())
}
