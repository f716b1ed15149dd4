//! The loop: the clock moves a step, what has ended is settled, what has arrived is put in, free slots are filled.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use anyhow::{Context, ensure};
use jobs::{JobId, LeaseId, Queue};
use serde::{Deserialize, Serialize};
use store::{claim::Claimed, testing::TestDatabase, verdict::Settle};

use crate::{
    costs,
    demand::{self, Arrival, HOUR_MS, TENANTS},
    ledger::{Known, Ledger, completed, retried},
    line::Line,
    outcome::{Outcome, QueueOutcome},
    slots::Slots,
    waits::Waits,
    work::Work,
};

/// How often the age of the oldest job is written down, and the house is kept.
const MINUTE_MS: i64 = 60_000;
/// How much longer than the day itself it may take until everything is done.
const OVERTIME_MS: i64 = 6 * HOUR_MS;

/// Where pictures of an archive that are made again go, all of them at noon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backfill {
    /// Nowhere: there are none.
    None,
    /// Into the queue that is made for it, which has slots of its own.
    Bulk,
    /// Into the queue of new photographs, at low priority.
    Media,
}

/// What is simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Times the business as it is today.
    pub scale: f64,
    /// Slots for new photographs and films, a core each.
    pub cores: usize,
    /// Slots for packages and what is made again, a core each.
    pub bulk_cores: usize,
    /// Slots for everything small.
    pub default_slots: usize,
    /// Where the archive goes.
    pub backfill: Backfill,
    /// Which of all possible days.
    pub seed: u64,
    /// The hour it begins with.
    pub from_h: i64,
    /// The hour it ends before.
    pub to_h: i64,
    /// How far the clock moves at once, in milliseconds.
    pub step_ms: i64,
    /// Jobs of one claim at most. Workers claim photographs one by one.
    pub claim_max: usize,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            scale: 1.0,
            cores: 8,
            bulk_cores: 1,
            default_slots: 64,
            backfill: Backfill::Bulk,
            seed: 1,
            from_h: 0,
            to_h: 24,
            step_ms: 1_000,
            claim_max: 16,
        }
    }
}

/// A job that runs.
#[derive(Debug)]
struct Running {
    ends_ms: i64,
    job: Settle,
    retries: bool,
}

/// A queue as the simulation sees it.
struct Counter {
    queue: Queue,
    line: Line,
    slots: Slots,
    slots_max: usize,
    age_s: Vec<u32>,
}

struct Day<'a> {
    setup: &'a Setup,
    ledger: Ledger,
    arrivals: std::iter::Peekable<std::vec::IntoIter<Arrival>>,
    counters: [Counter; 3],
    known: HashMap<JobId, Known>,
    running: HashMap<u64, Running>,
    ends: BinaryHeap<Reverse<(i64, u64)>>,
    due: BinaryHeap<Reverse<(i64, usize)>>,
    /// Jobs of each lease that still run.
    leases: HashMap<LeaseId, usize>,
    /// Photographs of each shoot that are done, until all are.
    done: HashMap<u32, u32>,
    waits: Waits,
    jobs: u64,
    claimed: u64,
    rerendered_ms: Option<i64>,
    minute: i64,
}

/// Lives through the day of `setup` on `database`, which is made for it and has no other use.
///
/// # Errors
/// When the database fails, or the ledger and the simulation do not agree on what waits.
pub async fn simulate(database: &TestDatabase, setup: &Setup) -> anyhow::Result<Outcome> {
    let rerenders = if setup.backfill == Backfill::Media { Queue::Media } else { Queue::MediaBulk };
    let ledger = Ledger::open(database, TENANTS, rerenders).await?;
    let counter = |queue, slots| Counter {
        queue,
        line: Line::default(),
        slots: Slots::new(slots),
        slots_max: slots,
        age_s: Vec::new(),
    };
    let mut day = Day {
        setup,
        ledger,
        arrivals: demand::arrivals(setup).into_iter().peekable(),
        counters: [
            counter(Queue::Default, setup.default_slots),
            counter(Queue::Media, setup.cores),
            counter(Queue::MediaBulk, setup.bulk_cores),
        ],
        known: HashMap::new(),
        running: HashMap::new(),
        ends: BinaryHeap::new(),
        due: BinaryHeap::new(),
        leases: HashMap::new(),
        done: HashMap::new(),
        waits: Waits::default(),
        jobs: 0,
        claimed: 0,
        rerendered_ms: None,
        minute: setup.from_h * HOUR_MS / MINUTE_MS,
    };
    let end_ms = day.live().await?;
    Ok(day.outcome(end_ms))
}

const fn nth(queue: Queue) -> usize {
    match queue {
        Queue::Default => 0,
        Queue::Media => 1,
        Queue::MediaBulk => 2,
    }
}

