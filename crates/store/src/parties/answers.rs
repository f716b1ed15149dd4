//! What people answer to text messages, and addresses that are kept free.

use jobs::{Channel, ContactPointId, TenantId};
use sqlx::PgConnection;

use super::suppressed::{keep_free, start_number, stop_number};
use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// Whether anybody of the tenant has this address, or had it and said that they want nothing there.
///
/// # Errors
/// When the database fails.
pub async fn has_address(
    db: &Db,
    tenant: TenantId,
    channel: Channel,
    address: &str,
) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_scalar(
        "select exists (select from contact_point where tenant_id = $1 and channel = $2 and address = $3)
             or exists (select from suppressed_address
                 where tenant_id = $1 and channel = $2 and address_sha256 = address_sha256($2, $3))",
    )
    .bind(tenant.as_uuid())
    .bind(channel.name())
    .bind(address)
    .fetch_one(&mut *tx)
    .await
    .or_failed("see whose an address is")
}

/// Somebody answered with a word that ends or begins messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Their number.
    pub address: String,
    /// No more; or, again.
    pub stops: bool,
    /// Who told it.
    pub source: String,
}

/// Notes an answer about every address of the tenant's that is this number. `START` takes back what `STOP` said and nothing
/// else. Part of the transaction that settles the job.
///
/// # Errors
/// When the database fails.
pub async fn note_answer(
    tx: &mut PgConnection,
    tenant: TenantId,
    answered: &Answered,
) -> Result<(), StoreError> {
    if answered.stops {
        stop_number(&mut *tx, tenant, &answered.address, &answered.source).await?;
    } else {
        start_number(&mut *tx, tenant, &answered.address).await?;
    }
    let (word, unless_last) = if answered.stops { ("stop", None) } else { ("released", Some("stop")) };
    sqlx::query(
        "insert into consent (tenant_id, contact_point_id, word, source)
         select c.tenant_id, c.id, $3, $4 from contact_point c
         left join lateral (
             select k.word from consent k where k.contact_point_id = c.id and k.category is null
             order by k.number desc limit 1) last on true
         where c.tenant_id = $1 and c.channel = 'sms' and c.address = $2
             and last.word is distinct from $3 and ($5::text is null or last.word = $5)",
    )
    .bind(tenant.as_uuid())
    .bind(&answered.address)
    .bind(word)
    .bind(&answered.source)
    .bind(unless_last)
    .execute(tx)
    .await
    .or_failed("note what somebody answered")?;
    Ok(())
}

/// Keeps messages away from an address, unless what was said last does so already: a complaint lets critical messages
/// through, and takes nothing back when it comes after a bounce. In the caller's transaction.
///
/// # Errors
/// When the database fails.
pub async fn suppress_once(
    tx: &mut PgConnection,
    tenant: TenantId,
    contact: ContactPointId,
    word: &'static str,
    source: &str,
) -> Result<(), StoreError> {
    keep_free(&mut *tx, tenant, contact, word, source).await?;
    sqlx::query(
        "insert into consent (tenant_id, contact_point_id, word, source)
         select c.tenant_id, c.id, $3, $4 from contact_point c
         left join lateral (
             select k.word from consent k where k.contact_point_id = c.id and k.category is null
             order by k.number desc limit 1) last on true
         where c.tenant_id = $1 and c.id = $2 and last.word is distinct from $3
             and not ($3 = 'complaint' and last.word is not null and last.word in ('hard_bounce', 'stop'))",
    )
    .bind(tenant.as_uuid())
    .bind(contact.as_uuid())
    .bind(word)
    .bind(source)
    .execute(tx)
    .await
    .or_failed("keep messages away from an address")?;
    Ok(())
}
