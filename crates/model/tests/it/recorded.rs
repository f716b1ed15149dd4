//! What the real ledger wrote is a way through the model.

use std::time::Duration;

use jobs::{JobId, Queue, TenantId, failure::Problem, kinds::probe_work::ProbeWork};
use model::{Replayed, replay};
use store::{
    Db, Role, cancel,
    claim::{self, Claimed, Pick},
    enqueue::{self, NewJob},
    keys, release, rescue, retry, settle,
    testing::TestDatabase,
    verdict::{Settle, Verdict},
};

const LEASE: Duration = Duration::from_mins(1);
/// A lease that has run out by the time anybody looks.
const NO_LEASE: Duration = Duration::ZERO;

struct Ledger {
    database: TestDatabase,
    api: Db,
    worker: Db,
    tenant: TenantId,
}

impl Ledger {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let tenant = keys::create_tenant(&database.db(Role::Owner).unwrap(), "acme", "Acme").await.unwrap();
        let (api, worker) = (database.db(Role::Api).unwrap(), database.db(Role::Worker).unwrap());
        Self { database, api, worker, tenant }
    }

    async fn enqueue(&self, max_attempts: u16) -> JobId {
        let mut new = NewJob::of(&ProbeWork::default()).unwrap();
        new.max_attempts = max_attempts;
        let mut tx = self.api.tenant(self.tenant).await.unwrap();
        enqueue::insert(&self.api, &mut tx, self.tenant, std::slice::from_ref(&new)).await.unwrap();
        tx.commit().await.unwrap();
        new.id
    }

    async fn claim(&self, worker: &str, pick: Pick, ttl: Duration) -> Vec<Claimed> {
        claim::claim(&self.worker, Queue::Default, pick, 100, worker, ttl).await.unwrap()
    }

    async fn settle(&self, job: &Claimed, verdict: Verdict) -> bool {
        let accepted = settle::settle(&self.worker, &[Settle::of(job, verdict)], &[]).await.unwrap();
        while release::promote_due(&self.worker).await.unwrap() > 0 {}
        accepted.contains(&job.id)
    }

    async fn rescue(&self) {
        rescue::rescue(&self.worker, rescue::From::Anyone).await.unwrap();
    }

    async fn replay(&self) -> Replayed {
        let trace = self.database.trace().await.unwrap();
        replay(&trace).unwrap_or_else(|rejected| panic!("{rejected}\n{trace}"))
    }
}

fn done() -> Verdict {
    Verdict::Completed { result: serde_json::json!({}).into() }
}

fn trouble() -> Problem {
    Problem::new("trouble", "as expected")
}

#[tokio::test]
async fn a_ledger_that_nobody_used_is_an_empty_record() {
    assert_eq!(Ledger::new().await.replay().await, Replayed::default());
}

#[tokio::test]
async fn every_way_to_end_an_attempt_is_a_way_through_the_model() {
    let ledger = Ledger::new().await;
    let verdicts = [
        done(),
        Verdict::Retried { problem: trouble(), delay: Duration::ZERO },
        Verdict::Snoozed { problem: trouble(), delay: Duration::ZERO },
        Verdict::Parked { problem: trouble() },
        Verdict::Returned,
        Verdict::Cancelled { problem: trouble() },
        Verdict::Discarded { problem: trouble() },
    ];
    for _ in &verdicts {
        ledger.enqueue(3).await;
    }
    let batch = ledger.claim("w1", Pick::Regular, LEASE).await;
    for (job, verdict) in batch.iter().zip(verdicts) {
        assert!(ledger.settle(job, verdict).await);
    }
    assert!(!ledger.settle(&batch[1], done()).await, "a verdict under an older fence");
    let told = ledger.replay().await;
    assert_eq!((told.jobs, told.claimed, told.settled, told.live), (7, 7, 7, 4));
    // What waits again runs again, except what was parked for a while, and what runs is in the record before it ends.
    let again = ledger.claim("w2", Pick::Regular, LEASE).await;
    assert_eq!(ledger.replay().await.claimed, 10);
    for job in &again {
        assert!(ledger.settle(job, done()).await);
    }
    let told = ledger.replay().await;
    assert_eq!((told.claimed, told.settled, told.live), (10, 10, 1));
}

#[tokio::test]
async fn crashes_cancels_and_second_lives_are_ways_through_the_model() {
    let ledger = Ledger::new().await;
    let (poison, stopped, fragile) =
        (ledger.enqueue(9).await, ledger.enqueue(9).await, ledger.enqueue(1).await);
    let waiting = ledger.enqueue(3).await;
    assert_eq!(
        cancel::cancel(&ledger.api, ledger.tenant, waiting, &trouble()).await.unwrap(),
        cancel::Cancelled::AtOnce
    );
    let batch = ledger.claim("w1", Pick::Regular, NO_LEASE).await;
    assert_eq!(
        cancel::cancel(&ledger.api, ledger.tenant, stopped, &trouble()).await.unwrap(),
        cancel::Cancelled::Requested
    );
    ledger.rescue().await;
    for job in &batch {
        assert!(!ledger.settle(job, done()).await, "a verdict that came too late");
    }
    for pick in [Pick::Suspect, Pick::Alone] {
        assert_eq!(ledger.claim("w2", pick, NO_LEASE).await.len(), 1);
        ledger.rescue().await;
    }
    let told = ledger.replay().await;
    let right = Replayed { jobs: 4, claimed: 5, settled: 0, rescued: 5, removed: 1, revived: 0, live: 0 };
    assert_eq!(told, right);
    for job in [poison, fragile, waiting] {
        assert_eq!(retry::retry(&ledger.api, ledger.tenant, job).await.unwrap(), retry::Retried::Available);
    }
    assert_eq!((ledger.replay().await.revived, ledger.replay().await.live), (3, 3));
    for job in ledger.claim("w3", Pick::Regular, LEASE).await {
        assert!(ledger.settle(&job, done()).await);
    }
    let told = ledger.replay().await;
    assert_eq!((told.claimed, told.settled, told.revived, told.live), (8, 3, 3, 0));
}
