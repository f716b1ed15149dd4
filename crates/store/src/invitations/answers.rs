//! What guests answer.

use chrono::{DateTime, Utc};
use jobs::{BookingId, InvitationId, TenantId};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    enqueue::{self, NewJob},
    error::{OrFailed, StoreError},
    outbox::tell,
};

/// What somebody answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// To which invitation.
    pub invitation: InvitationId,
    /// To which booking.
    pub booking: BookingId,
    /// Who, by their address.
    pub guest: String,
    /// `accepted`, `tentative` or `declined`.
    pub said: &'static str,
    /// To which wish.
    pub wish: i64,
    /// When, by their clock; now when they do not say.
    pub at: Option<DateTime<Utc>>,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It stands with the invitation.
    Noted,
    /// The guest was told something else since, or has answered since.
    Overtaken,
    /// It is from somebody else.
    Stranger,
    /// The tenant has no such invitation.
    Unknown,
}

#[derive(FromRow)]
struct Before {
    party_id: Uuid,
    address: String,
    told_wish: i32,
    is_invited: bool,
    answer: Option<String>,
    answered_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
}

/// Notes what a guest answered. Whoever hears the same again notes nothing new.
///
/// # Errors
/// When the database fails.
pub async fn answer(db: &Db, tenant: TenantId, answered: &Answered) -> Result<Heard, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let before: Option<Before> = sqlx::query_as(
        "select party_id, address, told_wish, told is not distinct from 'request' as is_invited, answer, answered_at,
             clock_timestamp() as now
         from invitation where tenant_id = $1 and id = $2 and booking_id = $3 for update",
    )
    .bind(tenant.as_uuid())
    .bind(answered.invitation.as_uuid())
    .bind(answered.booking.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read what a guest answered before")?;
    let Some(before) = before else { return Ok(Heard::Unknown) };
    if !before.address.eq_ignore_ascii_case(&answered.guest) {
        return Ok(Heard::Stranger);
    }
    // Nobody answers later than now, whatever their clock shows.
    let at = answered.at.unwrap_or(before.now).min(before.now);
    let is_late = before.answered_at.is_some_and(|last| at < last);
    if answered.wish < i64::from(before.told_wish) || !before.is_invited || is_late {
        return Ok(Heard::Overtaken);
    }
    sqlx::query("update invitation set answer = $3, answered_at = $4 where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(answered.invitation.as_uuid())
        .bind(answered.said)
        .bind(at)
        .execute(&mut *tx)
        .await
        .or_failed("note what a guest answered")?;
    if before.answer.as_deref() != Some(answered.said) {
        let subject = answered.invitation.to_string();
        let party = jobs::PartyId::from_uuid(before.party_id);
        let data = json!({
            "invitation": subject, "booking": answered.booking, "party": party, "answer": answered.said
        });
        tell(&mut tx, tenant, "invitation.answered", &subject, &data).await?;
    }
    commit(tx, "note what a guest answered").await?;
    Ok(Heard::Noted)
}

/// Has whoever sent an invitation look into what came by mail, without its saying whose it is. False when nobody sent it. For
/// workers.
///
/// # Errors
/// When the database fails.
pub async fn pass_on(db: &Db, id: InvitationId, job: &NewJob) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let tenant: Option<Uuid> = sqlx::query_scalar("select tenant_id from invitation where id = $1")
        .bind(id.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("find whose invitation it is")?;
    let Some(tenant) = tenant else { return Ok(false) };
    enqueue::insert(db, &mut tx, TenantId::from_uuid(tenant), &[job]).await?;
    commit(tx, "pass on what a guest answers").await?;
    Ok(true)
}
