//! A world: servers of its own from their real programs, the API and workers as processes, and clients over HTTP.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use rustix::process::Signal;
use store::testing::TestDatabase;
use tempfile::TempDir;
use testkit::{PostgresServer, RedisServer};

use crate::{
    client::Client,
    figure::Figure,
    ledger,
    load::Book,
    process::{self, Process},
    stage::{Stage, until},
    tally,
};

/// Long enough for a program to start on a busy machine.
pub(crate) const START: Duration = Duration::from_secs(60);
const KEY: &str = "faults";
const SECRET: &str = "faults-secret";

/// Where the programs find their servers. A row that puts a proxy in between changes it before it starts them.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// Address of the ledger.
    pub(crate) database: String,
    /// Address of Redis.
    pub(crate) redis: String,
    /// Address of S3.
    pub(crate) s3: String,
}

/// What one row plays with. Everything ends with it.
pub(crate) struct World {
    /// `api serve`.
    pub(crate) api: Process,
    /// `api s3`.
    pub(crate) s3: Process,
    /// The ledger.
    pub(crate) database: TestDatabase,
    /// Its server.
    pub(crate) postgres: PostgresServer,
    /// The doorbell.
    pub(crate) redis: RedisServer,
    /// Where programs that start from now on find the servers.
    pub(crate) route: Route,
    /// Where the API answers.
    pub(crate) api_address: SocketAddr,
    /// Where S3 answers.
    pub(crate) s3_address: SocketAddr,
    folder: TempDir,
    programs: PathBuf,
    logs: PathBuf,
    lease: Duration,
    sweep: Duration,
    names: AtomicU32,
    groups: Mutex<Vec<u32>>,
    killed: Mutex<Vec<(String, DateTime<Utc>)>>,
}

impl World {
    /// A world with leases of the row's pace.
    pub(crate) async fn open(stage: &Stage) -> anyhow::Result<Self> {
        Self::open_with(stage, RedisServer::start()?, stage.pace.lease(), stage.pace.sweep()).await
    }

    /// A world with its own idea of leases, and of Redis.
    pub(crate) async fn open_with(
        stage: &Stage,
        redis: RedisServer,
        lease: Duration,
        sweep: Duration,
    ) -> anyhow::Result<Self> {
        let postgres = tokio::task::block_in_place(PostgresServer::start)?;
        let database = TestDatabase::create_at(postgres.url()).await;
        let folder = tempfile::Builder::new().prefix("crewline-world-").tempdir()?;
        let (api_address, s3_address) = (free_address()?, free_address()?);
        let route =
            Route { database: database.url(), redis: redis.url(), s3: format!("http://{s3_address}") };
        let program = |name: &str| stage.programs.join(name);
        let mut s3 = Command::new(program("api"));
        s3.args(["s3", "--listen", &s3_address.to_string(), "--dir"]).arg(folder.path().join("s3"));
        let s3 = Process::start(environment(&mut s3, &route), "s3", &stage.logs)?;
        listens(s3_address).await?;
        let api = serve(&stage.programs, &route, api_address, "api", &stage.logs)?;
        let world = Self {
            api,
            s3,
            database,
            postgres,
            redis,
            route,
            api_address,
            s3_address,
            folder,
            programs: stage.programs.clone(),
            logs: stage.logs.clone(),
            lease,
            sweep,
            names: AtomicU32::new(0),
            groups: Mutex::default(),
            killed: Mutex::default(),
        };
        world.note_group(&world.api);
        answers(world.api_address, "/readyz").await?;
        Ok(world)
    }

