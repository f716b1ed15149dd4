//! Random walks through the ledger, each step held against a model that fits in the head.

use std::{collections::BTreeMap, time::Duration};

use jobs::{JobId, Queue, State};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use store::{
    cancel::{self, Cancelled},
    claim::{self, Claimed, Pick},
    listing, release, rescue,
    retry::{self, Retried},
    settle,
    verdict::{Settle, Verdict},
};

use crate::world::{LEASE, NO_LEASE, World, done, probe, retry_now, trouble};

const STEPS: usize = 150;
const JOBS_MAX: usize = 15;

/// What a job should look like.
#[derive(Debug, Clone)]
struct Expected {
    state: State,
    attempt: u16,
    crashes: u16,
    pick: Pick,
    cancel_requested: bool,
}

/// A claim that somebody still believes in, whether or not it stands.
#[derive(Clone)]
struct Belief {
    claimed: Claimed,
    stands: bool,
    expired: bool,
}

struct Walk {
    world: World,
    rng: StdRng,
    model: BTreeMap<JobId, Expected>,
    beliefs: Vec<Belief>,
}

#[tokio::test]
async fn the_ledger_does_what_the_model_says() {
    for seed in 0..6 {
        let mut walk = Walk {
            world: World::new().await,
            rng: StdRng::seed_from_u64(seed),
            model: BTreeMap::new(),
            beliefs: vec![],
        };
        for step in 0..STEPS {
            let what = walk.step().await;
            walk.compare(&format!("seed {seed}, step {step}: {what}")).await;
        }
    }
}

