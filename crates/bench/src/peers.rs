//! The others: their drivers, which all speak the same few words, and rounds with them.
//!
//! A driver is a small program in `peers/`. It is told by its arguments what to do and by its environment where, and
//! says `seconds S` when it has enqueued, `ran COUNT FIRST LAST` (microseconds since 1970) as jobs run, and `late US` for
//! each job that carries the time at which it was sent.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use testkit::{line, until};

use crate::{process::Process, sql::Sql, stage::Stage};

/// The database of whoever's turn it is.
const DATABASE: &str = "peer";
/// Longest that a driver may take to enqueue.
const ENQUEUE_MAX: Duration = Duration::from_mins(3);

const MINUTE: Duration = Duration::from_mins(1);

/// Jobs that are sent one at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probes {
    /// Those that count.
    pub(crate) count: usize,
    /// Those of each process that do not, because they come first.
    pub(crate) warm_up: usize,
    /// Between two.
    pub(crate) pause: Duration,
}

/// Who.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rival {
    /// graphile_worker in Rust, on Postgres.
    GraphileRs,
    /// graphile-worker in Node, on Postgres.
    Graphile,
    /// BullMQ in Node, on Redis.
    BullMq,
    /// Sidekiq in Ruby, on Redis.
    Sidekiq,
}

impl Rival {
    const ALL: [Self; 4] = [Self::GraphileRs, Self::BullMq, Self::Graphile, Self::Sidekiq];

    /// How its driver is started, with the file that has to be there.
    fn driver(self, folder: &Path) -> (PathBuf, Vec<String>) {
        let path = |name: &str| folder.join(name);
        let script = |program: &str, file: PathBuf| (file.clone(), vec![program.to_owned(), text(&file)]);
        match self {
            Self::GraphileRs => {
                let program = path("graphile-rs");
                (program.clone(), vec![text(&program)])
            }
            Self::Graphile => script("node", path("node/graphile.mjs")),
            Self::BullMq => script("node", path("node/bullmq.mjs")),
            Self::Sidekiq => script("ruby", path("sidekiq.rb")),
        }
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Somebody to be measured beside.
pub(crate) struct Peer {
    /// Who.
    pub(crate) rival: Rival,
    name: String,
    command: Vec<String>,
}

/// Everybody who was installed.
pub(crate) struct Peers {
    /// In the order of their turns.
    pub(crate) list: Vec<Peer>,
}

impl Peers {
    /// Nobody.
    pub(crate) fn none() -> Self {
        Self { list: Vec::new() }
    }

    /// Those whose drivers lie in `folder` and start.
    pub(crate) fn find(folder: &Path) -> Self {
        let mut list = Vec::new();
        for rival in Rival::ALL {
            let (file, command) = rival.driver(folder);
            let asked =
                file.exists().then(|| Command::new(&command[0]).args(&command[1..]).arg("name").output());
            match asked {
                Some(Ok(output)) if output.status.success() => {
                    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                    list.push(Peer { rival, name, command });
                }
                Some(Ok(output)) => {
                    let said = String::from_utf8_lossy(&output.stderr).into_owned();
                    line(&format!("{rival:?} is left out; it does not start: {}", said.trim()));
                }
                Some(Err(error)) => line(&format!("{rival:?} is left out: {error}")),
                None => line(&format!("{rival:?} is left out; there is no {}", file.display())),
            }
        }
        Self { list }
    }

    /// A certain one.
    pub(crate) fn of(&self, rival: Rival) -> Option<&Peer> {
        self.list.iter().find(|peer| peer.rival == rival)
    }
}

impl Peer {
    /// Its name and version, as it says itself.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether a tenth of the jobs takes it as long as others take for all.
    pub(crate) fn is_slow(&self) -> bool {
        matches!(self.rival, Rival::BullMq | Rival::Sidekiq)
    }

    fn on_postgres(&self) -> bool {
        matches!(self.rival, Rival::Graphile | Rival::GraphileRs)
    }

    /// Begins with an empty store.
    pub(crate) async fn begin<'a>(&'a self, stage: &'a Stage) -> anyhow::Result<Bout<'a>> {
        stage.servers.empty_redis()?;
        let sql = if self.on_postgres() { Some(stage.servers.fresh_database(DATABASE).await?) } else { None };
        let bout = Bout { peer: self, stage, sql };
        bout.run(&["prepare"], MINUTE).await?;
        Ok(bout)
    }
}

/// A peer on an empty store.
pub(crate) struct Bout<'a> {
    peer: &'a Peer,
    stage: &'a Stage,
    sql: Option<Sql>,
}

/// What a driver's processes said so far.
#[derive(Default)]
struct Ran {
    count: u64,
    first_us: Option<u64>,
    last_us: u64,
}

impl Bout<'_> {
    fn start(&self, arguments: &[&str], number: usize) -> anyhow::Result<Process> {
        let mut command = Command::new(&self.peer.command[0]);
        command
            .args(&self.peer.command[1..])
            .args(arguments)
            .env("DATABASE_URL", self.stage.servers.database_url(DATABASE))
            .env("REDIS_URL", self.stage.servers.redis.url())
            .env("NODE_ENV", "production");
        let name = format!("{:?}-{}-{number}", self.peer.rival, arguments[0]);
        Process::start(&mut command, &name, &self.stage.logs)
    }

