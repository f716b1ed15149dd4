//! Storing what running jobs say: in batches, a few times a second, without ever slowing a handler down.

use std::{collections::HashMap, time::Duration};

use jobs::{JobId, failure::Problem};
use store::{
    Db,
    claim::Claimed,
    logs::{self, Said},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// What may wait to be stored. When it is full, what is said is lost, and that is counted.
const WAITING_MAX: usize = 10_000;
/// Most that is stored at once.
const BATCH_MAX: usize = 2_000;
/// How often what was said is stored.
const EVERY: Duration = Duration::from_millis(250);
/// Longest wait of a job that ended for its last words.
const LAST_WORDS_MAX: Duration = Duration::from_secs(2);

enum Word {
    Said(Box<Claimed>, Said),
    /// Somebody waits until everything said before is stored.
    Stored(oneshot::Sender<()>),
}

/// Takes what jobs say.
#[derive(Clone)]
pub struct Speaker {
    words: mpsc::Sender<Word>,
}

impl Speaker {
    /// Starts storing; ends when `stop` is cancelled and everything said is stored.
    pub fn start(db: Db, stop: CancellationToken) -> (Self, tokio::task::JoinHandle<()>) {
        let (words, waiting) = mpsc::channel(WAITING_MAX);
        (Self { words }, tokio::spawn(store_all(db, waiting, stop)))
    }

    /// Passes on what `job` says.
    pub fn say(&self, job: &Claimed, said: Said) {
        if self.words.try_send(Word::Said(Box::new(job.clone()), said)).is_err() {
            metrics::counter!(telemetry::metrics::JOB_WORDS_LOST_TOTAL).increment(1);
        }
    }

    /// Waits until everything said so far is stored, for two seconds at most: whoever sees that a job has ended may
    /// rely on its log being complete.
    pub async fn last_words(&self) {
        let (stored, done) = oneshot::channel();
        let told = self.words.send(Word::Stored(stored));
        let waited = tokio::time::timeout(LAST_WORDS_MAX, async { (told.await.is_ok(), done.await.is_ok()) });
        if !matches!(waited.await, Ok((true, true))) {
            tracing::warn!("The last words of a job are not stored yet");
        }
    }
}

async fn store_all(db: Db, mut waiting: mpsc::Receiver<Word>, stop: CancellationToken) {
    loop {
        let first = tokio::select! {
            word = waiting.recv() => word,
            () = stop.cancelled() => waiting.try_recv().ok(),
        };
        let Some(first) = first else { return };
        let (batch, asked) = gather(first, &mut waiting, &stop).await;
        if !batch.is_empty()
            && let Err(error) = logs::say(&db, &latest(batch)).await
        {
            tracing::warn!(error = Problem::of("", &error).message, "Could not store what jobs said");
        }
        for stored in asked {
            // Whoever asked may have stopped waiting.
            let _ = stored.send(());
        }
    }
}

/// What is said within a quarter of a second; less when somebody waits for it to be stored.
async fn gather(
    first: Word,
    waiting: &mut mpsc::Receiver<Word>,
    stop: &CancellationToken,
) -> (Vec<(Claimed, Said)>, Vec<oneshot::Sender<()>>) {
    let until = Instant::now() + EVERY;
    let (mut batch, mut asked) = (Vec::new(), Vec::new());
    let mut next = Some(first);
    while let Some(word) = next {
        match word {
            Word::Said(job, said) => batch.push((*job, said)),
            Word::Stored(stored) => asked.push(stored),
        }
        next = if batch.len() >= BATCH_MAX {
            None
        } else if asked.is_empty() && !stop.is_cancelled() {
            tokio::select! {
                word = waiting.recv() => word,
                () = tokio::time::sleep_until(until) => None,
                () = stop.cancelled() => waiting.try_recv().ok(),
            }
        } else {
            waiting.try_recv().ok()
        };
    }
    (batch, asked)
}

/// Every line, but of each job's progress only the last.
fn latest(batch: Vec<(Claimed, Said)>) -> Vec<(Claimed, Said)> {
    let is_progress = |said: &Said| matches!(said, Said::Progress { .. });
    let last: HashMap<JobId, usize> = batch
        .iter()
        .enumerate()
        .filter(|(_, (_, s))| is_progress(s))
        .map(|(at, (job, _))| (job.id, at))
        .collect();
    batch
        .into_iter()
        .enumerate()
        .filter(|(at, (job, said))| !is_progress(said) || last.get(&job.id) == Some(at))
        .map(|(_, said)| said)
        .collect()
}
