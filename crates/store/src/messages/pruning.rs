//! Forgetting what was told long ago.

use chrono::NaiveDate;
use jobs::{kinds::notify_plan::DEDUPE_S_MAX, limits::SCHEDULE_AHEAD_DAYS_MAX};

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// Rows of a sort forgotten at once.
const PRUNE_MAX: i64 = 5_000;

/// Forgets messages from before `keep_from` with what was done for them, digests of that time, and what messages were about
/// once no job can be scheduled any more that speaks of it; answers how many rows. For workers.
///
/// What still waits, or waits for a person, is kept, and so is what may have to be told from the same.
///
/// # Errors
/// When the database fails.
pub async fn prune(db: &Db, keep_from: NaiveDate) -> Result<u64, StoreError> {
    let messages = sqlx::query(
        "delete from message where id = any (array(
             select m.id from message m left join digest d on d.id = m.digest_id and d.closed_at is null
             where m.created_at < least($1::timestamptz, now() - make_interval(secs => $2))
                 and m.state not in ('planned', 'sending', 'unknown') and not (m.state = 'gathered' and d.id is not null)
             order by m.created_at limit $3))",
    )
    .bind(keep_from)
    .bind(f64::from(DEDUPE_S_MAX))
    .bind(PRUNE_MAX)
    .execute(db.pool())
    .await
    .or_failed("forget old messages")?;
    let digests = sqlx::query(
        "delete from digest where id = any (array(
             select d.id from digest d
             where d.closed_at < $1 and not exists (select from message m where m.digest_id = d.id)
             order by d.closed_at limit $2))",
    )
    .bind(keep_from)
    .bind(PRUNE_MAX)
    .execute(db.pool())
    .await
    .or_failed("forget old digests")?;
    let subjects = sqlx::query(
        "delete from subject where (tenant_id, reference) in (
             select s.tenant_id, s.reference from subject s
             where s.updated_at < $1::timestamptz - make_interval(days => $2) order by s.updated_at limit $3)",
    )
    .bind(keep_from)
    .bind(SCHEDULE_AHEAD_DAYS_MAX as i32)
    .bind(PRUNE_MAX)
    .execute(db.pool())
    .await
    .or_failed("forget what messages were about")?;
    Ok(messages.rows_affected() + digests.rows_affected() + subjects.rows_affected())
}
