//! Messages whose job has ended without sending them: it crashed too often, or somebody cancelled it.

use chrono::{DateTime, Utc};
use jobs::{Job, MessageId, TenantId, kinds::notify_send::NotifySend};
use sqlx::FromRow;
use uuid::Uuid;

use super::effects::{Ended, write};
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// How long after its time a message is looked for, in seconds: most are sent by then.
const GRACE_S: i32 = 30;
/// Messages looked at in one round.
const ROUND_MAX: i64 = 500;

/// Where a round ended: the next goes on there.
pub type Cursor = (DateTime<Utc>, Uuid);

/// What a round came to.
#[derive(Debug, Clone, Default)]
pub struct Round {
    /// Messages that will not be sent any more.
    pub failed: u64,
    /// Messages of which nobody knows whether they were.
    pub unknown: u64,
    /// None when there are no more for now.
    pub next: Option<Cursor>,
}

#[derive(FromRow)]
struct Due {
    tenant_id: Uuid,
    id: Uuid,
    scheduled_at: DateTime<Utc>,
    is_stranded: bool,
}

/// Looks at messages that should have been sent and were not, from `after` on. Those that no job will send are failed; those
/// whose sending was begun are unknown, and a person says what became of them.
///
/// # Errors
/// When the database fails.
pub async fn settle_stranded(db: &Db, after: Option<Cursor>) -> Result<Round, StoreError> {
    let (since, id) = after.unwrap_or((DateTime::UNIX_EPOCH, Uuid::nil()));
    let due: Vec<Due> = sqlx::query_as(
        "select m.tenant_id, m.id, m.scheduled_at, not exists (
             select from job j where j.tenant_id = m.tenant_id and j.kind = $5
                 and j.unique_key = 'msg_' || replace(m.id::text, '-', '')) as is_stranded
         from message m
         where m.state in ('planned', 'sending') and m.scheduled_at < now() - make_interval(secs => $3)
             and (m.scheduled_at, m.id) > ($1, $2)
         order by m.scheduled_at, m.id limit $4",
    )
    .bind(since)
    .bind(id)
    .bind(f64::from(GRACE_S))
    .bind(ROUND_MAX)
    .bind(NotifySend::KIND)
    .fetch_all(db.pool())
    .await
    .or_failed("look for messages that nobody sends")?;
    let mut round = Round::default();
    if due.len() as i64 == ROUND_MAX {
        round.next = due.last().map(|last| (last.scheduled_at, last.id));
    }
    for one in due.iter().filter(|one| one.is_stranded) {
        let (tenant, message) = (TenantId::from_uuid(one.tenant_id), MessageId::from_uuid(one.id));
        match settle(db, tenant, message).await? {
            Some("unknown") => round.unknown += 1,
            Some(_) => round.failed += 1,
            None => {}
        }
    }
    Ok(round)
}

/// The state of `message` from now on; none when it was not stranded after all.
async fn settle(db: &Db, tenant: TenantId, message: MessageId) -> Result<Option<&'static str>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // Whoever begins to send it waits for this lock, and has a job, which is looked for under it.
    let locked: Option<Uuid> = sqlx::query_scalar(
        "select id from message where tenant_id = $1 and id = $2 and state in ('planned', 'sending') for update",
    )
    .bind(tenant.as_uuid())
    .bind(message.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("lock a message that nobody sends")?;
    let begun: Option<(bool, Option<i16>)> = sqlx::query_as(
        "select exists (select from job where tenant_id = $1 and kind = $3 and unique_key = $2),
                (select max(try) from effect where tenant_id = $1 and key = $2 and state = 'begun')",
    )
    .bind(tenant.as_uuid())
    .bind(message.to_string())
    .bind(NotifySend::KIND)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("look for the job of a message")?;
    let (Some(_), Some((false, begun))) = (locked, begun) else { return Ok(None) };
    let state = if let Some(number) = begun {
        let why = "its job ended between the call and the answer".to_owned();
        write(&mut tx, tenant, message, number, &Ended::Unknown(why)).await?;
        "unknown"
    } else {
        sqlx::query("update message set state = 'failed', detail = $3 where tenant_id = $1 and id = $2")
            .bind(tenant.as_uuid())
            .bind(message.as_uuid())
            .bind("its job ended before it was sent")
            .execute(&mut *tx)
            .await
            .or_failed("give a message up")?;
        "failed"
    };
    commit(tx, "settle a message that nobody sends").await?;
    Ok(Some(state))
}
