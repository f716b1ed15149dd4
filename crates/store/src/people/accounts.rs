//! One person who works for several tenants: one account, whose time is protected across all of them.

use chrono::{DateTime, Utc};
use jobs::{PartyId, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// What became of the wish to join an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// The party is that person now.
    Done,
    /// Nobody has such a code, or not any more.
    WrongCode,
    /// This tenant has nobody such who does work.
    NoMembership,
    /// Their time is taken already, or another party of the tenant is that person.
    Taken,
}

/// Notes a code with which another tenant's party may join the account of `party`; answers until when. It takes the place of
/// the one before. None when this tenant has nobody such who does work.
///
/// # Errors
/// When the database fails.
pub async fn offer_account(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    code_sha256: [u8; 32],
    minutes: i32,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let until = sqlx::query_scalar(
        "insert into account_code (tenant_id, party_id, code_sha256, expires_at)
         select tenant_id, party_id, $3, clock_timestamp() + make_interval(mins => $4) from membership
         where tenant_id = $1 and party_id = $2
         on conflict (party_id) do update set code_sha256 = excluded.code_sha256, expires_at = excluded.expires_at
         returning expires_at",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .bind(code_sha256.as_slice())
    .bind(minutes)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("note the code of an account")?;
    commit(tx, "note the code of an account").await?;
    Ok(until)
}

/// Makes `party` the person whose code this is, and uses the code up. Their absences go with them.
///
/// # Errors
/// When the database fails.
pub async fn join(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    code_sha256: [u8; 32],
) -> Result<Joined, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // Who takes their time holds the row too: what they took is seen in the statement after.
    if !hold_membership(&mut tx, tenant, party).await? {
        return Ok(Joined::NoMembership);
    }
    let (account, is_taken): (Option<Uuid>, bool) = sqlx::query_as(
        "select code.account,
             exists (select from occupied where tenant_id = $1 and party_id = $2)
                 or exists (select from membership m
                     where m.tenant_id = $1 and m.account_id = code.account and m.party_id <> $2)
         from (select account_of_code($3) as account) code",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .bind(code_sha256.as_slice())
    .fetch_one(&mut *tx)
    .await
    .or_failed("read the code of an account")?;
    let account = match (account, is_taken) {
        (None, _) => return Ok(Joined::WrongCode),
        (_, true) => return Ok(Joined::Taken),
        (Some(account), false) => account,
    };
    sqlx::query(
        "with theirs as (
             update membership set account_id = $3, version = version + 1, updated_at = clock_timestamp()
             where tenant_id = $1 and party_id = $2
         )
         update absence set account_id = $3 where tenant_id = $1 and party_id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .bind(account)
    .execute(&mut *tx)
    .await
    .or_failed("join an account")?;
    commit(tx, "join an account").await?;
    Ok(Joined::Done)
}

/// Holds the row that says whose time it is, until the transaction ends: nobody takes any of it meanwhile. False when this
/// tenant has nobody such who does work.
pub(super) async fn hold_membership(
    tx: &mut PgConnection,
    tenant: TenantId,
    party: PartyId,
) -> Result<bool, StoreError> {
    let held = sqlx::query("select from membership where tenant_id = $1 and party_id = $2 for update")
        .bind(tenant.as_uuid())
        .bind(party.as_uuid())
        .execute(tx)
        .await
        .or_failed("hold whose time it is")?;
    Ok(held.rows_affected() > 0)
}
