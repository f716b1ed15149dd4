//! Lists that come in parts. Each is kept until the list was read to its end, so that whoever is stopped goes on from there.

use chrono::{DateTime, Utc};
use jobs::{CalendarLinkId, TenantId};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, types::Json};

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// Parts of a list that began longer ago are not gone on from: what they tell is as old.
const PARTS_AGE_MAX_S: i32 = 1_800;

/// A list that somebody began to read.
#[derive(Debug, Clone)]
pub struct Begun {
    /// When.
    pub at: DateTime<Utc>,
    /// Whether it is one of everything.
    pub is_all: bool,
    /// Where the next part is, in the words of the provider.
    pub next: String,
    /// What its parts told.
    pub told: Vec<Value>,
}

#[derive(FromRow)]
struct Row {
    begun_at: DateTime<Utc>,
    is_all: bool,
    next: String,
    told: Json<Value>,
}

/// The list that was begun and not read to its end, if that is not too long ago.
pub(super) async fn begun(
    tx: &mut PgConnection,
    tenant: TenantId,
    link: CalendarLinkId,
    reading: i32,
) -> Result<Option<Begun>, StoreError> {
    let mut rows: Vec<Row> = sqlx::query_as(
        "select begun_at, is_all, next, told from calendar_part
         where tenant_id = $1 and link_id = $2 and reading = $3
             and begun_at > clock_timestamp() - make_interval(secs => $4) order by number",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(reading)
    .bind(PARTS_AGE_MAX_S)
    .fetch_all(tx)
    .await
    .or_failed("read parts of a list")?;
    let Some(Row { begun_at, is_all, next, told }) = rows.pop() else { return Ok(None) };
    let told = rows.into_iter().map(|row| row.told.0).chain([told.0]).collect();
    Ok(Some(Begun { at: begun_at, is_all, next, told }))
}

/// A part of a list, and not its last.
#[derive(Debug, Clone)]
pub struct Part {
    /// When the list was begun.
    pub at: DateTime<Utc>,
    /// Whether it is one of everything.
    pub is_all: bool,
    /// How many came before.
    pub number: usize,
    /// Where the next is, in the words of the provider.
    pub next: String,
    /// What it tells.
    pub told: Value,
}

/// Keeps a part. The first takes the place of any other list; a later one is kept where the one before it is, so that nobody goes on
/// from parts of two lists. Nothing is kept where another reading was taken.
///
/// # Errors
/// When the database fails.
pub async fn keep_part(
    db: &Db,
    (tenant, link): (TenantId, CalendarLinkId),
    reading: i32,
    part: &Part,
) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    if part.number == 0 {
        forget(&mut tx, tenant, link).await?;
    }
    sqlx::query(
        "insert into calendar_part (tenant_id, link_id, number, reading, begun_at, is_all, next, told)
         select $1, l.id, $3, $4, $5, $6, $7, $8 from calendar_link l
         where l.tenant_id = $1 and l.id = $2 and l.reading = $4
             and ($3 = 0 or exists (select from calendar_part p
                 where p.link_id = l.id and p.number = $3 - 1 and p.begun_at = $5 and p.is_all = $6))
         on conflict (link_id, number) do nothing",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(part.number as i32)
    .bind(reading)
    .bind(part.at)
    .bind(part.is_all)
    .bind(&part.next)
    .bind(Json(&part.told))
    .execute(&mut *tx)
    .await
    .or_failed("keep a part of a list")?;
    commit(tx, "keep a part of a list").await
}

/// Forgets the list that was begun: its provider does not know it any more, or it says otherwise than what was written since.
///
/// # Errors
/// When the database fails.
pub async fn forget_parts(db: &Db, tenant: TenantId, link: CalendarLinkId) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    forget(&mut tx, tenant, link).await?;
    commit(tx, "forget parts of a list").await
}

pub(super) async fn forget(
    tx: &mut PgConnection,
    tenant: TenantId,
    link: CalendarLinkId,
) -> Result<(), StoreError> {
    sqlx::query("delete from calendar_part where tenant_id = $1 and link_id = $2")
        .bind(tenant.as_uuid())
        .bind(link.as_uuid())
        .execute(tx)
        .await
        .or_failed("forget parts of a list")?;
    Ok(())
}
