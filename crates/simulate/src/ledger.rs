//! The ledger of a simulated day: `store`'s own verbs, on a database whose clock is set by hand.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use jobs::{JobId, LeaseId, Queue, TenantId, failure::Problem};
use serde_json::json;
use store::{
    Db, Role,
    claim::{self, Claimed, Pick},
    enqueue::{self, NewJob},
    housekeeping, lanes,
    release::{self, Passed},
    settle,
    testing::{TestDatabase, virtual_time::VirtualClock},
    verdict::{Settle, Verdict},
};
use uuid::Uuid;

use crate::{demand::Wanted, work::Work};

/// Midnight of the simulated day, a Monday in May 2030, in seconds since 1970.
const MIDNIGHT_S: i64 = 1_904_256_000;
/// Nobody dies on this day, so no lease has to run out.
const LEASE: Duration = Duration::from_hours(20 * 24);
/// Verdicts in one transaction, as workers group them.
const GROUP_MAX: usize = 500;
const WORKER: &str = "simulated";

/// A job as the simulation remembers it.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// What it is.
    pub wanted: Wanted,
    /// Whose, by size.
    pub tenant: u16,
    /// For which shoot.
    pub shoot: u32,
    /// Where it waits.
    pub queue: Queue,
    /// Since when it may run, in milliseconds since midnight.
    pub since_ms: i64,
}

/// A ledger and its clock.
pub struct Ledger {
    db: Db,
    clock: VirtualClock,
    tenants: Vec<TenantId>,
    /// Where re-rendered pictures go.
    rerenders: Queue,
    minted: u64,
}

