//! A Postgres, a Redis, an S3, a tenant, and worker processes that may be treated badly.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use blob::{Blobs, Key};
use jobs::{
    AssetId, JobId, State, TenantId, UploadId,
    kinds::{media_scan::MediaScan, probe_work::ProbeWork},
};
use queue::{Ring, RingOptions};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::SecretString;
use store::{
    Db, Role,
    enqueue::{self, NewJob},
    keys, media, reads,
    testing::TestDatabase,
    uploads,
};
use tempfile::TempDir;
use testkit::{ClamdServer, RedisServer, eventually};

/// Long enough for a busy machine with two cores.
pub(crate) const SOON: Duration = Duration::from_mins(1);
/// How soon after the answer to a cancellation nothing of the work is left: no process, no file, no upload.
pub(crate) const GONE_WITHIN: Duration = Duration::from_secs(2);
/// Leases of the workers here, and how often they are looked at.
pub(crate) const LEASE_MS: u64 = 2_000;
const SWEEP_MS: u64 = 250;
/// Where nobody listens.
const NOWHERE: &str = "127.0.0.1:1";

pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) redis: RedisServer,
    /// None: the scanner is away.
    pub(crate) clamd: Option<ClamdServer>,
    pub(crate) blobs: Blobs,
    pub(crate) s3: blob::Options,
    pub(crate) api: Db,
    pub(crate) tenant: TenantId,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(TestDatabase::create().await).await
    }

    pub(crate) async fn on(database: TestDatabase) -> Self {
        // Another test of this binary may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let s3 = s3_options(&format!("http://{}", listener.local_addr().unwrap()));
        let objects = folder.path().join("s3");
        tokio::spawn(async move {
            blob::embedded::serve(listener, &objects, "key", "secret", std::future::pending()).await.unwrap();
        });
        let blobs = Blobs::connect(&s3).unwrap();
        blobs.ensure_bucket().await.unwrap();
        let tenant = keys::create_tenant(&database.db(Role::Owner).unwrap(), "acme", "Acme").await.unwrap();
        Self {
            redis: RedisServer::start().unwrap(),
            clamd: None,
            api: database.db(Role::Api).unwrap(),
            database,
            blobs,
            s3,
            tenant,
            folder,
        }
    }

    /// A world with a virus scanner.
    pub(crate) async fn scanned() -> Self {
        Self::scanned_by(ClamdServer::start().unwrap()).await
    }

    pub(crate) async fn scanned_by(clamd: ClamdServer) -> Self {
        Self { clamd: Some(clamd), ..Self::new().await }
    }

    /// Starts `workers run` with `arguments` added.
    pub(crate) fn start(&self, arguments: &[&str]) -> Worker {
        self.start_by(Command::new(env!("CARGO_BIN_EXE_workers")), arguments)
    }

    /// The same, where no file may come to more than `bytes`, in half KiB: as on a disk that has no more room than that.
    pub(crate) fn start_with_room(&self, bytes: u64, arguments: &[&str]) -> Worker {
        let mut shell = Command::new("/bin/sh");
        // Whoever ignores the signal hears that there is no room.
        shell.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &(bytes / 512).to_string()]);
        shell.arg(env!("CARGO_BIN_EXE_workers"));
        self.start_by(shell, arguments)
    }

    fn start_by(&self, mut program: Command, arguments: &[&str]) -> Worker {
        let address = testkit::free_address().unwrap();
        let process = program
            .args(["run", "--listen", &address.to_string(), "--abort-allowed", "true"])
            .args(["--lease-ms", &LEASE_MS.to_string(), "--sweep-ms", &SWEEP_MS.to_string()])
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", self.database.url())
            .env("CREWLINE_MASTER_KEY", store::testing::MASTER)
            .env("REDIS_URL", self.redis.url())
            .env("S3_ENDPOINT", self.s3.endpoint.as_deref().unwrap())
            .env("S3_PATH_STYLE", "true")
            .env("AWS_S3_BUCKET", &self.s3.bucket)
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env(
                "CREWLINE_CLAMD_ADDRESS",
                self.clamd.as_ref().map_or(NOWHERE.to_owned(), ClamdServer::address),
            )
            .env("CREWLINE_SCRATCH", self.folder.path().join("scratch"))
            .env("RUST_LOG", std::env::var("WORKERS_LOG").unwrap_or_else(|_| "error".into()))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Worker { process, address: format!("http://{address}") }
    }

    pub(crate) fn scratch(&self) -> std::path::PathBuf {
        self.folder.path().join("scratch")
    }

    pub(crate) fn ring(&self) -> Ring {
        let options = RingOptions { url: self.redis.url(), namespace: "crewline".into(), command_ms: 1_000 };
        Ring::connect(&options).unwrap()
    }

    pub(crate) async fn enqueue(&self, new: &[NewJob]) -> Vec<JobId> {
        for chunk in new.chunks(1_000) {
            let mut tx = self.api.tenant(self.tenant).await.unwrap();
            enqueue::insert(&self.api, &mut tx, self.tenant, chunk).await.unwrap();
            tx.commit().await.unwrap();
        }
        new.iter().map(|job| job.id).collect()
    }

    pub(crate) async fn probe(&self, args: ProbeWork) -> JobId {
        self.enqueue(&[NewJob::of(&args).unwrap()]).await[0]
    }

    pub(crate) async fn job(&self, job: JobId) -> reads::JobRecord {
        reads::get(&self.api, self.tenant, job).await.unwrap().expect("the job is lost")
    }

    pub(crate) async fn state(&self, job: JobId) -> State {
        self.job(job).await.state().unwrap()
    }

    pub(crate) async fn reaches(&self, job: JobId, state: State) -> reads::JobRecord {
        eventually(&format!("{job} to be {state}"), SOON, || async {
            // While a test restarts Postgres there may be no answer.
            let found = reads::get(&self.api, self.tenant, job).await.ok()?.expect("the job is lost");
            (found.state().unwrap() == state).then_some(found)
        })
        .await
    }

    /// `attempt:outcome` of every run, oldest first.
    pub(crate) async fn story(&self, job: JobId) -> String {
        let attempts = store::attempts::of_job(&self.api, self.tenant, job).await.unwrap();
        attempts.iter().map(|a| format!("{}:{}", a.attempt, a.outcome)).collect::<Vec<_>>().join(" ")
    }

    /// Waits until `count` jobs ended, and holds them against the promise: none lost, none accepted twice.
    pub(crate) async fn all_done(&self, count: i64, bound: Duration) {
        eventually(&format!("{count} jobs to end"), bound, || async {
            let live = self.database.number("select count(*) from job").await.ok()?;
            (live == 0).then_some(())
        })
        .await;
        let completed = "select count(*) from attempt where final_state = 'completed'";
        let distinct = "select count(distinct job_id) from attempt where final_state is not null";
        assert_eq!(self.database.number(completed).await.unwrap(), count, "jobs completed");
        assert_eq!(self.database.number(distinct).await.unwrap(), count, "jobs accepted once");
        // A worker that died right after its verdict was accepted leaves an empty lease to the next sweep.
        eventually("every lease to be gone", SOON, || async {
            (self.database.number("select count(*) from lease").await.unwrap() == 0).then_some(())
        })
        .await;
    }

    /// Holds what happened to every job against the model of the ledger; answers what it saw.
    pub(crate) async fn replays(&self) -> model::Replayed {
        let trace = self.database.trace().await.unwrap();
        model::replay(&trace).unwrap()
    }

    /// Stores `bytes` as an original that was verified, and scanned some time ago.
    pub(crate) async fn asset(&self, bytes: Vec<u8>) -> AssetId {
        let asset = AssetId::new();
        self.verify(asset, bytes, &[]).await;
        let clean = "update asset set state = 'clean', scanned_at = now() where id";
        self.database.execute(&format!("{clean} = '{}'", asset.as_uuid())).await.unwrap();
        asset
    }

    /// Stores `bytes` as a verified original, as the intake would; answers the job that scans it too.
    pub(crate) async fn uploaded(&self, bytes: Vec<u8>) -> (AssetId, JobId) {
        let asset = AssetId::new();
        let scan = NewJob::of(&MediaScan { asset }).unwrap();
        self.verify(asset, bytes, std::slice::from_ref(&scan)).await;
        (asset, scan.id)
    }

    async fn verify(&self, asset: AssetId, bytes: Vec<u8>, next: &[NewJob]) {
        let upload = UploadId::new();
        let media_type = if bytes.get(4..8) == Some(b"ftyp") { "video/mp4" } else { "image/jpeg" };
        let staged = Key::upload(&self.tenant.to_string(), &upload.to_string()).unwrap();
        self.blobs.put(&staged, bytes.into(), media_type, "no-store").await.unwrap();
        let (sha256, size) = self.blobs.sha256(&staged, u64::MAX).await.unwrap();
        let key = Key::original(&self.tenant.to_string(), &sha256).unwrap();
        self.blobs.copy(&staged, &key).await.unwrap();
        let new = uploads::NewUpload {
            id: upload,
            filename: None,
            content_type: media_type.into(),
            bytes: size,
            sha256: None,
            object_key: staged.to_string(),
            multipart_id: None,
            part_bytes: None,
            expires_at: chrono::Utc::now() + chrono::Duration::hours(1),
        };
        uploads::create_upload(&self.api, self.tenant, &new).await.unwrap();
        let new = media::NewAsset {
            id: asset,
            sha256,
            bytes: size,
            media_type,
            filename: None,
            object_key: key.to_string(),
        };
        assert!(uploads::complete_upload(&self.api, self.tenant, upload, &new, next).await.unwrap());
    }
}

