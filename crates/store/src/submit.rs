//! Submissions of clients: jobs together with the answer their idempotency key will always get.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use chrono::{DateTime, Utc};
use jobs::{JobId, TenantId};
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;

use crate::{
    db::{Db, Tx, commit},
    enqueue::{Enqueued, NewJob, insert, insert_with_keys},
    error::{OrFailed, StoreError},
    payload::Payload,
    reads::{self, JobRecord},
    sealing::{Place, Ring},
};

/// A client's key and what it stands for.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// The client's key, 1 to 255 bytes.
    pub key: String,
    /// The route it was used on, such as `POST /v1/jobs`.
    pub route: &'static str,
    /// SHA-256 of the canonical request body.
    pub fingerprint: [u8; 32],
    /// When it is forgotten.
    pub expires_at: DateTime<Utc>,
}

/// An answer to keep for the key.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Location`, where there is one.
    pub location: Option<String>,
    /// JSON body, as it is sent.
    pub body: String,
}

impl Answer {
    /// With `body` as JSON; it is one of ours, which none fails to be.
    pub fn of(status: u16, location: Option<String>, body: &impl Serialize) -> Self {
        Self { status, location, body: serde_json::to_string(body).unwrap_or_default() }
    }
}

/// What one request wants.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The jobs, in order.
    pub jobs: Vec<NewJob>,
    /// The client's key, if it gave one.
    pub idempotency: Option<Idempotency>,
    /// The answer if every job is new.
    pub answer: Answer,
}

/// What became of a [`Submission`].
#[derive(Debug, Clone)]
pub enum Submitted {
    /// Done now.
    Accepted {
        /// What to answer; also kept for the key.
        answer: Answer,
        /// Per job, in order, whether it is new.
        enqueued: Vec<Enqueued>,
    },
    /// The key was used before for the same request: this is what it was answered.
    Replayed(Answer),
    /// The key was used before for another request.
    Mismatch,
}

/// What a key stands for.
struct Before {
    fingerprint: Vec<u8>,
    answer: Answer,
}

#[derive(FromRow)]
struct Kept {
    key: String,
    route: String,
    fingerprint: Vec<u8>,
    status: i16,
    location: Option<String>,
    body: String,
}

/// Keys of clients as columns, in one order everywhere: transactions that take the same keys wait for each other in a
/// line and not in a ring.
pub(crate) struct Keys<'a> {
    pub(crate) routes: Vec<&'a str>,
    /// The keys themselves.
    pub(crate) texts: Vec<&'a str>,
    pub(crate) fingerprints: Vec<&'a [u8]>,
    pub(crate) statuses: Vec<i16>,
    pub(crate) locations: Vec<Option<&'a str>>,
    pub(crate) bodies: Vec<Cow<'a, str>>,
    pub(crate) expiries: Vec<DateTime<Utc>>,
}

impl<'a> Keys<'a> {
    fn of(ring: Option<&Ring>, submissions: &'a [Submission]) -> Result<Self, StoreError> {
        let keyed = submissions.iter().filter_map(|s| s.idempotency.as_ref().map(|key| (key, &s.answer)));
        let mut keyed: Vec<(&Idempotency, &Answer)> = keyed.collect();
        keyed.sort_unstable_by_key(|(key, _)| (key.route, key.key.as_str()));
        Ok(Self {
            routes: keyed.iter().map(|(key, _)| key.route).collect(),
            texts: keyed.iter().map(|(key, _)| key.key.as_str()).collect(),
            fingerprints: keyed.iter().map(|(key, _)| key.fingerprint.as_slice()).collect(),
            statuses: keyed.iter().map(|(_, answer)| answer.status as i16).collect(),
            locations: keyed.iter().map(|(_, answer)| answer.location.as_deref()).collect(),
            bodies: keyed.iter().map(|(key, answer)| text_of(ring, key, answer)).collect::<Result<_, _>>()?,
            expiries: keyed.iter().map(|(key, _)| key.expires_at).collect(),
        })
    }
}

/// What a row holds of the answer to `key`: its body, which repeats the arguments, so it is encrypted where they are.
fn text_of<'a>(
    ring: Option<&Ring>,
    key: &Idempotency,
    answer: &'a Answer,
) -> Result<Cow<'a, str>, StoreError> {
    let Some(ring) = ring else { return Ok(Cow::Borrowed(&answer.body)) };
    let body = Value::from(answer.body.as_str());
    let sealed = ring.seal_value(&Place::of_answer(key.route, &key.key), &body)?;
    serde_json::to_string(&sealed).map(Cow::Owned).map_err(|_| unreadable(key.route))
}

