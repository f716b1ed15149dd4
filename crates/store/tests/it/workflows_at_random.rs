//! Workflows with random steps, whose jobs end at random and whose workers die, against an oracle.

use std::collections::BTreeMap;

use jobs::{JobId, Queue};
use rand::{Rng, SeedableRng, rngs::StdRng};
use store::{
    claim::{self, Claimed, Pick},
    release, rescue, settle, stepping,
    verdict::Settle,
    workflows::{NewStep, WorkflowState},
};

use crate::{
    bulk::given_up,
    workflows::step,
    world::{LEASE, NO_LEASE, World, done},
};

/// A workflow that is run at random, and what its jobs did.
struct Walk {
    world: World,
    rng: StdRng,
    steps: Vec<NewStep>,
    held: Vec<Claimed>,
    ended: BTreeMap<JobId, i16>,
    failures: BTreeMap<i16, u32>,
}

impl Walk {
    async fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let steps: Vec<NewStep> = (0..rng.random_range(2..8_i16))
            .map(|ordinal| {
                let after: Vec<i16> = (0..ordinal).filter(|_| rng.random_bool(0.4)).collect();
                NewStep {
                    continues: rng.random_bool(0.3),
                    tolerate: rng.random_range(0..2),
                    ..step(&format!("s{ordinal}"), &after, rng.random_range(1..5))
                }
            })
            .collect();
        let (ended, failures) = (BTreeMap::new(), BTreeMap::new());
        Self { world: World::new().await, rng, steps, held: Vec::new(), ended, failures }
    }

    async fn goes_on(&mut self) {
        let db = &self.world.worker;
        match self.rng.random_range(0..5) {
            0 | 1 => {
                let pick =
                    [Pick::Regular, Pick::Regular, Pick::Suspect, Pick::Alone][self.rng.random_range(0..4)];
                let ttl = if self.rng.random_bool(0.2) { NO_LEASE } else { LEASE };
                self.held.extend(claim::claim(db, Queue::Default, pick, 3, "w", ttl).await.unwrap());
            }
            2 | 3 if !self.held.is_empty() => {
                let job = self.held.swap_remove(self.rng.random_range(0..self.held.len()));
                let failed = self.rng.random_bool(0.2);
                let verdict = if failed { given_up() } else { done() };
                if !settle::settle(db, &[Settle::of(&job, verdict)], &[]).await.unwrap().is_empty() {
                    self.ends(job.id, failed).await;
                }
            }
            _ => {
                for lost in rescue::rescue(db, rescue::From::Anyone).await.unwrap() {
                    if lost.outcome == "discarded" {
                        self.ends(lost.job, true).await;
                    }
                }
            }
        }
        stepping::advance(&self.world.worker).await.unwrap();
        release::promote_due(&self.world.worker).await.unwrap();
    }

    async fn ends(&mut self, job: JobId, failed: bool) {
        let step = self.world.job(job).await.member_of().expect("a job of a workflow").step;
        assert_eq!(self.ended.insert(job, step), None, "{job} ended twice");
        *self.failures.entry(step).or_default() += u32::from(failed);
    }

    /// How each step should have ended.
    fn expected(&self) -> Vec<&'static str> {
        let mut over: Vec<&str> = Vec::new();
        for (ordinal, step) in self.steps.iter().enumerate() {
            let stopped = |before: &i16| {
                let before = *before as usize;
                over[before] == "skipped" || (over[before] == "failed" && !self.steps[before].continues)
            };
            let failed = self.failures.get(&(ordinal as i16)).copied().unwrap_or_default();
            over.push(match () {
                () if step.after.iter().any(stopped) => "skipped",
                () if failed > step.tolerate => "failed",
                () => "completed",
            });
        }
        over
    }
}

/// Random graphs, ends, deaths, and orders: each step's jobs are made once, each ends once, and the end is what the
/// outcomes of the jobs make it.
#[tokio::test]
async fn random_graphs_end_as_their_jobs_did() {
    for seed in 0..12 {
        let mut walk = Walk::new(seed).await;
        let id = walk.world.begin_workflow(walk.steps.clone()).await;
        for _ in 0..600 {
            walk.goes_on().await;
        }
        let (state, seen) = walk.world.workflow(id).await;
        let states = walk.world.states(id).await;
        assert_ne!(state, WorkflowState::Running, "seed {seed}: {states}");
        let expected = walk.expected();
        assert_eq!(seen.iter().map(|step| step.state.as_str()).collect::<Vec<_>>(), expected, "seed {seed}");
        for (ordinal, step) in walk.steps.iter().enumerate() {
            let jobs = walk.ended.values().filter(|step| **step == ordinal as i16).count();
            let wanted = if expected[ordinal] == "skipped" { 0 } else { step.spec.args.len() };
            assert_eq!(jobs, wanted, "seed {seed}: jobs of step {ordinal}");
        }
    }
}
