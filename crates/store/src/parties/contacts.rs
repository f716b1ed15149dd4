//! Where parties are reached, and what was said about that.

use chrono::{DateTime, Utc};
use jobs::{Category, Channel, ContactPointId, PartyId, TenantId};
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use uuid::Uuid;

use super::suppressed::{KEY, keep_free, release};
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// An address of a party.
#[derive(Debug, Clone, FromRow)]
pub struct ContactPoint {
    id: Uuid,
    party_id: Uuid,
    channel: String,
    /// An address, a number, a token, a webhook; empty for the inbox.
    pub address: String,
    /// When it was found to be theirs.
    pub verified_at: Option<DateTime<Utc>>,
    /// What its links are signed with.
    pub link_secret: Vec<u8>,
    /// The last word about the category that was asked for: `granted` or `withdrawn`.
    pub consent: Option<String>,
    /// Why nothing goes to this address, whoever's it is.
    pub suppression: Option<String>,
    /// When it was noted.
    pub created_at: DateTime<Utc>,
}

impl ContactPoint {
    /// Which it is.
    pub fn id(&self) -> ContactPointId {
        ContactPointId::from_uuid(self.id)
    }

    /// Whose it is.
    pub fn party(&self) -> PartyId {
        PartyId::from_uuid(self.party_id)
    }

    /// By which channel.
    ///
    /// # Errors
    /// When this version knows no such channel.
    pub fn channel(&self) -> Result<Channel, StoreError> {
        let found = || StoreError::Unreadable { table: "contact_point", found: self.channel.clone() };
        self.channel.parse().map_err(|_| found())
    }
}

/// What is read of an address, with what was said about messages of the category `$3`.
fn columns() -> String {
    format!(
        "c.id, c.party_id, c.channel, c.address, c.verified_at, c.link_secret, c.created_at,
         (select k.word from consent k where k.contact_point_id = c.id and k.category = $3 order by k.number desc limit 1)
             as consent,
         (select s.word from suppressed_address s
             where s.tenant_id = c.tenant_id and s.channel = c.channel and s.address_sha256 = {KEY}) as suppression"
    )
}

/// An address that is about to be noted.
#[derive(Debug, Clone)]
pub struct NewContactPoint {
    /// Which it will be.
    pub id: ContactPointId,
    /// Whose it is.
    pub party: PartyId,
    /// By which channel.
    pub channel: Channel,
    /// The address.
    pub address: String,
    /// Whether it is known to be theirs.
    pub is_verified: bool,
    /// What its links will be signed with.
    pub link_secret: [u8; 32],
}

/// What became of the wish to note an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is noted.
    New,
    /// The tenant has no such party.
    NoParty,
    /// The party has that address already.
    Taken,
}

/// Notes an address.
///
/// # Errors
/// When the database fails.
pub async fn add(db: &Db, tenant: TenantId, new: &NewContactPoint) -> Result<Added, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let (has_party, added): (bool, bool) = sqlx::query_as(
        "with theirs as (select id from party where tenant_id = $2 and id = $3),
         added as (
             insert into contact_point (id, tenant_id, party_id, channel, address, verified_at, link_secret)
             select $1, $2, id, $4, $5, case when $6 then clock_timestamp() end, $7 from theirs
             on conflict (party_id, channel, address) do nothing returning id
         )
         select exists (select from theirs), exists (select from added)",
    )
    .bind(new.id.as_uuid())
    .bind(tenant.as_uuid())
    .bind(new.party.as_uuid())
    .bind(new.channel.name())
    .bind(&new.address)
    .bind(new.is_verified)
    .bind(new.link_secret.as_slice())
    .fetch_one(&mut *tx)
    .await
    .or_failed("note an address")?;
    commit(tx, "note an address").await?;
    Ok(match (has_party, added) {
        (false, _) => Added::NoParty,
        (true, false) => Added::Taken,
        (true, true) => Added::New,
    })
}

/// The addresses of `party`, in the order in which they were noted.
///
/// # Errors
/// When the database fails.
pub async fn contacts(db: &Db, tenant: TenantId, party: PartyId) -> Result<Vec<ContactPoint>, StoreError> {
    contacts_for(db, tenant, party, Category::Operational).await
}

/// The addresses of `party` with what was said about messages of `category`.
///
/// # Errors
/// When the database fails.
pub async fn contacts_for(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    category: Category,
) -> Result<Vec<ContactPoint>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {} from contact_point c where c.tenant_id = $1 and c.party_id = $2 order by c.id",
        columns()
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(party.as_uuid())
        .bind(category.name())
        .fetch_all(&mut *tx)
        .await
        .or_failed("read the addresses of a party")
}

