//! Release: promotes what has come due, moves workflows on, and rings for what waits, never more than a small window of tickets.

use std::{sync::Arc, time::Duration};

use queue::{Health, Ring};
use store::{
    Db,
    claim::Pick,
    hop,
    release::{self, Passed},
    stepping,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{chain, door::Door, quarantine::Quarantine};
use crate::claims::Claims;

/// Longest pause between two rounds.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Shortest pause between two rounds; what rings meanwhile is one round.
const PAUSE_MIN: Duration = Duration::from_millis(2);
/// So many times what a round took is the least pause after it, where one round follows another: whoever is busy releasing
/// leaves the ledger to those who work.
const PAUSE_FOR_ROUND: u32 = 4;
/// How often to look for jobs that a cursor passed by, and for those that change queues.
const UNSTRAND_EVERY: Duration = Duration::from_millis(200);
/// So many times what looking for them took is the least pause after it.
const PAUSE_FOR_UNSTRAND: u32 = 50;
/// How often to look for them all the way back.
const UNSTRAND_FULLY_EVERY: Duration = Duration::from_secs(10);

/// When jobs that a cursor passed by are looked for.
struct Sweeping {
    next: Instant,
    fully: Instant,
}

/// The release of this process.
pub struct Release {
    /// The ledger.
    pub db: Db,
    /// Where tickets go.
    pub ring: Ring,
    /// Where it is woken, and told what waits.
    pub door: Door,
    /// Told which queues have jobs that must not run here.
    pub quarantine: Quarantine,
    /// This process's own queues, called directly while Redis cannot be written, or tickets cannot be taken from it.
    pub own: Vec<(Arc<Claims>, Health)>,
}

impl Release {
    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut sweeping = Sweeping { next: Instant::now(), fully: Instant::now() };
        let (mut redis_was_well, mut is_busy) = (true, false);
        while !stop.is_cancelled() {
            let began = Instant::now();
            let pause = match self.round(&mut sweeping, &mut redis_was_well).await {
                Ok(next) => next.unwrap_or(PAUSE_MAX).clamp(PAUSE_MIN, PAUSE_MAX),
                Err(error) => {
                    tracing::warn!(error = chain(&error), "Could not release jobs; trying again");
                    PAUSE_MAX
                }
            };
            let least = if is_busy { began.elapsed() * PAUSE_FOR_ROUND } else { PAUSE_MIN };
            tokio::time::sleep(least.clamp(PAUSE_MIN, PAUSE_MAX)).await;
            let rested = Instant::now();
            tokio::select! {
                () = self.door.more.notified() => {}
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
            is_busy = rested.elapsed() < PAUSE_MIN;
        }
    }

    /// One round; answers how soon the next job comes due. Rings first: somebody may be waiting for it.
    async fn round(
        &self,
        sweeping: &mut Sweeping,
        redis_was_well: &mut bool,
    ) -> Result<Option<Duration>, store::StoreError> {
        let mut next = self.ring_for_what_waits(redis_was_well).await?;
        if sweeping.next <= Instant::now() {
            let began = Instant::now();
            let passed = if sweeping.fully <= began { Passed::Ever } else { Passed::Lately };
            release::unstrand(&self.db, passed).await?;
            hop::hop(&self.db).await?;
            let least = began.elapsed() * PAUSE_FOR_UNSTRAND;
            sweeping.next = Instant::now() + least.clamp(UNSTRAND_EVERY, UNSTRAND_FULLY_EVERY);
            if passed == Passed::Ever {
                sweeping.fully = Instant::now() + UNSTRAND_FULLY_EVERY;
            }
        }
        let stepped = stepping::advance(&self.db).await.unwrap_or_else(|error| {
            tracing::warn!(error = chain(&error), "Could not move workflows; trying again");
            0
        });
        if release::promote_due(&self.db).await? > 0 || stepped > 0 {
            next = Some(Duration::ZERO);
        }
        Ok(next.into_iter().chain(release::next_due(&self.db).await?).min())
    }

    /// Tops the tickets up; answers how soon a rate lets the next job begin.
    async fn ring_for_what_waits(
        &self,
        redis_was_well: &mut bool,
    ) -> Result<Option<Duration>, store::StoreError> {
        let mut next = None;
        let all = release::waiting(&self.db).await?;
        self.door.saw(all.iter().any(|waiting| waiting.jobs > 0));
        for waiting in all {
            next = next.into_iter().chain(waiting.ready_in).min();
            if waiting.jobs == 0 {
                continue;
            }
            if waiting.pick != Pick::Regular {
                self.quarantine.see_to(waiting.pick, waiting.queue);
                continue;
            }
            let want = waiting.jobs.div_ceil(u32::from(waiting.queue.claim_max())) as usize;
            let rung = self.ring.top_up(waiting.queue, want).await;
            if let Err(error) = &rung
                && *redis_was_well
            {
                tracing::warn!(error = chain(error), "Redis is out of reach; looking into Postgres instead");
            }
            *redis_was_well = rung.is_ok();
            // A Redis that is full or read-only still says that tickets wait, and nobody can take them.
            for (claims, heard) in self.own.iter().filter(|(claims, _)| claims.queue == waiting.queue) {
                let unheard = rung.is_err() || heard.is_failing();
                // Whoever waits for a slot already goes on when there is one.
                if unheard && claims.slots.available_permits() > 0 {
                    tokio::spawn(claims.clone().answer());
                }
            }
        }
        Ok(next)
    }
}
