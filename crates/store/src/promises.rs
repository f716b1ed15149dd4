//! Promises: which are at risk, and how they went.

use chrono::{DateTime, Utc};
use jobs::{JobId, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// A live job that was promised to be done by a time.
#[derive(Debug, Clone, FromRow)]
pub struct Promised {
    id: Uuid,
    /// `family.thing`.
    pub kind: String,
    /// Where it is.
    pub queue: String,
    /// When it could begin.
    pub scheduled_at: DateTime<Utc>,
    /// Promised to be done by then.
    pub due_at: DateTime<Utc>,
}

impl Promised {
    /// Which job it is.
    pub fn id(&self) -> JobId {
        JobId::from_uuid(self.id)
    }
}

/// How the promises of a kind went.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Record {
    /// `family.thing`.
    pub kind: String,
    /// Done in time.
    pub kept: i64,
    /// Done too late, or given up.
    pub broken: i64,
}

/// The live jobs of `tenant` whose promise is broken or has less than half of its time left, most urgent first.
pub async fn at_risk(db: &Db, tenant: TenantId, limit: i64) -> Result<Vec<Promised>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select j.id, j.kind, lane.queue, j.scheduled_at, j.due_at from job j join lane on lane.id = j.lane_id
         where j.tenant_id = $1 and j.due_at is not null and j.scheduled_at <= clock_timestamp()
           and j.due_at - clock_timestamp() < (j.due_at - j.scheduled_at) / 2
         order by j.due_at, j.id limit $2",
    )
    .bind(tenant.as_uuid())
    .bind(limit)
    .fetch_all(&mut *tx)
    .await
    .or_failed("list promises at risk")
}

/// How the promises of `tenant` went since a time, by kind.
pub async fn record(db: &Db, tenant: TenantId, since: DateTime<Utc>) -> Result<Vec<Record>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as("select kind, kept, broken from promises_since($1)")
        .bind(since)
        .fetch_all(&mut *tx)
        .await
        .or_failed("count promises")
}
