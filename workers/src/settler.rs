//! Settling in groups: whatever ended while the last group was being committed is the next group.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jobs::{JobId, LeaseId, failure::Problem};
use store::{
    Db, StoreError,
    claim::Claimed,
    settle::{self, News},
    verdict::{Settle, Verdict},
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::Instant,
};

use crate::{
    cx::After,
    faults::{Faults, Point},
    held::Held,
};

/// Most jobs in one group.
const GROUP_MAX: usize = 1_000;
/// Groups that are settled side by side.
const GROUPS_MAX: usize = 2;
/// Readers are told of large groups at most so often.
const TELL_EVERY: Duration = Duration::from_millis(50);
/// Verdicts that may wait for their group; handlers that end then wait too.
const WAITING_MAX: usize = 4_096;

/// What the settler is asked for, and whether a limit counts the job: then others may begin when it is gone.
enum Wanted {
    Settle(Box<Settle>, bool),
    /// A job that was settled on its own: only its lease may have to be dropped.
    LetGo(JobId, LeaseId, bool),
    /// A job that this process will not settle.
    GiveUp(JobId, LeaseId),
}

/// Takes verdicts.
#[derive(Clone)]
pub struct Settler {
    wanted: mpsc::Sender<Wanted>,
    db: Db,
    faults: Faults,
    patience: Duration,
}

impl Settler {
    /// Starts settling; goes on until every clone of the settler is gone. A verdict that cannot be stored for `patience`
    /// (the length of a lease) is given up, because nobody would accept it any more.
    /// Calls `more` when jobs that a limit counts are gone.
    pub fn start(db: Db, held: Arc<Held>, faults: Faults, patience: Duration, more: Arc<Notify>) -> Self {
        let (wanted, waiting) = mpsc::channel(WAITING_MAX);
        let desk = Desk { db: db.clone(), held, faults, patience, more, bell: Bell::default() };
        tokio::spawn(settle_all(Arc::new(desk), waiting));
        Self { wanted, db, faults, patience }
    }

    /// Settles `job`; without a verdict, gives it up. A verdict that brings rows with it gets a transaction of its own.
    pub async fn settle(&self, job: &Claimed, verdict: Option<Verdict>, after: After) {
        let next = match verdict {
            None => Wanted::GiveUp(job.id, job.lease),
            Some(verdict) if matches!(verdict, Verdict::Completed { .. }) && !after.is_empty() => {
                match Box::pin(self.settle_alone(&Settle::of(job, verdict), &after)).await {
                    Answered::Yes => Wanted::LetGo(job.id, job.lease, job.limited),
                    Answered::No => Wanted::GiveUp(job.id, job.lease),
                }
            }
            Some(verdict) => Wanted::Settle(Box::new(Settle::of(job, verdict)), job.limited),
        };
        if self.wanted.send(next).await.is_err() {
            tracing::error!(job.id = %job.id, "The settler is gone; the job will be rescued");
        }
    }

    async fn settle_alone(&self, settle: &Settle, after: &After) -> Answered {
        self.faults.reach(Point::BeforeSettle);
        let attempt = || settle::settle_with(&self.db, settle, &after.follow_ups, &after.writes);
        match persist(self.patience, attempt).await {
            Ok(true) => self.faults.reach(Point::AfterSettle),
            Ok(false) => tracing::warn!(job.id = %settle.job, "A verdict came too late and was refused"),
            Err(error) => return discard_unstorable(&self.db, settle, &error, self.patience).await,
        }
        Answered::Yes
    }
}

/// Whether the ledger answered to a verdict, by taking or by refusing it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answered {
    Yes,
    No,
}

impl After {
    fn is_empty(&self) -> bool {
        self.follow_ups.is_empty() && self.writes.is_empty()
    }
}

/// What settling needs.
struct Desk {
    db: Db,
    held: Arc<Held>,
    faults: Faults,
    patience: Duration,
    more: Arc<Notify>,
    bell: Bell,
}

/// When readers were told last. A large group names nobody, so one notice does for all that come soon after each other.
#[derive(Default)]
struct Bell {
    state: Mutex<Rung>,
}

#[derive(Default)]
struct Rung {
    last: Option<Instant>,
    /// Something was settled of which nobody was told.
    owed: bool,
}

impl Bell {
    /// Whether a group of so many is told with its commit.
    fn for_group(&self, jobs: usize) -> News {
        let mut rung = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs <= settle::NAMED_MAX {
            return News::Told;
        }
        if rung.last.is_some_and(|last| last.elapsed() < TELL_EVERY) {
            rung.owed = true;
            return News::Later;
        }
        *rung = Rung { last: Some(Instant::now()), owed: false };
        News::Told
    }

    /// Whether somebody has to be told still; they will be now.
    fn take_owed(&self) -> bool {
        std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).owed)
    }
}

/// Up to [`GROUPS_MAX`] groups are settled side by side, so that a processor has work while a disk writes. The second only
/// begins when it is large: many small groups cost more than they win.
async fn settle_all(desk: Arc<Desk>, mut waiting: mpsc::Receiver<Wanted>) {
    let (mut group, mut under_way) = (Vec::with_capacity(GROUP_MAX), JoinSet::new());
    let mut is_open = true;
    while is_open || !group.is_empty() || !under_way.is_empty() {
        let large_enough = if under_way.is_empty() { 1 } else { GROUP_MAX / 2 };
        if group.len() >= large_enough && under_way.len() < GROUPS_MAX {
            let group = std::mem::replace(&mut group, Vec::with_capacity(GROUP_MAX));
            under_way.spawn(desk.clone().settle(group));
            continue;
        }
        let room = GROUP_MAX - group.len();
        tokio::select! {
            Some(settled) = under_way.join_next() => {
                if let Err(error) = settled
                    && let Ok(panic) = error.try_into_panic()
                {
                    std::panic::resume_unwind(panic);
                }
                if under_way.is_empty() && group.is_empty() {
                    desk.tidy().await;
                }
            }
            came = waiting.recv_many(&mut group, room), if is_open && room > 0 => is_open = came > 0,
        }
    }
}

