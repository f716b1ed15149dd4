//! Visits that somebody is looked for: the request, the rankings behind each round, and the questions that were asked.

mod answering;
mod deciding;
mod presets;
mod reassigning;
mod receipts;
mod telling;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{
    BookingId, MatchRequestId, OfferId, PartyId, TenantId,
    kinds::{match_batch::MatchBatch, match_rank::MatchRank},
};
use matching::{Terms, Visit};
use sqlx::{AssertSqlSafe, FromRow, PgConnection, types::Json};
use uuid::Uuid;

pub(crate) use self::answering::{call_off, held_for};
pub use self::{
    answering::{Answered, Cancelled, Word, answer, cancel, expire},
    deciding::{Decided, Pick, decide},
    presets::{Preset, PresetSet, presets, remove_preset, set_preset},
    reassigning::{Reassigned, reassign},
    receipts::{Receipt, receipt, receipt_before},
};
use crate::{
    db::{Db, Tx, commit},
    enqueue::{self, NewJob},
    error::{OrFailed, StoreError},
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

/// For how long requests are gathered before they are given out together, in seconds.
pub const BATCH_WINDOW_S: i64 = 20;
/// After how many seconds more a request that was not given out with the others is looked at alone.
const ALONE_AFTER_S: i64 = 10;
/// Requests that are given out together; the others of a window are looked at one by one.
pub const BATCH_MAX: i64 = 500;

/// A visit that somebody is looked for.
#[derive(Debug, Clone, FromRow)]
pub struct MatchRequest {
    id: Uuid,
    /// The caller's name for what it is about.
    pub reference: String,
    /// The visit.
    pub visit: Json<Visit>,
    /// The rules as they were when it was asked.
    pub terms: Json<Terms>,
    /// The preset that they are a copy of.
    pub preset: Option<String>,
    /// And its version.
    pub preset_version: Option<i32>,
    client_id: Option<Uuid>,
    company_id: Option<Uuid>,
    /// Where those who are asked can look at the offer.
    pub link: Option<String>,
    /// Whether those who are asked are invited, and may answer from their calendar.
    pub invites: bool,
    /// Whether it waits for others.
    pub in_batch: bool,
    /// `ranking`, `offered`, `confirmed`, `needs_dispatch` or `cancelled`.
    pub state: String,
    /// Which candidate is being asked, from 1.
    pub round: i16,
    /// The round after which nobody else is asked.
    last_round: i16,
    /// Who asked.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it moved last.
    pub updated_at: DateTime<Utc>,
}

const COLUMNS: &str =
    "id, reference, visit, terms, preset, preset_version, client_id, company_id, link, invites, in_batch, state, round,
    last_round, created_by, created_at, updated_at";

impl MatchRequest {
    /// Which it is.
    pub fn id(&self) -> MatchRequestId {
        MatchRequestId::from_uuid(self.id)
    }

    /// Who orders.
    pub fn client(&self) -> Option<PartyId> {
        self.client_id.map(PartyId::from_uuid)
    }

    /// Their company.
    pub fn company(&self) -> Option<PartyId> {
        self.company_id.map(PartyId::from_uuid)
    }
}

/// A question to one candidate.
#[derive(Debug, Clone, FromRow)]
pub struct Offer {
    id: Uuid,
    request_id: Uuid,
    booking_id: Uuid,
    party_id: Uuid,
    /// Which question of its visit it is, from 1.
    pub generation: i16,
    /// `sent`, `accepted`, `declined`, `expired` or `withdrawn`.
    pub state: String,
    /// When it was asked.
    pub sent_at: DateTime<Utc>,
    /// Until when an answer counts.
    pub expires_at: DateTime<Utc>,
    /// When it was answered, or taken back.
    pub answered_at: Option<DateTime<Utc>>,
}

const OFFER: &str =
    "id, request_id, booking_id, party_id, generation, state, sent_at, expires_at, answered_at";

impl Offer {
    /// Which it is.
    pub fn id(&self) -> OfferId {
        OfferId::from_uuid(self.id)
    }

    /// For which visit.
    pub fn request(&self) -> MatchRequestId {
        MatchRequestId::from_uuid(self.request_id)
    }

    /// The booking that holds the time until there is an answer.
    pub fn booking(&self) -> BookingId {
        BookingId::from_uuid(self.booking_id)
    }

    /// To whom.
    pub fn party(&self) -> PartyId {
        PartyId::from_uuid(self.party_id)
    }
}

/// A visit that somebody is about to be looked for.
#[derive(Debug, Clone)]
pub struct NewMatchRequest {
    /// Which it will be.
    pub id: MatchRequestId,
    /// What it is about.
    pub reference: String,
    /// The visit.
    pub visit: Visit,
    /// The rules.
    pub terms: Terms,
    /// The preset whose rules hold instead, as they are now.
    pub preset: Option<String>,
    /// Who orders.
    pub client: Option<PartyId>,
    /// Their company.
    pub company: Option<PartyId>,
    /// Where those who are asked can look at the offer; without, they are not told from here.
    pub link: Option<String>,
    /// Whether those who are asked are invited, and may answer from their calendar.
    pub invites: bool,
    /// Whether it waits for others.
    pub in_batch: bool,
    /// Who asks.
    pub by: String,
}

/// What became of the wish to have somebody found.
#[derive(Debug, Clone)]
pub enum Requested {
    /// It is being done; this is the answer, also kept for the key.
    New(Answer),
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
    /// The tenant has no such client, or no such company.
    NoParty,
    /// The tenant has no such preset.
    NoPreset,
}

/// Notes that somebody is wanted, with the job that looks for them.
///
/// # Errors
/// When the database fails.
pub async fn create(
    db: &Db,
    tenant: TenantId,
    new: &NewMatchRequest,
    key: Option<&Idempotency>,
    answer: impl FnOnce(&MatchRequest) -> Answer,
) -> Result<Requested, StoreError> {
    let jobs = jobs_of(new)?;
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(Requested::Replayed(answer)),
        Taken::ForAnother => return Ok(Requested::Mismatch),
    }
    let Some((terms, preset)) = presets::pinned(&mut tx, tenant, new).await? else {
        return Ok(Requested::NoPreset);
    };
    let sql = format!(
        "insert into match_request (id, tenant_id, reference, visit, terms, client_id, company_id, link, in_batch, state, created_by,
             invites, preset, preset_version)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, 'ranking', $10, $11, $12, $13
         where (select count(*) from party where tenant_id = $2 and id in ($6, $7))
             = (select count(distinct id) from unnest(array[$6, $7]) as wanted (id) where id is not null)
         returning {COLUMNS}"
    );
    let id = |party: Option<PartyId>| party.map(|party| party.as_uuid());
    let made: Option<MatchRequest> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(new.id.as_uuid())
        .bind(tenant.as_uuid())
        .bind(&new.reference)
        .bind(Json(&new.visit))
        .bind(Json(terms))
        .bind(id(new.client))
        .bind(id(new.company))
        .bind(&new.link)
        .bind(new.in_batch)
        .bind(&new.by)
        .bind(new.invites)
        .bind(&new.preset)
        .bind(preset)
        .fetch_optional(&mut *tx)
        .await
        .or_failed("note that somebody is wanted")?;
    let Some(made) = made else { return Ok(Requested::NoParty) };
    enqueue::insert(db, &mut tx, tenant, &jobs).await?;
    let answer = answer(&made);
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    commit(tx, "note that somebody is wanted").await?;
    Ok(Requested::New(answer))
}