/// One address with what was said about messages of `category`.
///
/// # Errors
/// When the database fails.
pub async fn contact(
    db: &Db,
    tenant: TenantId,
    id: ContactPointId,
    category: Category,
) -> Result<Option<ContactPoint>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {} from contact_point c where c.tenant_id = $1 and c.id = $2", columns());
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .bind(category.name())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read an address")
}

/// Forgets an address, and drops what gathers for it. False when this tenant has no such address.
///
/// # Errors
/// When the database fails.
pub async fn remove_contact(db: &Db, tenant: TenantId, id: ContactPointId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // Whoever has something gathered for it waits for this lock: its digests go with it.
    sqlx::query("select from contact_point where tenant_id = $1 and id = $2 for update")
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("lock an address")?;
    sqlx::query(
        "update message set state = 'dropped', detail = 'its address was removed'
         where tenant_id = $1 and state = 'gathered' and digest_id in (
             select id from digest where tenant_id = $1 and contact_point_id = $2 and closed_at is null)",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .execute(&mut *tx)
    .await
    .or_failed("drop what gathers for an address")?;
    let removed = sqlx::query("delete from contact_point where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("remove an address")?;
    commit(tx, "remove an address").await?;
    Ok(removed.rows_affected() > 0)
}

/// What can be said about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Messages of the category are wanted.
    Granted(Category),
    /// They are not.
    Withdrawn(Category),
    /// Nothing goes there: the word of a [`ContactPoint::suppression`].
    Suppressed(&'static str),
    /// What kept everything away is over.
    Released,
}

impl Word {
    const fn parts(self) -> (Option<Category>, &'static str) {
        match self {
            Self::Granted(category) => (Some(category), "granted"),
            Self::Withdrawn(category) => (Some(category), "withdrawn"),
            Self::Suppressed(word) => (None, word),
            Self::Released => (None, "released"),
        }
    }
}

/// Notes what `source` said about an address. False when this tenant has no such address.
///
/// # Errors
/// When the database fails.
pub async fn say(
    db: &Db,
    tenant: TenantId,
    id: ContactPointId,
    word: Word,
    source: &str,
) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let said = write(&mut tx, tenant, id, word, source).await?;
    commit(tx, "note what was said about an address").await?;
    Ok(said)
}

/// Keeps everything away from an address, in the caller's transaction.
///
/// # Errors
/// When the database fails.
pub async fn suppress(
    tx: &mut PgConnection,
    tenant: TenantId,
    id: ContactPointId,
    word: &'static str,
    source: &str,
) -> Result<(), StoreError> {
    write(tx, tenant, id, Word::Suppressed(word), source).await.map(drop)
}

async fn write(
    tx: &mut PgConnection,
    tenant: TenantId,
    id: ContactPointId,
    word: Word,
    source: &str,
) -> Result<bool, StoreError> {
    match word {
        Word::Suppressed(word) => keep_free(&mut *tx, tenant, id, word, source).await?,
        Word::Released => release(&mut *tx, tenant, id).await?,
        Word::Granted(_) | Word::Withdrawn(_) => {}
    }
    let (category, word) = word.parts();
    let said = sqlx::query(
        "insert into consent (tenant_id, contact_point_id, category, word, source)
         select tenant_id, id, $3, $4, $5 from contact_point where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(category.map(Category::name))
    .bind(word)
    .bind(source)
    .execute(tx)
    .await
    .or_failed("note what was said about an address")?;
    Ok(said.rows_affected() > 0)
}

/// What has to be known of an address before anybody knows whose it is.
#[derive(Debug, Clone, FromRow)]
pub struct Linked {
    tenant_id: Uuid,
    /// What its links are signed with.
    pub link_secret: Vec<u8>,
}

impl Linked {
    /// Whose it is.
    pub fn tenant(&self) -> TenantId {
        TenantId::from_uuid(self.tenant_id)
    }
}

/// The address that a link names, for checking the link.
///
/// # Errors
/// When the database fails.
pub async fn linked(db: &Db, id: ContactPointId) -> Result<Option<Linked>, StoreError> {
    sqlx::query_as("select tenant_id, link_secret from find_contact_point($1)")
        .bind(id.as_uuid())
        .fetch_optional(db.pool())
        .await
        .or_failed("look up an address by its link")
}
