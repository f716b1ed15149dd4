//! From decisions to messages and the jobs that send them.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{
    Category, Channel, ContactPointId, DigestId, JobId, MessageId, PartyId, TenantId,
    kinds::{notify_digest_close::NotifyDigestClose, notify_send::NotifySend},
};
use serde_json::{Value, json};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::subjects;
use crate::{
    db::{Db, Tx},
    enqueue::NewJob,
    error::{OrFailed, StoreError},
};

/// What was planned for somebody lately.
#[derive(Debug, Clone, FromRow)]
pub struct History {
    channel: String,
    category: String,
    /// By which template.
    pub template: String,
    /// About what.
    pub subject_reference: Option<String>,
    /// SHA-256 of the template and its variables.
    pub content_sha256: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

impl History {
    /// By which channel, and of what sort; none when this version does not know them.
    pub fn words(&self) -> Option<(Channel, Category)> {
        Some((self.channel.parse().ok()?, self.category.parse().ok()?))
    }
}

/// Most messages of a recipient that are looked back upon.
const HISTORY_MAX: i64 = 500;

/// What `party` was told, or is about to be, since `since`: the latest first.
///
/// # Errors
/// When the database fails.
pub async fn history(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    since: DateTime<Utc>,
) -> Result<Vec<History>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select channel, category, template, subject_reference, content_sha256, created_at from message
         where tenant_id = $1 and party_id = $2 and created_at >= $3 and state not in ('skipped', 'dropped', 'failed', 'bounced')
         order by created_at desc limit $4",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .bind(since)
    .bind(HISTORY_MAX)
    .fetch_all(&mut *tx)
    .await
    .or_failed("read what somebody was told")
}

/// A digest that a message waits for.
#[derive(Debug, Clone)]
pub struct Gathering {
    /// The thread it gathers; empty for none.
    pub thread: String,
    /// When it closes, unless one that is open closes before.
    pub closes_at: DateTime<Utc>,
}

/// What becomes of a message where there are too many.
#[derive(Debug, Clone)]
pub struct Overflow {
    /// So many to its party, of its category and by its channel are enough.
    pub most: u32,
    /// In so many seconds.
    pub seconds: u32,
    /// Where it waits then.
    pub gathering: Gathering,
    /// What it is there.
    pub content: Value,
}

/// A message that is about to be.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Which it will be.
    pub id: MessageId,
    /// To whom.
    pub party: PartyId,
    /// Where to; none when it is not sent.
    pub contact: Option<ContactPointId>,
    /// By which channel.
    pub channel: Channel,
    /// What sort of thing.
    pub category: Category,
    /// By which template, in which version and language.
    pub template: (String, i32, String),
    /// What it is about, and which version of that.
    pub subject: Option<(String, u32)>,
    /// When that takes place.
    pub subject_at: Option<DateTime<Utc>>,
    /// SHA-256 of the template and its variables.
    pub content_sha256: String,
    /// Equal for what is the same to the same, which is not told twice within so many seconds.
    pub dedupe: (String, u32),
    /// `planned`, `gathered` or `skipped`.
    pub state: &'static str,
    /// What the rules said.
    pub decisions: Value,
    /// What the channel is handed.
    pub content: Option<Value>,
    /// Only if nobody has read the same by another channel.
    pub unless_read: bool,
    /// Not before.
    pub scheduled_at: DateTime<Utc>,
    /// The digest it waits for.
    pub gathering: Option<Gathering>,
    /// What becomes of it where there are too many; none where there cannot be.
    pub overflow: Option<Overflow>,
}

/// Everything that one job decided.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The job.
    pub request: JobId,
    /// What it is about, and which version of that.
    pub subject: Option<(String, u32)>,
    /// The messages.
    pub messages: Vec<NewMessage>,
    /// Of the request that asked for it.
    pub traceparent: Option<String>,
}