/// One that waits for others is looked at alone when they are given out and it is not.
fn jobs_of(new: &NewMatchRequest) -> Result<Vec<NewJob>, StoreError> {
    let rank = rank_job(new.id, 1)?;
    if !new.in_batch {
        return Ok(vec![rank]);
    }
    let window = rank.created_at.timestamp().div_euclid(BATCH_WINDOW_S);
    let ends_at = DateTime::from_timestamp((window + 1) * BATCH_WINDOW_S, 0).unwrap_or(rank.created_at);
    let batch = NewJob::of(&MatchBatch { window }).map_err(|error| unwritable(&error))?;
    let alone_at = ends_at + TimeDelta::seconds(ALONE_AFTER_S);
    Ok(vec![NewJob { scheduled_at: ends_at, ..batch }, NewJob { scheduled_at: alone_at, ..rank }])
}

fn rank_job(request: MatchRequestId, round: i16) -> Result<NewJob, StoreError> {
    NewJob::of(&MatchRank { request, round }).map_err(|error| unwritable(&error))
}

fn unwritable(error: &serde_json::Error) -> StoreError {
    StoreError::Unreadable { table: "job", found: error.to_string() }
}

/// The request of `tenant` with this id.
///
/// # Errors
/// When the database fails.
pub async fn request(
    db: &Db,
    tenant: TenantId,
    id: MatchRequestId,
) -> Result<Option<MatchRequest>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    read(&mut tx, tenant, id, "").await
}

