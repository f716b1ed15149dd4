//! Load: jobs submitted at a steady rate whatever happens, and a book of what was promised for each.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jobs::JobId;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    client::{Client, Told},
    figure::percentile,
    tally::Promised,
};

/// Submissions on their way at once.
const ON_THE_WAY: usize = 512;
/// How long a client keeps asking.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Default)]
struct Inner {
    promised: Promised,
    /// Final answers other than a promise, by status and code.
    refused: BTreeMap<String, usize>,
    /// Answers after which the client asked again.
    asked_again: BTreeMap<String, usize>,
    requests: u64,
    took: Vec<Duration>,
    slowest_refusal: Duration,
}

/// What clients were told. Cheap to clone; clones write into the same book.
#[derive(Clone, Default)]
pub(crate) struct Book {
    inner: Arc<Mutex<Inner>>,
    marks: Arc<AtomicU64>,
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A mark that no other submission of this book has.
    pub(crate) fn mark(&self) -> String {
        format!("m{}", self.marks.fetch_add(1, Ordering::Relaxed))
    }

    /// Notes what the client of `mark` was told.
    pub(crate) fn note(&self, mark: String, told: &Told) {
        let mut inner = self.lock();
        inner.requests += u64::from(told.requests);
        inner.slowest_refusal = inner.slowest_refusal.max(told.refusal);
        for before in &told.before {
            *inner.asked_again.entry(before.clone()).or_default() += 1;
        }
        match (told.job(), &told.answer) {
            (Some(job), _) => {
                inner.took.push(told.took);
                inner.promised.accepted.insert(mark, job);
            }
            (None, Some((status, body))) => {
                let what = format!("{} {}", status.as_u16(), body["code"].as_str().unwrap_or("?"));
                *inner.refused.entry(what).or_default() += 1;
            }
            (None, None) => {
                inner.promised.unknown.insert(mark);
            }
        }
    }

    /// Notes a promise that was not made over HTTP.
    pub(crate) fn promise(&self, mark: &str, job: JobId) {
        self.lock().promised.accepted.insert(mark.to_owned(), job);
    }

    /// What was promised so far.
    pub(crate) fn promised(&self) -> Promised {
        self.lock().promised.clone()
    }

    /// How many jobs were promised so far.
    pub(crate) fn accepted(&self) -> usize {
        self.lock().promised.accepted.len()
    }

    /// Requests sent so far, those that were sent again included.
    pub(crate) fn requests(&self) -> u64 {
        self.lock().requests
    }

    /// Answers that no client should ever see.
    pub(crate) fn refused(&self) -> usize {
        self.lock().refused.values().sum()
    }

    /// How often a request had to be sent again.
    pub(crate) fn asked_again(&self) -> usize {
        self.lock().asked_again.values().sum()
    }

    /// How long promises took: the value below which `share` of them lie.
    pub(crate) fn took(&self, share: f64) -> Duration {
        percentile(&mut self.took_from(0), share)
    }

    /// How long promises took, without the first so many.
    pub(crate) fn took_from(&self, first: usize) -> Vec<Duration> {
        self.lock().took.iter().skip(first).copied().collect()
    }
}

/// What is submitted, how often.
pub(crate) struct Load {
    /// Jobs a second.
    pub(crate) per_s: f64,
    /// The body of the nth job; its mark is added.
    pub(crate) body: fn(u64) -> Value,
}

/// A load that is being put on.
pub(crate) struct Running {
    stop: CancellationToken,
    driver: JoinHandle<()>,
    /// What its clients were told.
    pub(crate) book: Book,
}

impl Load {
    /// Begins, through `client`.
    pub(crate) fn begin(self, client: &Client) -> Running {
        self.begin_into(client, Book::default())
    }

    /// Begins, with the promises going into `book`.
    pub(crate) fn begin_into(self, client: &Client, book: Book) -> Running {
        let stop = CancellationToken::new();
        let driver = tokio::spawn(drive(self, client.clone(), book.clone(), stop.clone()));
        Running { stop, driver, book }
    }
}

impl Running {
    /// Submits no more, and waits until every client was answered.
    pub(crate) async fn end(self) -> Book {
        self.stop.cancel();
        // A driver that panicked has left its clients behind; what they were told counts all the same.
        let _ = self.driver.await;
        self.book
    }
}

async fn drive(load: Load, client: Client, book: Book, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / load.per_s));
    let (on_the_way, clients) = (Arc::new(Semaphore::new(ON_THE_WAY)), TaskTracker::new());
    let mut number = 0;
    while !stop.is_cancelled() {
        ticks.tick().await;
        let Ok(permit) = on_the_way.clone().acquire_owned().await else { break };
        let (client, book, body) = (client.clone(), book.clone(), (load.body)(number));
        number += 1;
        clients.spawn(async move {
            submit(&client, &book, body).await;
            drop(permit);
        });
    }
    clients.close();
    clients.wait().await;
}

/// Submits one job and notes what was said.
pub(crate) async fn submit(client: &Client, book: &Book, body: Value) -> Told {
    let mark = book.mark();
    let body = marked(body, &mark);
    let told = client.submit("/v1/jobs", &key_of(&mark), &body, PATIENCE).await;
    book.note(mark, &told);
    told
}

/// Submits jobs by the thousand, each with a mark of its own, and notes what was said.
pub(crate) async fn submit_many(client: &Client, book: &Book, bodies: Vec<Value>) -> anyhow::Result<()> {
    for chunk in bodies.chunks(1_000) {
        let marks: Vec<String> = chunk.iter().map(|_| book.mark()).collect();
        let jobs: Vec<Value> =
            chunk.iter().zip(&marks).map(|(body, mark)| marked(body.clone(), mark)).collect();
        let key = key_of(&marks[0]);
        let told = client.submit("/v1/jobs/batch", &key, &json!({ "jobs": jobs }), PATIENCE).await;
        let Some((status, body)) = &told.answer else { anyhow::bail!("a batch was not answered: {told:?}") };
        anyhow::ensure!(status.is_success(), "a batch was answered with {status}: {body}");
        let mut inner = book.lock();
        inner.requests += u64::from(told.requests);
        for (mark, item) in marks.into_iter().zip(body["jobs"].as_array().into_iter().flatten()) {
            if let Some(job) = item["id"].as_str().and_then(|id| id.parse().ok()) {
                inner.promised.accepted.insert(mark, job);
            }
        }
    }
    Ok(())
}

fn key_of(mark: &str) -> String {
    format!("key-{mark}")
}

fn marked(mut body: Value, mark: &str) -> Value {
    body["metadata"] = json!({ "mark": mark });
    body
}

/// A `probe.work` job that works so long and ends well.
pub(crate) fn working(work_ms: u32) -> Value {
    json!({ "kind": "probe.work", "args": { "work_ms": work_ms }, "max_attempts": 20 })
}
