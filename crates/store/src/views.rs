//! Views of the jobs of a tenant that people keep under names of their own.

use jobs::{TenantId, UserId};
use sqlx::FromRow;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// A view that somebody keeps.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct View {
    /// What they call it.
    pub name: String,
    /// What stands behind the `?` of the list.
    pub query: String,
}

/// Keeps a view for `user`, in place of the one of this name; false when they have `most` others.
///
/// # Errors
/// When the database fails.
pub async fn save(
    db: &Db,
    tenant: TenantId,
    user: UserId,
    view: &View,
    most: i64,
) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let saved = sqlx::query(
        "insert into saved_view (tenant_id, user_id, name, query) select $1, $2, $3, $4
         where (select count(*) from saved_view where tenant_id = $1 and user_id = $2 and name <> $3) < $5
         on conflict (tenant_id, user_id, name) do update set query = excluded.query",
    )
    .bind(tenant.as_uuid())
    .bind(user.as_uuid())
    .bind(&view.name)
    .bind(&view.query)
    .bind(most)
    .execute(&mut *tx)
    .await
    .or_failed("save a view")?;
    commit(tx, "save a view").await?;
    Ok(saved.rows_affected() == 1)
}

/// The views that `user` keeps of `tenant`, by name.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, tenant: TenantId, user: UserId) -> Result<Vec<View>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as("select name, query from saved_view where tenant_id = $1 and user_id = $2 order by name")
        .bind(tenant.as_uuid())
        .bind(user.as_uuid())
        .fetch_all(&mut *tx)
        .await
        .or_failed("list views")
}

/// Forgets a view of `user`; false when they have none of this name.
///
/// # Errors
/// When the database fails.
pub async fn remove(db: &Db, tenant: TenantId, user: UserId, name: &str) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let removed = sqlx::query("delete from saved_view where tenant_id = $1 and user_id = $2 and name = $3")
        .bind(tenant.as_uuid())
        .bind(user.as_uuid())
        .bind(name)
        .execute(&mut *tx)
        .await
        .or_failed("forget a view")?;
    commit(tx, "forget a view").await?;
    Ok(removed.rows_affected() == 1)
}
