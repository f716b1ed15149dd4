//! A whole Crewline on the servers of the run: a database of its own, the API and workers as processes, one tenant.

use std::{
    net::SocketAddr,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use futures::future::try_join_all;
use serde_json::json;
use tempfile::TempDir;
use testkit::{free_address, until};

use crate::{
    cpu,
    http::{Connection, is_success},
    process::Process,
    sql::Sql,
    stage::Stage,
};

/// Worker processes, ours and theirs.
pub(crate) const PROCESSES: usize = 2;
/// Jobs of a batch, as many as the API takes.
pub(crate) const BATCH: u64 = 1_000;
/// Connections that fill a queue.
const FILLING: u64 = 4;
/// Long enough for a program to start on a busy machine.
const START: Duration = Duration::from_mins(1);
/// 32 bytes, base64. What it keeps is gone when the bench is over.
const MASTER_KEY: &str = "YSBrZXkgb2YgMzIgYnl0ZXMgZm9yIHRoZSBiZW5jaCE=";

/// How often workers are asked how far they are.
const ASKED_EVERY: Duration = Duration::from_millis(500);

static NAMES: AtomicU32 = AtomicU32::new(0);

/// One installation. Everything of it ends with the value.
pub(crate) struct Crewline<'a> {
    stage: &'a Stage,
    name: String,
    /// Its ledger.
    pub(crate) sql: Sql,
    /// Where the API answers.
    pub(crate) address: SocketAddr,
    /// Opens the door for the tenant.
    pub(crate) key: String,
    s3_address: SocketAddr,
    folder: TempDir,
    /// S3, and last the API.
    processes: Vec<Process>,
}

/// A worker process.
pub(crate) struct Worker {
    /// The process.
    pub(crate) process: Process,
    /// Its name in leases and attempts.
    pub(crate) name: String,
    address: SocketAddr,
}

impl<'a> Crewline<'a> {
    /// On an empty database, with the API answering and nobody working.
    pub(crate) async fn open(stage: &'a Stage) -> anyhow::Result<Self> {
        let name = format!("crewline_{}", NAMES.fetch_add(1, Ordering::Relaxed));
        let sql = stage.servers.fresh_database(&name).await?;
        let folder = tempfile::Builder::new().prefix("crewline-").tempdir()?;
        let mut crewline = Self {
            stage,
            name,
            sql,
            address: free_address()?,
            key: String::new(),
            s3_address: free_address()?,
            folder,
            processes: Vec::new(),
        };
        crewline.administer(&["migrate"]).await?;
        crewline.administer(&["tenant", "create", "bench"]).await?;
        let key = ["key", "create", "--tenant", "bench", "--name", "bench", "--scope", "admin"];
        crewline.administer(&key).await?.trim().clone_into(&mut crewline.key);
        // Wide enough to hold nothing back: what is measured is that every claim counts what runs.
        let limit = ["limit", "set", "measured", "--queue", "default", "--concurrency", "100000"];
        crewline.administer(&limit).await?;
        let mut s3 = crewline.program("api");
        s3.args(["s3", "--listen", &crewline.s3_address.to_string(), "--dir"])
            .arg(crewline.folder.path().join("s3"));
        crewline.processes.push(crewline.launch(&mut s3, "s3")?);
        let mut api = crewline.program("api");
        api.args(["serve", "--listen", &crewline.address.to_string()]);
        let mut api = crewline.launch(&mut api, "api")?;
        ready(crewline.address, &mut api).await?;
        crewline.processes.push(api);
        Ok(crewline)
    }

