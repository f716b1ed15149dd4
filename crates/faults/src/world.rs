//! A world: servers of its own from their real programs, the API and workers as processes, and clients over HTTP.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::Command,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use jobs::TenantId;
use store::testing::TestDatabase;
use tempfile::TempDir;
use testkit::{ClamdServer, PostgresServer, Proxy, RedisServer, free_address};
use tokio::net::TcpStream;

use crate::{
    client::Client,
    figure::Figure,
    history, ledger,
    load::Book,
    process::{self, Process},
    stage::{Stage, until},
    tally,
};

/// Long enough for a program to start on a busy machine.
pub(crate) const START: Duration = Duration::from_mins(1);

/// Pictures are scanned like any, and need not wait for it: what a row does to them must not depend on who was first.
const SCANNED_BEFORE: &str =
    "alter table asset alter column state set default 'clean', alter column scanned_at set default now()";

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

/// What a row may want otherwise.
pub(crate) struct Scene {
    /// The doorbell.
    pub(crate) redis: RedisServer,
    /// How long leases last.
    pub(crate) lease: Duration,
    /// How often they are looked at.
    pub(crate) sweep: Duration,
    /// Whether everybody reaches Postgres through a proxy.
    pub(crate) way_to_postgres: bool,
}

impl Scene {
    /// As usual.
    pub(crate) fn of(stage: &Stage) -> anyhow::Result<Self> {
        Ok(Self {
            redis: RedisServer::start()?,
            lease: stage.pace.lease(),
            sweep: stage.pace.sweep(),
            way_to_postgres: false,
        })
    }
}

