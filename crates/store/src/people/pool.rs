//! Who might do a visit: everybody in whose reach it lies, with what counts for or against them.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{AbsenceId, BookingId, MatchRequestId, OfferId, PartyId, TenantId};
use matching::{Candidate, Hours, Past, Point, Preferred, Skill, Span, Taken, What};
use schedule::Zone;
use sqlx::{AssertSqlSafe, FromRow, types::Json};
use uuid::Uuid;

use super::past;
use crate::{
    db::{Db, Tx},
    error::{OrFailed, StoreError},
};

/// Candidates that are looked at for one visit: the nearest, where more are in reach.
pub const CANDIDATES_MAX: i64 = 10_000;
/// A calendar that has not been read for so long is stale.
pub const CALENDAR_AGE: TimeDelta = TimeDelta::minutes(30);
/// How far back it counts how much somebody worked.
const WORK_SPAN: TimeDelta = TimeDelta::days(7);
/// How far around a visit others of its day are looked for, wherever the clock hangs.
const DAY_SPAN: TimeDelta = TimeDelta::days(2);
/// How far around a visit what is kept free for it may reach: two buffers and the longest way.
const AROUND_SPAN: TimeDelta = TimeDelta::days(1);

/// What is asked of the pool.
#[derive(Debug, Clone)]
pub struct Needs {
    /// From the first moment at which a visit could begin until the last at which it could end.
    pub during: Span,
    /// Where; none for wherever.
    pub place: Option<Point>,
    /// Who orders.
    pub client: Option<PartyId>,
    /// Their company.
    pub company: Option<PartyId>,
    /// The request that it is for; who said no to it before is told apart.
    pub request: Option<MatchRequestId>,
    /// The role that it takes: where there are more than are wanted, those who take work in it come first.
    pub role: String,
    /// Candidates at most, the nearest first and who starts from no known place last; never more than [`CANDIDATES_MAX`].
    pub most: i64,
}

/// A candidate, and whose time it is that is taken.
struct Pooled {
    candidate: Candidate,
    account: Uuid,
}

/// Everybody who might do it.
#[derive(Debug, Clone)]
pub struct Pool {
    /// By id.
    pub candidates: Vec<Candidate>,
    /// Whether there were more than were wanted.
    pub is_cut: bool,
}

#[derive(FromRow)]
struct Member {
    party_id: Uuid,
    account_id: Uuid,
    version: i32,
    is_active: bool,
    roles: Vec<String>,
    sites: Vec<String>,
    skills: Json<Vec<Skill>>,
    timezone: String,
    hours: Json<Hours>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    radius_m: i32,
    visits_max: Option<i16>,
    minutes_max: Option<i16>,
    is_preferred: bool,
    stale_since: Option<DateTime<Utc>>,
}

const MEMBER: &str = "m.party_id, m.account_id, m.version, m.is_active, m.roles, m.sites, m.skills, m.timezone, m.hours, m.latitude,
    m.longitude, m.radius_m, m.visits_max, m.minutes_max, m.is_preferred,
    case when m.calendar_read_at < clock_timestamp() - make_interval(secs => $2) then m.calendar_read_at end as stale_since";

/// Reads everybody who might do it, with everything that counts, as it is at one moment.
///
/// # Errors
/// When the database fails.
pub async fn pool(db: &Db, tenant: TenantId, needs: &Needs) -> Result<Pool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query("set transaction isolation level repeatable read, read only")
        .execute(&mut *tx)
        .await
        .or_failed("look at one moment")?;
    let mut members = members(&mut tx, tenant, needs).await?;
    let most = needs.most.clamp(0, CANDIDATES_MAX);
    let is_cut = members.len() as i64 > most;
    members.truncate(most as usize);
    let parties: Vec<Uuid> = members.iter().map(|member| member.party_id).collect();
    let mut pooled = members.into_iter().map(candidate).collect::<Result<Vec<Pooled>, StoreError>>()?;
    pooled.sort_unstable_by_key(|pooled| pooled.candidate.party);
    taken(&mut tx, needs, &mut pooled).await?;
    let mut by_party: HashMap<Uuid, &mut Candidate> =
        pooled.iter_mut().map(|pooled| (pooled.candidate.party.as_uuid(), &mut pooled.candidate)).collect();
    visits(&mut tx, tenant, needs, &parties, &mut by_party).await?;
    for (party, past) in past::seen(&mut tx, tenant, &parties).await? {
        if let Some(candidate) = by_party.get_mut(&party) {
            candidate.past = past;
        }
    }
    said(&mut tx, tenant, needs, &parties, &mut by_party).await?;
    offers(&mut tx, tenant, needs, &parties, &mut by_party).await?;
    Ok(Pool { candidates: pooled.into_iter().map(|pooled| pooled.candidate).collect(), is_cut })
}

