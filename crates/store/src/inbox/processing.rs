//! Looking at an event, and writing down what it became.

use std::collections::HashMap;

use jobs::{JobId, TenantId, WebhookEventId, WebhookRuleId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    events::{Event, any},
    feeding::{Feeding, feeding},
    rules::{StoredRule, rules},
};
use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// Characters of why an event was parked.
const REASON_CHARS_MAX: usize = 500;

/// An event with everything that decides what it becomes.
#[derive(Debug, Clone)]
pub struct Work {
    /// The event.
    pub event: Event,
    /// Its body.
    pub body: Vec<u8>,
    /// The rules of its source, oldest first.
    pub rules: Vec<StoredRule>,
    /// What the source tells of, if it is a channel's feedback.
    pub feeding: Option<Feeding>,
    /// A newer event about the same thing that was processed.
    pub newer: Option<WebhookEventId>,
}

/// What a job that looks at `id` needs; none when the event is not there any more. For workers.
///
/// # Errors
/// When the database fails, or this process cannot open the body.
pub async fn work(db: &Db, tenant: TenantId, id: WebhookEventId) -> Result<Option<Work>, StoreError> {
    let Some(row) = any(db, tenant, id).await? else { return Ok(None) };
    let (event, body) = row.open(db, tenant).await?;
    let rules = rules(db, tenant, event.source()).await?;
    let feeding = feeding(db, tenant, event.source()).await?;
    let newer = newer(db, tenant, &event).await?;
    Ok(Some(Work { event, body, rules, feeding, newer }))
}

/// The newest event about the same thing that was processed, if it is newer than `event`. Whoever asks holds the turn of that thing.
async fn newer(db: &Db, tenant: TenantId, event: &Event) -> Result<Option<WebhookEventId>, StoreError> {
    if event.sequence.is_none() {
        return Ok(None);
    }
    let found: Option<Uuid> = sqlx::query_scalar(
        "select id from webhook_event
         where tenant_id = $1 and source_id = $2 and object_key = $3 and state = 'processed' and sequence > $4::text::numeric
         order by sequence desc limit 1",
    )
    .bind(tenant.as_uuid())
    .bind(event.source().as_uuid())
    .bind(&event.object_key)
    .bind(&event.sequence)
    .fetch_optional(db.pool())
    .await
    .or_failed("look for a newer webhook about the same thing")?;
    Ok(found.map(WebhookEventId::from_uuid))
}

/// A job that an event becomes.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    /// The new job; the ledger may have the same work already, as another.
    pub job: JobId,
    /// By which rule.
    pub rule: WebhookRuleId,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// What its rules name.
    Done,
    /// Nothing, for this reason.
    Parked(String),
    /// Nothing: this one about the same thing is newer, and was processed before.
    Superseded(WebhookEventId),
}

/// What an event became.
#[derive(Debug, Clone)]
pub struct Processed {
    /// Which event.
    pub event: WebhookEventId,
    /// Which time it was looked at.
    pub replay: u16,
    /// Its jobs.
    pub made: Vec<Made>,
    /// What became of it.
    pub became: Became,
}

/// Writes down what an event became. `standing` tells which job stands for each new one. Part of the transaction that
/// settles the job.
///
/// # Errors
/// When the database fails.
pub(crate) async fn note(
    tx: &mut PgConnection,
    tenant: TenantId,
    processed: &Processed,
    standing: &HashMap<JobId, JobId>,
) -> Result<(), StoreError> {
    let (state, reason): (&str, Option<String>) = match &processed.became {
        Became::Done => ("processed", None),
        Became::Parked(reason) => ("parked", Some(reason.chars().take(REASON_CHARS_MAX).collect())),
        Became::Superseded(newer) => {
            ("superseded", Some(format!("{newer} is newer, about the same thing, and was processed before")))
        }
    };
    let noted = sqlx::query(
        "update webhook_event set state = $4, reason = $3, processed_at = clock_timestamp()
         where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(processed.event.as_uuid())
    .bind(reason)
    .bind(state)
    .execute(&mut *tx)
    .await
    .or_failed("write down what became of a webhook")?;
    // Its source was removed meanwhile, and the event with it.
    if noted.rows_affected() == 0 || processed.made.is_empty() {
        return Ok(());
    }
    let jobs = processed.made.iter().map(|made| standing.get(&made.job).unwrap_or(&made.job).as_uuid());
    sqlx::query(
        "insert into webhook_event_job (tenant_id, event_id, replay, job_id, rule_id)
         select $1, $2, $3, * from unnest($4::uuid[], $5::uuid[]) on conflict do nothing",
    )
    .bind(tenant.as_uuid())
    .bind(processed.event.as_uuid())
    .bind(processed.replay as i16)
    .bind(jobs.collect::<Vec<_>>())
    .bind(processed.made.iter().map(|made| made.rule.as_uuid()).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .or_failed("write down the jobs of a webhook")?;
    Ok(())
}
