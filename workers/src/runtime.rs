//! The process: builds its parts top to bottom, runs them, and takes them down in the opposite order.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use jobs::Queue;
use outbound::{Options, Outbound};
use queue::{Consumer, ConsumerOptions, Health, Ring, RingOptions};
use secrecy::ExposeSecret;
use store::{Db, Role, claim, claim::Pick};
use telemetry::metrics::PrometheusHandle;
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    breakers::Breakers,
    claims::Claims,
    clamd::Clamd,
    config::RunArgs,
    deps::Deps,
    execute::Executor,
    film_orders::Cut,
    health::{self, Asked},
    held::Held,
    maintenance::{
        abandoned, alerts, bounces, bulk, calendars,
        door::Door,
        fan_out, film_parts, forgotten_scans, graves, housekeeper, leases, old_scans, parking, payloads,
        presence::{self, Myself},
        quarantine::{Parent, Quarantine},
        release::Release,
        rescuer, resealing, retention, scheduler, stranded, summing,
    },
    media_pool::{self, Kind, MediaPool},
    scratch::Scratch,
    senders::Senders,
    settler::Settler,
    speaker::Speaker,
    stop::Reason,
};

/// How long the settling of handed-back jobs may take when the grace is over.
const LAST_SETTLE: Duration = Duration::from_secs(5);
/// Longest time one Redis command may take, in milliseconds.
const REDIS_COMMAND_MS: u64 = 2_000;
/// How often a consumer says that it lives, in seconds, and after how many silences others take its tickets.
const HEARTBEAT_S: u64 = 5;
const MISSED_MAX: usize = 4;
/// How often a consumer looks for tickets although nobody called, in milliseconds.
const LOOK_MS: u64 = 1_000;
/// Tickets of one queue answered at once by one process. Each waits for a slot before it claims.
const TICKETS_AT_ONCE: usize = 2;

/// Longest wait for a connection to an endpoint of a tenant's, and for its whole answer.
const CALL_CONNECT_MAX: Duration = Duration::from_secs(5);
const CALL_MAX: Duration = Duration::from_secs(20);

/// Bytes of a MiB.
const MIB: u64 = 1024 * 1024;

/// What every way of running shares.
struct Core {
    deps: Arc<Deps>,
    held: Arc<Held>,
    /// Rung when there may be more to release.
    more: Arc<Notify>,
    /// Rung when a bulk operation was asked for.
    bulk: Arc<Notify>,
    executor: Arc<Executor>,
    worker: Arc<str>,
    speaking: JoinHandle<()>,
    /// Ends what must outlive the drain: renewal, notices, speaking.
    last: CancellationToken,
}

impl Core {
    fn build(args: &RunArgs) -> anyhow::Result<Self> {
        let db = args.masters.give(Db::connect(&args.database.options(Role::Worker))?)?;
        let program =
            std::env::current_exe().context("could not find this program for its child processes")?;
        let outbound = Outbound::new(Options {
            loopback: args.webhooks.webhooks_loopback,
            connect: CALL_CONNECT_MAX,
            whole: CALL_MAX,
        });
        let silence_max = Duration::from_secs(args.media_silence_s);
        let senders = Senders::open(&args.sending, outbound.clone());
        let deps = Arc::new(Deps {
            db: db.clone(),
            blobs: blob::Blobs::connect(&args.s3.options())?,
            clamd: Clamd::at(args.clamd_address.clone()),
            senders: senders.context("could not set up those who carry messages")?,
            // The program for films lies beside this one.
            films: MediaPool::new(Kind {
                program: program.with_file_name("films"),
                role: None,
                memory_bytes: args.video_memory_mib * MIB,
                uses_max: media_pool::FILM_USES_MAX,
                silence_max,
            }),
            cut: Cut { whole_s_max: args.video_whole_s_max, part_s: args.video_part_s },
            media: MediaPool::new(Kind {
                program,
                role: Some("media-child"),
                memory_bytes: args.media_memory_mib * MIB,
                uses_max: media_pool::USES_MAX,
                silence_max,
            }),
            calendars: args.calendars.clone(),
            geocoder: args.geocoding.open(outbound.clone()),
            outbound,
            breakers: Breakers::default(),
            scratch: Scratch::open(&args.scratch).context("could not open the scratch folder")?,
        });
        let held = Arc::new(Held::default());
        let last = CancellationToken::new();
        let more = Arc::new(Notify::new());
        let settler = Settler::start(db.clone(), held.clone(), args.faults(), args.lease(), more.clone());
        let (speaker, speaking) = Speaker::start(db, last.clone());
        let worker = args.worker_name.clone().unwrap_or_else(fresh_name).into();
        let knows = Arc::new(args.knows());
        let (faults, meters) = (args.faults(), Arc::default());
        let executor = Arc::new(Executor { deps: deps.clone(), settler, speaker, knows, faults, meters });
        let bulk = Arc::default();
        Ok(Self { deps, held, more, bulk, executor, worker, speaking, last })
    }