/// What one row plays with. Everything ends with it.
pub(crate) struct World {
    api: Option<Process>,
    s3: Option<Process>,
    /// The ledger.
    pub(crate) database: Arc<TestDatabase>,
    /// What lies before the ledger's server, if the row asked for it: everybody goes this way.
    pub(crate) way_to_postgres: Option<Proxy>,
    /// Its server.
    pub(crate) postgres: PostgresServer,
    standbys: Mutex<Vec<PostgresServer>>,
    /// The doorbell.
    pub(crate) redis: RedisServer,
    clamd: ClamdServer,
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
        Self::set(stage, Scene::of(stage)?).await
    }

    /// A world as the row wants it.
    pub(crate) async fn set(stage: &Stage, scene: Scene) -> anyhow::Result<Self> {
        let postgres = tokio::task::block_in_place(PostgresServer::start)?;
        let (mut admin_url, mut way) = (postgres.url(), None);
        if scene.way_to_postgres {
            let proxy = Proxy::before(SocketAddr::from(([127, 0, 0, 1], postgres.port()))).await?;
            admin_url = admin_url
                .replace(&format!(":{}/", postgres.port()), &format!(":{}/", proxy.address().port()));
            way = Some(proxy);
        }
        let database = Arc::new(TestDatabase::create_at(admin_url).await);
        let folder = tempfile::Builder::new().prefix("crewline-world-").tempdir()?;
        let (api_address, s3_address) = (free_address()?, free_address()?);
        let route =
            Route { database: database.url(), redis: scene.redis.url(), s3: format!("http://{s3_address}") };
        let mut world = Self {
            api: None,
            s3: None,
            database,
            way_to_postgres: way,
            postgres,
            standbys: Mutex::default(),
            redis: scene.redis,
            clamd: tokio::task::block_in_place(ClamdServer::start)?,
            route,
            api_address,
            s3_address,
            folder,
            programs: stage.programs.clone(),
            logs: stage.logs_of_a_world()?,
            lease: scene.lease,
            sweep: scene.sweep,
            names: AtomicU32::new(0),
            groups: Mutex::default(),
            killed: Mutex::default(),
        };
        world.start_s3().await?;
        world.start_api().await?;
        world.database.execute(SCANNED_BEFORE).await?;
        Ok(world)
    }

    /// A number that nothing else of this world has.
    pub(crate) fn next(&self) -> u32 {
        self.names.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Starts the API, or starts it again.
    pub(crate) async fn start_api(&mut self) -> anyhow::Result<()> {
        self.api = Some(self.another_api(self.api_address)?);
        answers(self.api_address, "/readyz").await
    }

    /// `kill -9` of the API.
    pub(crate) fn kill_api(&mut self) {
        self.api = None;
    }

    /// One more process of the API.
    pub(crate) fn another_api(&self, address: SocketAddr) -> anyhow::Result<Process> {
        let mut command = Command::new(self.programs.join("api"));
        command.args(["serve", "--listen", &address.to_string()]);
        let name = format!("api-{}", self.next());
        self.launch(&mut command, &name)
    }

    /// Starts S3, or starts it again: its objects are on disk.
    pub(crate) async fn start_s3(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(self.programs.join("api"));
        command.args(["s3", "--listen", &self.s3_address.to_string(), "--dir"]).arg(self.objects());
        self.s3 = Some(self.launch(&mut command, "s3")?);
        let what = format!("something to listen on {}", self.s3_address);
        until(&what, START, || async { TcpStream::connect(self.s3_address).await.ok().map(drop) }).await
    }

    /// `kill -9` of S3.
    pub(crate) fn kill_s3(&mut self) {
        self.s3 = None;
    }

    /// Starts a program of ours on this world's servers, with nothing else of our environment.
    pub(crate) fn launch(&self, command: &mut Command, name: &str) -> anyhow::Result<Process> {
        let kept: Vec<_> =
            command.get_envs().map(|(key, value)| (key.to_owned(), value.map(ToOwned::to_owned))).collect();
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("DATABASE_URL", &self.route.database)
            .env("REDIS_URL", &self.route.redis)
            .env("S3_ENDPOINT", &self.route.s3)
            .env("S3_PATH_STYLE", "true")
            .env("AWS_S3_BUCKET", "crewline")
            .env("AWS_ACCESS_KEY_ID", "faults")
            .env("AWS_SECRET_ACCESS_KEY", "faults-secret")
            .env("CREWLINE_CLAMD_ADDRESS", self.clamd.address())
            .env("CREWLINE_SCRATCH", self.scratch())
            .env("CREWLINE_REQUESTS_MAX", "1000000")
            .env("LOG_FORMAT", "pretty")
            .env("RUST_LOG", "warn")
            .envs(kept.into_iter().filter_map(|(key, value)| Some((key, value?))));
        let process = Process::start(command, name, &self.logs)?;
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).push(process.id());
        Ok(process)
    }

    /// Keeps a standby that has taken over for as long as there is this world.
    pub(crate) fn keep(&self, standby: PostgresServer) {
        self.standbys.lock().unwrap_or_else(PoisonError::into_inner).push(standby);
    }

    /// Where the programs lie.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Notes that a worker is being killed at this moment.
    pub(crate) fn note_killed(&self, name: &str) {
        self.killed.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), Utc::now()));
    }

    /// The folder in which S3 keeps its objects.
    pub(crate) fn objects(&self) -> PathBuf {
        self.folder.path().join("s3")
    }

    /// The folder in which workers keep files while a job works.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch")
    }

    /// A tenant of its own, by the program that operators use; answers a client that may do everything.
    pub(crate) async fn tenant(&self, slug: &str) -> anyhow::Result<Client> {
        self.administer(&["tenant", "create", slug]).await?;
        let key = self
            .administer(&["key", "create", "--tenant", slug, "--name", "faults", "--scope", "admin"])
            .await?;
        Client::new(&format!("http://{}", self.api_address), key.trim().to_owned())
    }

    /// The id of a tenant.
    pub(crate) async fn tenant_id(&self, slug: &str) -> anyhow::Result<TenantId> {
        let id = self.database.json(&format!("select to_json(id) from tenant where slug = '{slug}'")).await?;
        let hex = id.as_str().unwrap_or_default().replace('-', "");
        Ok(format!("{}_{hex}", TenantId::PREFIX).parse()?)
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

    /// Waits until no job is live, and lets the time of those that wait for theirs come at once.
    pub(crate) async fn hurry(&self, bound: Duration) -> anyhow::Result<()> {
        until("every job to end", bound, || async {
            self.database.execute("update job set scheduled_at = now() where pos is null").await.ok()?;
            self.number("select count(*) from job").await.ok().filter(|live| *live == 0).map(drop)
        })
        .await
    }

    /// Waits until everything ended, and holds it against what was promised. These figures every row has: nothing lost,
    /// nothing accepted twice, no two runs of a job at once, no lease left over, nothing that the model does not allow.
    pub(crate) async fn audit(&self, book: &Book, bound: Duration) -> anyhow::Result<Vec<Figure>> {
        let mut figures = self.audit_of(book, bound, "true").await?;
        figures.push(Figure::none("runs miscounted", self.number(ledger::MISCOUNTED).await?));
        figures.extend(history::figures(&self.database, 0).await?);
        Ok(figures)
    }

    /// The part of an audit that needs no whole history, of the jobs whose final rows are `which`.
    pub(crate) async fn audit_of(
        &self,
        book: &Book,
        bound: Duration,
        which: &str,
    ) -> anyhow::Result<Vec<Figure>> {
        let waited = self.quiet(bound).await;
        let left = self.number("select count(*) from job").await?;
        let tally = tally::count(&book.promised(), &ledger::ended(&self.database, which).await?);
        if left == 0 {
            waited?;
            self.leases_gone().await?;
        }
        Ok(vec![
            Figure::tell("accepted", tally.accepted),
            Figure::none("lost", tally.lost),
            Figure::none("accepted twice", tally.doubled + self.number(ledger::SECOND_VERDICTS).await?),
            Figure::none("runs that overlap", self.number(ledger::OVERLAPS).await?),
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

    /// How often leases that ran out are looked for.
    pub(crate) fn sweep(&self) -> Duration {
        self.sweep
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for group in self.groups.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            process::end_group(group);
        }
    }
}

/// Waits for a 200.
pub(crate) async fn answers(address: SocketAddr, path: &str) -> anyhow::Result<()> {
    let what = format!("http://{address}{path} to answer 200");
    until(&what, START, || async { (status(address, path).await == Some(200)).then_some(()) }).await
}

/// What a program answers to a GET, if it does.
pub(crate) async fn status(address: SocketAddr, path: &str) -> Option<u16> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().ok()?;
    Some(client.get(format!("http://{address}{path}")).send().await.ok()?.status().as_u16())
}
