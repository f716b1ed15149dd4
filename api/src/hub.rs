//! Who waits for what, and the one ear on the database that wakes them.
//!
//! A notice only says "look": whoever is woken reads Postgres. Notices may be lost, so everybody who waits here also
//! looks by itself every now and then.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jobs::{JobId, PartyId};
use store::{
    Db,
    notices::{For, Notice, Notices},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::problem::{Code, Problem};

const LISTEN_RETRY: Duration = Duration::from_millis(500);

/// Wakes those who wait for a job, for an inbox, or for anything.
pub(crate) struct Hub {
    named: Named,
    any: watch::Sender<()>,
}

/// What somebody waits for, by the id that a notice names it with.
type Named = Arc<Mutex<HashMap<String, watch::Sender<()>>>>;

impl Default for Hub {
    fn default() -> Self {
        Self { named: Arc::default(), any: watch::Sender::new(()) }
    }
}

impl Hub {
    /// Waits for `job` from now on.
    pub(crate) fn job(&self, job: JobId) -> Watch {
        self.watch(job.to_string())
    }

    /// Waits for the inbox of `party` from now on.
    pub(crate) fn party(&self, party: PartyId) -> Watch {
        self.watch(party.to_string())
    }

    fn watch(&self, name: String) -> Watch {
        let mut named = locked(&self.named);
        let moved = named.entry(name.clone()).or_insert_with(|| watch::Sender::new(())).subscribe();
        Watch { name, moved: Some(moved), named: self.named.clone() }
    }

    /// Waits for any job from now on.
    pub(crate) fn any(&self) -> watch::Receiver<()> {
        self.any.subscribe()
    }

    /// Listens until `stop`, through every loss of the connection.
    pub(crate) async fn listen(&self, db: &Db, stop: &CancellationToken) {
        let hear = async {
            loop {
                match Notices::listen(db, For::Readers).await {
                    Ok(notices) => self.hear(notices).await,
                    Err(error) => {
                        tracing::warn!(error = %error, "Cannot listen for notices; streams look by themselves");
                        tokio::time::sleep(LISTEN_RETRY).await;
                    }
                }
            }
        };
        stop.run_until_cancelled(hear).await;
    }

    async fn hear(&self, mut notices: Notices) {
        loop {
            match notices.next().await {
                Notice::Moved(ids) if !ids.is_empty() => {
                    let named = locked(&self.named);
                    for moved in ids.iter().filter_map(|id| named.get(id)) {
                        moved.send_replace(());
                    }
                }
                Notice::Moved(_) | Notice::Resumed => {
                    locked(&self.named).values().for_each(|moved| moved.send_replace(()));
                }
                Notice::Jobs(_) | Notice::Cancel(_) | Notice::Bulk => continue,
            }
            self.any.send_replace(());
        }
    }
}

/// Somebody's wait for one job, or one inbox.
pub(crate) struct Watch {
    name: String,
    moved: Option<watch::Receiver<()>>,
    named: Named,
}

impl Watch {
    /// Returns when it may have moved, at the latest after `longest`.
    pub(crate) async fn moved(&mut self, longest: Duration) {
        let Some(moved) = &mut self.moved else { return };
        // An error means that the hub is gone, and then the time is what ends the wait.
        if !matches!(tokio::time::timeout(longest, moved.changed()).await, Ok(Ok(())) | Err(_)) {
            tokio::time::sleep(longest).await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut named = locked(&self.named);
        self.moved = None;
        if named.get(&self.name).is_some_and(|moved| moved.receiver_count() == 0) {
            named.remove(&self.name);
        }
    }
}

/// How many event streams each of those who follow holds open.
#[derive(Clone)]
pub(crate) struct Streams<K> {
    streams_max: usize,
    open: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Copy + Eq + Hash> Streams<K> {
    pub(crate) fn new(streams_max: usize) -> Self {
        Self { streams_max, open: Arc::default() }
    }

    /// A place for one stream, for as long as the result lives.
    pub(crate) fn open(&self, whose: K) -> Result<Stream<K>, Problem> {
        let mut open = locked(&self.open);
        let count = open.entry(whose).or_default();
        if *count >= self.streams_max {
            let detail = format!("{} event streams are open, which is as many as there may be", *count);
            return Err(Problem::new(Code::TooManyStreams, detail).retry_after(5));
        }
        *count += 1;
        Ok(Stream { whose, open: self.open.clone() })
    }
}

/// The place of one stream.
pub(crate) struct Stream<K: Eq + Hash> {
    whose: K,
    open: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Eq + Hash> Drop for Stream<K> {
    fn drop(&mut self) {
        let mut open = locked(&self.open);
        if let Some(count) = open.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.whose);
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
