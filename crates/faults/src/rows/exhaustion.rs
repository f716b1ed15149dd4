//! F27: a worker without memory, without room on its disk, and without file descriptors, beside another tenant's work.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde_json::{Value, json};

use super::Ended;
use crate::{
    client::Client,
    figure::{Figure, percentile},
    ledger,
    load::{self, Load, working},
    picture,
    stage::Stage,
    worker::{How, Worker},
    world::World,
};

const SLOTS: [&str; 4] = ["--queues", "default,media", "--concurrency", "default=16,media=3"];
/// Makes a result of ten megabytes, twice, which is refused; that needs more memory than there is.
const HOG_BYTES: u32 = 10_000_000;
/// What a worker under a limit may have beyond what one has that works well.
const MEMORY_LEFT_BYTES: u64 = 8 * 1024 * 1024;
const FILES_LEFT: usize = 6;
/// A picture of so many pixels of noise has seven megabytes.
const SIDE_PX: u32 = 1_500;
const SMALL_DISK: &str = "3m";
const LARGE_DISK: &str = "512m";
/// Large enough to need more than the least that decoders may be given.
const SIDE_LARGE_PX: u32 = 8_000;
/// The longest that another tenant may have to wait.
const DELAY_MAX: Duration = Duration::from_secs(30);
const CRASHES_MAX: usize = jobs::limits::CRASHES_MAX as usize;

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let mut figures = Vec::new();
    let of = |name: &'static str| move |figure: Figure| figure.of(name);
    figures.extend(decoder(stage).await?.into_iter().map(of("decoder without memory")));
    figures.extend(memory(stage).await?.into_iter().map(of("worker without memory")));
    figures.extend(files(stage).await?.into_iter().map(of("no file descriptors")));
    figures.extend(disk(stage).await?.into_iter().map(of("disk full")));
    Ok(Ended::Seen(figures))
}

/// Two tenants; the second one has done nothing to deserve this.
struct Scene {
    world: World,
    client: Client,
    beside: load::Running,
}

impl Scene {
    async fn set(stage: &Stage) -> anyhow::Result<Self> {
        let world = World::open(stage).await?;
        let client = world.tenant("acme").await?;
        let other = world.tenant("other").await?;
        let beside = Load { per_s: 10.0, body: |_| working(50) }.begin(&other);
        Ok(Self { world, client, beside })
    }

    async fn submit(&self, body: Value) -> anyhow::Result<()> {
        let told = load::submit(&self.client, &self.beside.book, body).await;
        anyhow::ensure!(told.job().is_some(), "a job was not accepted: {told:?}");
        Ok(())
    }

    /// What became of both, when everything has ended.
    async fn end(self) -> anyhow::Result<(World, Vec<Figure>)> {
        let Self { world, beside, .. } = self;
        let book = beside.end().await;
        world.hurry(Duration::from_mins(3)).await?;
        let mut figures = world.audit(&book, Duration::from_mins(3)).await?;
        let of_others = "a.tenant_id = (select id from tenant where slug = 'other')";
        let given_up =
            format!("select count(*) from attempt a where final_state <> 'completed' and {of_others}");
        let mut waits = ledger::waits(&world.database, of_others).await?;
        figures.extend([
            Figure::none("another tenant's jobs given up", world.number(&given_up).await?),
            Figure::within("another tenant waited at most", percentile(&mut waits, 1.0), DELAY_MAX),
        ]);
        Ok((world, figures))
    }
}

/// How often history has an outcome with a word.
async fn ended_as(world: &World, outcome: &str, codes: &str) -> anyhow::Result<usize> {
    let sql =
        format!("select count(*) from attempt where outcome = '{outcome}' and error ->> 'code' in ({codes})");
    world.number(&sql).await
}

/// Pictures that need more memory than their decoder may use. The worker does not notice.
async fn decoder(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let pictures = stage.pace.pick(1, 4, 60);
    stage.say(&format!("{pictures} pictures that are too much for their decoder"));
    let scene = Scene::set(stage).await?;
    let mut arguments = SLOTS.to_vec();
    arguments.extend(["--media-memory-mib", "256"]);
    let mut workers = scene.world.workers(1, &arguments).await?;
    for _ in 0..pictures {
        let asset = picture::asset(&scene.client, picture::plain_png(SIDE_LARGE_PX)?).await?;
        let mut job = picture::job(&asset);
        job["max_attempts"] = json!(2);
        scene.submit(job).await?;
    }
    let (world, mut figures) = scene.end().await?;
    figures.extend([
        Figure::be(
            "given up for it",
            ended_as(&world, "discarded", "'decoder_crashed', 'out_of_budget'").await?,
            pictures,
        ),
        Figure::none("workers that died of it", usize::from(workers[0].process.ended().is_some())),
    ]);
    Ok(figures)
}

