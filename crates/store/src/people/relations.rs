//! What people say of each other, and what was seen of them.

use chrono::{DateTime, Utc};
use jobs::{PartyId, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

/// What one may say of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// They should come.
    Preferred,
    /// They must not.
    Blocked,
}

impl Said {
    const fn word(self) -> &'static str {
        match self {
            Self::Preferred => "preferred",
            Self::Blocked => "blocked",
        }
    }
}

/// What one says of another.
#[derive(Debug, Clone, FromRow)]
pub struct Relation {
    about_party: Uuid,
    /// `preferred` or `blocked`.
    pub word: String,
    /// When it was said.
    pub said_at: DateTime<Utc>,
}

impl Relation {
    /// Of whom.
    pub fn about(&self) -> PartyId {
        PartyId::from_uuid(self.about_party)
    }
}

/// Notes what one says of another. False when this tenant has not both of them.
///
/// # Errors
/// When the database fails.
pub async fn relate(
    db: &Db,
    tenant: TenantId,
    by: PartyId,
    about: PartyId,
    said: Said,
) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let noted = sqlx::query(
        "insert into relation (tenant_id, by_party, about_party, word)
         select $1, one.id, other.id, $4 from party one, party other
         where one.tenant_id = $1 and one.id = $2 and other.tenant_id = $1 and other.id = $3
         on conflict (by_party, about_party) do update set word = excluded.word, said_at = clock_timestamp()",
    )
    .bind(tenant.as_uuid())
    .bind(by.as_uuid())
    .bind(about.as_uuid())
    .bind(said.word())
    .execute(&mut *tx)
    .await
    .or_failed("note what one says of another")?;
    commit(tx, "note what one says of another").await?;
    Ok(noted.rows_affected() > 0)
}

/// Takes back what one said of another. False when nothing was said.
///
/// # Errors
/// When the database fails.
pub async fn unrelate(db: &Db, tenant: TenantId, by: PartyId, about: PartyId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let gone =
        sqlx::query("delete from relation where tenant_id = $1 and by_party = $2 and about_party = $3")
            .bind(tenant.as_uuid())
            .bind(by.as_uuid())
            .bind(about.as_uuid())
            .execute(&mut *tx)
            .await
            .or_failed("take back what one said of another")?;
    commit(tx, "take back what one said of another").await?;
    Ok(gone.rows_affected() > 0)
}

/// What `by` says of others, before `before`, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn relations(
    db: &Db,
    tenant: TenantId,
    by: PartyId,
    before: Option<Uuid>,
    max: i64,
) -> Result<Vec<Relation>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select about_party, word, said_at from relation
         where tenant_id = $1 and by_party = $2 and ($3::uuid is null or about_party < $3)
         order by about_party desc limit $4",
    )
    .bind(tenant.as_uuid())
    .bind(by.as_uuid())
    .bind(before)
    .bind(max)
    .fetch_all(&mut *tx)
    .await
    .or_failed("list what one says of others")
}

/// What was seen of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// They came.
    Visit {
        /// In time.
        on_time: bool,
    },
    /// They did not.
    NoShow,
    /// What somebody thinks of it.
    Rating {
        /// From 1 to 5.
        stars: i16,
    },
}

/// What became of what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It is noted.
    New,
    /// It was noted before, under the same key.
    Before,
    /// The key was used before for another request.
    Mismatch,
    /// This tenant has no such party.
    Missing,
}

/// Notes what was seen of `party`.
///
/// # Errors
/// When the database fails.
pub async fn observe(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    seen: Observed,
    key: Option<&Idempotency>,
) -> Result<Noted, StoreError> {
    let (kind, on_time, stars) = match seen {
        Observed::Visit { on_time } => ("visit", Some(on_time), None),
        Observed::NoShow => ("no_show", None, None),
        Observed::Rating { stars } => ("rating", None, Some(stars)),
    };
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(_) => return Ok(Noted::Before),
        Taken::ForAnother => return Ok(Noted::Mismatch),
    }
    let noted = sqlx::query(
        "insert into evidence (id, tenant_id, party_id, kind, on_time, stars)
         select gen_random_uuid(), $1, id, $3, $4, $5 from party where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .bind(kind)
    .bind(on_time)
    .bind(stars)
    .execute(&mut *tx)
    .await
    .or_failed("note what was seen of somebody")?;
    if noted.rows_affected() == 0 {
        return Ok(Noted::Missing);
    }
    let nothing = Answer { status: 204, location: None, body: String::new() };
    keep_answer(db, &mut tx, tenant, key, &nothing).await?;
    commit(tx, "note what was seen of somebody").await?;
    Ok(Noted::New)
}