impl Walk {
    async fn step(&mut self) -> &'static str {
        match self.rng.random_range(0..10) {
            0 | 1 if self.model.len() < JOBS_MAX => self.enqueue().await,
            0..=3 => self.claim().await,
            4..=6 => self.settle().await,
            7 => self.rescue().await,
            8 => self.cancel().await,
            _ => self.retry().await,
        }
    }

    async fn enqueue(&mut self) -> &'static str {
        let id = self.world.enqueue(probe()).await;
        let fresh = Expected {
            state: State::Available,
            attempt: 0,
            crashes: 0,
            pick: Pick::Regular,
            cancel_requested: false,
        };
        self.model.insert(id, fresh);
        "enqueue"
    }

    async fn claim(&mut self) -> &'static str {
        let picks = [Pick::Regular, Pick::Regular, Pick::Suspect, Pick::Alone];
        let pick = *picks.choose(&mut self.rng).unwrap();
        let expired = self.rng.random_bool(0.3);
        let ttl = if expired { NO_LEASE } else { LEASE };
        let wanted = self.rng.random_range(1..4);
        let db = &self.world.worker;
        let claimed = claim::claim(db, Queue::Default, pick, wanted, "w", ttl).await.unwrap();
        let waiting =
            self.model.values().filter(|job| job.state == State::Available && job.pick == pick).count();
        assert_eq!(claimed.len(), waiting.min(usize::from(wanted)), "how many were claimed");
        for job in claimed {
            let expected = self.model.get_mut(&job.id).unwrap();
            assert_eq!(
                (expected.state, expected.pick),
                (State::Available, pick),
                "{} could not be claimed",
                job.id
            );
            expected.state = State::Running;
            expected.attempt += 1;
            assert_eq!(job.attempt, expected.attempt);
            self.beliefs.push(Belief { claimed: job, stands: true, expired });
        }
        "claim"
    }

    async fn settle(&mut self) -> &'static str {
        if self.beliefs.is_empty() {
            return "settle nothing";
        }
        let at = self.rng.random_range(0..self.beliefs.len());
        let belief = self.beliefs[at].clone();
        let verdict = self.verdict(&belief.claimed);
        let batch = [Settle::of(&belief.claimed, verdict.clone())];
        let accepted = settle::settle(&self.world.worker, &batch, &[]).await.unwrap();
        assert_eq!(
            accepted.contains(&belief.claimed.id),
            belief.stands,
            "a verdict under a lease that stands or not"
        );
        self.beliefs[at].stands = false;
        if !belief.stands {
            return "settle too late";
        }
        let expected = self.model.get_mut(&belief.claimed.id).unwrap();
        expected.state = match verdict {
            Verdict::Completed { .. } => State::Completed,
            Verdict::Discarded { .. } => State::Discarded,
            Verdict::Cancelled { .. } => State::Cancelled,
            _ => State::Available,
        };
        if matches!(verdict, Verdict::Snoozed { .. } | Verdict::Returned) {
            expected.attempt -= 1;
        }
        // What waits for no time is available once it was promoted.
        while release::promote_due(&self.world.worker).await.unwrap() > 0 {}
        self.finish_cancelled().await;
        "settle"
    }

    fn verdict(&mut self, job: &Claimed) -> Verdict {
        match self.rng.random_range(0..6) {
            0 | 1 => done(),
            2 if job.attempt < job.max_attempts => retry_now(),
            3 => Verdict::Snoozed { problem: trouble(), delay: Duration::ZERO },
            4 => Verdict::Returned,
            5 => Verdict::Cancelled { problem: trouble() },
            _ => Verdict::Discarded { problem: trouble() },
        }
    }

    async fn rescue(&mut self) -> &'static str {
        rescue::rescue(&self.world.worker, rescue::From::Anyone).await.unwrap();
        for belief in self.beliefs.iter_mut().filter(|belief| belief.stands && belief.expired) {
            belief.stands = false;
            let expected = self.model.get_mut(&belief.claimed.id).unwrap();
            expected.crashes += 1;
            let max = belief.claimed.max_attempts;
            (expected.state, expected.pick) = match expected {
                Expected { cancel_requested: true, .. } => (State::Cancelled, expected.pick),
                Expected { crashes: 3.., .. } => (State::Discarded, expected.pick),
                Expected { attempt, .. } if *attempt >= max => (State::Discarded, expected.pick),
                Expected { crashes: 1, .. } => (State::Available, Pick::Suspect),
                _ => (State::Available, Pick::Alone),
            };
        }
        "rescue"
    }

    async fn cancel(&mut self) -> &'static str {
        let Some(job) = self.any_job() else { return "cancel nothing" };
        let told = cancel::cancel(&self.world.api, self.world.tenant, job, &trouble()).await.unwrap();
        let expected = self.model.get_mut(&job).unwrap();
        match expected.state {
            State::Running => {
                assert_eq!(told, Cancelled::Requested);
                expected.cancel_requested = true;
            }
            State::Available => {
                assert_eq!(told, Cancelled::AtOnce);
                expected.state = State::Cancelled;
            }
            ended => assert_eq!(told, Cancelled::TooLate(ended)),
        }
        "cancel"
    }

    async fn finish_cancelled(&mut self) {
        cancel::finish_requested(&self.world.worker).await.unwrap();
        let held: Vec<JobId> =
            self.beliefs.iter().filter(|b| b.stands).map(|belief| belief.claimed.id).collect();
        for (job, expected) in &mut self.model {
            if expected.cancel_requested && expected.state == State::Available && !held.contains(job) {
                expected.state = State::Cancelled;
            }
        }
    }

    async fn retry(&mut self) -> &'static str {
        let Some(job) = self.any_job() else { return "retry nothing" };
        let told = retry::retry(&self.world.api, self.world.tenant, job).await.unwrap();
        let expected = self.model.get_mut(&job).unwrap();
        match expected.state {
            State::Running => assert_eq!(told, Retried::Running),
            State::Available => assert_eq!(told, Retried::Available),
            _ => {
                assert_eq!(told, Retried::Available);
                let attempt = expected.attempt;
                *expected = Expected {
                    state: State::Available,
                    attempt,
                    crashes: 0,
                    pick: Pick::Regular,
                    cancel_requested: false,
                };
            }
        }
        "retry"
    }

    fn any_job(&mut self) -> Option<JobId> {
        let ids: Vec<JobId> = self.model.keys().copied().collect();
        ids.choose(&mut self.rng).copied()
    }

    async fn compare(&self, when: &str) {
        let filter = listing::Filter::default();
        let found = listing::list(&self.world.api, self.world.tenant, &filter, 100).await.unwrap().jobs;
        let found: BTreeMap<_, _> =
            found.iter().map(|job| (job.id(), (job.state().unwrap(), job.attempt as u16))).collect();
        let expected: BTreeMap<_, _> =
            self.model.iter().map(|(id, job)| (*id, (job.state, job.attempt))).collect();
        assert_eq!(found, expected, "{when}");
    }
}
