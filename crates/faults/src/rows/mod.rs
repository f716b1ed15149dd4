//! The rows of the table: one fault each, in a file of its own.

use futures::future::BoxFuture;

use crate::{figure::Figure, stage::Stage};

mod bulk_retry;
mod burst;
mod cancelling;
mod clocks;
mod cluster;
mod cut_off;
mod exhaustion;
mod fairness;
mod frozen_worker;
mod idempotency;
mod idle_pick_up;
mod killed_workers;
mod limits_under_kills;
mod model_check;
mod named_points;
mod poison;
mod postgres_faults;
mod redis_faults;
mod retention;
mod retries;
mod rolling_deploy;
mod s3_faults;
mod same_name;
mod schedulers;
mod sends;
mod soak;
mod stale_verdict;
mod texts;
mod workflows;

/// What a row came to.
pub(crate) enum Ended {
    /// It ran; these are its figures.
    Seen(Vec<Figure>),
    /// This machine cannot show it, for this reason.
    NotHere(String),
}

/// A fault, and what must hold all the same.
pub(crate) struct Row {
    /// Its name.
    pub(crate) id: &'static str,
    /// What is done.
    pub(crate) fault: &'static str,
    /// What must hold, besides that nothing is lost and nothing accepted twice.
    pub(crate) must_hold: &'static str,
    /// Does it.
    pub(crate) run: for<'a> fn(&'a Stage) -> BoxFuture<'a, anyhow::Result<Ended>>,
}

macro_rules! rows {
    ($($id:literal $module:ident $fault:literal => $must_hold:literal;)+) => {
        /// Every row, in order.
        pub(crate) const ROWS: &[Row] = &[$(Row {
            id: $id,
            fault: $fault,
            must_hold: $must_hold,
            run: |stage| Box::pin($module::run(stage)),
        }),+];
    };
}

rows! {
    "F1" killed_workers "One of four workers is killed every 10 s under 200 jobs/s"
        => "its jobs run again within lease + sweep + 1 s; every crash uses up an attempt";
    "F2" named_points "A process dies at each named point of a job's journey"
        => "every job completes once, with its follow-up jobs once and its pictures whole";
    "F3" frozen_worker "A worker is frozen until others have its jobs, and thawed"
        => "what it says late is refused; nothing of the stale run becomes visible";
    "F4" burst "A mountain of jobs, half of them due at one moment, taken in while nobody works"
        => "all of them done; single requests answered within 150 ms (p99) meanwhile";
    "F5" idle_pick_up "Single jobs for idle workers in other processes"
        => "picked up within 20 ms (p50), 100 ms (p99), 1 s (slowest)";
    "F6" poison "Jobs that abort their worker"
        => "discarded after 3 crashes; others wait 30 s at most, and none of them is discarded";
    "F7" redis_faults "Redis restarted with and without data, flushed, away, stalling, read-only, full"
        => "no request is refused; work goes on; workers are well within 5 s after it is back";
    "F8" cluster "A node of a Redis cluster fails under load"
        => "work goes on within 15 s";
    "F9" postgres_faults "Postgres restarted, away, its connections used up, its transactions failing, replaced by its standby"
        => "no acknowledgement without a commit; the backlog drains; no storm of retries";
    "F10" s3_faults "S3 refusing 20 % of requests, answering after 10 s, breaking uploads off, and down"
        => "no job completes without whole pictures; what nobody completed is collected";
    "F11" cut_off "A worker with 30 % loss, 500 ms latency, or cut off in one direction from Redis or Postgres"
        => "never two standing leases for a job; handlers stop within the lease";
    "F12" clocks "Workers whose clocks are 10 minutes off, jump an hour, or leap a second"
        => "no lease is lost or taken for it; nothing begins before the database says so";
    "F13" schedulers "One of three processes that may fire schedules is killed around every second; nobody was there for hours"
        => "each slot has exactly one job; what was missed is made up for as its rule says";
    "F14" idempotency "64 clients send one request under one key, while two processes of the API are killed in turn"
        => "one job per key and one answer; 422 for another body, 409 while it is under way";
    "F15" retries "Jobs that fail 1 to 10 times, snooze, give up, panic, and say when again"
        => "every job runs exactly as often as it may, and never before it should";
    "F16" retention "History of 40 days ago goes while jobs of that time still wait, under load; then a mountain of it"
        => "live jobs keep their payload; Redis does not grow; lists take 200 ms (p95)";
    "F17" stale_verdict "One of a hundred verdicts that are stored together is stale"
        => "it is refused, the other 99 are accepted, and its job runs again";
    "F18" rolling_deploy "Ten workers are replaced one by one by those of another version, and back, with jobs of both about"
        => "nothing undecodable, nothing counted as failed; a worker drains within its grace and 5 s";
    "F19" same_name "A worker is killed and started again under its name"
        => "it claims within 2 s";
    "F20" cancelling "Jobs are cancelled while they wait, run, are with a decoder or become a film, and between steps of a workflow"
        => "they stop within 2 s (p99), processes and files of theirs are gone, and each is cancelled once";
    "F21" fairness "One tenant with a mountain of jobs beside 25 with ten each"
        => "the small ones wait twice as long as alone at most (p95); the big one keeps 95 % of the slots busy when alone";
    "F22" limits_under_kills "One at a time per key, and 10 a second, while workers are killed"
        => "never above the limit in the ledger; every key is free again within 60 s";
    "F23" workflows "Ten thousand jobs and one that waits for all of them, while workers are killed; steps that fail in part"
        => "the last one runs once and after the others; what is tolerated is exact";
    "F26" bulk_retry "A mountain of discarded jobs is retried; those who walk it are killed; another walk is stopped"
        => "each job runs once more; other work waits 20 % longer at most, and 5 ms (p50)";
    "F27" exhaustion "A decoder and a worker without memory, a worker without file descriptors, and one without room on its disk"
        => "jobs fail with their own word, a worker lives or is replaced, and no other tenant's job is given up";
    "F28" soak "Mixed work for long, and a fault of any sort every so often"
        => "pick-up p99 of 5 s in 99.9 % of minutes; the memory of what is never killed does not grow";
    "F31" sends "A worker is killed at each named point of sending a mail, a thousand times"
        => "nobody is told twice, nobody is skipped in silence: what nobody knows is listed";
    "F32" texts "A worker is killed at each named point of sending a text message, whose carrier can be asked"
        => "everybody is told, and nobody twice: of no message does nobody know";
    "F29" model_check "The ledger's protocol with every fault in every place, as a model; and with a rule left out"
        => "no promise broken within the bound; every broken variant is caught; the model accepts what every row wrote";
}