/// The body of an answer, from what its row holds.
async fn body_of(
    db: &Db,
    tenant: TenantId,
    route: &str,
    key: &str,
    text: String,
) -> Result<String, StoreError> {
    if text.is_empty() {
        return Ok(text);
    }
    let held: Payload = serde_json::from_str(&text).map_err(|_| unreadable(route))?;
    if held.inline().is_some() {
        return Ok(text);
    }
    match db.open(tenant, &Place::of_answer(route, key), held).await? {
        Payload::Inline(Value::String(body)) => Ok(body),
        _ => Err(unreadable(route)),
    }
}

fn unreadable(route: &str) -> StoreError {
    StoreError::Unreadable { table: "idempotency", found: format!("an answer to {route} that is no JSON") }
}

/// Takes many submissions of one tenant in one transaction; one fsync pays for them all. Answers in order.
///
/// `reanswer` writes the answer of a submission that met jobs which existed already; it is kept for the key. It is
/// given the records of those jobs where a submission asks for one job only: a batch is answered with ids.
///
/// # Errors
/// When the database fails: then nothing was accepted. No two submissions may carry the same key.
pub async fn submit(
    db: &Db,
    tenant: TenantId,
    submissions: &[Submission],
    reanswer: impl Fn(&Submission, &[Enqueued], &HashMap<JobId, JobRecord>) -> Answer,
) -> Result<Vec<Submitted>, StoreError> {
    let ring = db.ring(tenant).await?;
    match accept_fresh(db, tenant, ring.as_deref(), submissions).await {
        // A key that was used before, or whose time is over.
        Err(error) if error.is_duplicate() => {}
        Ok(None) => {}
        Ok(Some(submitted)) => return Ok(submitted),
        Err(error) => return Err(error),
    }
    let mut tx = db.busy_tenant(tenant).await?;
    let kept = take_keys(db, &mut tx, tenant, ring.as_deref(), submissions).await?;
    let fresh: Vec<&Submission> = submissions.iter().filter(|s| known(&kept, s).is_none()).collect();
    let new: Vec<&NewJob> = fresh.iter().flat_map(|s| &s.jobs).collect();
    let enqueued: HashMap<JobId, Enqueued> =
        new.iter().map(|job| job.id).zip(insert(db, &mut tx, tenant, &new).await?).collect();
    let fate = |s: &Submission| -> Vec<Enqueued> {
        s.jobs.iter().map(|job| enqueued.get(&job.id).copied().unwrap_or(Enqueued::Inserted)).collect()
    };
    let mut existing = HashMap::new();
    for submission in fresh {
        let [Enqueued::Existing(id)] = fate(submission)[..] else { continue };
        if !existing.contains_key(&id)
            && let Some(record) = reads::get_in(db, &mut tx, tenant, id).await?
        {
            existing.insert(id, record);
        }
    }
    let mut submitted = Vec::with_capacity(submissions.len());
    for submission in submissions {
        let Some((same, answer)) = known(&kept, submission) else {
            let enqueued = fate(submission);
            let mut answer = submission.answer.clone();
            if enqueued.iter().any(|one| *one != Enqueued::Inserted) {
                answer = reanswer(submission, &enqueued, &existing);
                if let Some(idempotency) = &submission.idempotency {
                    keep(&mut tx, tenant, ring.as_deref(), idempotency, &answer).await?;
                }
            }
            submitted.push(Submitted::Accepted { answer, enqueued });
            continue;
        };
        submitted.push(if same { Submitted::Replayed(answer) } else { Submitted::Mismatch });
    }
    commit(tx, "accept jobs").await?;
    Ok(submitted)
}

/// What nearly every submission needs, in one statement: new work under new keys. None when there is work that may exist
/// already.
async fn accept_fresh(
    db: &Db,
    tenant: TenantId,
    ring: Option<&Ring>,
    submissions: &[Submission],
) -> Result<Option<Vec<Submitted>>, StoreError> {
    let new: Vec<&NewJob> = submissions.iter().flat_map(|s| &s.jobs).collect();
    if new.is_empty() || new.iter().any(|job| job.unique.is_some()) {
        return Ok(None);
    }
    let mut tx = db.busy_tenant(tenant).await?;
    insert_with_keys(db, &mut tx, tenant, &new, &Keys::of(ring, submissions)?).await?;
    commit(tx, "accept jobs").await?;
    let accepted = |s: &Submission| Submitted::Accepted {
        answer: s.answer.clone(),
        enqueued: vec![Enqueued::Inserted; s.jobs.len()],
    };
    Ok(Some(submissions.iter().map(accepted).collect()))
}

/// What an idempotency key stands for.
pub(crate) enum Taken {
    /// Nothing before; it is taken now, or there is none.
    Free,
    /// The same request, which was answered so.
    Before(Answer),
    /// Another request.
    ForAnother,
}