impl Desk {
    /// Drops the leases that no later group will drop, and tells what no later group will tell, because there is none.
    async fn tidy(&self) {
        let emptied = self.held.take_emptied();
        if let Err(error) = settle::drop_done(&self.db, &emptied).await {
            report(&error, 0);
        }
        if self.bell.take_owed()
            && let Err(error) = settle::tell(&self.db).await
        {
            report(&error, 0);
        }
    }

    async fn settle(self: Arc<Self>, group: Vec<Wanted>) {
        let mut batch = Vec::with_capacity(group.len());
        let mut jobs = Vec::with_capacity(group.len());
        let mut makes_room = false;
        for wanted in group {
            match wanted {
                Wanted::Settle(settle, limited) => {
                    makes_room |= limited;
                    jobs.push((settle.job, settle.lease));
                    batch.push(*settle);
                }
                Wanted::LetGo(job, lease, limited) => {
                    makes_room |= limited;
                    jobs.push((job, lease));
                }
                Wanted::GiveUp(job, lease) => {
                    self.held.give_up(lease);
                    jobs.push((job, lease));
                }
            }
        }
        let done = self.held.done_after(&jobs);
        self.faults.reach(Point::BeforeSettle);
        for lease in
            settle_group(&self.db, &batch, &done, self.bell.for_group(batch.len()), self.patience).await
        {
            self.held.give_up(lease);
        }
        self.faults.reach(Point::AfterSettle);
        self.held.release(&jobs, &done);
        if makes_room {
            self.more.notify_one();
        }
    }
}

/// Settles `batch` and drops the leases that are `done`; answers the leases of which a job got no answer.
async fn settle_group(
    db: &Db,
    batch: &[Settle],
    done: &[LeaseId],
    news: News,
    patience: Duration,
) -> Vec<LeaseId> {
    match persist(patience, || settle::settle_and(db, batch, done, news)).await {
        Ok(accepted) => {
            for late in batch.iter().filter(|settle| !accepted.contains(&settle.job)) {
                tracing::warn!(job.id = %late.job, "A verdict came too late and was refused");
            }
            Vec::new()
        }
        Err(error) if error.is_transient() => {
            report(&error, batch.len());
            batch.iter().map(|settle| settle.lease).collect()
        }
        // Something in one of them cannot be stored: that must not cost the others their verdicts.
        Err(_) => settle_singly(db, batch, done, patience).await,
    }
}

async fn settle_singly(db: &Db, batch: &[Settle], done: &[LeaseId], patience: Duration) -> Vec<LeaseId> {
    let mut unanswered = Vec::new();
    for settle in batch {
        if settle_one(db, settle, patience).await == Answered::No {
            unanswered.push(settle.lease);
        }
    }
    let done: Vec<_> = done.iter().copied().filter(|lease| !unanswered.contains(lease)).collect();
    if let Err(error) = settle::drop_done(db, &done).await {
        report(&error, 0);
    }
    unanswered
}

async fn settle_one(db: &Db, settle: &Settle, patience: Duration) -> Answered {
    match persist(patience, || settle::settle(db, std::slice::from_ref(settle), &[])).await {
        Ok(_) => Answered::Yes,
        Err(error) => discard_unstorable(db, settle, &error, patience).await,
    }
}

/// Discards a job whose verdict the database refuses, with the refusal as the reason: running it again would end the
/// same way. One that lacks a key to be stored is left to a process that has it.
async fn discard_unstorable(db: &Db, settle: &Settle, refusal: &StoreError, patience: Duration) -> Answered {
    if refusal.is_transient() {
        report(refusal, 1);
        return Answered::No;
    }
    let verdict = match refusal {
        StoreError::NoMasterKey { .. } => Verdict::Parked { problem: Problem::of("no_key", refusal) },
        _ => Verdict::Discarded { problem: Problem::of("unstorable_verdict", refusal) },
    };
    let error = verdict.problem().map(|problem| problem.message.as_str());
    tracing::error!(job.id = %settle.job, error, "A verdict could not be stored");
    let discard = Settle { verdict, ..settle.clone() };
    match persist(patience, || settle::settle(db, std::slice::from_ref(&discard), &[])).await {
        Ok(_) => Answered::Yes,
        Err(error) => {
            report(&error, 1);
            Answered::No
        }
    }
}

/// Tries again while the database is out of reach, for as long as a verdict could still be accepted.
async fn persist<T, Fut>(patience: Duration, attempt: impl Fn() -> Fut) -> Result<T, StoreError>
where
    Fut: Future<Output = Result<T, StoreError>>,
{
    let give_up = tokio::time::Instant::now() + patience;
    let mut pause = Duration::from_millis(50);
    loop {
        match attempt().await {
            Err(error) if error.is_transient() && tokio::time::Instant::now() + pause < give_up => {
                tracing::warn!(error = %Problem::of("", &error).message, "Could not settle; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
            ended => return ended,
        }
    }
}

fn report(error: &StoreError, jobs: usize) {
    let message = Problem::of("", error).message;
    tracing::error!(
        error = message,
        jobs,
        "Verdicts could not be stored; their jobs will be rescued and run again"
    );
}
