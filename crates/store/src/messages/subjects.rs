//! What messages are about: the version that stands, and whether it is over.

use chrono::{DateTime, Utc};
use jobs::TenantId;
use sqlx::{FromRow, PgConnection};

use super::Message;
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// What messages are about.
#[derive(Debug, Clone, FromRow)]
pub struct Subject {
    /// Its name.
    pub reference: String,
    /// The version that stands.
    pub version: i32,
    /// When it was over, if it is.
    pub ended_at: Option<DateTime<Utc>>,
    /// When that was said.
    pub updated_at: DateTime<Utc>,
}

/// Says which version of a subject stands, and whether it is over. An older version than the one that stands changes nothing.
///
/// # Errors
/// When the database fails.
pub async fn set_subject(
    db: &Db,
    tenant: TenantId,
    reference: &str,
    version: u32,
    has_ended: bool,
) -> Result<Subject, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let subject = sqlx::query_as(
        "insert into subject as s (tenant_id, reference, version, ended_at)
         values ($1, $2, $3, case when $4 then clock_timestamp() end)
         on conflict (tenant_id, reference) do update set
             version = greatest(s.version, excluded.version),
             ended_at = case when excluded.version < s.version then s.ended_at
                 when $4 then coalesce(s.ended_at, clock_timestamp()) end,
             updated_at = clock_timestamp()
         returning reference, version, ended_at, updated_at",
    )
    .bind(tenant.as_uuid())
    .bind(reference)
    .bind(version as i32)
    .bind(has_ended)
    .fetch_one(&mut *tx)
    .await
    .or_failed("note what messages are about")?;
    commit(tx, "note what messages are about").await?;
    Ok(subject)
}

/// What stands of a subject.
///
/// # Errors
/// When the database fails.
pub async fn subject(db: &Db, tenant: TenantId, reference: &str) -> Result<Option<Subject>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select reference, version, ended_at, updated_at from subject where tenant_id = $1 and reference = $2",
    )
    .bind(tenant.as_uuid())
    .bind(reference)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read what messages are about")
}

/// Whoever speaks of a version knows that it is there.
pub(super) async fn reach(
    tx: &mut PgConnection,
    tenant: TenantId,
    reference: &str,
    version: u32,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into subject as s (tenant_id, reference, version) values ($1, $2, $3)
         on conflict (tenant_id, reference) do update set version = excluded.version, ended_at = null,
             updated_at = clock_timestamp()
         where s.version < excluded.version",
    )
    .bind(tenant.as_uuid())
    .bind(reference)
    .bind(version as i32)
    .execute(tx)
    .await
    .or_failed("note what messages are about")?;
    Ok(())
}

/// Why what `message` is about has moved on, if it has.
///
/// # Errors
/// When the database fails.
pub async fn has_passed(db: &Db, tenant: TenantId, message: &Message) -> Result<Option<String>, StoreError> {
    let (Some(reference), Some(version)) = (&message.subject_reference, message.subject_version) else {
        return Ok(None);
    };
    let Some(stands) = subject(db, tenant, reference).await? else { return Ok(None) };
    if stands.version > version {
        let told = format!("{reference} has moved on from version {version} to {}", stands.version);
        return Ok(Some(told));
    }
    Ok(stands.ended_at.map(|_| format!("{reference} is over")))
}
