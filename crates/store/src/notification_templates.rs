//! Templates of a tenant, by name, locale and version.

use chrono::{DateTime, Utc};
use jobs::TenantId;
use serde_json::Value;
use sqlx::{FromRow, types::Json};

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// A version of a template.
#[derive(Debug, Clone, FromRow)]
pub struct Template {
    /// What it is called.
    pub name: String,
    /// In which language.
    pub locale: String,
    /// From 1.
    pub version: i32,
    /// The template itself.
    pub source: Json<Value>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// Writes the next version of a template; answers it.
///
/// # Errors
/// When the database fails.
pub async fn put(
    db: &Db,
    tenant: TenantId,
    name: &str,
    locale: &str,
    source: &Value,
    by: &str,
) -> Result<Template, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // Two who write at once stand in a line.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1 || $2 || $3, 0))")
        .bind(tenant.to_string())
        .bind(name)
        .bind(locale)
        .execute(&mut *tx)
        .await
        .or_failed("wait for a template")?;
    let template = sqlx::query_as(
        "insert into notification_template (tenant_id, name, locale, version, source, created_by)
         select $1, $2, $3, coalesce(max(version), 0) + 1, $4, $5
         from notification_template where tenant_id = $1 and name = $2 and locale = $3
         returning name, locale, version, source, created_at",
    )
    .bind(tenant.as_uuid())
    .bind(name)
    .bind(locale)
    .bind(Json(source))
    .bind(by)
    .fetch_one(&mut *tx)
    .await
    .or_failed("write a template")?;
    commit(tx, "write a template").await?;
    Ok(template)
}

/// The latest version of the template called `name`, in the first of `locales` that has one.
///
/// # Errors
/// When the database fails.
pub async fn latest(
    db: &Db,
    tenant: TenantId,
    name: &str,
    locales: &[String],
) -> Result<Option<Template>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select name, locale, version, source, created_at from notification_template
         where tenant_id = $1 and name = $2 and locale = any ($3)
         order by array_position($3, locale), version desc limit 1",
    )
    .bind(tenant.as_uuid())
    .bind(name)
    .bind(locales)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read a template")
}

/// The latest version of every template, by name and locale, after `after`, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    after: Option<(&str, &str)>,
    max: i64,
) -> Result<Vec<Template>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select distinct on (name, locale) name, locale, version, source, created_at from notification_template
         where tenant_id = $1 and ($2::text is null or (name, locale) > ($2, $3))
         order by name, locale, version desc limit $4",
    )
    .bind(tenant.as_uuid())
    .bind(after.map(|after| after.0))
    .bind(after.map(|after| after.1))
    .bind(max)
    .fetch_all(&mut *tx)
    .await
    .or_failed("list templates")
}
