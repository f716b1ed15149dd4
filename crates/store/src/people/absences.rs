//! Time off, and what calendars outside know. It counts for every tenant somebody works for.

use chrono::{DateTime, Utc};
use jobs::{AbsenceId, PartyId, TenantId};
use matching::Span;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
    submit::{Answer, Idempotency, Taken, keep_answer, take_key},
};

/// Time in which somebody does not work.
#[derive(Debug, Clone, FromRow)]
pub struct Absence {
    id: Uuid,
    /// `time_off` or `busy`.
    pub kind: String,
    /// From then.
    pub starts_at: DateTime<Utc>,
    /// Until then.
    pub ends_at: DateTime<Utc>,
    /// In words.
    pub note: String,
    /// When it was noted.
    pub created_at: DateTime<Utc>,
}

impl Absence {
    /// Which it is.
    pub fn id(&self) -> AbsenceId {
        AbsenceId::from_uuid(self.id)
    }
}

/// What an absence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsenceKind {
    /// They are off.
    TimeOff,
    /// They have an appointment elsewhere.
    Busy,
}

impl AbsenceKind {
    const fn word(self) -> &'static str {
        match self {
            Self::TimeOff => "time_off",
            Self::Busy => "busy",
        }
    }
}

const COLUMNS: &str = "id, kind, lower(during) as starts_at, upper(during) as ends_at, note, created_at";

/// What became of the wish to note an absence.
#[derive(Debug, Clone)]
pub enum AbsenceMade {
    /// It is noted; this is the answer, also kept for the key.
    New(Answer),
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
    /// This tenant has nobody such who does work, or noted as many of them as it may.
    Refused,
}

/// Notes an absence, unless `max` of its kind are noted already.
///
/// # Errors
/// When the database fails.
pub async fn add_absence(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    (kind, during, note): (AbsenceKind, Span, &str),
    max: i64,
    key: Option<&Idempotency>,
    answer: impl FnOnce(Absence) -> Answer,
) -> Result<AbsenceMade, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    match take_key(db, &mut tx, tenant, key).await? {
        Taken::Free => {}
        Taken::Before(answer) => return Ok(AbsenceMade::Replayed(answer)),
        Taken::ForAnother => return Ok(AbsenceMade::Mismatch),
    }
    let sql = format!(
        "insert into absence (id, tenant_id, party_id, account_id, kind, during, note)
         select $3, tenant_id, party_id, account_id, $4, tstzrange($5, $6), $7 from membership m
         where tenant_id = $1 and party_id = $2
             and (select count(*) from absence a where a.tenant_id = $1 and a.party_id = $2 and a.kind = $4) < $8
         for key share of m
         returning {COLUMNS}"
    );
    let added: Option<Absence> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(party.as_uuid())
        .bind(AbsenceId::new().as_uuid())
        .bind(kind.word())
        .bind(during.from)
        .bind(during.until)
        .bind(note)
        .bind(max)
        .fetch_optional(&mut *tx)
        .await
        .or_failed("note an absence")?;
    let Some(added) = added else { return Ok(AbsenceMade::Refused) };
    let answer = answer(added);
    keep_answer(db, &mut tx, tenant, key, &answer).await?;
    commit(tx, "note an absence").await?;
    Ok(AbsenceMade::New(answer))
}

/// Takes what a caller says of a calendar outside in place of what it said before. What linked calendars say stays, and so does
/// when they were read. False when this tenant has nobody such who does work.
///
/// # Errors
/// When the database fails.
pub async fn read_calendar(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    busy: &[Span],
) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    // The row is locked, so that of two who read at once the second sees what the first wrote.
    let account: Option<Uuid> = sqlx::query_scalar(
        "update membership set calendar_read_at = coalesce((
             select min(coalesce(l.read_at, 'epoch')) from calendar_link l where l.tenant_id = $1 and l.party_id = $2
         ), clock_timestamp())
         where tenant_id = $1 and party_id = $2 returning account_id",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("note that a calendar was read")?;
    let Some(account) = account else { return Ok(false) };
    sqlx::query(
        "delete from absence where tenant_id = $1 and party_id = $2 and kind = 'busy' and link_id is null",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .execute(&mut *tx)
    .await
    .or_failed("forget what a calendar said before")?;
    let ids: Vec<Uuid> = busy.iter().map(|_| AbsenceId::new().as_uuid()).collect();
    sqlx::query(
        "insert into absence (id, tenant_id, party_id, account_id, kind, during, note)
         select x.id, $1, $2, $3, 'busy', tstzrange(x.starts_at, x.ends_at), ''
         from unnest($4::uuid[], $5::timestamptz[], $6::timestamptz[]) as x (id, starts_at, ends_at)",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .bind(account)
    .bind(ids)
    .bind(busy.iter().map(|span| span.from).collect::<Vec<_>>())
    .bind(busy.iter().map(|span| span.until).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .or_failed("note what a calendar says")?;
    commit(tx, "note what a calendar says").await?;
    Ok(true)
}

/// The absences of `party` before `before`, newest first, at most `max`. A stretch that several linked calendars tell is there once.
///
/// # Errors
/// When the database fails.
pub async fn absences(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    before: Option<Uuid>,
    max: i64,
) -> Result<Vec<Absence>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let sql = format!(
        "select {COLUMNS} from absence a where tenant_id = $1 and party_id = $2 and ($3::uuid is null or id < $3)
             and not exists (select from absence same where same.account_id = a.account_id and same.during = a.during
                 and same.tenant_id = a.tenant_id and same.party_id = a.party_id and same.id < a.id
                 and same.link_id is not null and a.link_id is not null)
         order by id desc limit $4"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(party.as_uuid())
        .bind(before)
        .bind(max)
        .fetch_all(&mut *tx)
        .await
        .or_failed("list absences")
}

/// Forgets an absence. False when this tenant has no such absence.
///
/// # Errors
/// When the database fails.
pub async fn remove_absence(db: &Db, tenant: TenantId, id: AbsenceId) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let removed = sqlx::query("delete from absence where tenant_id = $1 and id = $2")
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("forget an absence")?;
    commit(tx, "forget an absence").await?;
    Ok(removed.rows_affected() > 0)
}