    fn note_group(&self, process: &Process) {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).push(process.id());
    }

    /// The number after this one.
    fn next(&self) -> u32 {
        self.names.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Starts the API again, after it was killed.
    pub(crate) async fn restart_api(&mut self) -> anyhow::Result<()> {
        self.api = self.another_api(self.api_address)?;
        answers(self.api_address, "/readyz").await
    }

    /// One more process of the API.
    pub(crate) fn another_api(&self, address: SocketAddr) -> anyhow::Result<Process> {
        let name = format!("api-{}", self.next());
        let api = serve(&self.programs, &self.route, address, &name, &self.logs)?;
        self.note_group(&api);
        Ok(api)
    }

    /// Starts S3 again, after it was killed. Its objects are on disk.
    pub(crate) async fn restart_s3(&mut self) -> anyhow::Result<()> {
        let mut s3 = Command::new(self.programs.join("api"));
        s3.args(["s3", "--listen", &self.s3_address.to_string(), "--dir"]).arg(self.objects());
        self.s3 = Process::start(environment(&mut s3, &self.route), "s3", &self.logs)?;
        listens(self.s3_address).await
    }

    /// The folder in which S3 keeps its objects.
    pub(crate) fn objects(&self) -> PathBuf {
        self.folder.path().join("s3")
    }

    /// The folder in which workers keep files while a job works.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch")
    }

    /// Starts `workers run` with `arguments` added.
    pub(crate) fn worker(&self, arguments: &[&str]) -> anyhow::Result<Worker> {
        self.worker_under(&[], &[], arguments)
    }

    /// The same, started by another program (such as `prlimit`), with more environment.
    pub(crate) fn worker_under(
        &self,
        wrapper: &[&str],
        environs: &[(&str, &str)],
        arguments: &[&str],
    ) -> anyhow::Result<Worker> {
        self.worker_called(&format!("w{}", self.next()), wrapper, environs, arguments)
    }

    /// The same, under a name that it may have had before.
    pub(crate) fn worker_called(
        &self,
        name: &str,
        wrapper: &[&str],
        environs: &[(&str, &str)],
        arguments: &[&str],
    ) -> anyhow::Result<Worker> {
        let address = free_address()?;
        let program = self.programs.join("workers");
        let mut command = match wrapper {
            [] => Command::new(&program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(&program);
                command
            }
        };
        command
            .args(["run", "--worker-name", name, "--listen", &address.to_string()])
            .args(["--lease-ms", &self.lease.as_millis().to_string()])
            .args(["--sweep-ms", &self.sweep.as_millis().to_string()])
            .args(["--abort-allowed", "true", "--database-connections-max", "10"])
            .args(arguments);
        environment(&mut command, &self.route)
            .env("CREWLINE_SCRATCH", self.scratch())
            .envs(environs.iter().copied());
        let process = Process::start(&mut command, name, &self.logs)?;
        self.note_group(&process);
        Ok(Worker { process, address })
    }

    /// `kill -9` of a worker, with a note of when. What it started lives on.
    pub(crate) fn kill(&self, worker: Worker) {
        let mut worker = worker;
        self.killed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((worker.process.name.clone(), Utc::now()));
        worker.process.kill();
        // Ended without its group: a quarantine process outlives its parent until its jobs are done.
        std::mem::forget(worker);
    }

    /// A tenant of its own, by the program that operators use; answers a client that may do everything.
    pub(crate) async fn tenant(&self, slug: &str) -> anyhow::Result<Client> {
        self.administer(&["tenant", "create", slug]).await?;
        let key = self
            .administer(&["key", "create", "--tenant", slug, "--name", "faults", "--scope", "admin"])
            .await?;
        Client::new(&format!("http://{}", self.api_address), key.trim().to_owned())
    }

    async fn administer(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = tokio::process::Command::new(self.programs.join("api"));
        let output = command
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", self.database.url())
            .output()
            .await
            .context("could not run api")?;
        anyhow::ensure!(
            output.status.success(),
            "api {} ended with {}: {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A count that the ledger answers.
    pub(crate) async fn number(&self, sql: &str) -> anyhow::Result<usize> {
        ledger::number(&self.database, sql).await
    }

    /// Waits until a count reaches `least`. While Postgres is away there is no count.
    pub(crate) async fn reaches(
        &self,
        what: &str,
        sql: &str,
        least: usize,
        bound: Duration,
    ) -> anyhow::Result<()> {
        until(what, bound, || async { self.number(sql).await.ok().filter(|n| *n >= least).map(drop) }).await
    }

    /// Waits until no job is live.
    pub(crate) async fn quiet(&self, bound: Duration) -> anyhow::Result<()> {
        until("every job to end", bound, || async {
            self.number("select count(*) from job").await.ok().filter(|live| *live == 0).map(drop)
        })
        .await
    }

    /// Waits until everything ended, and holds it against what was promised. These figures every row has: nothing lost,
    /// nothing accepted twice, no two runs of a job at once, no lease left over.
    pub(crate) async fn audit(&self, book: &Book, bound: Duration) -> anyhow::Result<Vec<Figure>> {
        let waited = self.quiet(bound).await;
        let left = self.number("select count(*) from job").await?;
        let tally = tally::count(&book.promised(), &ledger::ended(&self.database).await?);
        if left == 0 {
            waited?;
            self.leases_gone().await?;
        }
        Ok(vec![
            Figure::tell("accepted", tally.accepted),
            Figure::none("lost", tally.lost),
            Figure::none("accepted twice", tally.doubled + self.number(ledger::SECOND_VERDICTS).await?),
            Figure::none("runs that overlap", self.number(ledger::OVERLAPS).await?),
            Figure::none("runs miscounted", self.number(ledger::MISCOUNTED).await?),
        ])
    }

    /// An empty lease of a worker that died after its verdict goes with a sweep.
    async fn leases_gone(&self) -> anyhow::Result<()> {
        let bound = self.lease + self.sweep * 3 + Duration::from_secs(10);
        until("every lease to be gone", bound, || async {
            self.number("select count(*) from lease").await.ok().filter(|left| *left == 0).map(drop)
        })
        .await
    }

    /// How long jobs of killed workers took to run again, from the kill.
    pub(crate) async fn reruns(&self) -> anyhow::Result<Vec<Duration>> {
        let reruns = ledger::reruns(&self.database).await?;
        let killed = self.killed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let delays = reruns.iter().filter_map(|rerun| {
            let (_, died) = killed.iter().find(|(name, _)| *name == rerun.worker)?;
            Some((rerun.at - *died).to_std().unwrap_or_default())
        });
        Ok(delays.collect())
    }

    /// A lease, a sweep and a second: when a dead worker's job has to run again.
    pub(crate) fn rerun_max(&self) -> Duration {
        self.lease + self.sweep + Duration::from_secs(1)
    }

    /// How long a lease lasts here.
    pub(crate) fn lease(&self) -> Duration {
        self.lease
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for group in self.groups.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            process::end_group(group);
        }
    }
}

