//! Taking jobs in: whatever arrived while the last transaction was committing shares the next one.
//!
//! A commit costs a trip to the disk, however many jobs it carries. So a tenant's submissions wait in line for as long
//! as its last transaction runs, and then go together. With nobody else in line a submission goes at once.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jobs::{JobId, TenantId};
use store::{
    Db, StoreError,
    enqueue::Enqueued,
    reads::JobRecord,
    submit::{Answer, Submission, Submitted, submit},
};
use telemetry::metrics as names;
use tokio::sync::oneshot;

use crate::{
    idempotency::Held,
    limits::{GROUP_MAX, WAITING_MAX},
    problem::{Code, Problem},
    resource,
};

/// How often the line is looked at while it grows.
const GATHER_TURNS_MAX: usize = 32;

type Outcome = Result<Submitted, Arc<StoreError>>;

struct Waiting {
    submission: Submission,
    answer: oneshot::Sender<Outcome>,
    key: Held,
}

/// The lines of all tenants. A line that is there has a task that works it off.
#[derive(Clone)]
pub(crate) struct Intake {
    db: Db,
    lines: Arc<Mutex<HashMap<TenantId, VecDeque<Waiting>>>>,
}

impl Intake {
    pub(crate) fn new(db: Db) -> Self {
        Self { db, lines: Arc::default() }
    }

    /// Takes in one submission of `tenant`, together with others.
    pub(crate) async fn take(
        &self,
        tenant: TenantId,
        submission: Submission,
        key: Held,
    ) -> Result<Submitted, Problem> {
        let (answer, answered) = oneshot::channel();
        self.line_up(tenant, Waiting { submission, answer, key })?;
        match answered.await {
            Ok(Ok(submitted)) => Ok(submitted),
            Ok(Err(error)) => Err(Problem::from_shared(error)),
            Err(gone) => Err(Problem::internal(gone)),
        }
    }

    /// Takes in a submission that is large enough for a transaction of its own.
    pub(crate) async fn take_alone(
        &self,
        tenant: TenantId,
        submission: Submission,
    ) -> Result<Submitted, Problem> {
        let submitted = submit(&self.db, tenant, &[submission], answer_to_existing).await?;
        submitted
            .into_iter()
            .next()
            .ok_or_else(|| Problem::internal(std::io::Error::other("no answer to a batch")))
    }

    fn line_up(&self, tenant: TenantId, waiting: Waiting) -> Result<(), Problem> {
        let mut lines = self.lines();
        if let Some(line) = lines.get_mut(&tenant) {
            if line.len() >= WAITING_MAX {
                let detail = "jobs arrive faster than they can be taken in; wait 1 s, or send batches";
                return Err(Problem::new(Code::Overloaded, detail).retry_after(1));
            }
            line.push_back(waiting);
            return Ok(());
        }
        lines.insert(tenant, VecDeque::from([waiting]));
        tokio::spawn(self.clone().work_off(tenant));
        Ok(())
    }

    async fn work_off(self, tenant: TenantId) {
        loop {
            self.gather(tenant).await;
            let Some(group) = self.next_group(tenant) else { return };
            self.commit(tenant, group).await;
        }
    }

    /// Lets requests that are being read right now line up too, for as long as the line grows from one turn of the runtime
    /// to the next. Whoever comes alone waits for one turn.
    async fn gather(&self, tenant: TenantId) {
        let mut before = 0;
        for _ in 0..GATHER_TURNS_MAX {
            let waiting = self.lines().get(&tenant).map_or(0, VecDeque::len);
            if waiting <= before || waiting >= GROUP_MAX {
                return;
            }
            before = waiting;
            tokio::task::yield_now().await;
        }
    }

    /// Everybody in line, up to the most a transaction takes; none ends the line.
    fn next_group(&self, tenant: TenantId) -> Option<Vec<Waiting>> {
        let mut lines = self.lines();
        let line = lines.get_mut(&tenant)?;
        if line.is_empty() {
            lines.remove(&tenant);
            return None;
        }
        let wanted = line.len().min(GROUP_MAX);
        Some(line.drain(..wanted).collect())
    }

