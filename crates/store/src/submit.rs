//! Submissions of clients: jobs together with the answer their idempotency key will always get.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use jobs::{JobId, TenantId};
use serde::Serialize;
use serde_json::Value;
use sqlx::{FromRow, types::Json};

use crate::{
    db::{Db, Tx, commit},
    enqueue::{Enqueued, NewJob, insert},
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
    /// JSON body.
    pub body: Value,
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

#[derive(FromRow)]
struct Kept {
    key: String,
    route: String,
    fingerprint: Vec<u8>,
    status: i16,
    location: Option<String>,
    body: Json<Payload>,
}

/// An answer's body as its row holds it.
#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Plain(&'a Value),
    Sealed(Payload),
}

impl<'a> Body<'a> {
    /// It repeats the arguments, so it is encrypted where they are.
    fn of(ring: Option<&Ring>, key: &Idempotency, answer: &'a Answer) -> Result<Self, StoreError> {
        Ok(match ring {
            Some(ring) => {
                Self::Sealed(ring.seal_value(&Place::of_answer(key.route, &key.key), &answer.body)?)
            }
            None => Self::Plain(&answer.body),
        })
    }
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
    let mut tx = db.tenant(tenant).await?;
    let kept = take_keys(db, &mut tx, tenant, ring.as_deref(), submissions).await?;
    let fresh: Vec<&Submission> = submissions.iter().filter(|s| known(&kept, s).is_none()).collect();
    let new: Vec<NewJob> = fresh.iter().flat_map(|s| s.jobs.iter().cloned()).collect();
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
    let answer = Answer { status: 500, location: None, body: Value::Null };
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
fn known(kept: &HashMap<(String, String), Kept>, submission: &Submission) -> Option<(bool, Answer)> {
    let idempotency = submission.idempotency.as_ref()?;
    let kept = kept.get(&(idempotency.route.to_owned(), idempotency.key.clone()))?;
    let body = kept.body.inline().cloned().unwrap_or_default();
    let answer = Answer { status: kept.status as u16, location: kept.location.clone(), body };
    Some((kept.fingerprint == idempotency.fingerprint, answer))
}

/// Takes the keys that are free, with the expected answers, and reads those that are not. A key that another
/// transaction is taking at this moment is waited for.
async fn take_keys(
    db: &Db,
    tx: &mut Tx,
    tenant: TenantId,
    ring: Option<&Ring>,
    submissions: &[Submission],
) -> Result<HashMap<(String, String), Kept>, StoreError> {
    let keyed: Vec<(&Idempotency, &Answer)> =
        submissions.iter().filter_map(|s| s.idempotency.as_ref().map(|key| (key, &s.answer))).collect();
    if keyed.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<&str> = keyed.iter().map(|(key, _)| key.key.as_str()).collect();
    let routes: Vec<&str> = keyed.iter().map(|(key, _)| key.route).collect();
    let bodies = keyed.iter().map(|(key, answer)| Body::of(ring, key, answer).map(Json));
    let bodies: Vec<Json<Body>> = bodies.collect::<Result<_, _>>()?;
    // A key whose time is over is free again, even before housekeeping has removed it.
    let taken: Vec<(String, String)> = sqlx::query_as(
        "insert into idempotency as i (tenant_id, key, route, fingerprint, status, location, body, expires_at)
         select $1, * from (
             select * from unnest($2::text[], $3::text[], $4::bytea[], $5::smallint[], $6::text[], $7::jsonb[],
                                  $8::timestamptz[]) as x (key, route, fingerprint, status, location, body, expires_at)
             order by route, key) ordered
         on conflict (tenant_id, route, key) do update set fingerprint = excluded.fingerprint, status = excluded.status,
             location = excluded.location, body = excluded.body, expires_at = excluded.expires_at
             where i.expires_at < now()
         returning route, key",
    )
    .bind(tenant.as_uuid())
    .bind(&keys)
    .bind(&routes)
    .bind(keyed.iter().map(|(key, _)| key.fingerprint.to_vec()).collect::<Vec<_>>())
    .bind(keyed.iter().map(|(_, answer)| answer.status as i16).collect::<Vec<_>>())
    .bind(keyed.iter().map(|(_, answer)| answer.location.as_deref()).collect::<Vec<_>>())
    .bind(bodies)
    .bind(keyed.iter().map(|(key, _)| key.expires_at).collect::<Vec<_>>())
    .fetch_all(&mut **tx)
    .await
    .or_failed("take idempotency keys")?;
    if taken.len() == keyed.len() {
        return Ok(HashMap::new());
    }
    let rows: Vec<Kept> = sqlx::query_as(
        "select i.key, i.route, fingerprint, status, location, body from idempotency i
         join unnest($2::text[], $3::text[]) as x (key, route) on i.key = x.key and i.route = x.route
         where i.tenant_id = $1",
    )
    .bind(tenant.as_uuid())
    .bind(&keys)
    .bind(&routes)
    .fetch_all(&mut **tx)
    .await
    .or_failed("read idempotency keys")?;
    let mut before = HashMap::with_capacity(rows.len());
    for mut kept in rows {
        let name = (kept.route.clone(), kept.key.clone());
        if !taken.contains(&name) {
            let place = Place::of_answer(&kept.route, &kept.key);
            kept.body = Json(db.open(tenant, &place, kept.body.0).await?);
            before.insert(name, kept);
        }
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
    .bind(Json(Body::of(ring, key, answer)?))
    .execute(&mut **tx)
    .await
    .or_failed("keep the answer to an idempotency key")?;
    Ok(())
}