    /// Runs the driver to its end; what it said.
    async fn run(&self, arguments: &[&str], bound: Duration) -> anyhow::Result<String> {
        let mut process = self.start(arguments, 0)?;
        let what = format!("{} {} to end", self.peer.name, arguments.join(" "));
        let ended = until(&what, bound, Duration::from_millis(5), || {
            let runs = process.runs();
            async move { (!runs).then_some(()) }
        });
        ended.await?;
        let said = process.said();
        anyhow::ensure!(said.contains("done"), "{what}; it said: {}", process.last_words());
        Ok(said)
    }

    /// Enqueues `jobs`, so many a call, so many calls at once; how many a second, by the driver's own clock.
    pub(crate) async fn enqueue(&self, jobs: u64, a_call: u64, at_once: u64) -> anyhow::Result<f64> {
        let arguments = [jobs, a_call, at_once].map(|number| number.to_string());
        let said = self.run(&["enqueue", &arguments[0], &arguments[1], &arguments[2]], ENQUEUE_MAX).await?;
        let seconds = said.lines().find_map(|line| line.strip_prefix("seconds ")?.parse::<f64>().ok());
        Ok(jobs as f64 / seconds.context("the driver did not say how long it took")?)
    }

    /// What both sides of a comparison get: fresh statistics, and nothing left to be written.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        if let Some(sql) = &self.sql {
            sql.run("vacuum analyze").await?;
        }
        self.stage.servers.settle().await
    }

    /// Works until `jobs` are done; jobs a second, from the first that ran to the last whose end was stored.
    pub(crate) async fn work(&self, processes: usize, jobs: u64, bound: Duration) -> anyhow::Result<f64> {
        let workers = (0..processes).map(|n| self.start(&["work"], n)).collect::<Result<Vec<_>, _>>()?;
        let what = format!("{} to run {jobs} jobs", self.peer.name);
        let ran = until(&what, bound, Duration::from_millis(5), || {
            let ran = ran(&workers);
            async move { (ran.count >= jobs).then_some(ran) }
        });
        let ran = ran.await.with_context(|| workers[0].last_words())?;
        let mut end_us = ran.last_us;
        if !self.is_empty().await? {
            until(&what, bound, Duration::from_millis(2), || async {
                self.is_empty().await.is_ok_and(|empty| empty).then_some(())
            })
            .await?;
            end_us = now_us();
        }
        let took_us = end_us.saturating_sub(ran.first_us.unwrap_or_default());
        Ok(jobs as f64 / (took_us as f64 / 1e6))
    }

    /// Whether the end of every job that ran was stored.
    async fn is_empty(&self) -> anyhow::Result<bool> {
        match (self.peer.rival, &self.sql) {
            (Rival::BullMq, _) => Ok(self.stage.servers.redis.tell("LLEN bull:bench:active")? == ":0"),
            (_, Some(sql)) => {
                Ok(sql.number("select count(*) from graphile_worker._private_jobs").await? < 1.0)
            }
            _ => Ok(true),
        }
    }

    /// From the call that enqueues to the handler, in milliseconds, one job at a time on an idle system. The first
    /// `warm_up` of each process do not count.
    pub(crate) async fn latencies(&self, probes: Probes, processes: usize) -> anyhow::Result<Vec<f64>> {
        let workers = (0..processes).map(|n| self.start(&["work"], n)).collect::<Result<Vec<_>, _>>()?;
        until("a peer to be ready", MINUTE, Duration::from_millis(20), || {
            let ready = workers.iter().all(|worker| worker.said().contains("ready"));
            async move { ready.then_some(()) }
        })
        .await?;
        let all = probes.count + processes * probes.warm_up;
        let (count, pause) = (all.to_string(), probes.pause.as_millis().to_string());
        self.run(&["send", &count, &pause], ENQUEUE_MAX).await?;
        until("every job to run", MINUTE, Duration::from_millis(20), || {
            let late: Vec<Vec<f64>> = workers.iter().map(late_ms).collect();
            async move { (late.iter().map(Vec::len).sum::<usize>() >= all).then_some(late) }
        })
        .await
        .map(|late| late.into_iter().flat_map(|late| late.into_iter().skip(probes.warm_up)).collect())
    }

    /// Gives the room back.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        drop(self.sql);
        self.stage.servers.drop_database(DATABASE).await?;
        self.stage.servers.empty_redis()
    }
}

/// What a process said of how long jobs took to arrive.
fn late_ms(worker: &Process) -> Vec<f64> {
    let said = worker.said();
    said.lines().filter_map(|line| Some(line.strip_prefix("late ")?.parse::<f64>().ok()? / 1e3)).collect()
}

/// The last `ran` line of each process, taken together.
fn ran(workers: &[Process]) -> Ran {
    let mut all = Ran::default();
    for worker in workers {
        let said = worker.said();
        let Some(last) = said.lines().rfind(|line| line.starts_with("ran ") && said.contains('\n')) else {
            continue;
        };
        let numbers: Vec<u64> = last.split(' ').skip(1).filter_map(|word| word.parse().ok()).collect();
        let [count, first, last] = numbers[..] else { continue };
        all.count += count;
        all.first_us = Some(all.first_us.map_or(first, |earlier| earlier.min(first)));
        all.last_us = all.last_us.max(last);
    }
    all
}

/// Microseconds since 1970, as the drivers count.
pub(crate) fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}