fn s3_options(endpoint: &str) -> blob::Options {
    blob::Options {
        endpoint: Some(endpoint.to_owned()),
        region: "us-east-1".into(),
        bucket: "crewline".into(),
        access_key: SecretString::from("key"),
        secret_key: SecretString::from("secret"),
        path_style: true,
        public_endpoint: None,
        connect_timeout_s: 2,
        attempt_timeout_s: 10,
        operation_timeout_s: 20,
        idle_timeout_s: 10,
        attempts_max: 3,
        part_bytes: 16 * 1024 * 1024,
    }
}

/// A worker process. Killed with the value.
pub(crate) struct Worker {
    process: Child,
    pub(crate) address: String,
}

impl Worker {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// The exit code; none when a signal ended it.
    pub(crate) async fn exits(&mut self) -> Option<i32> {
        let process = std::cell::RefCell::new(&mut self.process);
        let look = || async { process.borrow_mut().try_wait().unwrap() };
        eventually("the worker to exit", SOON, look).await.code()
    }

    pub(crate) fn is_dead(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        stat.is_ok_and(|stat| stat.contains(") Z "))
    }

    /// The processes it started and that still run.
    pub(crate) fn children(&self) -> Vec<i32> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let of_thread = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children"));
        let listed: Vec<String> = threads.filter_map(|thread| of_thread(thread.ok()?).ok()).collect();
        listed.iter().flat_map(|pids| pids.split_whitespace()).map(|pid| pid.parse().unwrap()).collect()
    }

    /// The most memory it had at once since [`Self::forget_peak`].
    pub(crate) fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1_024
    }

    pub(crate) fn forget_peak(&self) {
        // See proc(5), clear_refs: five stands for the peak.
        std::fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5").unwrap();
    }

    pub(crate) async fn ready(&self) {
        let look = || async {
            let answer = reqwest::get(format!("{}/readyz", self.address)).await.ok()?;
            answer.status().is_success().then_some(())
        };
        eventually("the worker to be ready", SOON, look).await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn probes(count: usize, args: &ProbeWork) -> Vec<NewJob> {
    (0..count).map(|_| NewJob::of(args).unwrap()).collect()
}

pub(crate) fn working(work_ms: u32) -> ProbeWork {
    ProbeWork { work_ms, ..ProbeWork::default() }
}

pub(crate) fn photo(name: &str) -> Vec<u8> {
    let path = format!("/usr/share/backgrounds/mate/nature/{name}");
    std::fs::read(path).expect("the Debian package mate-backgrounds is not installed; ./dev test installs it")
}

/// So many seconds of moving shapes and a tone.
pub(crate) fn film(size: &str, seconds: u32) -> Vec<u8> {
    film_of(&format!(
        "-f lavfi -i testsrc2=s={size}:r=25:d={seconds} -f lavfi -i sine=d={seconds} -pix_fmt yuv420p -c:v libx264 \
         -preset ultrafast -c:a aac -metadata location=+52.5+013.4/"
    ))
}

/// A film that `ffmpeg` makes when it is told so.
pub(crate) fn film_of(arguments: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let told = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin"])
        .args(arguments.split_whitespace())
        .arg(&path)
        .output()
        .expect("ffmpeg is not installed; ./dev test installs it");
    assert!(told.status.success(), "{told:?}");
    std::fs::read(path).unwrap()
}
