//! Pauses: what must not be claimed until somebody resumes it or its time is over.

use chrono::{DateTime, Utc};
use jobs::{PauseId, Queue, TenantId};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    enqueue::ring,
    error::{OrFailed, StoreError},
};

/// What to pause. A queue, a kind, both, or everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only jobs of this queue.
    pub queue: Option<Queue>,
    /// Only jobs of this kind.
    pub kind: Option<String>,
}

/// A pause as it stands.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Pause {
    id: Uuid,
    /// It holds for every tenant, and only who runs the installation can end it.
    pub whole_installation: bool,
    /// Only jobs of this queue.
    pub queue: Option<String>,
    /// Only jobs of this kind.
    pub kind: Option<String>,
    /// Why.
    pub reason: String,
    /// By whom.
    pub paused_by: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Until when; none for until it is resumed.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Pause {
    /// Which it is.
    pub fn id(&self) -> PauseId {
        PauseId::from_uuid(self.id)
    }
}

/// Pauses `scope` for `tenant`, or for everybody when there is none (for [`crate::Role::Owner`]). A pause of the same scope
/// takes the new reason and time. What runs goes on.
pub async fn pause(
    db: &Db,
    tenant: Option<TenantId>,
    scope: &Scope,
    reason: &str,
    by: &str,
    expires_at: Option<DateTime<Utc>>,
) -> Result<PauseId, StoreError> {
    let mut tx = match tenant {
        Some(tenant) => db.tenant(tenant).await?,
        None => db.begin().await?,
    };
    let id: Uuid = sqlx::query_scalar(
        "insert into pause (id, tenant_id, queue, kind, reason, paused_by, expires_at) values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'), coalesce(queue, ''), coalesce(kind, ''))
         do update set reason = excluded.reason, paused_by = excluded.paused_by, created_at = now(),
             expires_at = excluded.expires_at
         returning id",
    )
    .bind(PauseId::new().as_uuid())
    .bind(tenant.map(|tenant| tenant.as_uuid()))
    .bind(scope.queue.map(Queue::name))
    .bind(&scope.kind)
    .bind(reason)
    .bind(by)
    .bind(expires_at)
    .fetch_one(&mut *tx)
    .await
    .or_failed("pause")?;
    commit(tx, "pause").await?;
    Ok(PauseId::from_uuid(id))
}

/// The pauses that concern `tenant`, oldest first.
pub async fn list(db: &Db, tenant: TenantId) -> Result<Vec<Pause>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as("select * from pauses_here()").fetch_all(&mut *tx).await.or_failed("list pauses")
}

/// The pauses that hold for every tenant, oldest first. For [`crate::Role::Owner`].
pub async fn list_for_all(db: &Db) -> Result<Vec<Pause>, StoreError> {
    sqlx::query_as(
        "select id, true as whole_installation, queue, kind, reason, paused_by, created_at, expires_at from pause
         where tenant_id is null order by created_at, id",
    )
    .fetch_all(db.pool())
    .await
    .or_failed("list pauses")
}

/// Ends a pause of `tenant`; false when it has none such.
pub async fn resume(db: &Db, tenant: TenantId, pause: PauseId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let resumed =
        end(&mut tx, "delete from pause where id = $1 and tenant_id = current_tenant()", pause).await?;
    ring(&mut tx, Queue::ALL.into_iter()).await?;
    commit(tx, "resume").await?;
    Ok(resumed)
}

/// Ends a pause that holds for every tenant; false when there is none such. For [`crate::Role::Owner`].
pub async fn resume_for_all(db: &Db, pause: PauseId) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let resumed = end(&mut tx, "delete from pause where id = $1 and tenant_id is null", pause).await?;
    ring(&mut tx, Queue::ALL.into_iter()).await?;
    commit(tx, "resume").await?;
    Ok(resumed)
}

async fn end(connection: &mut PgConnection, sql: &'static str, pause: PauseId) -> Result<bool, StoreError> {
    let ended = sqlx::query(sql).bind(pause.as_uuid()).execute(connection).await.or_failed("resume")?;
    Ok(ended.rows_affected() == 1)
}

/// Forgets pauses whose time is over.
pub async fn forget_expired(db: &Db) -> Result<u64, StoreError> {
    let forgotten = sqlx::query("delete from pause where expires_at < clock_timestamp()")
        .execute(db.pool())
        .await
        .or_failed("forget pauses whose time is over")?;
    Ok(forgotten.rows_affected())
}
