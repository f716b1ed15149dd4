//! Operations that throw away many jobs, where a tenant wants two people for that.

use chrono::{DateTime, Utc};
use jobs::{BulkOperationId, TenantId};
use sqlx::{AssertSqlSafe, FromRow};

use super::{
    asking::{call, get_in},
    record::{By, COLUMNS, Operation, OperationState},
};
use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
};

/// From how many jobs on a tenant wants a second person.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct FourEyes {
    /// Throwing away more jobs than this waits for somebody else.
    pub more_than: i64,
    /// Who said so.
    pub updated_by: String,
    /// When.
    pub updated_at: DateTime<Utc>,
}

/// What `tenant` wants; none when one person is enough for everything.
///
/// # Errors
/// When the database fails.
pub async fn wanted(db: &Db, tenant: TenantId) -> Result<Option<FourEyes>, StoreError> {
    wanted_in(&mut db.tenant(tenant).await?, tenant).await
}

pub(super) async fn wanted_in(tx: &mut Tx, tenant: TenantId) -> Result<Option<FourEyes>, StoreError> {
    sqlx::query_as("select more_than, updated_by, updated_at from four_eyes where tenant_id = $1")
        .bind(tenant.as_uuid())
        .fetch_optional(&mut **tx)
        .await
        .or_failed("see whether a second person is wanted")
}

/// Has throwing away more than `more_than` jobs wait for a second person.
///
/// # Errors
/// When the database fails.
pub async fn want(db: &Db, tenant: TenantId, more_than: i64, by: &str) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query(
        "insert into four_eyes (tenant_id, more_than, updated_by) values ($1, $2, $3)
         on conflict (tenant_id) do update set more_than = excluded.more_than, updated_by = excluded.updated_by,
             updated_at = clock_timestamp()",
    )
    .bind(tenant.as_uuid())
    .bind(more_than)
    .bind(by)
    .execute(&mut *tx)
    .await
    .or_failed("want a second person")?;
    commit(tx, "want a second person").await
}

/// Lets one person be enough; false when one was. What waits goes on waiting.
///
/// # Errors
/// When the database fails.
pub async fn want_no_more(db: &Db, tenant: TenantId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let removed = sqlx::query("delete from four_eyes where tenant_id = $1")
        .bind(tenant.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("let one person be enough")?;
    commit(tx, "let one person be enough").await?;
    Ok(removed.rows_affected() == 1)
}

/// What became of the wish to let an operation begin.
#[derive(Debug, Clone)]
pub enum Confirmation {
    /// It begins.
    Now,
    /// Nobody in particular had asked for it: who says yes first takes it on, and another lets it begin.
    TakenOn,
    /// Whoever asked for it cannot be the second person.
    SamePerson,
    /// Who says yes is no person.
    Nobody,
    /// It waits for nobody.
    NotWaiting,
    /// This tenant has no such operation.
    NotFound,
}

/// Says yes to an operation of `tenant` that waits for a second person.
///
/// # Errors
/// When the database fails.
pub async fn confirm(
    db: &Db,
    tenant: TenantId,
    operation: BulkOperationId,
    by: By<'_>,
) -> Result<Confirmation, StoreError> {
    let Some(person) = by.person else { return Ok(Confirmation::Nobody) };
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "update bulk_operation set person_id = coalesce(person_id, $3), updated_at = clock_timestamp(),
             taken_on_by = case when person_id is null then $4 else taken_on_by end,
             state = case when person_id is null then state else 'running' end,
             confirmed_by = case when person_id is not null then $4 end,
             confirmed_at = case when person_id is not null then clock_timestamp() end
         where tenant_id = $1 and id = $2 and state = 'waiting' and person_id is distinct from $3 returning {COLUMNS}"
    );
    let confirmed: Option<Operation> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(operation.as_uuid())
        .bind(person.as_uuid())
        .bind(by.name)
        .fetch_optional(&mut *tx)
        .await
        .or_failed("confirm a bulk operation")?;
    let Some(confirmed) = confirmed else {
        let Some(found) = get_in(&mut tx, tenant, operation).await? else {
            return Ok(Confirmation::NotFound);
        };
        let waits = found.state()? == OperationState::Waiting;
        return Ok(if waits { Confirmation::SamePerson } else { Confirmation::NotWaiting });
    };
    let begins = confirmed.state()? == OperationState::Running;
    if begins {
        call(&mut tx).await?;
    }
    commit(tx, "confirm a bulk operation").await?;
    Ok(if begins { Confirmation::Now } else { Confirmation::TakenOn })
}