/// Notes what was decided; answers the jobs that do it. Part of the transaction that settles the job that decided.
///
/// Two that decide at the same moment are told apart here: the second finds the first's message and is skipped.
///
/// # Errors
/// When the database fails.
pub async fn plan(tx: &mut Tx, tenant: TenantId, plan: &Plan) -> Result<Vec<NewJob>, StoreError> {
    if let Some((reference, version)) = &plan.subject {
        subjects::reach(tx, tenant, reference, *version).await?;
    }
    line_up(tx, tenant, &plan.messages).await?;
    // In one order everywhere, so that two who wait for each other stand in a line.
    let mut messages: Vec<&NewMessage> = plan.messages.iter().collect();
    messages.sort_by(|one, other| one.dedupe.0.cmp(&other.dedupe.0));
    let mut jobs = Vec::new();
    for new in messages {
        let mut job = write(tx, tenant, plan.request, new).await?;
        if let Some(job) = &mut job {
            job.traceparent.clone_from(&plan.traceparent);
        }
        jobs.extend(job);
    }
    Ok(jobs)
}

async fn write(
    tx: &mut Tx,
    tenant: TenantId,
    request: JobId,
    new: &NewMessage,
) -> Result<Option<NewJob>, StoreError> {
    if new.state != "skipped" && was_told(tx, tenant, request, new).await? {
        let mut decisions = new.decisions.clone();
        if let Some(notes) = decisions.as_array_mut() {
            notes.push(json!({"rule": 4, "said": "the same was told at this very moment"}));
        }
        let skipped =
            NewMessage { state: "skipped", decisions, content: None, gathering: None, ..new.clone() };
        insert(tx, tenant, request, &skipped, None).await?;
        return Ok(None);
    }
    let folded = folded(tx, tenant, new).await?;
    let new = folded.as_ref().unwrap_or(new);
    let Some(gathering) = &new.gathering else {
        insert(tx, tenant, request, new, None).await?;
        return if new.state == "planned" { sending(new.id, new.scheduled_at).map(Some) } else { Ok(None) };
    };
    let (digest, is_new) = join(tx, tenant, new, gathering).await?;
    insert(tx, tenant, request, new, Some(digest)).await?;
    if is_new { closing(digest, gathering.closes_at).map(Some) } else { Ok(None) }
}

/// Waits for those who count the same messages: before anything else is waited for, and in one order everywhere.
async fn line_up(tx: &mut Tx, tenant: TenantId, messages: &[NewMessage]) -> Result<(), StoreError> {
    let counted = messages.iter().filter(|new| new.overflow.is_some());
    let keys: BTreeSet<String> = counted
        .map(|new| format!("{tenant}/{}/{}/{}", new.party, new.category.name(), new.channel.name()))
        .collect();
    for key in keys {
        wait_for(tx, &key).await?;
    }
    Ok(())
}

/// `new` as it waits in a digest, if there are too many of its sort: those who decided at the same moment did not know of
/// each other.
async fn folded(tx: &mut Tx, tenant: TenantId, new: &NewMessage) -> Result<Option<NewMessage>, StoreError> {
    let Some(overflow) = new.overflow.as_ref().filter(|_| new.state == "planned") else { return Ok(None) };
    let most = i64::from(overflow.most);
    let told: i64 = sqlx::query_scalar(
        "select count(*) from (
             select from message where tenant_id = $1 and party_id = $2 and category = $3 and channel = $4
                 and created_at > $5 and state not in ('skipped', 'dropped', 'failed', 'bounced') limit $6) counted",
    )
    .bind(tenant.as_uuid())
    .bind(new.party.as_uuid())
    .bind(new.category.name())
    .bind(new.channel.name())
    .bind(Utc::now() - TimeDelta::seconds(i64::from(overflow.seconds)))
    .bind(most)
    .fetch_one(&mut **tx)
    .await
    .or_failed("count what somebody is told")?;
    if told < most {
        return Ok(None);
    }
    let mut decisions = new.decisions.clone();
    if let Some(notes) = decisions.as_array_mut() {
        notes.push(json!({"rule": 6, "said": "too many at this very moment: gathered for the digest"}));
    }
    Ok(Some(NewMessage {
        state: "gathered",
        decisions,
        content: Some(overflow.content.clone()),
        unless_read: false,
        scheduled_at: overflow.gathering.closes_at,
        gathering: Some(overflow.gathering.clone()),
        ..new.clone()
    }))
}

async fn wait_for(tx: &mut Tx, key: &str) -> Result<(), StoreError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(key)
        .execute(&mut **tx)
        .await
        .or_failed("wait for who tells the same")
        .map(drop)
}

