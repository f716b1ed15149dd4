//! Having events looked at again: one, or all that fit a filter.

use jobs::{TenantId, WebhookEventId, WebhookSourceId};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::{
    events::{FITS, Filter},
    taking::process,
};
use crate::{
    db::{Db, commit},
    enqueue::{self, NewJob},
    error::{OrFailed, StoreError},
};

/// How often one event may be looked at again.
const REPLAYS_MAX: i16 = 1_000;

/// What will be looked at again.
#[derive(Debug, Clone, Default)]
pub struct Replayed {
    /// The events, oldest first.
    pub events: Vec<WebhookEventId>,
    /// The last of them, when there may be more that fit: go on after it.
    pub next: Option<WebhookEventId>,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    replays: i16,
    object_key: Option<String>,
}

/// Has events of `source` looked at again, oldest first, at most `max`: `one`, or those after `after` that fit `filter`.
/// What they become is marked as a replay. Those that a newer one has superseded are meant only where it is said.
///
/// # Errors
/// When the database fails; then nothing is looked at again.
pub async fn replay(
    db: &Db,
    tenant: TenantId,
    source: WebhookSourceId,
    one: Option<WebhookEventId>,
    filter: &Filter,
    after: Option<WebhookEventId>,
    max: i64,
) -> Result<Replayed, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "with wanted as (
             select id from webhook_event where {FITS} and ($7::uuid is null or id = $7) and ($8::uuid is null or id > $8)
                 and ($3 is not null or $7 is not null or state <> 'superseded') and replays < $10 order by id limit $9 for update
         )
         update webhook_event e set replays = e.replays + 1 from wanted where e.id = wanted.id
         returning e.id, e.replays, e.object_key"
    );
    let mut rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(source.as_uuid())
        .bind(&filter.state)
        .bind(&filter.event_type)
        .bind(filter.since)
        .bind(filter.until)
        .bind(one.map(|one| one.as_uuid()))
        .bind(after.map(|after| after.as_uuid()))
        .bind(max)
        .bind(REPLAYS_MAX)
        .fetch_all(&mut *tx)
        .await
        .or_failed("choose webhooks to look at again")?;
    if rows.is_empty() {
        return Ok(Replayed::default());
    }
    // An update answers in no order.
    rows.sort_unstable_by_key(|row| row.id);
    let events: Vec<WebhookEventId> = rows.iter().map(|row| WebhookEventId::from_uuid(row.id)).collect();
    let new = rows.into_iter().zip(&events).map(|(row, event)| {
        let job = process(*event, row.replays as u16, row.object_key, None)?;
        Ok(NewJob { tags: vec!["replay".to_owned()], ..job })
    });
    let new: Vec<NewJob> = new.collect::<Result<_, StoreError>>()?;
    enqueue::insert(db, &mut tx, tenant, &new).await?;
    commit(tx, "look at webhooks again").await?;
    let next = (events.len() as i64 == max).then(|| events.last().copied()).flatten();
    Ok(Replayed { events, next })
}