async fn members(tx: &mut Tx, tenant: TenantId, needs: &Needs) -> Result<Vec<Member>, StoreError> {
    let age = CALENDAR_AGE.num_seconds() as f64;
    let Some(place) = needs.place else {
        let sql = format!(
            "select {MEMBER} from membership m where m.tenant_id = $1
             order by not (m.is_active and $4 = any (m.roles)), m.party_id limit $3"
        );
        return sqlx::query_as(AssertSqlSafe(sql))
            .bind(tenant.as_uuid())
            .bind(age)
            .bind(needs.most.clamp(0, CANDIDATES_MAX) + 1)
            .bind(&needs.role)
            .fetch_all(&mut **tx)
            .await
            .or_failed("look for candidates");
    };
    // A reach may lie across the antimeridian, so the place is looked for on either side of it too. Degrees of longitude are
    // as long as the latitude lets them be, and go the shorter way around.
    let sql = format!(
        "select * from (
             select distinct on (m.party_id) {MEMBER},
                 sqrt((m.latitude - $4) ^ 2 + (cosd((m.latitude + $4) / 2)
                     * least(abs(m.longitude - $3), 360 - abs(m.longitude - $3))) ^ 2) as far
             from unnest(array[$3 - 360, $3, $3 + 360]::float8[]) as turned (longitude)
             join membership m on m.tenant_id = $1 and m.reach @> box(point(turned.longitude, $4), point(turned.longitude, $4))
                 and m.reach is not null
             union all
             select {MEMBER}, null from membership m where m.tenant_id = $1 and m.reach is null
         ) near order by not (is_active and $6 = any (roles)), far nulls last, party_id limit $5"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(age)
        .bind(place.longitude)
        .bind(place.latitude)
        .bind(needs.most.clamp(0, CANDIDATES_MAX) + 1)
        .bind(&needs.role)
        .fetch_all(&mut **tx)
        .await
        .or_failed("look for candidates in reach")
}

fn candidate(member: Member) -> Result<Pooled, StoreError> {
    let zone: Zone = member
        .timezone
        .parse()
        .map_err(|_| StoreError::Unreadable { table: "membership", found: member.timezone.clone() })?;
    let candidate = Candidate {
        party: PartyId::from_uuid(member.party_id),
        version: member.version,
        is_active: member.is_active,
        roles: member.roles,
        sites: member.sites,
        skills: member.skills.0,
        home: member.latitude.zip(member.longitude).and_then(|(north, east)| Point::new(north, east)),
        radius_m: member.radius_m as u32,
        zone,
        hours: member.hours.0,
        visits_max: member.visits_max.map(|most| most as u16),
        minutes_max: member.minutes_max.map(|most| most as u16),
        preferred: if member.is_preferred { Preferred::ByCompany } else { Preferred::No },
        blocked: None,
        taken: Vec::new(),
        visits: Vec::new(),
        past: Past::default(),
        declined: None,
        stale_since: member.stale_since,
        week_minutes: 0,
        last_offered_at: None,
    };
    Ok(Pooled { candidate, account: member.account_id })
}

/// Whose it is, from when until when, what sort of thing, and its name if it is this tenant's.
type TakenRow = (Uuid, DateTime<Utc>, DateTime<Utc>, String, Option<Uuid>);
/// Whose it is, from when until when, whether it is near the visit, and whether it is work of the last days.
type VisitRow = (Uuid, DateTime<Utc>, DateTime<Utc>, bool, bool);

/// What is taken of their time, whoever took it.
async fn taken(tx: &mut Tx, needs: &Needs, pooled: &mut [Pooled]) -> Result<(), StoreError> {
    let around = needs.during.widened(AROUND_SPAN, AROUND_SPAN);
    let accounts: Vec<Uuid> = pooled.iter().map(|pooled| pooled.account).collect();
    let rows: Vec<TakenRow> = sqlx::query_as(
        "select account_id, lower(during), upper(during), kind, name from taken_of($1, tstzrange($2, $3)) order by 2, 3",
    )
    .bind(accounts)
    .bind(around.from)
    .bind(around.until)
    .fetch_all(&mut **tx)
    .await
    .or_failed("read what is taken")?;
    let mut by_account: HashMap<Uuid, &mut Candidate> =
        pooled.iter_mut().map(|pooled| (pooled.account, &mut pooled.candidate)).collect();
    for (account, from, until, kind, name) in rows {
        let Some(candidate) = by_account.get_mut(&account) else { continue };
        let absence = |name| AbsenceId::from_uuid(name).to_string();
        let what = match (kind.as_str(), name) {
            ("time_off", Some(name)) => What::TimeOff(absence(name)),
            ("booking", name) => What::Busy(name.map(|name| BookingId::from_uuid(name).to_string())),
            (_, name) => What::Busy(name.map(absence)),
        };
        candidate.taken.push(Taken { during: Span { from, until }, what });
    }
    Ok(())
}

