//! Jobs that were given up and have not begun again, and who looks after them.
//!
//! Which jobs lie there is written down by the ledger when it appends the end of one; [`crate::retry`] takes them out again.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{JobId, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
};

/// Dead letters of a kind that are counted; one more means "or more".
pub const DEAD_COUNTED_MAX: i64 = 10_000;

/// The dead letters of a kind, and what is said of their care.
#[derive(Debug, Clone, FromRow)]
pub struct DeadLetters {
    /// Which kind.
    pub kind: String,
    /// How many; counted up to [`DEAD_COUNTED_MAX`] and one more.
    pub jobs: i64,
    /// When the first of them was given up.
    pub oldest_at: Option<DateTime<Utc>>,
    oldest_job: Option<Uuid>,
    /// What is said of their care; nothing where nobody said anything.
    #[sqlx(flatten)]
    pub care: Care,
    updated_by: Option<String>,
    updated_at: Option<DateTime<Utc>>,
}

/// Who looks after the dead letters of a kind, how, and within what time.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub struct Care {
    /// Whom to ask.
    pub owner: Option<String>,
    /// Where it says what to do.
    pub runbook: Option<String>,
    /// Within so many seconds each is looked after.
    pub look_after_s: Option<i32>,
}

impl DeadLetters {
    /// The job that has lain there longest.
    pub fn oldest_job(&self) -> Option<JobId> {
        self.oldest_job.map(JobId::from_uuid)
    }

    /// Who said so last, and when; none where nothing is said.
    pub fn said(&self) -> Option<(&str, DateTime<Utc>)> {
        self.updated_by.as_deref().zip(self.updated_at)
    }

    /// Until when the first of them is to be looked after.
    pub fn due_at(&self) -> Option<DateTime<Utc>> {
        let within = TimeDelta::seconds(self.care.look_after_s?.into());
        Some(self.oldest_at? + within)
    }
}

/// The dead letters of `tenant` by kind: of every kind that has some, or of which something is said.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, tenant: TenantId) -> Result<Vec<DeadLetters>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select named.kind, oldest.died_at as oldest_at, oldest.job_id as oldest_job, c.owner, c.runbook, c.look_after_s,
             c.updated_by, c.updated_at,
             (select count(*) from (
                 select from dead_letter d where d.tenant_id = $1 and d.kind = named.kind limit $2) counted) as jobs
         from (select kind from kind_used where tenant_id = $1
               union select kind from kind_care where tenant_id = $1) named
         left join lateral (
             select d.job_id, d.died_at from dead_letter d
             where d.tenant_id = $1 and d.kind = named.kind order by d.died_at limit 1) oldest on true
         left join kind_care c on c.tenant_id = $1 and c.kind = named.kind
         where oldest.died_at is not null or c.kind is not null
         order by named.kind",
    )
    .bind(tenant.as_uuid())
    .bind(DEAD_COUNTED_MAX + 1)
    .fetch_all(&mut *tx)
    .await
    .or_failed("list dead letters")
}

/// Says who looks after the dead letters of a kind, in place of what was said before.
///
/// # Errors
/// When the database fails.
pub async fn set_care(
    db: &Db,
    tenant: TenantId,
    kind: &str,
    care: &Care,
    by: &str,
) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query(
        "insert into kind_care (tenant_id, kind, owner, runbook, look_after_s, updated_by) values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id, kind) do update set owner = excluded.owner, runbook = excluded.runbook,
             look_after_s = excluded.look_after_s, updated_by = excluded.updated_by, updated_at = clock_timestamp()",
    )
    .bind(tenant.as_uuid())
    .bind(kind)
    .bind(&care.owner)
    .bind(&care.runbook)
    .bind(care.look_after_s)
    .bind(by)
    .execute(&mut *tx)
    .await
    .or_failed("say who looks after a kind")?;
    commit(tx, "say who looks after a kind").await
}

/// Takes that back; false when nothing was said.
///
/// # Errors
/// When the database fails.
pub async fn remove_care(db: &Db, tenant: TenantId, kind: &str) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let removed = sqlx::query("delete from kind_care where tenant_id = $1 and kind = $2")
        .bind(tenant.as_uuid())
        .bind(kind)
        .execute(&mut *tx)
        .await
        .or_failed("take back who looks after a kind")?;
    commit(tx, "take back who looks after a kind").await?;
    Ok(removed.rows_affected() == 1)
}

/// Takes out those that begin again.
pub(crate) async fn take_out(tx: &mut Tx, tenant: TenantId, jobs: &[Uuid]) -> Result<(), StoreError> {
    sqlx::query("delete from dead_letter where tenant_id = $1 and job_id = any ($2)")
        .bind(tenant.as_uuid())
        .bind(jobs)
        .execute(&mut **tx)
        .await
        .or_failed("take jobs from the dead letters")?;
    Ok(())
}
