//! The pool, the role it acts under, and transactions that belong to one tenant.

use std::{
    collections::HashMap,
    str::FromStr,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use jobs::{Priority, Queue, TenantId};
use sqlx::{
    AssertSqlSafe, PgPool, Postgres, Transaction,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    error::{OrFailed, StoreError},
    outbox::Listeners,
    sealing::{Keyring, MasterKeys},
};

/// Every migration, embedded.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// A transaction; rolled back unless committed.
pub type Tx = Transaction<'static, Postgres>;

/// On whose behalf connections act. Neither can see past its policies, whoever logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Requests: one tenant at a time.
    Api,
    /// The work of all tenants.
    Worker,
    /// Whoever logged in: migrations, tenants and keys.
    Owner,
}

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct Options {
    /// `postgres://user:password@host:port/database`.
    pub url: String,
    /// On whose behalf.
    pub role: Role,
    /// Connections at most.
    pub connections_max: u32,
    /// How long a caller waits for a free connection, in milliseconds.
    pub acquire_ms: u64,
    /// How long one statement may take, in milliseconds.
    pub statement_ms: u64,
}

/// What makes the jobs of a tenant stand in one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct LaneKey {
    pub(crate) tenant: TenantId,
    pub(crate) queue: Queue,
    pub(crate) priority: Priority,
    pub(crate) kind: String,
    pub(crate) key: Option<String>,
    pub(crate) promise_s: u32,
}

/// Lanes found before, and since when. A lane that nobody uses is removed after a day, so none is believed in for longer
/// than [`LANE_KNOWN_FOR`].
type Lanes = Arc<RwLock<HashMap<LaneKey, (i32, Instant)>>>;

const LANE_KNOWN_FOR: Duration = Duration::from_hours(1);
/// Lanes that a process remembers.
const LANES_KNOWN_MAX: usize = 50_000;

/// Connections for what is done for every job: accepting, claiming, settling. A server's process plans a statement once
/// and fills its caches, so few that are always busy cost less than many that take turns; and a rush of reads does not
/// hold up a verdict.
///
/// A worker's: two groups of verdicts and a claim. An API's are half of all it may have, because tenants do not wait for
/// each other.
const BUSY_CONNECTIONS_OF_WORKER: u32 = 3;

/// Connections for what is looked up once and remembered, lanes and keys, while a transaction of the caller's holds another:
/// when many begin at once, none of them waits for a connection that another of them holds.
const ASIDE_CONNECTIONS: u32 = 1;

/// Connections under one role. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pool: PgPool,
    busy: PgPool,
    aside: PgPool,
    lanes: Lanes,
    keyring: Arc<Keyring>,
    listeners: Arc<Listeners>,
}

