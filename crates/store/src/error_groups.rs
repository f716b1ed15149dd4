//! Failures that look alike, and what people said of them.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use jobs::{JobId, TenantId, UserId};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    audit,
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// Failures that are looked at to group them.
pub const FAILURES_LOOKED_AT_MAX: i32 = 5_000;

/// What people said of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Nothing, or that it is to be looked at again.
    Open,
    /// It is known and may stay.
    Ignored,
    /// It is mended.
    Resolved,
}

impl Said {
    /// The word in rows and forms.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ignored => "ignored",
            Self::Resolved => "resolved",
        }
    }
}

impl FromStr for Said {
    type Err = StoreError;

    fn from_str(name: &str) -> Result<Self, StoreError> {
        [Self::Open, Self::Ignored, Self::Resolved]
            .into_iter()
            .find(|said| said.name() == name)
            .ok_or_else(|| StoreError::Unreadable { table: "error_group", found: name.to_owned() })
    }
}

/// Failures that look alike: of one kind, with one code.
#[derive(Debug, Clone, FromRow)]
pub struct ErrorGroup {
    /// Of which kind.
    pub kind: String,
    /// The code of their error.
    pub code: String,
    /// What the latest of them said.
    pub message: Option<String>,
    /// How many attempts in all.
    pub failures: i64,
    /// How many among those that were looked at.
    pub lately: i64,
    /// How many jobs were given up with it, among those.
    pub given_up: i64,
    /// The first of them.
    pub first_at: DateTime<Utc>,
    /// The latest.
    pub last_at: DateTime<Utc>,
    last_job: Option<Uuid>,
    state: String,
    /// Why people said so.
    pub note: Option<String>,
    /// Who said so.
    pub said_by: Option<String>,
    /// When.
    pub said_at: Option<DateTime<Utc>>,
    assignee_id: Option<Uuid>,
    /// Who looks after it, by their address.
    pub assignee: Option<String>,
    /// The version that had come last when it first failed.
    pub came_with: Option<String>,
}

impl ErrorGroup {
    /// The job that failed with it last, among those that were looked at.
    pub fn last_job(&self) -> Option<JobId> {
        self.last_job.map(JobId::from_uuid)
    }

    /// What people said of it.
    ///
    /// # Errors
    /// When this version knows no such word.
    pub fn said(&self) -> Result<Said, StoreError> {
        self.state.parse()
    }

    /// Whether it failed again after somebody had said that it is mended.
    pub fn is_back(&self) -> bool {
        self.state == Said::Resolved.name() && self.said_at.is_some_and(|said_at| self.last_at > said_at)
    }

    /// Who looks after it.
    pub fn assignee_id(&self) -> Option<UserId> {
        self.assignee_id.map(UserId::from_uuid)
    }
}

/// What failed since a time, the latest first; the newest among the latest [`FAILURES_LOOKED_AT_MAX`] failures.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, tenant: TenantId, since: DateTime<Utc>) -> Result<Vec<ErrorGroup>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as("select * from error_groups_here($1, $2)")
        .bind(since)
        .bind(FAILURES_LOOKED_AT_MAX)
        .fetch_all(&mut *tx)
        .await
        .or_failed("group failures")
}

/// Writes down what somebody said of `group`, and `noted` in the tenant's log.
///
/// # Errors
/// When the database fails.
pub async fn say(
    db: &Db,
    tenant: TenantId,
    group: &ErrorGroup,
    said: Said,
    note: Option<&str>,
    by: &str,
    noted: Option<&Value>,
) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query(
        "insert into error_group (tenant_id, kind, code, first_at, last_at, state, note, said_by, said_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp())
         on conflict (tenant_id, kind, code) do update set state = excluded.state, note = excluded.note,
             said_by = excluded.said_by, said_at = excluded.said_at",
    )
    .bind(tenant.as_uuid())
    .bind(&group.kind)
    .bind(&group.code)
    .bind(group.first_at)
    .bind(group.last_at)
    .bind(said.name())
    .bind(note)
    .bind(by)
    .execute(&mut *tx)
    .await
    .or_failed("write down what was said of an error")?;
    if let Some(noted) = noted {
        audit::note(&mut tx, noted).await?;
    }
    commit(tx, "write down what was said of an error").await
}

