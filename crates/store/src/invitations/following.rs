//! What follows from an answer of whoever is to do the work. It is done by the verbs that whoever answers over HTTP uses, so it is done
//! once, whatever comes twice or late.

use jobs::{OfferId, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use super::Answered;
use crate::{
    bookings::{self, Move, Status},
    db::{Db, commit},
    error::{OrFailed, StoreError},
    matches::{self, Word},
};

#[derive(FromRow)]
struct Row {
    status: String,
    version: i32,
    offer: Option<Uuid>,
}

/// Does what an answer that was noted means for the booking: it answers what they were offered, and confirms or releases what is held
/// for them in pencil. Of a guest it means nothing; nor once another answer was noted. Who accepts what is gone hears that it is.
///
/// # Errors
/// When the database fails; then it is to be done again.
pub async fn follow(db: &Db, tenant: TenantId, answered: &Answered) -> Result<(), StoreError> {
    let (word, to) = match answered.said {
        "accepted" => (Word::Accepted, Status::Confirmed),
        "declined" => (Word::Declined, Status::Released),
        _ => return Ok(()),
    };
    let Some(row) = asked(db, tenant, answered).await? else { return Ok(()) };
    match (Status::named(&row.status), row.offer) {
        (Some(Status::Offered), Some(offer)) => {
            matches::answer(db, tenant, OfferId::from_uuid(offer), word).await?;
        }
        (Some(Status::Pencil), _) => {
            let wanted = Move { to, version: row.version, on_time: true };
            bookings::move_to(db, tenant, answered.booking, wanted).await?;
        }
        (Some(Status::Void | Status::Released | Status::Cancelled), _) if word == Word::Accepted => {
            tell_again(db, tenant, answered).await?;
        }
        _ => {}
    }
    Ok(())
}

/// The booking as it stands, if whoever answered is to do its work, and this is their last word.
async fn asked(db: &Db, tenant: TenantId, answered: &Answered) -> Result<Option<Row>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select b.status, b.version, o.id as offer from invitation i
         join booking b on b.id = i.booking_id
         join booking_resource r on r.booking_id = b.id and r.party_id = i.party_id
         left join offer o on o.booking_id = b.id and o.party_id = i.party_id
         where i.tenant_id = $1 and i.id = $2 and not i.is_withdrawn and i.answer = $3",
    )
    .bind(tenant.as_uuid())
    .bind(answered.invitation.as_uuid())
    .bind(answered.said)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("see what an answer is to")
}

/// Wishes that a calendar hears once more how its booking stands.
async fn tell_again(db: &Db, tenant: TenantId, answered: &Answered) -> Result<(), StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query("update invitation set wish = wish + 1 where tenant_id = $1 and id = $2 and told = 'request' and wish = done_wish")
        .bind(tenant.as_uuid())
        .bind(answered.invitation.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("wish that a calendar hears that a booking is off")?;
    commit(tx, "wish that a calendar hears that a booking is off").await
}