    async fn commit(&self, tenant: TenantId, group: Vec<Waiting>) {
        let (submissions, waiting): (Vec<_>, Vec<_>) =
            group.into_iter().map(|one| (one.submission, (one.answer, one.key))).unzip();
        match submit(&self.db, tenant, &submissions, answer_to_existing).await {
            Ok(submitted) => {
                for (submitted, waiting) in submitted.into_iter().zip(waiting) {
                    hand_over(waiting, Ok(submitted));
                }
            }
            // One submission that the database refuses must not take the others down with it.
            Err(error) if !error.is_transient() && submissions.len() > 1 => {
                for (submission, waiting) in submissions.into_iter().zip(waiting) {
                    let alone = submit(&self.db, tenant, &[submission], answer_to_existing).await;
                    let submitted = alone.map(|submitted| submitted.into_iter().next());
                    match submitted {
                        Ok(Some(submitted)) => hand_over(waiting, Ok(submitted)),
                        Ok(None) => {}
                        Err(error) => hand_over(waiting, Err(Arc::new(error))),
                    }
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for waiting in waiting {
                    hand_over(waiting, Err(error.clone()));
                }
            }
        }
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<TenantId, VecDeque<Waiting>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key is given free first, so that a client that was answered may use it again at once. One that has gone away
/// gets its answer when it comes back with its key.
fn hand_over((answer, key): (oneshot::Sender<Outcome>, Held), outcome: Outcome) {
    drop(key);
    drop(answer.send(outcome));
}

/// The answer to a submission that met jobs which existed already.
fn answer_to_existing(
    submission: &Submission,
    enqueued: &[Enqueued],
    existing: &HashMap<JobId, JobRecord>,
) -> Answer {
    match (submission.jobs.as_slice(), enqueued) {
        ([_], [Enqueued::Existing(id)]) if submission.answer.location.is_some() => {
            resource::answer_existing(*id, existing.get(id))
        }
        _ => resource::answer_batch(&submission.answer, &submission.jobs, enqueued),
    }
}

/// Counts jobs that were taken in.
pub(crate) fn count(submission_kinds: &[(&'static str, jobs::Queue)], enqueued: &[Enqueued]) {
    for ((kind, queue), enqueued) in submission_kinds.iter().zip(enqueued) {
        if *enqueued == Enqueued::Inserted {
            metrics::counter!(
                names::JOBS_ENQUEUED_TOTAL, names::LABEL_KIND => *kind, names::LABEL_QUEUE => queue.name()
            )
            .increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use jobs::TenantId;
    use serde_json::json;
    use store::{
        Db, Options, Role,
        submit::{Answer, Submission},
    };

    use super::Intake;
    use crate::{idempotency::InFlight, limits::WAITING_MAX, problem::Code};

    #[tokio::test]
    async fn a_line_that_is_full_sends_away_and_a_lost_database_answers_everybody() {
        let options = Options {
            url: "postgres://nobody@127.0.0.1:1/nowhere".to_owned(),
            role: Role::Api,
            connections_max: 1,
            acquire_ms: 50,
            statement_ms: 1_000,
        };
        let intake = Intake::new(Db::connect(&options).unwrap());
        let (tenant, keys) = (TenantId::new(), InFlight::default());
        let answer = Answer::of(202, None, &json!({}));
        let submission = Submission { jobs: Vec::new(), idempotency: None, answer };
        let take = |_| intake.take(tenant, submission.clone(), keys.take(tenant, None).unwrap());
        let answers = join_all((0..WAITING_MAX + 5).map(take)).await;
        let count =
            |code: Code| answers.iter().filter(|one| one.as_ref().is_err_and(|p| p.code() == code)).count();
        assert_eq!((count(Code::Overloaded), count(Code::Unavailable)), (5, WAITING_MAX));
        assert!(intake.lines().is_empty(), "nobody is left in line");
    }
}