/// Takes `key` for whatever the transaction does besides; [`keep_answer`] has to follow before it commits.
pub(crate) async fn take_key(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    key: Option<&Idempotency>,
) -> Result<Taken, StoreError> {
    let answer = Answer { status: 500, location: None, body: String::new() };
    let alone = Submission { jobs: Vec::new(), idempotency: key.cloned(), answer };
    let ring = db.ring(tenant).await?;
    let kept = take_keys(db, tx, tenant, ring.as_deref(), std::slice::from_ref(&alone)).await?;
    Ok(match known(&kept, &alone) {
        None => Taken::Free,
        Some((true, answer)) => Taken::Before(answer),
        Some((false, _)) => Taken::ForAnother,
    })
}

/// Keeps the answer for a key that [`take_key`] took.
pub(crate) async fn keep_answer(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    key: Option<&Idempotency>,
    answer: &Answer,
) -> Result<(), StoreError> {
    match key {
        Some(key) => keep(tx, tenant, db.ring(tenant).await?.as_deref(), key, answer).await,
        None => Ok(()),
    }
}

/// What the key of `submission` was used for before: whether for the same request, and the answer.
fn known(kept: &HashMap<(String, String), Before>, submission: &Submission) -> Option<(bool, Answer)> {
    let idempotency = submission.idempotency.as_ref()?;
    let before = kept.get(&(idempotency.route.to_owned(), idempotency.key.clone()))?;
    Some((before.fingerprint == idempotency.fingerprint, before.answer.clone()))
}

/// Takes the keys that are free, with the expected answers, and reads those that are not. A key that another
/// transaction is taking at this moment is waited for.
async fn take_keys(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    ring: Option<&Ring>,
    submissions: &[Submission],
) -> Result<HashMap<(String, String), Before>, StoreError> {
    let keyed = Keys::of(ring, submissions)?;
    if keyed.texts.is_empty() {
        return Ok(HashMap::new());
    }
    // A key whose time is over is free again, even before housekeeping has removed it.
    let (routes_taken, keys_taken): (Vec<String>, Vec<String>) = sqlx::query_as(
        "with taken as (
             insert into idempotency as i (tenant_id, route, key, fingerprint, status, location, body, expires_at)
             select $1, unnest($2::text[]), unnest($3::text[]), unnest($4::bytea[]), unnest($5::smallint[]),
                 unnest($6::text[]), unnest($7::text[]), unnest($8::timestamptz[])
             on conflict (tenant_id, route, key) do update set fingerprint = excluded.fingerprint,
                 status = excluded.status, location = excluded.location, body = excluded.body,
                 expires_at = excluded.expires_at
                 where i.expires_at < now()
             returning route, key)
         select coalesce(array_agg(route), '{}'), coalesce(array_agg(key), '{}') from taken",
    )
    .bind(tenant.as_uuid())
    .bind(&keyed.routes)
    .bind(&keyed.texts)
    .bind(&keyed.fingerprints)
    .bind(&keyed.statuses)
    .bind(&keyed.locations)
    .bind(&keyed.bodies)
    .bind(&keyed.expiries)
    .fetch_one(&mut **tx)
    .await
    .or_failed("take idempotency keys")?;
    if keys_taken.len() == keyed.texts.len() {
        return Ok(HashMap::new());
    }
    let taken: HashSet<(String, String)> = routes_taken.into_iter().zip(keys_taken).collect();
    let rows: Vec<Kept> = sqlx::query_as(
        "select i.key, i.route, fingerprint, status, location, body from idempotency i
         join unnest($2::text[], $3::text[]) as x (key, route) on i.key = x.key and i.route = x.route
         where i.tenant_id = $1",
    )
    .bind(tenant.as_uuid())
    .bind(&keyed.texts)
    .bind(&keyed.routes)
    .fetch_all(&mut **tx)
    .await
    .or_failed("read idempotency keys")?;
    let mut before = HashMap::with_capacity(rows.len());
    for Kept { key, route, fingerprint, status, location, body } in rows {
        let name = (route, key);
        if taken.contains(&name) {
            continue;
        }
        let (route, key) = &name;
        let body = body_of(db, tenant, route, key, body).await?;
        before.insert(name, Before { fingerprint, answer: Answer { status: status as u16, location, body } });
    }
    Ok(before)
}

async fn keep(
    tx: &mut Tx,
    tenant: TenantId,
    ring: Option<&Ring>,
    key: &Idempotency,
    answer: &Answer,
) -> Result<(), StoreError> {
    sqlx::query(
        "update idempotency set status = $4, location = $5, body = $6 where tenant_id = $1 and route = $2 and key = $3",
    )
    .bind(tenant.as_uuid())
    .bind(key.route)
    .bind(&key.key)
    .bind(answer.status as i16)
    .bind(&answer.location)
    .bind(text_of(ring, key, answer)?)
    .execute(&mut **tx)
    .await
    .or_failed("keep the answer to an idempotency key")?;
    Ok(())
}
