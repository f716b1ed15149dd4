//! A database for one test: made, migrated, and dropped when the test is over, however it ends.

mod trace;

use std::{thread, time::Duration};

use jobs::TenantId;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::{
    db::{Db, Options, Role, migrate},
    error::{OrFailed, StoreError},
    sealing::MasterKeys,
};

pub mod virtual_time;

/// Where databases are made: `CREWLINE_TEST_DATABASE_URL`, else `DATABASE_URL`. The user has to be a superuser.
pub const URL_VARIABLES: [&str; 2] = ["CREWLINE_TEST_DATABASE_URL", "DATABASE_URL"];

/// Connections that one role of one test may hold.
const CONNECTIONS_MAX: u32 = 8;
/// The master key of tests, in base64.
pub const MASTER: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const ACQUIRE_MS: u64 = 5_000;
const STATEMENT_MS: u64 = 60_000;
const DROP_TIMEOUT: Duration = Duration::from_secs(10);

/// A migrated database that nobody else uses. Dropping the value drops the database, with whoever is connected.
pub struct TestDatabase {
    admin_url: String,
    name: String,
}

impl TestDatabase {
    /// Makes and migrates a database called `crewline_test_<random>`.
    ///
    /// # Panics
    /// When no address is given or the server refuses: a test cannot go on without its database.
    #[expect(clippy::panic, reason = "a test without its database has failed")]
    pub async fn create() -> Self {
        let found = URL_VARIABLES.iter().find_map(|name| std::env::var(name).ok());
        let Some(admin_url) = found else { panic!("one of {URL_VARIABLES:?} has to name a Postgres server") };
        Self::create_at(admin_url).await
    }

    /// As [`Self::create`], on a server of the test's own.
    ///
    /// # Panics
    /// When the server refuses.
    #[expect(clippy::panic, reason = "a test without its database has failed")]
    pub async fn create_at(admin_url: String) -> Self {
        let name = format!("crewline_test_{}", Uuid::now_v7().simple());
        let database = Self { admin_url, name };
        if let Err(error) = database.make().await {
            panic!("no database for this test: {error:?}");
        }
        database
    }

    async fn make(&self) -> Result<(), StoreError> {
        administer(&self.admin_url, format!("create database {}", self.name)).await?;
        let owner = self.db(Role::Owner)?;
        migrate(&owner).await?;
        owner.close().await;
        Ok(())
    }

    /// The one number that a query of a test's own answers, asked as the server's administrator.
    ///
    /// # Errors
    /// When the query does not answer one number.
    pub async fn number(&self, sql: &str) -> Result<i64, StoreError> {
        let mut admin = PgConnection::connect(&self.url()).await.or_failed("reach the test database")?;
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut admin)
            .await
            .or_failed("ask for a number")
    }

    /// What a query of a test's own answers in one column of one row, as JSON, asked as the server's administrator.
    ///
    /// # Errors
    /// When the query does not answer one JSON document.
    pub async fn json(&self, sql: &str) -> Result<serde_json::Value, StoreError> {
        let mut admin = PgConnection::connect(&self.url()).await.or_failed("reach the test database")?;
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut admin)
            .await
            .or_failed("ask for JSON")
    }

    /// Runs statements of a test's own, as the server's administrator.
    ///
    /// # Errors
    /// When one of them is refused.
    pub async fn execute(&self, sql: &str) -> Result<(), StoreError> {
        let mut admin = PgConnection::connect(&self.url()).await.or_failed("reach the test database")?;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut admin)
            .await
            .or_failed("run statements")
            .map(drop)
    }

    /// Makes a tenant of each id, so that whatever is decided by comparing ids is decided the same way every time.
    ///
    /// # Errors
    /// When one of them is there already.
    pub async fn add_tenants(&self, ids: &[TenantId]) -> Result<(), StoreError> {
        let mut admin = PgConnection::connect(&self.url()).await.or_failed("reach the test database")?;
        sqlx::query(
            "insert into tenant (id, slug, name) select id, 'tenant-' || nth, 'Tenant ' || nth
                     from unnest($1::uuid[]) with ordinality as x (id, nth)",
        )
        .bind(ids.iter().map(TenantId::as_uuid).collect::<Vec<_>>())
        .execute(&mut admin)
        .await
        .or_failed("make tenants")
        .map(drop)
    }

    /// A pool under `role`, of a process that was given the master key of tests.
    pub fn db(&self, role: Role) -> Result<Db, StoreError> {
        let unusable = |_| StoreError::Undecipherable { what: "the master key of tests".into() };
        Ok(Db::connect(&self.options(role))?.with_masters(MasterKeys::parse(MASTER, None).map_err(unusable)?))
    }

    /// The options of a pool under `role`, for those who open their own.
    pub fn options(&self, role: Role) -> Options {
        Options {
            url: self.url(),
            role,
            connections_max: CONNECTIONS_MAX,
            acquire_ms: ACQUIRE_MS,
            statement_ms: STATEMENT_MS,
        }
    }

    /// The address of this database.
    pub fn url(&self) -> String {
        let (address, parameters) = match self.admin_url.split_once('?') {
            Some((address, parameters)) => (address, format!("?{parameters}")),
            None => (self.admin_url.as_str(), String::new()),
        };
        // Everything after the host is the name of the database the administrator logs in to.
        let host_at = address.find("://").map_or(0, |at| at + 3);
        let host_end = address[host_at..].find('/').map_or(address.len(), |at| host_at + at);
        format!("{}/{}{parameters}", &address[..host_end], self.name)
    }
}

async fn administer(url: &str, sql: String) -> Result<(), StoreError> {
    let mut admin = PgConnection::connect(url).await.or_failed("reach the test server")?;
    sqlx::query(AssertSqlSafe(sql)).execute(&mut admin).await.or_failed("prepare a test database")?;
    admin.close().await.or_failed("leave the test server")
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (url, name) = (self.admin_url.clone(), self.name.clone());
        // A thread with a runtime of its own: the test's runtime may be shutting down, or be this very thread.
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let drop_it = administer(&url, format!("drop database if exists {name} with (force)"));
            runtime
                .block_on(async { tokio::time::timeout(DROP_TIMEOUT, drop_it).await })?
                .map_err(std::io::Error::other)
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            tracing::warn!(database = self.name, "A test database was left behind");
        }
    }
}
