//! What people did, in chains that nobody can rewrite unnoticed: one for each tenant and one for the installation.
//!
//! The hash of an entry is SHA-256 of the hash before it and of its own text. So one hash that was noted elsewhere vouches
//! for everything up to it.

use jobs::{TenantId, UserId};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
};

/// Entries that are read at once to be verified.
const VERIFIED_AT_ONCE_MAX: i64 = 1_000;

/// Appends `said`, a JSON object, to the chain of `tenant`, or of the installation; answers its number there.
pub async fn append(db: &Db, tenant: Option<TenantId>, said: &Value) -> Result<i64, StoreError> {
    let mut tx = match tenant {
        Some(tenant) => db.tenant(tenant).await?,
        None => db.begin().await?,
    };
    let seq = note(&mut tx, said).await?;
    commit(tx, "write down what was done").await?;
    Ok(seq)
}

/// Appends `said` in the transaction of what it tells: to the chain of whom that acts for.
pub async fn note(tx: &mut Tx, said: &Value) -> Result<i64, StoreError> {
    sqlx::query_scalar("select append_audit($1)")
        .bind(said)
        .fetch_one(&mut **tx)
        .await
        .or_failed("write down what was done")
}

/// An entry as it was written down.
#[derive(Debug, Clone, FromRow)]
pub struct Entry {
    /// Its number in its chain, from 1.
    pub seq: i64,
    /// JSON, to the byte as it was hashed.
    pub entry: String,
    /// SHA-256 of the hash before and of the entry.
    pub hash: Vec<u8>,
}

/// Up to `limit` entries of `tenant` before number `before`, newest first.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Entry>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select seq, entry, hash from audit_entry where chain = $1 and seq < $2 order by seq desc limit $3",
    )
    .bind(tenant.as_uuid())
    .bind(before.unwrap_or(i64::MAX))
    .bind(limit)
    .fetch_all(&mut *tx)
    .await
    .or_failed("read what was done")
}

/// As [`list`], of the installation; nothing for those who do not operate it.
pub async fn list_of_installation(
    db: &Db,
    user: UserId,
    before: Option<i64>,
    limit: i32,
) -> Result<Vec<Entry>, StoreError> {
    sqlx::query_as("select seq, entry, hash from audit_of_installation($1, $2, $3)")
        .bind(user.as_uuid())
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(db.pool())
        .await
        .or_failed("read what was done to the installation")
}

/// What a chain turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// Every entry follows from the one before.
    Whole {
        /// How many there are.
        entries: i64,
        /// The last hash; noted elsewhere it vouches for all of them.
        hash: Vec<u8>,
    },
    /// This entry does not follow from the one before, or is missing.
    Broken {
        /// Its number.
        seq: i64,
    },
}

/// Follows the chain of `tenant`, or of the installation, from its beginning. Needs the owner's role.
pub async fn verify(db: &Db, tenant: Option<TenantId>) -> Result<Verified, StoreError> {
    let chain = tenant.map_or(Uuid::nil(), |tenant| tenant.as_uuid());
    // One look at all of it: what is appended meanwhile is not there for its end either.
    let mut tx = db.begin().await?;
    sqlx::query("set transaction isolation level repeatable read, read only")
        .execute(&mut *tx)
        .await
        .or_failed("read the audit log")?;
    let (mut seq, mut hash) = (0_i64, Vec::new());
    loop {
        let page: Vec<Entry> = sqlx::query_as(
            "select seq, entry, hash from audit_entry where chain = $1 and seq > $2 order by seq limit $3",
        )
        .bind(chain)
        .bind(seq)
        .bind(VERIFIED_AT_ONCE_MAX)
        .fetch_all(&mut *tx)
        .await
        .or_failed("read the audit log")?;
        for next in &page {
            let follows: [u8; 32] =
                Sha256::new().chain_update(&hash).chain_update(&next.entry).finalize().into();
            if next.seq != seq + 1 || !belongs(next, chain) || next.hash != follows {
                return Ok(Verified::Broken { seq: seq + 1 });
            }
            (seq, hash) = (next.seq, next.hash.clone());
        }
        if (page.len() as i64) < VERIFIED_AT_ONCE_MAX {
            break;
        }
    }
    let head: Option<(i64, Vec<u8>)> = sqlx::query_as("select seq, hash from audit_head where chain = $1")
        .bind(chain)
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read the end of the audit log")?;
    let (last, last_hash) = head.unwrap_or_default();
    if (last, &last_hash) != (seq, &hash) {
        return Ok(Verified::Broken { seq: seq + 1 });
    }
    Ok(Verified::Whole { entries: seq, hash })
}

/// Whether an entry says the place in which it stands.
fn belongs(entry: &Entry, chain: Uuid) -> bool {
    let said: Value = serde_json::from_str(&entry.entry).unwrap_or_default();
    said["seq"] == entry.seq && said["chain"] == chain.to_string()
}
