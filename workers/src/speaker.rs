//! Storing what running jobs say: in batches, a few times a second, without ever slowing a handler down.

use std::{collections::HashMap, time::Duration};

use jobs::JobId;
use store::{
    Db,
    claim::Claimed,
    logs::{self, Said},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What may wait to be stored. When it is full, what is said is lost, and that is counted.
const WAITING_MAX: usize = 10_000;
/// How often what was said is stored.
const EVERY: Duration = Duration::from_millis(250);

/// Takes what jobs say.
#[derive(Clone)]
pub struct Speaker {
    said: mpsc::Sender<(Claimed, Said)>,
}

impl Speaker {
    /// Starts storing; ends when `stop` is cancelled and everything said is stored.
    pub fn start(db: Db, stop: CancellationToken) -> (Self, tokio::task::JoinHandle<()>) {
        let (said, waiting) = mpsc::channel(WAITING_MAX);
        (Self { said }, tokio::spawn(store_all(db, waiting, stop)))
    }

    /// Passes on what `job` says.
    pub fn say(&self, job: &Claimed, said: Said) {
        // The arguments may be large and are not needed any more.
        let job = Claimed { args: serde_json::Value::Null, ..job.clone() };
        if self.said.try_send((job, said)).is_err() {
            metrics::counter!("job_words_lost_total").increment(1);
        }
    }
}

async fn store_all(db: Db, mut waiting: mpsc::Receiver<(Claimed, Said)>, stop: CancellationToken) {
    let mut batch = Vec::new();
    loop {
        let open = tokio::select! {
            n = waiting.recv_many(&mut batch, 500) => n > 0,
            () = stop.cancelled() => waiting.try_recv().map(|said| batch.push(said)).is_ok(),
        };
        if !open {
            return;
        }
        if !stop.is_cancelled() {
            tokio::time::sleep(EVERY).await;
        }
        while batch.len() < 2_000
            && let Ok(said) = waiting.try_recv()
        {
            batch.push(said);
        }
        if let Err(error) = logs::say(&db, &latest(std::mem::take(&mut batch))).await {
            tracing::warn!(error = %jobs::failure::Problem::of("", &error).message, "Could not store what jobs said");
        }
    }
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