    fn keep_leases(&self, args: &RunArgs, door: Door) {
        let (db, held, stop) = (&self.deps.db, &self.held, &self.last);
        tokio::spawn(leases::renew(db.clone(), held.clone(), args.lease(), stop.clone()));
        let bulk = self.bulk.clone();
        tokio::spawn(leases::listen(db.clone(), held.clone(), door, bulk, stop.clone()));
        tokio::spawn(leases::ask(db.clone(), held.clone(), stop.clone()));
    }

    /// Waits for what runs, hands back what does not end in time, and stores the last verdicts.
    async fn wind_up(self, tasks: &TaskTracker, grace: Duration) {
        tasks.close();
        if tokio::time::timeout(grace, tasks.wait()).await.is_err() {
            tracing::warn!(jobs = self.held.jobs().len(), "The grace is over; handing back what still runs");
            self.held.stop_all(Reason::Shutdown);
            tasks.wait().await;
        }
        if tokio::time::timeout(LAST_SETTLE, self.held.emptied()).await.is_err() {
            tracing::error!("The last verdicts could not be stored; their jobs will be rescued");
        }
        self.last.cancel();
        if tokio::time::timeout(LAST_SETTLE, self.speaking).await.is_err() {
            tracing::warn!("The last words of jobs could not be stored");
        }
    }
}

/// Unique for every start: a name that comes back could be taken for the process that died.
fn fresh_name() -> String {
    format!("{}-{}-{:08x}", presence::host(), std::process::id(), rand::random::<u32>())
}

/// Works until `stop`, then drains.
///
/// # Errors
/// When the process cannot start. Nothing that happens later ends it.
pub async fn run(
    args: RunArgs,
    prometheus: PrometheusHandle,
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    args.validate()?;
    let core = Core::build(&args)?;
    settings::check_keys(&core.deps.db).await?;
    if let Some(queue) = args.quarantine {
        return run_quarantined(core, &args, queue, stop).await;
    }
    let redis = redis_options(&args);
    let ring = Ring::connect(&redis)?;
    let (more, tasks) = (core.more.clone(), TaskTracker::new());
    let claims: Vec<Arc<Claims>> = args
        .slots()
        .into_iter()
        .map(|(queue, slots)| {
            Arc::new(Claims {
                queue,
                slots: Arc::new(Semaphore::new(slots)),
                slots_max: slots,
                worker: core.worker.clone(),
                ttl: args.lease(),
                executor: core.executor.clone(),
                held: core.held.clone(),
                more: more.clone(),
                tasks: tasks.clone(),
                drain: stop.clone(),
            })
        })
        .collect();
    let door = Door::new(more.clone(), Some(ring.clone()));
    core.keep_leases(&args, door.clone());
    let services = TaskTracker::new();
    let parent = Parent {
        db: core.deps.db.clone(),
        worker: core.worker.clone(),
        listens_to: args.queues.clone(),
        patience: Duration::from_secs(args.grace_s) + 2 * LAST_SETTLE,
    };
    let (apart, patience) = (TaskTracker::new(), parent.patience);
    let quarantine = Quarantine::start(&parent, &apart, &stop);
    let loops = consume(&claims, &redis, &core.worker, &services, &stop);
    let own = claims.iter().cloned().zip(loops.iter().map(|(_, health)| health.clone())).collect();
    let release = Release { db: core.deps.db.clone(), ring: ring.clone(), door, quarantine, own };
    services.spawn(release.run(stop.clone()));
    maintain(&core, &args, &services, &stop)?;
    let listens_to = args.slots().into_iter().collect();
    let myself = Myself { worker: core.worker.clone(), version: args.version(), listens_to };
    services.spawn(presence::run(core.deps.db.clone(), ring.clone(), myself, stop.clone()));
    answer_health(&args, &core, ring, loops, claims, prometheus, &services, &stop).await?;

    tracing::info!(worker.name = %core.worker, queues = ?args.slots(), "Working");
    stop.cancelled().await;
    tracing::info!(grace_s = args.grace_s, "Draining: nothing new is claimed");
    services.close();
    core.wind_up(&tasks, Duration::from_secs(args.grace_s)).await;
    apart.close();
    let _ = tokio::time::timeout(patience + LAST_SETTLE, apart.wait()).await;
    let _ = tokio::time::timeout(LAST_SETTLE, services.wait()).await;
    tracing::info!("Stopped");
    Ok(ExitCode::SUCCESS)
}

