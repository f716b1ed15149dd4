//! Addresses that nothing goes to, whoever's they are: a word about one holds for every party of the tenant that has it, and
//! outlives them.

use jobs::{ContactPointId, TenantId};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::error::{OrFailed, StoreError};

/// What the address of the contact point `c` is compared by. An inbox has none: it is compared by its own id.
pub(super) const KEY: &str = "address_sha256(c.channel, coalesce(nullif(c.address, ''), c.id::text))";

/// A complaint lets critical messages through, so it takes the place of nothing.
const UNLESS_WEAKER: &str = "on conflict (tenant_id, channel, address_sha256) do update
    set word = excluded.word, source = excluded.source, since = excluded.since
    where s.word <> excluded.word and excluded.word <> 'complaint'";

/// Keeps the address of `contact` free.
pub(super) async fn keep_free(
    tx: &mut PgConnection,
    tenant: TenantId,
    contact: ContactPointId,
    word: &str,
    source: &str,
) -> Result<(), StoreError> {
    let sql = format!(
        "insert into suppressed_address as s (tenant_id, channel, address_sha256, word, source)
         select c.tenant_id, c.channel, {KEY}, $3, $4 from contact_point c where c.tenant_id = $1 and c.id = $2
         {UNLESS_WEAKER}"
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(contact.as_uuid())
        .bind(word)
        .bind(source)
        .execute(tx)
        .await
        .or_failed("keep an address free")
        .map(drop)
}

/// The address of `contact` is free no more.
pub(super) async fn release(
    tx: &mut PgConnection,
    tenant: TenantId,
    contact: ContactPointId,
) -> Result<(), StoreError> {
    let sql = format!(
        "delete from suppressed_address s using contact_point c
         where c.tenant_id = $1 and c.id = $2 and s.tenant_id = c.tenant_id and s.channel = c.channel
             and s.address_sha256 = {KEY}"
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(contact.as_uuid())
        .execute(tx)
        .await
        .or_failed("release an address")
        .map(drop)
}

/// Keeps a telephone number free, for its owner answered so.
pub(super) async fn stop_number(
    tx: &mut PgConnection,
    tenant: TenantId,
    number: &str,
    source: &str,
) -> Result<(), StoreError> {
    let sql = format!(
        "insert into suppressed_address as s (tenant_id, channel, address_sha256, word, source)
         values ($1, 'sms', address_sha256('sms', $2), 'stop', $3) {UNLESS_WEAKER}"
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(number)
        .bind(source)
        .execute(tx)
        .await
        .or_failed("keep a number free")
        .map(drop)
}

/// Takes back what the owner of a telephone number answered, and nothing else.
pub(super) async fn start_number(
    tx: &mut PgConnection,
    tenant: TenantId,
    number: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "delete from suppressed_address where tenant_id = $1 and channel = 'sms'
             and address_sha256 = address_sha256('sms', $2) and word = 'stop'",
    )
    .bind(tenant.as_uuid())
    .bind(number)
    .execute(tx)
    .await
    .or_failed("release a number")
    .map(drop)
}
