//! Digests whose closing job has ended without closing them: it failed too often, or somebody cancelled it.

use chrono::Utc;
use jobs::{DigestId, Job, TenantId, kinds::notify_digest_close::NotifyDigestClose};
use uuid::Uuid;

use super::planning::closing;
use crate::{
    db::{Db, Tx, commit},
    enqueue,
    error::{OrFailed, StoreError},
};

/// How long after its time a digest is looked for, in seconds: most are closed by then.
const GRACE_S: i32 = 30;
/// Digests looked at in one round.
const ROUND_MAX: i64 = 200;

/// What a round over digests came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unclosed {
    /// Digests that a fresh job closes.
    pub retried: u64,
    /// Messages that no digest will tell any more.
    pub failed: u64,
}

/// Looks at digests that should have been closed and were not. The first time a fresh job is made for each; the second
/// time what it gathered is failed.
///
/// # Errors
/// When the database fails.
pub async fn settle_unclosed(db: &Db) -> Result<Unclosed, StoreError> {
    let due: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "select d.tenant_id, d.id from digest d
         where d.closed_at is null and d.closes_at < now() - make_interval(secs => $1) and not exists (
             select from job j where j.tenant_id = d.tenant_id and j.kind = $2
                 and j.unique_key = 'dgs_' || replace(d.id::text, '-', ''))
         order by d.closes_at, d.id limit $3",
    )
    .bind(f64::from(GRACE_S))
    .bind(NotifyDigestClose::KIND)
    .bind(ROUND_MAX)
    .fetch_all(db.pool())
    .await
    .or_failed("look for digests that nobody closes")?;
    let mut round = Unclosed::default();
    for (tenant, digest) in due {
        let one = settle(db, TenantId::from_uuid(tenant), DigestId::from_uuid(digest)).await?;
        round.retried += one.retried;
        round.failed += one.failed;
    }
    Ok(round)
}

async fn settle(db: &Db, tenant: TenantId, digest: DigestId) -> Result<Unclosed, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // Whoever closes it, or has another message gathered in it, waits for this lock.
    let was_retried: Option<bool> = sqlx::query_scalar(
        "select retried_at is not null from digest
         where tenant_id = $1 and id = $2 and closed_at is null for update",
    )
    .bind(tenant.as_uuid())
    .bind(digest.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("lock a digest that nobody closes")?;
    let Some(was_retried) = was_retried else { return Ok(Unclosed::default()) };
    let has_job: bool = sqlx::query_scalar(
        "select exists (select from job where tenant_id = $1 and kind = $2 and unique_key = $3)",
    )
    .bind(tenant.as_uuid())
    .bind(NotifyDigestClose::KIND)
    .bind(digest.to_string())
    .fetch_one(&mut *tx)
    .await
    .or_failed("look for the job of a digest")?;
    let round = match (has_job, was_retried) {
        (true, _) => return Ok(Unclosed::default()),
        (false, true) => Unclosed { failed: give_up(&mut tx, tenant, digest).await?, retried: 0 },
        (false, false) => {
            sqlx::query("update digest set retried_at = clock_timestamp() where tenant_id = $1 and id = $2")
                .bind(tenant.as_uuid())
                .bind(digest.as_uuid())
                .execute(&mut *tx)
                .await
                .or_failed("note that a digest is tried again")?;
            enqueue::insert(db, &mut tx, tenant, &[closing(digest, Utc::now())?]).await?;
            Unclosed { retried: 1, failed: 0 }
        }
    };
    commit(tx, "settle a digest that nobody closes").await?;
    Ok(round)
}

/// Ends a digest that cannot be told; answers how many messages are failed by that.
async fn give_up(tx: &mut Tx, tenant: TenantId, digest: DigestId) -> Result<u64, StoreError> {
    sqlx::query("update digest set closed_at = clock_timestamp() where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(digest.as_uuid())
        .execute(&mut **tx)
        .await
        .or_failed("give a digest up")?;
    let failed = sqlx::query(
        "update message set state = 'failed', detail = $3
         where tenant_id = $1 and digest_id = $2 and state = 'gathered'",
    )
    .bind(tenant.as_uuid())
    .bind(digest.as_uuid())
    .bind("the job that was to tell its digest ended twice without telling it")
    .execute(&mut **tx)
    .await
    .or_failed("give up what a digest gathered")?;
    Ok(failed.rows_affected())
}
