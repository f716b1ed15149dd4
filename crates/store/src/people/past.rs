//! What was seen of people lately: whether they came, whether they were on time, how they did, and how often they answer.

use chrono::TimeDelta;
use jobs::{PartyId, TenantId};
use matching::Past;
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, Tx},
    error::{OrFailed, StoreError},
};

/// How far back it counts what was seen of somebody.
const PAST_SPAN: TimeDelta = TimeDelta::days(180);

/// How reliable somebody was lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reliability {
    /// What matching reckons with.
    pub past: Past,
    /// How they answered.
    pub answers: Answers,
}

/// What they said to offers. One that was taken back counts for nothing: who knows what they would have said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromRow)]
pub struct Answers {
    /// With yes.
    pub accepted: i64,
    /// With no.
    pub declined: i64,
    /// Not in time.
    pub silent: i64,
}

impl Answers {
    /// Of a hundred offers, how many they answered, rounded down; none when nobody asked.
    pub const fn percent(&self) -> Option<i64> {
        let answered = self.accepted + self.declined;
        match answered + self.silent {
            0 => None,
            asked => Some(100 * answered / asked),
        }
    }
}

/// How reliable `party` was lately; none when the tenant has no such party.
///
/// # Errors
/// When the database fails.
pub async fn reliability(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
) -> Result<Option<Reliability>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let answers: Option<Answers> = sqlx::query_as(
        "select count(*) filter (where o.state = 'accepted') as accepted,
             count(*) filter (where o.state = 'declined') as declined,
             count(*) filter (where o.state = 'expired') as silent
         from party p left join offer o on o.tenant_id = $1 and o.party_id = p.id
             and o.sent_at > statement_timestamp() - make_interval(secs => $3)
         where p.tenant_id = $1 and p.id = $2
         group by p.id",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .bind(PAST_SPAN.num_seconds() as f64)
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read how somebody answered")?;
    let Some(answers) = answers else { return Ok(None) };
    let seen = seen(&mut tx, tenant, &[party.as_uuid()]).await?.pop();
    Ok(Some(Reliability { past: seen.map_or_else(Past::default, |(_, past)| past), answers }))
}

/// What was seen of each of `parties` of whom anything was.
pub(super) async fn seen(
    tx: &mut Tx,
    tenant: TenantId,
    parties: &[Uuid],
) -> Result<Vec<(Uuid, Past)>, StoreError> {
    let rows: Vec<(Uuid, i64, i64, i64, i64, i64)> = sqlx::query_as(
        "select e.party_id, count(*) filter (where e.kind <> 'rating'), count(*) filter (where e.on_time),
             count(*) filter (where e.kind = 'no_show'), count(e.stars), coalesce(sum(e.stars), 0)
         from unnest($2::uuid[]) as p (id)
         join evidence e on e.tenant_id = $1 and e.party_id = p.id
             and e.happened_at > statement_timestamp() - make_interval(secs => $3)
         group by e.party_id",
    )
    .bind(tenant.as_uuid())
    .bind(parties)
    .bind(PAST_SPAN.num_seconds() as f64)
    .fetch_all(&mut **tx)
    .await
    .or_failed("read what was seen of people")?;
    let past = |(party, visits, on_time, no_shows, ratings, stars)| {
        let [visits, on_time, no_shows, ratings, stars] =
            [visits, on_time, no_shows, ratings, stars].map(|count: i64| count as u32);
        (party, Past { visits, on_time, no_shows, ratings, stars })
    };
    Ok(rows.into_iter().map(past).collect())
}
