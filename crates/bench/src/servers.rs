//! Everybody's servers: one Postgres that promises what it says, one Redis, each from its real program.

use anyhow::Context;
use testkit::{PostgresServer, RedisServer};

use crate::{cpu, sql::Sql};

/// Durability as in production, memory enough that it is not the disk that is measured, and checkpoints rare enough
/// not to fall into one round and not into another.
const POSTGRES: [&str; 8] = [
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "shared_buffers=1GB",
    "max_wal_size=4GB",
    "checkpoint_timeout=30min",
    "track_io_timing=off",
    "jit=off",
];

/// The servers. They end with the value.
pub(crate) struct Servers {
    /// On the database `postgres`. First, so that it is gone before its server is.
    pub(crate) admin: Sql,
    postgres: PostgresServer,
    /// The doorbell, and the peers' store.
    pub(crate) redis: RedisServer,
}

impl Servers {
    /// Starts them, Postgres with `more` settings.
    pub(crate) fn start(more: &[&str]) -> anyhow::Result<Self> {
        let postgres =
            PostgresServer::start_with(&[&POSTGRES, more].concat()).context("could not start Postgres")?;
        let redis = RedisServer::start().context("could not start Redis")?;
        let admin = Sql::connect(&postgres.url())?;
        Ok(Self { admin, postgres, redis })
    }

    /// What Postgres says of itself.
    pub(crate) async fn postgres_version(&self) -> anyhow::Result<String> {
        self.admin.text("show server_version").await
    }

    /// The address of a database.
    pub(crate) fn database_url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.postgres.port())
    }

    /// An empty database: every round begins on one, ours and theirs.
    pub(crate) async fn fresh_database(&self, name: &str) -> anyhow::Result<Sql> {
        self.drop_database(name).await?;
        self.admin.run(&format!("create database {name}")).await?;
        Sql::connect(&self.database_url(name))
    }

    /// Gives the room back.
    pub(crate) async fn drop_database(&self, name: &str) -> anyhow::Result<()> {
        self.admin.run(&format!("drop database if exists {name} with (force)")).await
    }

    /// What everybody gets before a round: nothing of the round before is still to be written.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        self.admin.run("checkpoint").await
    }

    /// How far the log of Postgres has come, in bytes.
    pub(crate) async fn wal_bytes(&self) -> anyhow::Result<f64> {
        self.admin.number("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn").await
    }

    /// Processor time that Postgres has used with all its processes, in microseconds.
    pub(crate) async fn postgres_cpu_us(&self) -> anyhow::Result<f64> {
        let session = self.admin.number("select pg_backend_pid()").await?;
        let postmaster = cpu::parent_of(session as u32).context("a session of Postgres without a parent")?;
        Ok(cpu::of_family(postmaster))
    }

    /// Empties Redis.
    pub(crate) fn empty_redis(&self) -> anyhow::Result<()> {
        self.redis.tell("FLUSHALL").map(drop)
    }

    /// What Redis holds, in bytes.
    pub(crate) fn redis_bytes(&self) -> anyhow::Result<f64> {
        let info = redis_memory(self.redis.port())?;
        info.lines()
            .find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok())
            .context("Redis does not say how much memory it uses")
    }
}

fn redis_memory(port: u16) -> anyhow::Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"INFO memory\r\nQUIT\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}