impl Db {
    /// Opens the pool. Fails when the address is malformed; an unreachable server shows at the first use.
    pub fn connect(options: &Options) -> Result<Self, StoreError> {
        let connect = PgConnectOptions::from_str(&options.url)
            .or_failed("read the database address")?
            .application_name("crewline")
            .statement_cache_capacity(200)
            .options(settings(options));
        let pool = |connections: u32| {
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_millis(options.acquire_ms))
                .test_before_acquire(false)
                .connect_lazy_with(connect.clone())
        };
        let half = (options.connections_max / 2).max(1);
        let busy = if options.role == Role::Worker { half.min(BUSY_CONNECTIONS_OF_WORKER) } else { half };
        Ok(Self {
            pool: pool(options.connections_max.saturating_sub(busy + ASIDE_CONNECTIONS).max(1)),
            busy: pool(busy),
            aside: pool(ASIDE_CONNECTIONS),
            lanes: Arc::default(),
            keyring: Arc::default(),
            listeners: Arc::default(),
        })
    }

    /// Lets this process read and write payloads that are encrypted at rest. Without, it refuses to.
    #[must_use]
    pub fn with_masters(self, masters: MasterKeys) -> Self {
        Self { keyring: Arc::new(Keyring::new(masters)), ..self }
    }

    /// Who wants to be told what happens.
    pub(crate) fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Begins a transaction that sees and writes rows of `tenant` only.
    pub async fn tenant(&self, tenant: TenantId) -> Result<Tx, StoreError> {
        begin_for(&self.pool, tenant).await
    }

    /// The same on one of the connections for what is done for every job.
    pub(crate) async fn busy_tenant(&self, tenant: TenantId) -> Result<Tx, StoreError> {
        begin_for(&self.busy, tenant).await
    }

    /// The same beside a transaction that the caller holds open.
    pub(crate) async fn aside_tenant(&self, tenant: TenantId) -> Result<Tx, StoreError> {
        begin_for(&self.aside, tenant).await
    }

    /// The connection for what is looked up beside a transaction.
    pub(crate) fn aside(&self) -> &PgPool {
        &self.aside
    }

    /// The connections for what is done for every job.
    pub(crate) fn busy(&self) -> &PgPool {
        &self.busy
    }

    /// Begins a transaction that acts for no tenant.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.pool.begin().await.or_failed("begin a transaction")
    }

    /// Does `act` in one transaction, for `tenant` or for nobody in particular. When it fails, nothing was done.
    pub async fn transact<T, E: From<StoreError>>(
        &self,
        tenant: Option<TenantId>,
        act: impl AsyncFnOnce(&mut Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut tx = match tenant {
            Some(tenant) => self.tenant(tenant).await?,
            None => self.begin().await?,
        };
        let done = act(&mut tx).await?;
        commit(tx, "commit what was done").await?;
        Ok(done)
    }

    /// Whether the database answers.
    pub async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await.or_failed("reach the database")?;
        Ok(())
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        self.busy.close().await;
        self.aside.close().await;
        self.pool.close().await;
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The lane that such jobs wait in, made on first use.
    pub(crate) async fn lane(&self, wanted: LaneKey) -> Result<i32, StoreError> {
        let known = self.lanes.read().unwrap_or_else(PoisonError::into_inner).get(&wanted).copied();
        if let Some((lane, since)) = known
            && since.elapsed() < LANE_KNOWN_FOR
        {
            return Ok(lane);
        }
        // In a transaction of its own, so that a caller's rollback cannot leave a lane remembered that is not there.
        let mut tx = self.aside_tenant(wanted.tenant).await?;
        let lane: i32 = sqlx::query_scalar("select lane_for($1, $2, $3, 0::smallint, $4, $5, $6)")
            .bind(wanted.tenant.as_uuid())
            .bind(wanted.queue.name())
            .bind(i16::from(wanted.priority.get()))
            .bind(&wanted.kind)
            .bind(wanted.key.as_deref().unwrap_or_default())
            .bind(wanted.promise_s as i32)
            .fetch_one(&mut *tx)
            .await
            .or_failed("find a lane")?;
        tx.commit().await.or_failed("find a lane")?;
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= LANES_KNOWN_MAX {
            lanes.clear();
        }
        lanes.insert(wanted, (lane, Instant::now()));
        Ok(lane)
    }
}

async fn begin_for(pool: &PgPool, tenant: TenantId) -> Result<Tx, StoreError> {
    // One round trip. The id is a UUID, so nothing of a caller's can be spelled here.
    let begin = format!("begin; set local crewline.tenant_id = '{}'", tenant.as_uuid());
    pool.begin_with(AssertSqlSafe(begin)).await.or_failed("begin a transaction")
}

/// Commits, naming what was being done if that fails.
pub(crate) async fn commit(tx: Tx, operation: &'static str) -> Result<(), StoreError> {
    tx.commit().await.or_failed(operation)
}

/// Settings of every connection. Plans must not depend on how full the live tables happened to be when they were
/// last analysed: a table that was empty then and holds a million rows now must still be read by its index.
fn settings(options: &Options) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("jit", "off".to_owned()),
        ("max_parallel_workers_per_gather", "0".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("statement_timeout", options.statement_ms.to_string()),
        ("idle_in_transaction_session_timeout", (options.statement_ms * 2).to_string()),
    ];
    match options.role {
        Role::Api => settings.push(("role", "crewline_api".to_owned())),
        Role::Worker => {
            settings.push(("role", "crewline_worker".to_owned()));
            settings.push(("plan_cache_mode", "force_generic_plan".to_owned()));
            settings.push(("enable_seqscan", "off".to_owned()));
            // A lane is read from its cursor on, in order, only as far as needed; fetching all of it to sort it is not
            // cheaper, whatever it looks like to a planner that last saw it empty.
            settings.push(("enable_bitmapscan", "off".to_owned()));
        }
        Role::Owner => {}
    }
    settings
}

/// Brings the schema up to date. Safe to run by several processes at once.
pub async fn migrate(db: &Db) -> Result<(), StoreError> {
    MIGRATOR.run(&db.pool).await.map_err(StoreError::Migrate)
}
