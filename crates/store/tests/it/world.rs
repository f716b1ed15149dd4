//! A database with a tenant, and the moves that tests are made of.

use std::time::Duration;

use jobs::{JobId, Queue, State, TenantId, failure::Problem, kinds::probe_work::ProbeWork};
use serde_json::json;
use store::{
    Db, Role, claim,
    claim::{Claimed, Pick},
    enqueue::{self, Enqueued, NewJob},
    keys, reads, settle,
    testing::TestDatabase,
    verdict::{Settle, Verdict},
};

pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// A lease that has run out by the time anybody looks.
pub(crate) const NO_LEASE: Duration = Duration::ZERO;

pub(crate) struct World {
    pub(crate) api: Db,
    pub(crate) worker: Db,
    pub(crate) owner: Db,
    pub(crate) tenant: TenantId,
    pub(crate) database: TestDatabase,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await;
        let owner = database.db(Role::Owner).unwrap();
        let tenant = keys::create_tenant(&owner, "acme", "Acme").await.unwrap();
        Self {
            api: database.db(Role::Api).unwrap(),
            worker: database.db(Role::Worker).unwrap(),
            owner,
            tenant,
            database,
        }
    }

    pub(crate) async fn tenant(&self, slug: &str) -> TenantId {
        keys::create_tenant(&self.owner, slug, slug).await.unwrap()
    }

    pub(crate) async fn enqueue(&self, new: NewJob) -> JobId {
        let id = new.id;
        assert_eq!(self.enqueue_all(self.tenant, &[new]).await, [Enqueued::Inserted]);
        id
    }

    pub(crate) async fn enqueue_all(&self, tenant: TenantId, new: &[NewJob]) -> Vec<Enqueued> {
        let mut tx = self.api.tenant(tenant).await.unwrap();
        let enqueued = enqueue::insert(&self.api, &mut tx, tenant, new).await.unwrap();
        tx.commit().await.unwrap();
        enqueued
    }

    pub(crate) async fn claim(&self, wanted: u16) -> Vec<Claimed> {
        self.claim_for(wanted, LEASE).await
    }

    pub(crate) async fn claim_for(&self, wanted: u16, ttl: Duration) -> Vec<Claimed> {
        claim::claim(&self.worker, Queue::Default, Pick::Regular, wanted, "w1", ttl).await.unwrap()
    }

    pub(crate) async fn claim_quarantined(&self, pick: Pick) -> Vec<Claimed> {
        claim::claim(&self.worker, Queue::Default, pick, 10, "w2", LEASE).await.unwrap()
    }

    pub(crate) async fn claim_one(&self) -> Claimed {
        let mut claimed = self.claim(1).await;
        assert_eq!(claimed.len(), 1, "nothing was there to claim");
        claimed.remove(0)
    }

    /// Settles one job and drops its lease; whether it was accepted.
    pub(crate) async fn settle(&self, job: &Claimed, verdict: Verdict) -> bool {
        let accepted = settle::settle(&self.worker, &[Settle::of(job, verdict)], &[job.lease]).await.unwrap();
        accepted.contains(&job.id)
    }

    pub(crate) async fn state(&self, job: JobId) -> State {
        self.job(job).await.state().unwrap()
    }

    pub(crate) async fn job(&self, job: JobId) -> reads::JobRecord {
        reads::get(&self.api, self.tenant, job).await.unwrap().expect("the job is gone")
    }

    /// `attempt:outcome` of every run, oldest first.
    pub(crate) async fn story(&self, job: JobId) -> String {
        let attempts = store::attempts::of_job(&self.api, self.tenant, job).await.unwrap();
        attempts.iter().map(|a| format!("{}:{}", a.attempt, a.outcome)).collect::<Vec<_>>().join(" ")
    }
}

pub(crate) fn probe() -> NewJob {
    NewJob::of(&ProbeWork::default()).unwrap()
}

pub(crate) fn done() -> Verdict {
    Verdict::Completed { result: json!({"ok": true}).into() }
}

pub(crate) fn retry_now() -> Verdict {
    Verdict::Retried { problem: trouble(), delay: Duration::ZERO }
}

pub(crate) fn trouble() -> Problem {
    Problem::new("trouble", "as expected")
}