/// Jobs for which the whole worker has not enough memory. It dies of it, and is started again by its supervisor.
async fn memory(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let hogs = stage.pace.pick(1, 3, 30);
    stage.say(&format!("{hogs} jobs that are too much for their worker"));
    let scene = Scene::set(stage).await?;
    // Or the allocator would have set room aside before it is counted.
    let environment = [("MIMALLOC_DISALLOW_ARENA_ALLOC", "1")];
    let usual = How { environment: &environment, arguments: &SLOTS, ..How::default() };
    let worker = scene.world.worker_as(&usual)?;
    worker.ready().await?;
    let limit = format!("--data={}", memory_bytes(&worker)? + MEMORY_LEFT_BYTES);
    drop(worker);
    let how = How { under: &["prlimit", "--core=0", &limit], ..usual };
    let mut worker = scene.world.worker_as(&how)?;
    let mut deaths = 0;
    for _ in 0..hogs {
        let hog = json!({ "kind": "probe.work", "args": { "work_ms": 100, "result_bytes": HOG_BYTES }, "max_attempts": 20, "tags": ["hog"] });
        scene.submit(hog).await?;
    }
    let over = format!(
        "select (count(*) >= {hogs})::int::bigint from attempt where 'hog' = any (tags) and final_state is not null"
    );
    let give_up = Instant::now() + stage.pace.seconds(60, 240, 1_200);
    while scene.world.number(&over).await? == 0 {
        if worker.process.ended().is_some() {
            deaths += 1;
            worker = scene.world.worker_as(&how)?;
        }
        anyhow::ensure!(Instant::now() < give_up, "it goes on: {deaths} workers died");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (world, mut figures) = scene.end().await?;
    figures.extend([
        Figure::at_least("workers that died of it", deaths, 1),
        Figure::be("given up for it", ended_as(&world, "discarded", "'worker_lost'").await?, hogs),
        Figure::be("runs of them", world.number(&runs_of_hogs()).await?, hogs * CRASHES_MAX),
    ]);
    Ok(figures)
}

fn runs_of_hogs() -> String {
    "select count(*) from attempt where started_at is not null and job_id in (select job_id from attempt where 'hog' = any (tags))".to_owned()
}

/// What a worker has taken that counts against the limit.
fn memory_bytes(worker: &Worker) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", worker.process.id()))?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmData:")).context("a process has a size")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1_024)
}

/// Pictures by a worker that can hardly open another file, and then by one that can.
async fn files(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let pictures = stage.pace.pick(4, 20, 200);
    stage.say(&format!("{pictures} pictures without file descriptors"));
    let scene = Scene::set(stage).await?;
    let usual = scene.world.workers(1, &SLOTS).await?;
    let open = std::fs::read_dir(format!("/proc/{}/fd", usual[0].process.id()))?.count();
    drop(usual);
    let limit = format!("--nofile={}", open + FILES_LEFT);
    let how = How { under: &["prlimit", &limit], arguments: &SLOTS, ..How::default() };
    let mut worker = scene.world.worker_as(&how)?;
    for _ in 0..pictures {
        let asset = picture::asset(&scene.client, picture::png(400)?).await?;
        scene.submit(picture::job(&asset)).await?;
    }
    tokio::time::sleep(stage.pace.seconds(2, 10, 60)).await;
    let has_died = worker.process.ended().is_some();
    let without = scene.world.number("select count(*) from attempt where outcome = 'retried'").await?;
    let _rescuer = scene.world.workers(1, &SLOTS).await?;
    let client = scene.client.clone();
    let (world, mut figures) = scene.end().await?;
    let verified = picture::verify(&world, &client).await?;
    figures.extend([
        Figure::tell("runs that failed without files", without),
        Figure::none("workers that died of it", usize::from(has_died)),
        Figure::none(
            "jobs given up",
            world.number("select count(*) from attempt where final_state <> 'completed'").await?,
        ),
        Figure::none("pictures missing or damaged", verified.wrong + verified.empty),
    ]);
    Ok(figures)
}

/// A small disk of its own. Goes with the value.
struct Disk(PathBuf);

impl Disk {
    /// None when this user may not.
    fn mount(at: &Path) -> anyhow::Result<Option<Self>> {
        std::fs::create_dir_all(at)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={SMALL_DISK}"), "tmpfs"])
            .arg(at)
            .output()
            .is_ok_and(|told| told.status.success());
        Ok(mounted.then(|| Self(at.to_path_buf())))
    }

    fn enlarge(&self) -> anyhow::Result<()> {
        let size = format!("remount,size={LARGE_DISK}");
        let told = Command::new("mount").args(["-o", &size]).arg(&self.0).output()?;
        anyhow::ensure!(
            told.status.success(),
            "the disk stayed small: {}",
            String::from_utf8_lossy(&told.stderr)
        );
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

/// Pictures that do not fit on the disk, until it is larger.
async fn disk(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let pictures = stage.pace.pick(2, 6, 60);
    let scene = Scene::set(stage).await?;
    let Some(disk) = Disk::mount(&scene.world.scratch())? else {
        stage.say("only root may mount a small disk: not shown");
        return Ok(vec![Figure::tell("not shown: only root may mount a small disk", 0)]);
    };
    stage.say(&format!("{pictures} pictures without room on the disk"));
    let mut workers = scene.world.workers(1, &SLOTS).await?;
    for _ in 0..pictures {
        let asset = picture::asset(&scene.client, picture::png(SIDE_PX)?).await?;
        scene.submit(picture::job(&asset)).await?;
    }
    let failed = "select count(distinct job_id) from attempt where outcome = 'retried'";
    scene.world.reaches("all of them to fail", failed, pictures, Duration::from_mins(1)).await?;
    disk.enlarge()?;
    let client = scene.client.clone();
    let (world, mut figures) = scene.end().await?;
    let verified = picture::verify(&world, &client).await?;
    let otherwise =
        "select count(*) from attempt where outcome = 'retried' and error ->> 'code' <> 'scratch'";
    figures.extend([
        Figure::at_least(
            "failed with \"scratch\"",
            ended_as(&world, "retried", "'scratch'").await?,
            pictures,
        ),
        Figure::none("failed otherwise", world.number(otherwise).await?),
        Figure::be(
            "pictures fetched when there was room again",
            verified.pictures - verified.wrong,
            pictures * 8,
        ),
        Figure::none("workers that died of it", usize::from(workers[0].process.ended().is_some())),
    ]);
    drop(workers);
    drop(disk);
    Ok(figures)
}
