//! Calendars that cannot be read. Whoever does not let us in is asked less and less often, and in the end no more.

use jobs::{CalendarLinkId, PartyId, TenantId};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
    outbox::tell,
};

/// Characters kept of what went wrong.
const PROBLEM_CHARS_MAX: usize = 500;
/// Whoever refuses us is asked again after as long as they have, and after so many hours at most.
const REFUSED_WAIT_HOURS_MAX: i32 = 6;
/// Whoever has refused us for so many days is asked no more.
const REFUSED_DAYS_MAX: i32 = 7;

#[derive(FromRow)]
struct Row {
    party_id: Uuid,
    was_refused: bool,
    was_left_alone: bool,
    is_left_alone: bool,
}

/// Writes down that a calendar could not be read, and why. What it said before holds, until it is too old. Whoever listens is told
/// when it begins not to let us in, and when it is left alone for that.
///
/// # Errors
/// When the database fails.
pub async fn failed(
    db: &Db,
    tenant: TenantId,
    link: CalendarLinkId,
    problem: &str,
    is_refused: bool,
) -> Result<(), StoreError> {
    let problem: String = problem.chars().filter(|c| *c != '\0').take(PROBLEM_CHARS_MAX).collect();
    let mut tx = db.tenant(tenant).await?;
    let row: Option<Row> = sqlx::query_as(
        "with found as (
             select id, refused_since, next_pull_at = 'infinity' as is_left_alone, clock_timestamp() as at,
                 coalesce(refused_since, clock_timestamp()) as since
             from calendar_link where tenant_id = $1 and id = $2 for no key update
         )
         update calendar_link l set problem = $3, is_refused = $4, failing_since = coalesce(failing_since, f.at),
             refused_since = case when $4 then f.since else f.refused_since end,
             next_pull_at = case when not $4 then next_pull_at
                 when f.at - f.since >= make_interval(days => $5) then 'infinity'
                 else greatest(next_pull_at, f.at + least(f.at - f.since, make_interval(hours => $6))) end
         from found f where l.id = f.id
         returning l.party_id, f.refused_since is not null as was_refused, f.is_left_alone as was_left_alone,
             l.next_pull_at = 'infinity' as is_left_alone",
    )
    .bind(tenant.as_uuid())
    .bind(link.as_uuid())
    .bind(problem)
    .bind(is_refused)
    .bind(REFUSED_DAYS_MAX)
    .bind(REFUSED_WAIT_HOURS_MAX)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("note that a calendar cannot be read")?;
    let Some(row) = row else { return Ok(()) };
    if is_refused && !row.was_refused || row.is_left_alone && !row.was_left_alone {
        let party = PartyId::from_uuid(row.party_id);
        let data = json!({ "link": link, "party": party, "left_alone": row.is_left_alone });
        tell(&mut tx, tenant, "calendar.refused", &link.to_string(), &data).await?;
    }
    commit(tx, "note that a calendar cannot be read").await
}