/// The job that sends a message at a time.
pub(super) fn sending(message: MessageId, at: DateTime<Utc>) -> Result<NewJob, StoreError> {
    let mut job = NewJob::of(&NotifySend { message }).map_err(|_| super::unreadable("a job"))?;
    job.scheduled_at = at;
    Ok(job)
}

/// The job that closes a digest at a time.
pub(super) fn closing(digest: DigestId, at: DateTime<Utc>) -> Result<NewJob, StoreError> {
    let mut job = NewJob::of(&NotifyDigestClose { digest }).map_err(|_| super::unreadable("a job"))?;
    job.scheduled_at = at;
    Ok(job)
}

async fn was_told(
    tx: &mut Tx,
    tenant: TenantId,
    request: JobId,
    new: &NewMessage,
) -> Result<bool, StoreError> {
    let (key, seconds) = &new.dedupe;
    if *seconds == 0 {
        return Ok(false);
    }
    wait_for(tx, &format!("{tenant}/{key}")).await?;
    let since = Utc::now() - TimeDelta::seconds(i64::from(*seconds));
    sqlx::query_scalar(
        "select exists (select from message where tenant_id = $1 and dedupe_key = $2 and created_at > $3
             and request_id <> $4 and state not in ('skipped', 'dropped', 'failed', 'bounced'))",
    )
    .bind(tenant.as_uuid())
    .bind(key)
    .bind(since)
    .bind(request.as_uuid())
    .fetch_one(&mut **tx)
    .await
    .or_failed("see whether the same was told")
}

/// The digest that gathers for the same, made when there is none; and whether it was. Held until the transaction ends, so
/// that it does not close meanwhile.
async fn join(
    tx: &mut Tx,
    tenant: TenantId,
    new: &NewMessage,
    gathering: &Gathering,
) -> Result<(DigestId, bool), StoreError> {
    let wanted = DigestId::new();
    let id: Uuid = sqlx::query_scalar(
        "insert into digest (id, tenant_id, party_id, contact_point_id, channel, category, thread, closes_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (tenant_id, contact_point_id, category, thread) where closed_at is null
             do update set closes_at = digest.closes_at
         returning id",
    )
    .bind(wanted.as_uuid())
    .bind(tenant.as_uuid())
    .bind(new.party.as_uuid())
    .bind(new.contact.map(|contact| contact.as_uuid()))
    .bind(new.channel.name())
    .bind(new.category.name())
    .bind(&gathering.thread)
    .bind(gathering.closes_at)
    .fetch_one(&mut **tx)
    .await
    .or_failed("gather for a digest")?;
    Ok((DigestId::from_uuid(id), id == wanted.as_uuid()))
}

pub(super) async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    request: JobId,
    new: &NewMessage,
    digest: Option<DigestId>,
) -> Result<(), StoreError> {
    let (template, version, locale) = &new.template;
    sqlx::query(
        "insert into message (id, tenant_id, party_id, contact_point_id, request_id, channel, category, template,
             template_version, locale, subject_reference, subject_version, content_sha256, dedupe_key, state, decisions,
             content, unless_read, digest_id, scheduled_at, subject_at)
         select $1, $2, p.id, (select c.id from contact_point c where c.tenant_id = $2 and c.id = $4), $5, $6, $7, $8, $9,
             $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21
         from party p where p.tenant_id = $2 and p.id = $3",
    )
    .bind(new.id.as_uuid())
    .bind(tenant.as_uuid())
    .bind(new.party.as_uuid())
    .bind(new.contact.map(|contact| contact.as_uuid()))
    .bind(request.as_uuid())
    .bind(new.channel.name())
    .bind(new.category.name())
    .bind(template)
    .bind(version)
    .bind(locale)
    .bind(new.subject.as_ref().map(|subject| &subject.0))
    .bind(new.subject.as_ref().map(|subject| subject.1 as i32))
    .bind(&new.content_sha256)
    .bind(&new.dedupe.0)
    .bind(new.state)
    .bind(Json(&new.decisions))
    .bind(new.content.as_ref().map(Json))
    .bind(new.unless_read)
    .bind(digest.map(|digest| digest.as_uuid()))
    .bind(new.scheduled_at)
    .bind(new.subject_at)
    .execute(&mut **tx)
    .await
    .or_failed("note a message")?;
    Ok(())
}