/// The visits of those days, and the work of the week. Each of both stretches is looked for by itself, and against a clock
/// that stands while the statement runs, so that an index answers and nobody's old bookings are read.
async fn visits(
    tx: &mut Tx,
    tenant: TenantId,
    needs: &Needs,
    parties: &[Uuid],
    by_party: &mut HashMap<Uuid, &mut Candidate>,
) -> Result<(), StoreError> {
    let days = needs.during.widened(DAY_SPAN, DAY_SPAN);
    let rows: Vec<VisitRow> = sqlx::query_as(
        "select p.id, lower(b.during), upper(b.during), b.during && tstzrange($3, $4),
             lower(b.during) between statement_timestamp() - make_interval(secs => $5) and statement_timestamp()
         from unnest($2::uuid[]) as p (id)
         cross join lateral (
             select r.booking_id from booking_resource r
             where r.tenant_id = $1 and r.party_id = p.id and r.protected && tstzrange($3, $4)
             union
             select r.booking_id from booking_resource r
             where r.tenant_id = $1 and r.party_id = p.id
                 and r.protected && tstzrange(statement_timestamp() - make_interval(secs => $5), statement_timestamp())
         ) near
         join booking b on b.id = near.booking_id and b.status in ('offered', 'confirmed', 'active', 'done')",
    )
    .bind(tenant.as_uuid())
    .bind(parties)
    .bind(days.from)
    .bind(days.until)
    .bind(WORK_SPAN.num_seconds() as f64)
    .fetch_all(&mut **tx)
    .await
    .or_failed("read the visits of candidates")?;
    for (party, from, until, is_near, is_work) in rows {
        let Some(candidate) = by_party.get_mut(&party) else { continue };
        let visit = Span { from, until };
        candidate.visits.extend(is_near.then_some(visit));
        candidate.week_minutes += if is_work { visit.minutes() as u32 } else { 0 };
    }
    Ok(())
}

/// Who prefers whom, and who wants nothing to do with whom, in either direction.
async fn said(
    tx: &mut Tx,
    tenant: TenantId,
    needs: &Needs,
    parties: &[Uuid],
    by_party: &mut HashMap<Uuid, &mut Candidate>,
) -> Result<(), StoreError> {
    let those = [needs.client, needs.company].map(|party| party.map(|party| party.as_uuid()));
    let rows: Vec<(Uuid, String, bool, bool)> = sqlx::query_as(
        "select r.about_party, r.word, true, r.by_party is not distinct from $3 from relation r
         where r.tenant_id = $1 and r.by_party in ($3, $4) and r.about_party = any ($2)
         union all
         select r.by_party, r.word, false, r.about_party is not distinct from $3 from relation r
         where r.tenant_id = $1 and r.about_party in ($3, $4) and r.by_party = any ($2) and r.word = 'blocked'",
    )
    .bind(tenant.as_uuid())
    .bind(parties)
    .bind(those[0])
    .bind(those[1])
    .fetch_all(&mut **tx)
    .await
    .or_failed("read what is said of candidates")?;
    for (party, word, of_them, client) in rows {
        let Some(candidate) = by_party.get_mut(&party) else { continue };
        let other = if client { "client" } else { "company" };
        if word == "preferred" {
            let preferred = if client { Preferred::ByClient } else { Preferred::ByCompany };
            candidate.preferred = candidate.preferred.max(preferred);
        } else {
            let blocked = if of_them { format!("by the {other}") } else { format!("blocks the {other}") };
            candidate.blocked = Some(blocked);
        }
    }
    Ok(())
}

/// When they were asked about anything, and what they said to this.
async fn offers(
    tx: &mut Tx,
    tenant: TenantId,
    needs: &Needs,
    parties: &[Uuid],
    by_party: &mut HashMap<Uuid, &mut Candidate>,
) -> Result<(), StoreError> {
    let rows: Vec<(Uuid, DateTime<Utc>, Option<Uuid>)> = sqlx::query_as(
        "select p.id, latest.sent_at, refused.id from unnest($2::uuid[]) as p (id)
         join lateral (select max(o.sent_at) as sent_at from offer o where o.tenant_id = $1 and o.party_id = p.id) latest
             on latest.sent_at is not null
         left join offer refused on refused.request_id = $3 and refused.party_id = p.id
             and refused.state in ('declined', 'expired', 'withdrawn')",
    )
    .bind(tenant.as_uuid())
    .bind(parties)
    .bind(needs.request.map(|request| request.as_uuid()))
    .fetch_all(&mut **tx)
    .await
    .or_failed("read what candidates were asked")?;
    for (party, sent_at, refused) in rows {
        let Some(candidate) = by_party.get_mut(&party) else { continue };
        candidate.last_offered_at = Some(sent_at);
        candidate.declined = refused.map(|offer| OfferId::from_uuid(offer).to_string());
    }
    Ok(())
}
