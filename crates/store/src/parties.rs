//! Parties: people and companies who can be told something.

mod answers;
mod contacts;
mod ledger;
mod preferences;
mod suppressed;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use jobs::{ContactPointId, PartyId, TenantId};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

pub use self::{
    answers::{Answered, has_address, note_answer, suppress_once},
    contacts::{
        Added, ContactPoint, Linked, NewContactPoint, Word, add, contact, contacts, contacts_for, linked,
        remove_contact, say, suppress,
    },
    ledger::{Said, said},
    preferences::{Preference, preferences, set_preferences},
};
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

/// Somebody who can be told something.
#[derive(Debug, Clone, FromRow)]
pub struct Party {
    id: Uuid,
    /// What they are called.
    pub name: String,
    /// Their language.
    pub locale: String,
    /// Where their clock hangs.
    pub timezone: Option<String>,
    /// Minute of the day from which nothing may ring.
    pub quiet_from: Option<i16>,
    /// Minute of the day from which it may again.
    pub quiet_until: Option<i16>,
    /// When they were noted.
    pub created_at: DateTime<Utc>,
    /// When they were changed last.
    pub updated_at: DateTime<Utc>,
}

const COLUMNS: &str = "id, name, locale, timezone, quiet_from, quiet_until, created_at, updated_at";

impl Party {
    /// Who it is.
    pub fn id(&self) -> PartyId {
        PartyId::from_uuid(self.id)
    }
}

/// What can be said about a party.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What they are called.
    pub name: String,
    /// Their language.
    pub locale: String,
    /// Where their clock hangs.
    pub timezone: Option<String>,
    /// Minutes of the day between which nothing may ring.
    pub quiet: Option<(i16, i16)>,
}

/// What became of the wish to note a party.
#[derive(Debug, Clone)]
pub enum Created {
    /// They are noted; this is the answer, also kept for the key.
    New(Answer),
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
}

/// Notes a party, with an inbox of its own.
///
/// # Errors
/// When the database fails.
pub async fn create(
    db: &Db,
    tenant: TenantId,
    id: PartyId,
    terms: &Terms,
    inbox: (ContactPointId, [u8; 32]),
    key: Option<&Idempotency>,
    answer: impl FnOnce(Party) -> Answer,
) -> Result<Created, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(Created::Replayed(answer)),
        Taken::ForAnother => return Ok(Created::Mismatch),
    }
    let sql = format!(
        "insert into party (id, tenant_id, name, locale, timezone, quiet_from, quiet_until)
         values ($1, $2, $3, $4, $5, $6, $7) returning {COLUMNS}"
    );
    let party = sqlx::query_as(AssertSqlSafe(sql))
        .bind(id.as_uuid())
        .bind(tenant.as_uuid())
        .bind(&terms.name)
        .bind(&terms.locale)
        .bind(&terms.timezone)
        .bind(terms.quiet.map(|quiet| quiet.0))
        .bind(terms.quiet.map(|quiet| quiet.1))
        .fetch_one(&mut *tx)
        .await
        .or_failed("note a party")?;
    sqlx::query(
        "insert into contact_point (id, tenant_id, party_id, channel, address, verified_at, link_secret)
         values ($1, $2, $3, 'in_app', '', clock_timestamp(), $4)",
    )
    .bind(inbox.0.as_uuid())
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(inbox.1.as_slice())
    .execute(&mut *tx)
    .await
    .or_failed("open an inbox")?;
    let answer = answer(party);
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    commit(tx, "note a party").await?;
    Ok(Created::New(answer))
}

/// The party of `tenant` with this id.
///
/// # Errors
/// When the database fails.
pub async fn party(db: &Db, tenant: TenantId, id: PartyId) -> Result<Option<Party>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {COLUMNS} from party where tenant_id = $1 and id = $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read a party")
}

/// What those among `ids` are called that are noted.
///
/// # Errors
/// When the database fails.
pub async fn names(
    db: &Db,
    tenant: TenantId,
    ids: &[PartyId],
) -> Result<HashMap<PartyId, String>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let found: Vec<(Uuid, String)> =
        sqlx::query_as("select id, name from party where tenant_id = $1 and id = any ($2)")
            .bind(tenant.as_uuid())
            .bind(ids.iter().map(PartyId::as_uuid).collect::<Vec<_>>())
            .fetch_all(&mut *tx)
            .await
            .or_failed("read what parties are called")?;
    Ok(found.into_iter().map(|(id, name)| (PartyId::from_uuid(id), name)).collect())
}

/// The parties of `tenant` before `before`, newest first, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    before: Option<Uuid>,
    max: i64,
) -> Result<Vec<Party>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS} from party where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(before)
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list parties")
}

/// Says something else about a party; none when this tenant has no such party.
///
/// # Errors
/// When the database fails.
pub async fn change(
    db: &Db,
    tenant: TenantId,
    id: PartyId,
    terms: &Terms,
) -> Result<Option<Party>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "update party set name = $3, locale = $4, timezone = $5, quiet_from = $6, quiet_until = $7,
             updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2 returning {COLUMNS}"
    );
    let party = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .bind(&terms.name)
        .bind(&terms.locale)
        .bind(&terms.timezone)
        .bind(terms.quiet.map(|quiet| quiet.0))
        .bind(terms.quiet.map(|quiet| quiet.1))
        .fetch_optional(&mut *tx)
        .await
        .or_failed("change a party")?;
    commit(tx, "change a party").await?;
    Ok(party)
}

/// Forgets a party, where it was reached and what it was told. False when this tenant has no such party.
///
/// # Errors
/// When the database fails.
pub async fn remove(db: &Db, tenant: TenantId, id: PartyId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let removed = sqlx::query("delete from party where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("remove a party")?;
    commit(tx, "remove a party").await?;
    Ok(removed.rows_affected() > 0)
}