/// The same, held until the transaction ends. Whoever changes a request, its offers or their bookings holds it first.
async fn held(tx: &mut Tx, tenant: TenantId, id: MatchRequestId) -> Result<Option<MatchRequest>, StoreError> {
    read(tx, tenant, id, "for update").await
}

async fn read(
    tx: &mut PgConnection,
    tenant: TenantId,
    id: MatchRequestId,
    hold: &'static str,
) -> Result<Option<MatchRequest>, StoreError> {
    let sql = format!("select {COLUMNS} from match_request where tenant_id = $1 and id = $2 {hold}");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(tx)
        .await
        .or_failed("read a request for somebody")
}

/// The requests of `tenant` before `before`, newest first, at most `max`; only those in `state` where it is named.
///
/// # Errors
/// When the database fails.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    state: Option<&str>,
    before: Option<Uuid>,
    max: i64,
) -> Result<Vec<MatchRequest>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // Two statements, each with an index of its own.
    let of_state = if state.is_some() { "state = $3" } else { "$3::text is null" };
    let sql = format!(
        "select {COLUMNS} from match_request where tenant_id = $1 and ($2::uuid is null or id < $2) and {of_state}
         order by id desc limit $4"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(before)
        .bind(state)
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list requests for somebody")
}

/// Those that wait to be given out together, oldest first, at most [`BATCH_MAX`].
///
/// # Errors
/// When the database fails.
pub async fn waiting(db: &Db, tenant: TenantId) -> Result<Vec<MatchRequest>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS} from match_request where tenant_id = $1 and in_batch and state = 'ranking' and round = 1
         order by id limit $2"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(BATCH_MAX)
        .fetch_all(&mut *tx)
        .await
        .or_failed("read requests that wait for each other")
}

/// The questions that were asked about a request, in order.
///
/// # Errors
/// When the database fails.
pub async fn offers(db: &Db, tenant: TenantId, request: MatchRequestId) -> Result<Vec<Offer>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql =
        format!("select {OFFER} from offer where tenant_id = $1 and request_id = $2 order by generation");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(request.as_uuid())
        .fetch_all(&mut *tx)
        .await
        .or_failed("read the questions about a visit")
}

/// The offer of `tenant` with this id.
///
/// # Errors
/// When the database fails.
pub async fn offer(db: &Db, tenant: TenantId, id: OfferId) -> Result<Option<Offer>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    read_offer(&mut tx, tenant, id).await
}

async fn read_offer(
    tx: &mut PgConnection,
    tenant: TenantId,
    id: OfferId,
) -> Result<Option<Offer>, StoreError> {
    let sql = format!("select {OFFER} from offer where tenant_id = $1 and id = $2");
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .fetch_optional(tx)
        .await
        .or_failed("read an offer")
}

/// Writes down where a request stands. It has to be held.
async fn note_state(
    tx: &mut PgConnection,
    tenant: TenantId,
    id: MatchRequestId,
    state: &'static str,
    round: i16,
) -> Result<(), StoreError> {
    sqlx::query(
        "update match_request set state = $3, round = $4, updated_at = clock_timestamp() where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .bind(state)
    .bind(round)
    .execute(tx)
    .await
    .or_failed("note where a request stands")?;
    Ok(())
}
