//! A person says what became of a message of which nobody knows.

use chrono::Utc;
use jobs::{JobId, MessageId, TenantId};
use sqlx::AssertSqlSafe;

use super::{planning::sending, reading::ORPHANED};
use crate::{
    db::{Db, Tx, commit},
    enqueue::{self, Enqueued},
    error::{OrFailed, StoreError},
};

/// What a person found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// It arrived.
    Sent,
    /// It did not: it is sent again.
    SendAgain,
    /// It did not, and is not needed any more.
    GiveUp,
}

/// What became of the wish to resolve a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    /// So it is.
    Done,
    /// What became of it is known, or being found out.
    NotUnknown,
    /// It is not sent again yet: this job, which found that nobody knows, has not ended.
    StillHeld(JobId),
    /// The tenant has no such message.
    NoMessage,
}

/// Notes what `by` found out about a message.
///
/// # Errors
/// When the database fails.
pub async fn resolve(
    db: &Db,
    tenant: TenantId,
    id: MessageId,
    resolution: Resolution,
    by: &str,
) -> Result<Resolved, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select state = 'unknown' or (state = 'sending' and {ORPHANED}) from message m
         where tenant_id = $1 and id = $2 for update of m"
    );
    let is_unknown: Option<bool> = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("look at a message")?;
    match is_unknown {
        None => return Ok(Resolved::NoMessage),
        Some(false) => return Ok(Resolved::NotUnknown),
        Some(true) => {}
    }
    let (effect, state) = match resolution {
        Resolution::Sent => ("done", "sent"),
        Resolution::SendAgain => ("failed", "planned"),
        Resolution::GiveUp => ("failed", "failed"),
    };
    write(&mut tx, tenant, id, (effect, state), by).await?;
    if resolution == Resolution::SendAgain {
        let again = enqueue::insert(db, &mut tx, tenant, &[sending(id, Utc::now())?]).await?;
        // That one may have looked at the message already, and would end without sending it. Nothing is changed then.
        if let [Enqueued::Existing(job)] = again[..] {
            return Ok(Resolved::StillHeld(job));
        }
    }
    commit(tx, "resolve a message").await?;
    Ok(Resolved::Done)
}

async fn write(
    tx: &mut Tx,
    tenant: TenantId,
    id: MessageId,
    (effect, state): (&str, &str),
    by: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "update effect set state = $3, resolved_by = $4, ended_at = coalesce(ended_at, clock_timestamp())
         where tenant_id = $1 and message_id = $2 and state in ('begun', 'unknown')",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(effect)
    .bind(by)
    .execute(&mut **tx)
    .await
    .or_failed("resolve what was done outside")?;
    sqlx::query(
        "update message set state = $3, sent_at = case when $3 = 'sent' then clock_timestamp() end
         where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(state)
    .execute(&mut **tx)
    .await
    .or_failed("resolve a message")?;
    Ok(())
}