/// Starts everything that is done once in a while, or when nobody else does it.
fn maintain(
    core: &Core,
    args: &RunArgs,
    services: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    services.spawn(rescuer::run(core.deps.db.clone(), Duration::from_millis(args.sweep_ms), stop.clone()));
    services.spawn(scheduler::run(core.deps.db.clone(), stop.clone()));
    services.spawn(fan_out::run(core.deps.db.clone(), stop.clone()));
    services.spawn(calendars::run(core.deps.db.clone(), stop.clone()));
    let mailbox = args.mailbox.open().context("could not set up the mailbox for bounces")?;
    services.spawn(bounces::run(core.deps.db.clone(), mailbox, stop.clone()));
    services.spawn(stranded::run(core.deps.db.clone(), stop.clone()));
    services.spawn(housekeeper::run(core.deps.db.clone(), args.history_days, stop.clone()));
    services.spawn(summing::run(core.deps.db.clone(), stop.clone()));
    services.spawn(alerts::run(core.deps.db.clone(), stop.clone()));
    services.spawn(retention::run(core.deps.db.clone(), args.history_days, stop.clone()));
    services.spawn(bulk::run(core.deps.db.clone(), core.bulk.clone(), stop.clone()));
    services.spawn(abandoned::run(core.deps.clone(), stop.clone()));
    services.spawn(graves::run(core.deps.clone(), stop.clone()));
    services.spawn(forgotten_scans::run(core.deps.db.clone(), stop.clone()));
    services.spawn(old_scans::run(core.deps.clone(), stop.clone()));
    services.spawn(film_parts::run(core.deps.clone(), stop.clone()));
    services.spawn(payloads::run(core.deps.clone(), stop.clone()));
    services.spawn(resealing::run(core.deps.clone(), stop.clone()));
    services.spawn(parking::run(core.deps.db.clone(), args.knows(), stop.clone()));
    Ok(())
}

fn redis_options(args: &RunArgs) -> RingOptions {
    RingOptions {
        url: args.redis_url.expose_secret().to_owned(),
        namespace: args.redis_namespace.clone(),
        command_ms: REDIS_COMMAND_MS,
    }
}

/// Starts listening to every queue; answers the pulse of each loop.
fn consume(
    claims: &[Arc<Claims>],
    redis: &RingOptions,
    worker: &str,
    services: &TaskTracker,
    stop: &CancellationToken,
) -> Vec<(Queue, Health)> {
    let mut loops = Vec::with_capacity(claims.len());
    for claims in claims {
        let consumer = Consumer::new(ConsumerOptions {
            redis: redis.clone(),
            queue: claims.queue,
            concurrency: TICKETS_AT_ONCE.min(claims.slots_max),
            name: worker.to_owned(),
            heartbeat_s: HEARTBEAT_S,
            missed_max: MISSED_MAX,
            look_ms: LOOK_MS,
        });
        loops.push((claims.queue, consumer.health()));
        let claims = claims.clone();
        services.spawn(consumer.run(move || claims.clone().answer(), stop.clone()));
    }
    loops
}

#[expect(
    clippy::too_many_arguments,
    reason = "each part is needed once, here; a struct would only rename them"
)]
async fn answer_health(
    args: &RunArgs,
    core: &Core,
    ring: Ring,
    loops: Vec<(Queue, Health)>,
    claims: Vec<Arc<Claims>>,
    prometheus: PrometheusHandle,
    services: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("could not listen on {}; choose another with --listen", args.listen))?;
    tracing::info!(address = %listener.local_addr()?, "Answering /healthz, /readyz and /metrics");
    let asked = Asked {
        deps: core.deps.clone(),
        ring,
        loops,
        claims,
        drain: stop.clone(),
        prometheus: prometheus.clone(),
    };
    let last = core.last.clone();
    services.spawn(async move {
        let served = axum::serve(listener, health::router(Arc::new(asked)));
        if let Err(error) = served.with_graceful_shutdown(async move { last.cancelled().await }).await {
            tracing::error!(error = %error, "The health server ended");
        }
    });
    let last = core.last.clone();
    services.spawn(async move {
        while !last.is_cancelled() {
            prometheus.run_upkeep();
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(5)) => {}
                () = last.cancelled() => {}
            }
        }
    });
    Ok(())
}

/// Runs quarantined jobs of `queue` in this process until none is left or `stop`; with `--alone`, one job. What does not end
/// within the grace is handed back, as everywhere: a stop is no crash.
async fn run_quarantined(
    core: Core,
    args: &RunArgs,
    queue: Queue,
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    core.keep_leases(args, Door::new(core.more.clone(), None));
    let slots = args.slots().get(&queue).copied().unwrap_or(1);
    let (pick, wanted) = if args.alone { (Pick::Alone, 1) } else { (Pick::Suspect, slots as u16) };
    while !stop.is_cancelled() {
        let claimed = claim::claim(&core.deps.db, queue, pick, wanted, &core.worker, args.lease()).await?;
        if claimed.is_empty() {
            break;
        }
        tracing::warn!(queue.name = %queue, jobs = claimed.len(), "Running jobs apart, because their last worker died");
        let stops = core.held.take(&claimed);
        let running = claimed.into_iter().zip(stops).map(|(job, stop)| core.executor.execute(job, stop));
        let mut running = std::pin::pin!(futures::future::join_all(running));
        let grace_is_over = async {
            stop.cancelled().await;
            tokio::time::sleep(Duration::from_secs(args.grace_s)).await;
        };
        tokio::select! {
            _ = &mut running => {}
            () = grace_is_over => {
                core.held.stop_all(Reason::Shutdown);
                running.await;
            }
        }
        if args.alone {
            break;
        }
    }
    core.wind_up(&TaskTracker::new(), Duration::ZERO).await;
    Ok(ExitCode::SUCCESS)
}
