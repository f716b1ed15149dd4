//! People as those who do the work: what they may do, where and when, and whose time it is.

mod absences;
mod accounts;
mod past;
mod pool;
mod relations;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use jobs::{PartyId, TenantId};
use matching::{Hours, Point, Reach, Skill};
use sqlx::{AssertSqlSafe, FromRow, types::Json};
use uuid::Uuid;

pub use self::{
    absences::{Absence, AbsenceKind, AbsenceMade, absences, add_absence, read_calendar, remove_absence},
    accounts::{Joined, join, offer_account},
    past::{Answers, Reliability, reliability},
    pool::{CALENDAR_AGE, CANDIDATES_MAX, Needs, Pool, pool},
    relations::{Noted, Observed, Relation, Said, observe, relate, relations, unrelate},
};
use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// What is known of somebody as one who does work.
#[derive(Debug, Clone, FromRow)]
pub struct Membership {
    party_id: Uuid,
    /// Counts changes, from 1.
    pub version: i32,
    /// Whether they take work at all.
    pub is_active: bool,
    /// What they may be.
    pub roles: Vec<String>,
    /// The sites at which they may be that; everywhere when there are none.
    pub sites: Vec<String>,
    /// What they know.
    pub skills: Json<Vec<Skill>>,
    /// Where their clock hangs.
    pub timezone: String,
    /// When they work.
    pub hours: Json<Hours>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    /// How far they go, in metres.
    pub radius_m: i32,
    /// Visits of a day.
    pub visits_max: Option<i16>,
    /// Minutes of visits of a day.
    pub minutes_max: Option<i16>,
    /// Preferred by the house.
    pub is_preferred: bool,
    /// When a calendar of theirs was last read.
    pub calendar_read_at: Option<DateTime<Utc>>,
    /// When this was noted.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

const COLUMNS: &str =
    "party_id, version, is_active, roles, sites, skills, timezone, hours, latitude, longitude, radius_m,
    visits_max, minutes_max, is_preferred, calendar_read_at, created_at, updated_at";

impl Membership {
    /// Who.
    pub fn party(&self) -> PartyId {
        PartyId::from_uuid(self.party_id)
    }

    /// Where they start from.
    pub fn home(&self) -> Option<Point> {
        Point::new(self.latitude?, self.longitude?)
    }
}

/// Where those of `parties` start from of whom that is known.
///
/// # Errors
/// When the database fails.
pub async fn homes(
    db: &Db,
    tenant: TenantId,
    parties: &[PartyId],
) -> Result<HashMap<PartyId, Point>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {COLUMNS} from membership where tenant_id = $1 and party_id = any ($2)");
    let found: Vec<Membership> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(parties.iter().map(PartyId::as_uuid).collect::<Vec<_>>())
        .fetch_all(&mut *tx)
        .await
        .or_failed("read where people start from")?;
    Ok(found.iter().filter_map(|one| Some((one.party(), one.home()?))).collect())
}

/// What can be said about somebody as one who does work.
#[derive(Debug, Clone)]
pub struct MembershipTerms {
    /// Whether they take work at all.
    pub is_active: bool,
    /// What they may be.
    pub roles: Vec<String>,
    /// The sites at which they may be that; everywhere when there are none.
    pub sites: Vec<String>,
    /// What they know.
    pub skills: Vec<Skill>,
    /// Where their clock hangs.
    pub timezone: String,
    /// When they work.
    pub hours: Hours,
    /// Where they start from.
    pub home: Option<Point>,
    /// How far they go, in metres.
    pub radius_m: u32,
    /// Visits of a day.
    pub visits_max: Option<i16>,
    /// Minutes of visits of a day.
    pub minutes_max: Option<i16>,
    /// Preferred by the house.
    pub is_preferred: bool,
}

/// What became of the wish to change something that others may have changed.
#[derive(Debug, Clone)]
pub enum Changed<T> {
    /// It is as it was wanted.
    Done(T),
    /// It was another version: this is how it is.
    Moved(T),
    /// The tenant has no such thing.
    Missing,
}

