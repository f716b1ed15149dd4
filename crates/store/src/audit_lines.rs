//! The log of what was done, page by page, for keys: what of it fits.
//!
//! A page looks at so many entries at most, so it may be short, or empty, and yet not the last.

use chrono::{DateTime, Utc};
use jobs::{ApiKeyId, TenantId};

use crate::{
    audit::Entry,
    db::{Db, Tx},
    error::{OrFailed, StoreError},
};

/// Entries that one page looks at.
pub const AUDIT_LOOKED_AT_MAX: i64 = 10_000;

/// Whose log.
#[derive(Debug, Clone, Copy)]
pub enum Whose {
    /// That of a tenant.
    Tenant(TenantId),
    /// That of the installation, for a key that runs it; for others there is nothing in it.
    Installation(ApiKeyId),
}

/// Which entries. What is left out is not asked about.
#[derive(Debug, Clone, Default)]
pub struct Fitting {
    /// What was done, in the log's own word.
    pub action: Option<String>,
    /// To what.
    pub target: Option<String>,
    /// By whom: an API key, or somebody by their address.
    pub by: Option<String>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
}

/// Some of a log.
#[derive(Debug, Clone)]
pub struct Page {
    /// What fits, newest first.
    pub entries: Vec<Entry>,
    /// The next page is before this number; none on the last one.
    pub next: Option<i64>,
}

/// Up to `most` entries before number `before` that fit.
///
/// # Errors
/// When the database fails.
pub async fn page(
    db: &Db,
    whose: Whose,
    fitting: &Fitting,
    before: Option<i64>,
    most: i64,
) -> Result<Page, StoreError> {
    let mut tx = match whose {
        Whose::Tenant(tenant) => db.tenant(tenant).await?,
        Whose::Installation(_) => db.begin().await?,
    };
    let Some(top) = top(&mut tx, whose, before.unwrap_or(i64::MAX)).await? else {
        return Ok(Page { entries: Vec::new(), next: None });
    };
    let bottom = (top - AUDIT_LOOKED_AT_MAX).max(0);
    let entries = lines(&mut tx, whose, fitting, (top, bottom), most).await?;
    let is_full = entries.len() as i64 == most;
    let looked_to = entries.last().filter(|_| is_full).map_or(bottom + 1, |last| last.seq);
    Ok(Page { entries, next: Some(looked_to).filter(|next| *next > 1) })
}

async fn top(tx: &mut Tx, whose: Whose, before: i64) -> Result<Option<i64>, StoreError> {
    let (sql, id) = match whose {
        Whose::Tenant(tenant) => ("select audit_top($1, $2)", tenant.as_uuid()),
        Whose::Installation(key) => ("select key_sees_audit_top($1, $2)", key.as_uuid()),
    };
    sqlx::query_scalar(sql)
        .bind(id)
        .bind(before)
        .fetch_one(&mut **tx)
        .await
        .or_failed("see where what was done ends")
}

async fn lines(
    tx: &mut Tx,
    whose: Whose,
    fitting: &Fitting,
    (top, bottom): (i64, i64),
    most: i64,
) -> Result<Vec<Entry>, StoreError> {
    let (sql, id) = match whose {
        Whose::Tenant(tenant) => {
            ("select * from audit_lines($1, $2, $3, $4, $5, $6, $7, $8, $9)", tenant.as_uuid())
        }
        Whose::Installation(key) => {
            ("select * from key_sees_audit_lines($1, $2, $3, $4, $5, $6, $7, $8, $9)", key.as_uuid())
        }
    };
    sqlx::query_as(sql)
        .bind(id)
        .bind(top)
        .bind(bottom)
        .bind(&fitting.action)
        .bind(&fitting.target)
        .bind(&fitting.by)
        .bind(fitting.since)
        .bind(fitting.until)
        .bind(most)
        .fetch_all(&mut **tx)
        .await
        .or_failed("read what was done")
}