    /// One of our programs, with the settings of this installation and nothing else of our environment.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.stage.programs.join(name));
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("DATABASE_URL", self.stage.servers.database_url(&self.name))
            .env("REDIS_URL", self.stage.servers.redis.url())
            .env("REDIS_NAMESPACE", &self.name)
            .env("S3_ENDPOINT", format!("http://{}", self.s3_address))
            .env("S3_PATH_STYLE", "true")
            .env("AWS_S3_BUCKET", "crewline")
            .env("AWS_ACCESS_KEY_ID", "bench")
            .env("AWS_SECRET_ACCESS_KEY", "bench-secret")
            .env("CREWLINE_SCRATCH", self.folder.path().join("scratch"))
            .env("CREWLINE_MASTER_KEY", MASTER_KEY)
            // One client is all the load there is; a tenant's share is not what is measured.
            .env("CREWLINE_REQUESTS_MAX", "1000000")
            .env("RUST_LOG", "warn");
        command
    }

    fn launch(&self, command: &mut Command, name: &str) -> anyhow::Result<Process> {
        Process::start(command, &format!("{}-{name}", self.name), &self.stage.logs)
    }

    /// Runs `api` with these arguments; what it said.
    pub(crate) async fn administer(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = tokio::process::Command::from(self.program("api"));
        let output =
            command.args(arguments).kill_on_drop(true).output().await.context("could not run api")?;
        anyhow::ensure!(
            output.status.success(),
            "api {} ended with {}: {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts `count` workers without waiting for them; `log` is what they write down.
    pub(crate) fn start_workers(&self, count: usize, log: &str) -> anyhow::Result<Vec<Worker>> {
        (0..count).map(|_| self.start_worker(log)).collect()
    }

    fn start_worker(&self, log: &str) -> anyhow::Result<Worker> {
        let name = format!("w{}", NAMES.fetch_add(1, Ordering::Relaxed));
        let address = free_address()?;
        let mut command = self.program("workers");
        command
            .args(["run", "--queues", "default", "--worker-name", &name, "--listen", &address.to_string()])
            .args(["--concurrency", &format!("default={}", self.stage.pace.slots)])
            .env("RUST_LOG", log);
        Ok(Worker { process: self.launch(&mut command, &name)?, name, address })
    }

    /// The same, all of them able to work.
    pub(crate) async fn workers(&self, count: usize, log: &str) -> anyhow::Result<Vec<Worker>> {
        let mut workers = self.start_workers(count, log)?;
        for worker in &mut workers {
            ready(worker.address, &mut worker.process).await?;
        }
        Ok(workers)
    }

    /// Processor time that the API has used, in microseconds.
    pub(crate) fn api_cpu_us(&self) -> f64 {
        self.processes.last().map(|api| cpu::of_process(api.id())).unwrap_or_default()
    }

    /// A connection of the tenant.
    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(self.address, &self.key).await
    }

    /// Enqueues `jobs` jobs that work for `work_ms`, by the thousand; every batch was answered when this returns.
    pub(crate) async fn fill(&self, jobs: u64, work_ms: u32) -> anyhow::Result<()> {
        let body = batch_of(BATCH, work_ms);
        let batches = jobs.div_ceil(BATCH);
        let run = NAMES.fetch_add(1, Ordering::Relaxed);
        try_join_all((0..FILLING).map(|connection| {
            let body = body.clone();
            async move {
                let mut client = self.connect().await?;
                for batch in (connection..batches).step_by(FILLING as usize) {
                    let key = format!("fill-{run}-{batch}");
                    client.submit("/v1/jobs/batch", &key, &body).await?;
                }
                anyhow::Ok(())
            }
        }))
        .await
        .map(drop)
    }

    /// Waits until `least` attempts have ended, as the workers count them. Asked seldom: their answer also tells depths,
    /// which costs the ledger something.
    pub(crate) async fn ended(&self, workers: &[Worker], least: u64, bound: Duration) -> anyhow::Result<()> {
        let what = format!("{least} jobs to end");
        until(&what, bound, ASKED_EVERY, || async {
            let mut ended = 0.0;
            for worker in workers {
                ended += attempts_of(worker.address).await.unwrap_or_default();
            }
            (ended >= least as f64).then_some(())
        })
        .await
    }

    /// Waits until no job is live.
    pub(crate) async fn quiet(&self, bound: Duration) -> anyhow::Result<()> {
        until("every job to end", bound, Duration::from_millis(20), || async {
            let left = self.sql.number("select count(*) from (select from job limit 1) one").await;
            left.is_ok_and(|left| left < 1.0).then_some(())
        })
        .await
    }

    /// What both sides of a comparison get: fresh statistics, and nothing left to be written.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        self.sql.run("vacuum analyze").await?;
        self.stage.servers.settle().await
    }

    /// Rows inserted, changed and deleted since the database was made, once nobody else is connected: a session tells
    /// what it counted when it ends.
    pub(crate) async fn row_writes(&mut self) -> anyhow::Result<f64> {
        self.processes.clear();
        let others = "select count(*) from pg_stat_activity
                      where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'";
        until("every session to end", START, Duration::from_millis(20), || async {
            self.sql.number(others).await.is_ok_and(|others| others < 1.0).then_some(())
        })
        .await?;
        self.sql
            .number("select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) from pg_stat_user_tables")
            .await
    }

    /// Ends all of it and gives the room back.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        self.processes.clear();
        self.stage.servers.drop_database(&self.name).await
    }
}

/// The body of a batch of no-op jobs.
pub(crate) fn batch_of(jobs: u64, work_ms: u32) -> Bytes {
    let job = job_of(work_ms);
    json!({ "jobs": (0..jobs).map(|_| &job).collect::<Vec<_>>() }).to_string().into()
}

/// A job that works so long and ends well.
pub(crate) fn job_of(work_ms: u32) -> serde_json::Value {
    json!({ "kind": "probe.work", "args": { "work_ms": work_ms } })
}

/// Attempts that ended at a worker, by its metrics.
async fn attempts_of(address: SocketAddr) -> Option<f64> {
    let mut client = Connection::open(address, "").await.ok()?;
    let (_, text) = client.get("/metrics").await.ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let counts = text.lines().filter(|line| line.starts_with("job_attempts_total"));
    Some(counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

async fn ready(address: SocketAddr, process: &mut Process) -> anyhow::Result<()> {
    let what = format!("http://{address}/readyz to answer 200");
    let waited = until(&what, START, Duration::from_millis(20), || async {
        let mut client = Connection::open(address, "").await.ok()?;
        client.get("/readyz").await.ok().filter(|(status, _)| is_success(*status)).map(drop)
    });
    waited.await.with_context(|| {
        format!(
            "{} its last words:\n{}",
            if process.runs() { "It runs;" } else { "It ended;" },
            process.last_words()
        )
    })
}