/// Says all of it about a party. Without `version` it must not have been said before.
///
/// # Errors
/// When the database fails.
pub async fn set_membership(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    version: Option<i32>,
    terms: &MembershipTerms,
) -> Result<Changed<Membership>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let reach = terms.home.map(|home| Reach::of(home, terms.radius_m));
    let sql = format!(
        "insert into membership (tenant_id, party_id, account_id, is_active, roles, skills, timezone, hours, latitude,
             longitude, reach, radius_m, visits_max, minutes_max, is_preferred, sites)
         select $1, p.id, gen_random_uuid(), $4, $5, $6, $7, $8, $9, $10,
             case when $9 is not null then box(point($16, $17), point($18, $19)) end, $11, $12, $13, $14, $20
         from party p where p.tenant_id = $1 and p.id = $2 and ($3::int is null or exists (
             select from membership m where m.party_id = p.id))
         on conflict (party_id) do update set is_active = $4, roles = $5, skills = $6, timezone = $7, hours = $8,
             latitude = $9, longitude = $10, reach = excluded.reach, radius_m = $11, visits_max = $12, minutes_max = $13,
             is_preferred = $14, sites = $20, version = membership.version + 1, updated_at = clock_timestamp()
         where membership.tenant_id = $1 and membership.version = $3 and $15
         returning {COLUMNS}"
    );
    let edge = |edge: fn(Reach) -> f64| reach.map(edge);
    let set = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(party.as_uuid())
        .bind(version)
        .bind(terms.is_active)
        .bind(&terms.roles)
        .bind(Json(&terms.skills))
        .bind(&terms.timezone)
        .bind(Json(&terms.hours))
        .bind(terms.home.map(|home| home.latitude))
        .bind(terms.home.map(|home| home.longitude))
        .bind(terms.radius_m as i32)
        .bind(terms.visits_max)
        .bind(terms.minutes_max)
        .bind(terms.is_preferred)
        .bind(version.is_some())
        .bind(edge(|reach| reach.west))
        .bind(edge(|reach| reach.south))
        .bind(edge(|reach| reach.east))
        .bind(edge(|reach| reach.north))
        .bind(&terms.sites)
        .fetch_optional(&mut *tx)
        .await
        .or_failed("note what somebody may do")?;
    commit(tx, "note what somebody may do").await?;
    if let Some(set) = set {
        return Ok(Changed::Done(set));
    }
    Ok(membership(db, tenant, party).await?.map_or(Changed::Missing, Changed::Moved))
}

/// What is known of `party`.
///
/// # Errors
/// When the database fails.
pub async fn membership(db: &Db, tenant: TenantId, party: PartyId) -> Result<Option<Membership>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!("select {COLUMNS} from membership where tenant_id = $1 and party_id = $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(party.as_uuid())
        .fetch_optional(&mut *tx)
        .await
        .or_failed("read what somebody may do")
}

/// Those who do work, before `before`, newest first, at most `max`.
///
/// # Errors
/// When the database fails.
pub async fn memberships(
    db: &Db,
    tenant: TenantId,
    before: Option<Uuid>,
    max: i64,
) -> Result<Vec<Membership>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS} from membership where tenant_id = $1 and ($2::uuid is null or party_id < $2)
         order by party_id desc limit $3"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(before)
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list those who do work")
}

/// What became of the wish to forget what somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is forgotten.
    Done,
    /// Their time is taken: what takes it has to end or be called off first.
    Busy,
    /// Nothing was known.
    Missing,
}

/// Forgets what somebody may do, and their absences, unless their time is taken. What they were booked for before stays.
///
/// # Errors
/// When the database fails.
pub async fn remove_membership(db: &Db, tenant: TenantId, party: PartyId) -> Result<Removed, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    if !accounts::hold_membership(&mut tx, tenant, party).await? {
        return Ok(Removed::Missing);
    }
    let removed = sqlx::query(
        "with theirs as (
             delete from membership m where m.tenant_id = $1 and m.party_id = $2
                 and not exists (select from occupied o where o.tenant_id = $1 and o.party_id = $2)
             returning m.party_id
         ), code as (
             delete from account_code c using theirs where c.tenant_id = $1 and c.party_id = theirs.party_id
         ), away as (
             delete from absence a using theirs where a.tenant_id = $1 and a.party_id = theirs.party_id
         )
         select from theirs",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .execute(&mut *tx)
    .await
    .or_failed("forget what somebody may do")?;
    if removed.rows_affected() == 0 {
        return Ok(Removed::Busy);
    }
    commit(tx, "forget what somebody may do").await?;
    Ok(Removed::Done)
}