/// A process that works.
pub(crate) struct Worker {
    /// The process.
    pub(crate) process: Process,
    address: SocketAddr,
}

impl Worker {
    /// Waits until it says that it can work.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        answers(self.address, "/readyz").await
    }

    /// Whether it says now that it can work.
    pub(crate) async fn is_ready(&self) -> bool {
        status(self.address, "/readyz").await == Some(200)
    }

    /// A number from its metrics.
    pub(crate) async fn metric(&self, start: &str) -> Option<f64> {
        let text = reqwest::get(format!("http://{}/metrics", self.address)).await.ok()?.text().await.ok()?;
        text.lines().find(|line| line.starts_with(start))?.rsplit(' ').next()?.parse().ok()
    }

    /// SIGSTOP: it holds what it holds, and does nothing.
    pub(crate) fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }
}

/// What both programs read, and nothing else of our environment.
fn environment<'a>(command: &'a mut Command, route: &Route) -> &'a mut Command {
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("DATABASE_URL", &route.database)
        .env("REDIS_URL", &route.redis)
        .env("S3_ENDPOINT", &route.s3)
        .env("S3_PATH_STYLE", "true")
        .env("AWS_S3_BUCKET", "crewline")
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("CREWLINE_REQUESTS_MAX", "1000000")
        .env("LOG_FORMAT", "pretty")
        .env("RUST_LOG", "warn")
}

fn serve(
    programs: &std::path::Path,
    route: &Route,
    address: SocketAddr,
    name: &str,
    logs: &std::path::Path,
) -> anyhow::Result<Process> {
    let mut command = Command::new(programs.join("api"));
    command.args(["serve", "--listen", &address.to_string()]);
    Process::start(environment(&mut command, route), name, logs)
}

/// A free port of the loopback. Given back at once; until it is used nobody else takes it in practice.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

async fn listens(address: SocketAddr) -> anyhow::Result<()> {
    until(&format!("something to listen on {address}"), START, || async {
        tokio::net::TcpStream::connect(address).await.ok().map(drop)
    })
    .await
}

/// Waits for a 200.
pub(crate) async fn answers(address: SocketAddr, path: &str) -> anyhow::Result<()> {
    let what = format!("http://{address}{path} to answer 200");
    until(&what, START, || async { (status(address, path).await == Some(200)).then_some(()) }).await
}

async fn status(address: SocketAddr, path: &str) -> Option<u16> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().ok()?;
    Some(client.get(format!("http://{address}{path}")).send().await.ok()?.status().as_u16())
}
