//! Digests: what gathers, and closing them.

use chrono::{DateTime, Utc};
use jobs::{Category, Channel, ContactPointId, DigestId, JobId, MessageId, PartyId, TenantId};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::{
    COLUMNS, Message, NewMessage,
    planning::{closing, insert, sending},
};
use crate::{
    db::{Db, Tx},
    enqueue::NewJob,
    error::{OrFailed, StoreError},
};

/// A digest.
#[derive(Debug, Clone, FromRow)]
pub struct Digest {
    id: Uuid,
    party_id: Uuid,
    contact_point_id: Uuid,
    channel: String,
    category: String,
    /// The thread it gathers; empty for none.
    pub thread: String,
    /// When it closes.
    pub closes_at: DateTime<Utc>,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    message_id: Option<Uuid>,
}

impl Digest {
    /// Which it is.
    pub fn id(&self) -> DigestId {
        DigestId::from_uuid(self.id)
    }

    /// For whom.
    pub fn party(&self) -> PartyId {
        PartyId::from_uuid(self.party_id)
    }

    /// Where to.
    pub fn contact(&self) -> ContactPointId {
        ContactPointId::from_uuid(self.contact_point_id)
    }

    /// What it came to.
    pub fn message(&self) -> Option<MessageId> {
        self.message_id.map(MessageId::from_uuid)
    }

    /// By which channel, and what sort of thing.
    ///
    /// # Errors
    /// When this version does not know them.
    pub fn words(&self) -> Result<(Channel, Category), StoreError> {
        let unreadable = |found: &str| StoreError::Unreadable { table: "digest", found: found.to_owned() };
        let channel = self.channel.parse().map_err(|_| unreadable(&self.channel))?;
        Ok((channel, self.category.parse().map_err(|_| unreadable(&self.category))?))
    }
}

/// The digest with this id, and what it gathered, in order.
///
/// # Errors
/// When the database fails.
pub async fn digest(
    db: &Db,
    tenant: TenantId,
    id: DigestId,
) -> Result<Option<(Digest, Vec<Message>)>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let found: Option<Digest> = sqlx::query_as(
        "select id, party_id, contact_point_id, channel, category, thread, closes_at, closed_at, message_id from digest
         where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(id.as_uuid())
    .fetch_optional(&mut *tx)
    .await
    .or_failed("read a digest")?;
    let Some(found) = found else { return Ok(None) };
    let sql = format!(
        "select {COLUMNS} from message where tenant_id = $1 and digest_id = $2 and state = 'gathered' order by id limit $3"
    );
    let gathered = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_uuid())
        .bind(id.as_uuid())
        .bind(GATHERED_MAX)
        .fetch_all(&mut *tx)
        .await
        .or_failed("read what a digest gathered")?;
    Ok(Some((found, gathered)))
}

/// Messages told in one digest; what is more is told in the next.
const GATHERED_MAX: i64 = 100;

/// When the digest closes that gathers for `party`, if one does.
///
/// # Errors
/// When the database fails.
pub async fn open_digest(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    category: Category,
    thread: &str,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_scalar(
        "select min(closes_at) from digest
         where tenant_id = $1 and party_id = $2 and category = $3 and thread = $4 and closed_at is null",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .bind(category.name())
    .bind(thread)
    .fetch_one(&mut *tx)
    .await
    .or_failed("look for a digest that gathers")
}

/// A digest that is told.
#[derive(Debug, Clone)]
pub struct ClosedDigest {
    /// Which.
    pub digest: DigestId,
    /// The job that closes it.
    pub job: JobId,
    /// What it tells, of what it gathered.
    pub told: Vec<MessageId>,
    /// What was gathered and is not wanted any more, with the reason.
    pub dropped: Vec<(MessageId, String)>,
    /// The one message; none when nothing is left to tell.
    pub message: Option<NewMessage>,
}

/// Closes a digest; answers the jobs that follow. Part of the transaction that settles the job. What was gathered since it
/// was read goes into another.
///
/// # Errors
/// When the database fails.
pub async fn close(tx: &mut Tx, tenant: TenantId, closed: &ClosedDigest) -> Result<Vec<NewJob>, StoreError> {
    let is_first: Option<i32> = sqlx::query_scalar(
        "update digest set closed_at = clock_timestamp(), message_id = $3
         where tenant_id = $1 and id = $2 and closed_at is null returning 1",
    )
    .bind(tenant.as_uuid())
    .bind(closed.digest.as_uuid())
    .bind(closed.message.as_ref().map(|message| message.id.as_uuid()))
    .fetch_optional(&mut **tx)
    .await
    .or_failed("close a digest")?;
    if is_first.is_none() {
        return Ok(Vec::new());
    }
    let mut jobs = Vec::new();
    if let Some(message) = &closed.message {
        insert(tx, tenant, closed.job, message, None).await?;
        jobs.push(sending(message.id, message.scheduled_at)?);
    }
    for (id, why) in &closed.dropped {
        sqlx::query("update message set state = 'dropped', detail = $3 where tenant_id = $1 and id = $2 and state = 'gathered'")
            .bind(tenant.as_uuid())
            .bind(id.as_uuid())
            .bind(why)
            .execute(&mut **tx)
            .await
            .or_failed("drop what was gathered")?;
    }
    jobs.extend(pass_on(tx, tenant, closed).await?);
    Ok(jobs)
}

/// What came too late for a digest waits for the next, which is told at once.
async fn pass_on(tx: &mut Tx, tenant: TenantId, closed: &ClosedDigest) -> Result<Option<NewJob>, StoreError> {
    let told: Vec<Uuid> = closed.told.iter().map(MessageId::as_uuid).collect();
    let late: bool = sqlx::query_scalar(
        "select exists (select from message
         where tenant_id = $1 and digest_id = $2 and state = 'gathered' and id <> all ($3))",
    )
    .bind(tenant.as_uuid())
    .bind(closed.digest.as_uuid())
    .bind(&told)
    .fetch_one(&mut **tx)
    .await
    .or_failed("look for what came late")?;
    if !late {
        return Ok(None);
    }
    let next = DigestId::new();
    sqlx::query(
        "insert into digest (id, tenant_id, party_id, contact_point_id, channel, category, thread, closes_at)
         select $3, tenant_id, party_id, contact_point_id, channel, category, thread, clock_timestamp()
         from digest where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(closed.digest.as_uuid())
    .bind(next.as_uuid())
    .execute(&mut **tx)
    .await
    .or_failed("open the next digest")?;
    sqlx::query(
        "update message set digest_id = $4
         where tenant_id = $1 and digest_id = $2 and state = 'gathered' and id <> all ($3)",
    )
    .bind(tenant.as_uuid())
    .bind(closed.digest.as_uuid())
    .bind(&told)
    .bind(next.as_uuid())
    .execute(&mut **tx)
    .await
    .or_failed("pass on what came late")?;
    closing(next, Utc::now()).map(Some)
}
