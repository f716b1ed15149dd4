//! What has to be reached: each figure with its floor, below which a change is not done, and its goal.

use serde::Serialize;

/// A bound on a measured number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Bound {
    pub(crate) fn holds(self, seen: f64) -> bool {
        match self {
            Self::AtLeast(least) => seen >= least,
            Self::AtMost(most) => seen <= most,
        }
    }
}

/// Which number of a line is held against the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Judged {
    /// Ours.
    Ours,
    /// Ours through theirs.
    Ratio,
    /// Ours less theirs.
    Difference,
}

/// What one line has to reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Goal {
    /// Of which number.
    pub(crate) judged: Judged,
    /// What has to be reached.
    pub(crate) floor: Bound,
    /// Where we are going.
    pub(crate) aim: Bound,
}

const fn ratio(floor: f64, goal: f64) -> Goal {
    Goal { judged: Judged::Ratio, floor: Bound::AtLeast(floor), aim: Bound::AtLeast(goal) }
}

const fn at_most(floor: f64, goal: f64) -> Goal {
    Goal { judged: Judged::Ours, floor: Bound::AtMost(floor), aim: Bound::AtMost(goal) }
}

/// Of what should be small beside theirs.
const fn share(floor: f64, goal: f64) -> Goal {
    Goal { judged: Judged::Ratio, floor: Bound::AtMost(floor), aim: Bound::AtMost(goal) }
}

/// Durable no-op jobs/s, 2 worker processes, every attempt kept, with fairness and limits on: 1.2× the Rust
/// graphile_worker, goal 1.6×.
pub(crate) const THROUGHPUT_GRAPHILE: Goal = ratio(1.2, 1.6);
/// Durable no-op jobs/s, 2 worker processes: 4× BullMQ, goal 8×.
pub(crate) const THROUGHPUT_BULLMQ: Goal = ratio(4.0, 8.0);
/// One-call durable enqueue over HTTP, 64 connections, fsync on: 0.5× of pgbench's one-row insert at 16 clients, goal
/// 1.0× of it.
pub(crate) const INTAKE_PGBENCH: Goal = ratio(0.5, 1.0);
/// Batch enqueue over HTTP (1,000 a call), durable: 2× BullMQ's `addBulk`, goal 5×.
pub(crate) const BATCH_BULLMQ: Goal = ratio(2.0, 5.0);
/// Idle latency, HTTP request sent → handler starts, separate processes: p50 at most 5 ms, goal 2 ms.
pub(crate) const LATENCY_P50_MS: Goal = at_most(5.0, 2.0);
/// The same, p99: at most 20 ms, goal 5 ms.
pub(crate) const LATENCY_P99_MS: Goal = at_most(20.0, 5.0);
/// Throughput with 1 M jobs waiting against 0: 0.90, goal 0.97 (with 10 M).
pub(crate) const DEPTH_THROUGHPUT: Goal = ratio(0.90, 0.97);
/// Bytes per waiting job in Redis: the window only, so nothing that grows with the backlog; less than a byte a job.
pub(crate) const BYTES_REDIS: Goal = at_most(1.0, 1.0);
/// Answer to a webhook at a steady pace, p50: milliseconds.
pub(crate) const HOOKS_P50_MS: Goal = at_most(10.0, 10.0);
/// The same, p99.
pub(crate) const HOOKS_P99_MS: Goal = at_most(100.0, 100.0);
/// Bytes per waiting job in Postgres: 600, goal 300 with audit.
pub(crate) const BYTES_POSTGRES: Goal = at_most(600.0, 300.0);
/// Lists and "why is it not running" over a deep backlog, p95: 200 ms, goal 50 ms.
pub(crate) const DEPTH_READS_MS: Goal = at_most(200.0, 50.0);
/// Lists and search of the dashboard over ten million jobs, p95: 200 ms, goal 50 ms.
pub(crate) const LISTS_MS: Goal = at_most(200.0, 50.0);
/// Its home, p95: 100 ms.
pub(crate) const HOME_MS: Goal = at_most(100.0, 100.0);
/// Recovery after a worker's `kill -9`: within 21 s, goal 5 s.
pub(crate) const RECOVERY_S: Goal = at_most(21.0, 5.0);
/// Jobs lost, wherever something was killed or emptied: none.
pub(crate) const LOST: Goal = at_most(0.0, 0.0);
/// Redis wiped with 10,000 waiting: 0 lost; goal, the first job running again within 2 s. The floor names no time; a
/// minute would be a stop.
pub(crate) const WIPE_S: Goal = at_most(60.0, 2.0);

/// JPEG ladder 2048/1280/640/320 from 24 MP, one file, wall against sharp at its best: 0.30, goal 0.20.
pub(crate) const JPEG_SINGLE: Goal = share(0.30, 0.20);
/// The same, steady throughput on 2 cores: 0.45, goal 0.30.
pub(crate) const JPEG_STEADY: Goal = share(0.45, 0.30);
/// JPEG and WebP (method 4), one file: 0.50, goal 0.37.
pub(crate) const WEBP_SINGLE: Goal = share(0.50, 0.37);
/// The same, steady throughput on 2 cores: 0.80, goal 0.65.
pub(crate) const WEBP_STEADY: Goal = share(0.80, 0.65);
/// Peak memory of a ladder of 24 MP above the idle worker: 80 MiB, goal 45.
pub(crate) const LADDER_MIB: Goal = at_most(80.0, 45.0);
/// SSIMULACRA2 at the same bytes, mean over rungs and photographs, against sharp: no less, goal a point more.
pub(crate) const QUALITY_POINTS: Goal =
    Goal { judged: Judged::Difference, floor: Bound::AtLeast(0.0), aim: Bound::AtLeast(1.0) };
/// Three streams from 1080p with sound, poster and storyboard, wall against the ffmpeg CLI in one process: 1.0, goal 0.90.
pub(crate) const FILM: Goal = share(1.0, 0.90);
/// A long film in parts on two workers, wall against one go: 1.0, goal 0.85.
pub(crate) const PARTS: Goal = share(1.0, 0.85);
/// SSIM lost by it, in thousandths: at most 2, goal 1.
pub(crate) const PARTS_SSIM_LOST: Goal = at_most(2.0, 1.0);