/// Asks somebody to look after `group`, or nobody, and writes `noted` into the tenant's log.
///
/// # Errors
/// When the database fails.
pub async fn assign(
    db: &Db,
    tenant: TenantId,
    group: &ErrorGroup,
    to: Option<UserId>,
    noted: Option<&Value>,
) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query(
        "insert into error_group (tenant_id, kind, code, first_at, last_at, assignee) values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id, kind, code) do update set assignee = excluded.assignee",
    )
    .bind(tenant.as_uuid())
    .bind(&group.kind)
    .bind(&group.code)
    .bind(group.first_at)
    .bind(group.last_at)
    .bind(to.map(|user| user.as_uuid()))
    .execute(&mut *tx)
    .await
    .or_failed("assign an error")?;
    if let Some(noted) = noted {
        audit::note(&mut tx, noted).await?;
    }
    commit(tx, "assign an error").await
}

/// A tenant in whose work something failed.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Affected {
    /// Its short name.
    pub slug: String,
    /// Its long name.
    pub name: String,
    /// How many attempts in all.
    pub failures: i64,
    /// The first of them.
    pub first_at: DateTime<Utc>,
    /// The latest.
    pub last_at: DateTime<Utc>,
    /// How many tenants there are, with those that are not told.
    pub in_all: i64,
}

/// Up to `most` tenants for which the same failed since a time, those it failed for most first, as far as minutes have been summed
/// up; none for those who do not watch the whole installation.
///
/// # Errors
/// When the database fails.
pub async fn affected(
    db: &Db,
    user: UserId,
    group: &ErrorGroup,
    since: DateTime<Utc>,
    most: i64,
) -> Result<Vec<Affected>, StoreError> {
    sqlx::query_as("select * from tenants_with_error($1, $2, $3, $4, $5)")
        .bind(user.as_uuid())
        .bind(&group.kind)
        .bind(&group.code)
        .bind(since)
        .bind(most)
        .fetch_all(db.pool())
        .await
        .or_failed("see which tenants an error concerns")
}

/// A version of the program under which a group failed.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ErrorVersion {
    /// The version.
    pub version: String,
    /// How many attempts under it.
    pub failures: i64,
    /// The first of them.
    pub first_at: DateTime<Utc>,
    /// The latest.
    pub last_at: DateTime<Utc>,
}

/// Up to `most` versions under which `group` failed, the latest seen first. Of workers of before this was kept nothing is known.
///
/// # Errors
/// When the database fails.
pub async fn versions(
    db: &Db,
    tenant: TenantId,
    group: &ErrorGroup,
    most: i32,
) -> Result<Vec<ErrorVersion>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as("select * from error_versions_here($1, $2, $3)")
        .bind(&group.kind)
        .bind(&group.code)
        .bind(most)
        .fetch_all(&mut *tx)
        .await
        .or_failed("see under which versions something failed")
}

/// Somebody who steers the work of a tenant.
#[derive(Debug, Clone, FromRow)]
pub struct Steering {
    id: Uuid,
    /// Their address.
    pub email: String,
}

impl Steering {
    /// Who it is.
    pub fn id(&self) -> UserId {
        UserId::from_uuid(self.id)
    }
}

/// Who steers the work of `tenant` and of no other, by their addresses.
///
/// # Errors
/// When the database fails.
pub async fn operators(db: &Db, tenant: TenantId) -> Result<Vec<Steering>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as("select * from operators_here()")
        .fetch_all(&mut *tx)
        .await
        .or_failed("list who steers a tenant's work")
}