impl Day<'_> {
    async fn live(&mut self) -> anyhow::Result<i64> {
        let last_ms = self.setup.to_h * HOUR_MS + OVERTIME_MS;
        let mut now_ms = self.setup.from_h * HOUR_MS;
        while let Some(next_ms) = self.next_step(now_ms) {
            if next_ms > last_ms {
                break;
            }
            now_ms = next_ms;
            self.keep_minutes(now_ms).await?;
            self.ledger.set_clock(now_ms).await?;
            self.end(now_ms).await?;
            self.take_in(now_ms).await?;
            self.promote(now_ms).await?;
            for queue in 0..self.counters.len() {
                self.fill(queue, now_ms).await?;
            }
        }
        Ok(now_ms)
    }

    /// The first step after `now_ms` at whose end something has happened; none when nothing will any more.
    fn next_step(&mut self, now_ms: i64) -> Option<i64> {
        let arrives = self.arrivals.peek().map(|arrival| arrival.at_ms);
        let ends = self.ends.peek().map(|Reverse((ends_ms, _))| *ends_ms);
        let due = self.due.peek().map(|Reverse((due_ms, _))| *due_ms);
        let soonest_ms = [arrives, ends, due].into_iter().flatten().min()?;
        let step_ms = self.setup.step_ms;
        let steps = (soonest_ms + step_ms - 1).div_euclid(step_ms);
        Some((steps * step_ms).max(now_ms + step_ms))
    }

    /// Writes down the ages for every minute that is over by `now_ms`. Nothing happened in between.
    async fn keep_minutes(&mut self, now_ms: i64) -> anyhow::Result<()> {
        let first = self.minute;
        while self.minute * MINUTE_MS <= now_ms {
            for counter in &mut self.counters {
                counter.age_s.push((counter.line.age_ms(self.minute * MINUTE_MS) / 1_000) as u32);
            }
            self.minute += 1;
        }
        if self.minute > first {
            self.ledger.keep_house().await?;
        }
        if self.minute / 60 > first / 60 {
            self.compare().await?;
        }
        Ok(())
    }

    /// What the simulation believes to wait has to be what the product's own gauge says.
    async fn compare(&self) -> anyhow::Result<()> {
        /// The gauge counts no further in one lane.
        const COUNTED_MAX: i64 = 10_000;
        for (queue, available, _) in self.ledger.gauge().await? {
            let ours = self.counters[nth(queue)].line.len() as i64;
            ensure!(
                available == ours || (ours > COUNTED_MAX && available >= COUNTED_MAX),
                "{queue}: the ledger has {available} jobs that may run, the simulation {ours}"
            );
        }
        Ok(())
    }

    async fn take_in(&mut self, now_ms: i64) -> anyhow::Result<()> {
        let mut wanted = Vec::new();
        while let Some(arrival) = self.arrivals.next_if(|arrival| arrival.at_ms <= now_ms) {
            wanted.push((arrival.tenant, arrival.shoot, arrival.at_ms, arrival.parcel.jobs()));
        }
        if !wanted.is_empty() {
            let put = self.ledger.put(&wanted).await?;
            self.remember(put, now_ms);
        }
        Ok(())
    }

    fn remember(&mut self, put: Vec<(JobId, Known)>, now_ms: i64) {
        self.jobs += put.len() as u64;
        for (id, known) in put {
            let queue = nth(known.queue);
            if known.since_ms <= now_ms {
                self.counters[queue].line.join(known.since_ms);
            } else {
                self.due.push(Reverse((known.since_ms, queue)));
            }
            self.known.insert(id, known);
        }
    }

    async fn promote(&mut self, now_ms: i64) -> anyhow::Result<()> {
        let mut due = 0;
        while let Some(Reverse((due_ms, queue))) = self.due.peek().copied()
            && due_ms <= now_ms
        {
            self.due.pop();
            self.counters[queue].line.join(due_ms);
            due += 1;
        }
        if due > 0 {
            let promoted = self.ledger.promote().await?;
            ensure!(promoted == due, "{due} jobs were due and {promoted} were promoted");
        }
        Ok(())
    }

    /// Claims until no slot is free or nothing waits.
    async fn fill(&mut self, queue: usize, now_ms: i64) -> anyhow::Result<()> {
        loop {
            let counter = &self.counters[queue];
            let free = counter.slots.free(now_ms).min(counter.line.len());
            let wanted = free.min(self.setup.claim_max.max(1));
            if wanted == 0 {
                return Ok(());
            }
            let claimed = self.ledger.claim(counter.queue, wanted).await?;
            ensure!(claimed.len() == wanted, "{free} jobs waited and {} were claimed", claimed.len());
            for job in claimed {
                self.begin(queue, &job, now_ms - self.setup.step_ms)
                    .context("the ledger handed out what it should not")?;
            }
        }
    }

    /// Begins a job in the step that began at `step_ms`.
    fn begin(&mut self, queue: usize, job: &Claimed, step_ms: i64) -> anyhow::Result<()> {
        let known = self.known.get(&job.id).copied().context("a job that nobody put in")?;
        let counter = &mut self.counters[queue];
        ensure!(counter.line.leave(known.since_ms), "a job that was not waiting");
        let wanted = known.wanted;
        let run = costs::run(self.setup.seed, wanted.work, known.shoot, wanted.nth, wanted.photos);
        let begins_ms = counter.slots.take(known.since_ms.min(step_ms), run.takes_ms).context("no slot")?;
        self.waits.note(&known, (begins_ms - known.since_ms).max(0));
        let retry_ms = run.fails_then_waits_ms.filter(|_| job.attempt == 1);
        let verdict = retry_ms.map_or_else(completed, retried);
        let running = Running {
            ends_ms: begins_ms + run.takes_ms,
            job: Settle::of(job, verdict),
            retries: retry_ms.is_some(),
        };
        *self.leases.entry(job.lease).or_default() += 1;
        self.claimed += 1;
        self.ends.push(Reverse((running.ends_ms, self.claimed)));
        self.running.insert(self.claimed, running);
        Ok(())
    }

    /// Settles what has ended by `now_ms`: what something follows from each on its own, the rest together.
    async fn end(&mut self, now_ms: i64) -> anyhow::Result<()> {
        let (mut together, mut done) = (Vec::new(), Vec::new());
        while let Some(Reverse((ends_ms, number))) = self.ends.peek().copied()
            && ends_ms <= now_ms
        {
            self.ends.pop();
            let running = self.running.remove(&number).context("a job that nobody began")?;
            let Some(of) = self.known.get(&running.job.job).copied() else { continue };
            if let Some(left) = self.leases.get_mut(&running.job.lease) {
                *left -= 1;
                if *left == 0 {
                    self.leases.remove(&running.job.lease);
                    done.push(running.job.lease);
                }
            }
            if running.retries {
                self.wait_again(&running, now_ms);
                together.push(running.job);
                continue;
            }
            self.known.remove(&running.job.job);
            if of.wanted.work == Work::Rerender {
                self.rerendered_ms = Some(running.ends_ms);
            }
            if self.was_last_photo(&of) {
                let then = demand::delivered(of.wanted.photos);
                let put = self.ledger.settle_with(&running.job, &of, running.ends_ms, &then).await?;
                self.remember(put, now_ms);
            } else {
                together.push(running.job);
            }
        }
        self.ledger.settle(&together, &done).await
    }

    fn wait_again(&mut self, running: &Running, now_ms: i64) {
        if let (Some(known), store::verdict::Verdict::Retried { delay, .. }) =
            (self.known.get_mut(&running.job.job), &running.job.verdict)
        {
            known.since_ms = now_ms + delay.as_millis() as i64;
            self.due.push(Reverse((known.since_ms, nth(known.queue))));
        }
    }

    fn was_last_photo(&mut self, of: &Known) -> bool {
        if of.wanted.work != Work::Photo {
            return false;
        }
        let done = self.done.entry(of.shoot).or_default();
        *done += 1;
        let is_last = *done == of.wanted.photos;
        if is_last {
            self.done.remove(&of.shoot);
        }
        is_last
    }

    fn outcome(self, end_ms: i64) -> Outcome {
        let Setup { from_h, to_h, .. } = *self.setup;
        let mut waits = self.waits;
        let running: std::collections::HashSet<JobId> =
            self.running.values().map(|running| running.job.job).collect();
        let left = self.known.len() as u64;
        for (_, known) in self.known.iter().filter(|(id, _)| !running.contains(id)) {
            waits.note(known, (end_ms - known.since_ms).max(0));
        }
        let [default, media, bulk] = self.counters.map(|counter| {
            let (used, used_most) = counter.slots.used(from_h, to_h);
            QueueOutcome { slots: counter.slots_max, age_s: counter.age_s, used, used_most }
        });
        Outcome {
            setup: self.setup.clone(),
            jobs: self.jobs,
            left,
            media,
            bulk,
            default,
            photos: waits.photos(0..TENANTS),
            largest: waits.photos(0..1),
            smaller_half: waits.photos(TENANTS / 2..TENANTS),
            packages: waits.of(Work::Package),
            notices: waits.of(Work::Notice),
            digests: waits.of(Work::Digest),
            rerendered_h: self.rerendered_ms.map(|ms| ms as f64 / HOUR_MS as f64),
        }
    }
}
