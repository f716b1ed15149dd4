//! Tokens that run out: one process at a time renews one, because some providers take the old one back at that.

use jobs::{CalendarLinkId, TenantId};

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// How long whoever renews a token has for it, in seconds.
const RENEWING_S: i32 = 60;

/// Who renews a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// Whoever asked; this is what opens the calendar at this moment.
    Yours(String),
    /// Somebody else, at this moment.
    Others,
    /// Nobody: the link is gone.
    Gone,
}

/// Asks for leave to renew the token of a link.
///
/// # Errors
/// When the database fails, or this process cannot open the access.
pub async fn renew(db: &Db, tenant: TenantId, link: CalendarLinkId) -> Result<Renewal, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let access: Option<Vec<u8>> = sqlx::query_scalar(
        "update calendar_link set renewing_until = clock_timestamp() + make_interval(secs => $3)
         where tenant_id = $1 and id = $2 and (renewing_until is null or renewing_until <= clock_timestamp())
         returning access",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(RENEWING_S)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("ask for leave to renew a token")?;
    if let Some(access) = access {
        let access = db.open_secret(&link.to_string(), &access)?;
        commit(tx, "ask for leave to renew a token").await?;
        return Ok(Renewal::Yours(access));
    }
    let is_there: bool =
        sqlx::query_scalar("select exists (select from calendar_link where tenant_id = $1 and id = $2)")
            .bind(tenant.as_uuid())
            .bind(link.as_uuid())
            .fetch_one(&mut *tx)
            .await
            .or_failed("see whether a link is there")?;
    Ok(if is_there { Renewal::Others } else { Renewal::Gone })
}

/// Ends that leave. `access`: what opens the calendar from now on; none when it stays as it was.
///
/// # Errors
/// When the database fails, or the access cannot be sealed.
pub async fn renewed(
    db: &Db,
    tenant: TenantId,
    link: CalendarLinkId,
    access: Option<&str>,
) -> Result<(), StoreError> {
    let sealed = access.map(|access| db.seal_secret(&link.to_string(), access)).transpose()?;
    let mut tx = db.tenant(tenant).await?;
    sqlx::query(
        "update calendar_link set access = coalesce($3, access), renewing_until = null where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(sealed)
    .execute(&mut *tx)
    .await
    .or_failed("keep a token")?;
    commit(tx, "keep a token").await
}