impl Ledger {
    /// Makes the tenants, and stops the time of `database`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(database: &TestDatabase, tenants: usize, rerenders: Queue) -> anyhow::Result<Self> {
        let clock = database.stop_time(moment(0)).await?;
        let tenants: Vec<TenantId> =
            (0..tenants).map(|nth| TenantId::from_uuid(numbered(0, nth as u64))).collect();
        database.add_tenants(&tenants).await?;
        Ok(Self { db: database.db(Role::Worker)?, clock, tenants, rerenders, minted: 0 })
    }

    /// It is so many milliseconds past midnight.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_clock(&self, now_ms: i64) -> anyhow::Result<()> {
        self.clock.set(moment(now_ms)).await.context("could not set the clock")
    }

    /// Puts in what has arrived, in one transaction; answers the jobs in the order of `wanted`, whose entries are a
    /// tenant, a shoot, when it was asked for, and the jobs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put(
        &mut self,
        wanted: &[(u16, u32, i64, Vec<Wanted>)],
    ) -> anyhow::Result<Vec<(JobId, Known)>> {
        let mut known = Vec::new();
        let mut tx = self.db.begin().await?;
        for (tenant, shoot, at_ms, jobs) in wanted {
            let new: Vec<(NewJob, Known)> =
                jobs.iter().map(|wanted| self.new_job(*tenant, *shoot, *at_ms, *wanted)).collect();
            let (new, of_these): (Vec<NewJob>, Vec<Known>) = new.into_iter().unzip();
            enqueue::insert(&self.db, &mut tx, self.tenants[usize::from(*tenant)], &new).await?;
            known.extend(new.iter().map(|job| job.id).zip(of_these));
        }
        tx.commit().await?;
        Ok(known)
    }

    fn new_job(&mut self, tenant: u16, shoot: u32, at_ms: i64, wanted: Wanted) -> (NewJob, Known) {
        let work = wanted.work;
        let queue = if work == Work::Rerender { self.rerenders } else { work.queue() };
        let since_ms = at_ms + wanted.after_ms;
        self.minted += 1;
        let new = NewJob {
            id: JobId::from_uuid(numbered(at_ms, self.minted)),
            kind: work.kind(),
            kind_version: 1,
            queue,
            priority: work.priority(),
            max_attempts: work.max_attempts(),
            args: work.args(shoot, wanted.nth).into(),
            created_at: moment(at_ms),
            scheduled_at: moment(since_ms),
            unique: None,
            concurrency_key: None,
            promise_s: None,
            hop: None,
            member_of: None,
            tags: Vec::new(),
            metadata: None,
            traceparent: None,
        };
        (new, Known { wanted, tenant, shoot, queue, since_ms })
    }

    /// Claims up to `wanted` jobs, in the order that the ledger decides.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&self, queue: Queue, wanted: usize) -> anyhow::Result<Vec<Claimed>> {
        let wanted = u16::try_from(wanted).unwrap_or(u16::MAX);
        Ok(claim::claim(&self.db, queue, Pick::Regular, wanted, WORKER, LEASE).await?)
    }

    /// Settles what has ended, and drops the leases in `done`.
    ///
    /// # Errors
    /// When the database fails, or refuses a verdict.
    pub async fn settle(&self, ended: &[Settle], done: &[LeaseId]) -> anyhow::Result<()> {
        let mut left = ended.len();
        for group in ended.chunks(GROUP_MAX) {
            left -= group.len();
            // With the last group, when nothing of theirs is left: a verdict wants its lease to stand.
            let done = if left == 0 { done } else { &[] };
            let accepted: HashSet<JobId> = settle::settle(&self.db, group, done).await?;
            ensure!(accepted.len() == group.len(), "{} verdicts were refused", group.len() - accepted.len());
        }
        if ended.is_empty() && !done.is_empty() {
            settle::drop_done(&self.db, done).await?;
        }
        Ok(())
    }

    /// Settles `ended`, which was done at `at_ms`, together with what follows from it.
    ///
    /// # Errors
    /// When the database fails, or refuses the verdict.
    pub async fn settle_with(
        &mut self,
        ended: &Settle,
        of: &Known,
        at_ms: i64,
        then: &[Wanted],
    ) -> anyhow::Result<Vec<(JobId, Known)>> {
        let new: Vec<(NewJob, Known)> =
            then.iter().map(|wanted| self.new_job(of.tenant, of.shoot, at_ms, *wanted)).collect();
        let (new, known): (Vec<NewJob>, Vec<Known>) = new.into_iter().unzip();
        let accepted = settle::settle_with(&self.db, ended, &new, &[]).await?;
        ensure!(accepted, "a verdict was refused");
        Ok(new.iter().map(|job| job.id).zip(known).collect())
    }

    /// Lets what has come due wait in line; answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn promote(&self) -> anyhow::Result<u64> {
        let mut promoted = 0;
        loop {
            match release::promote_due(&self.db).await? {
                0 => return Ok(promoted),
                more => promoted += more,
            }
        }
    }

    /// What workers see to once in a while. Nobody commits beside us, so nothing may have been passed by.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_house(&self) -> anyhow::Result<()> {
        lanes::tidy(&self.db).await?;
        let passed = release::unstrand(&self.db, Passed::Lately).await?;
        ensure!(passed == 0, "{passed} jobs were passed by");
        Ok(())
    }

    /// The gauge that operators see: how many may run, and how old the oldest of them is, in seconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn gauge(&self) -> anyhow::Result<Vec<(Queue, i64, f64)>> {
        let depths = housekeeping::depths(&self.db).await?;
        Ok(depths.into_iter().map(|depth| (depth.queue, depth.available, depth.oldest_s)).collect())
    }
}

/// Done, with a result about as large as the real one.
pub fn completed() -> Verdict {
    Verdict::Completed { result: json!({"reused": false, "degraded": null}).into() }
}

/// Failed, to be tried again.
pub fn retried(delay_ms: i64) -> Verdict {
    Verdict::Retried {
        problem: Problem::of("storage", &std::io::Error::other("the object store did not answer")),
        delay: Duration::from_millis(delay_ms.unsigned_abs()),
    }
}

fn moment(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(MIDNIGHT_S, 0).unwrap_or_default() + TimeDelta::milliseconds(ms)
}

/// An id as if made then, the same in every simulation.
fn numbered(at_ms: i64, nth: u64) -> Uuid {
    let mut rest = [0; 10];
    rest[2..].copy_from_slice(&nth.to_be_bytes());
    let ms = (MIDNIGHT_S * 1_000 + at_ms).unsigned_abs();
    uuid::Builder::from_unix_timestamp_millis(ms, &rest).into_uuid()
}
