//! What a running job says about itself: progress and log lines.

use chrono::{DateTime, Utc};
use jobs::{JobId, TenantId};
use sqlx::FromRow;

use crate::{
    claim::Claimed,
    db::Db,
    error::{OrFailed, StoreError},
};

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For whoever works on the handler.
    Debug,
    /// Something happened.
    Info,
    /// Something may be wrong.
    Warn,
    /// Something is wrong.
    Error,
}

impl Level {
    /// The word in rows and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Something a running job said.
#[derive(Debug, Clone)]
pub enum Said {
    /// How far it is.
    Progress {
        /// 0 to 100.
        percent: u8,
        /// What it is doing.
        message: String,
    },
    /// A line for its log.
    Line {
        /// How loud.
        level: Level,
        /// One line.
        message: String,
    },
}

/// Stores what jobs said, in order, and tells readers to look. Progress of an attempt that is over is dropped.
pub async fn say(db: &Db, said: &[(Claimed, Said)]) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let lines: Vec<(&Claimed, Level, &str)> = said
        .iter()
        .filter_map(|(job, said)| match said {
            Said::Line { level, message } => Some((job, *level, message.as_str())),
            Said::Progress { .. } => None,
        })
        .collect();
    sqlx::query(
        "insert into job_log (tenant_id, job_id, fence, attempt, level, message)
         select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::smallint[], $5::text[], $6::text[])",
    )
    .bind(lines.iter().map(|(job, ..)| job.tenant.as_uuid()).collect::<Vec<_>>())
    .bind(lines.iter().map(|(job, ..)| job.id.as_uuid()).collect::<Vec<_>>())
    .bind(lines.iter().map(|(job, ..)| job.fence).collect::<Vec<_>>())
    .bind(lines.iter().map(|(job, ..)| job.attempt as i16).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, level, _)| level.name()).collect::<Vec<_>>())
    .bind(lines.iter().map(|(.., message)| *message).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .or_failed("store log lines")?;
    for (job, said) in said {
        let Said::Progress { percent, message } = said else { continue };
        sqlx::query(
            "update job set progress_percent = $4, progress_message = $5
             where tenant_id = $1 and id = $2 and fence = $3 and exists (select from lease where id = $6)",
        )
        .bind(job.tenant.as_uuid())
        .bind(job.id.as_uuid())
        .bind(job.fence)
        .bind(i16::from(*percent))
        .bind(message)
        .bind(job.lease.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("store progress")?;
    }
    let mut moved: Vec<String> = said.iter().map(|(job, _)| job.id.to_string()).collect();
    moved.sort();
    moved.dedup();
    moved.truncate(200);
    sqlx::query("select pg_notify('crewline_moved', $1)")
        .bind(moved.join(","))
        .execute(&mut *tx)
        .await
        .or_failed("announce progress")?;
    crate::db::commit(tx, "store what jobs said").await
}

/// A stored log line.
#[derive(Debug, Clone, FromRow)]
pub struct Line {
    /// Orders lines of a job; a cursor.
    pub seq: i64,
    /// Which attempt said it, 1 for the first.
    pub attempt: i16,
    /// When.
    pub logged_at: DateTime<Utc>,
    /// How loud: `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The line.
    pub message: String,
}

/// The last lines of `job`, up to `limit`, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn latest(
    db: &Db,
    tenant: TenantId,
    job: JobId,
    words: &str,
    limit: i64,
) -> Result<Vec<Line>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let mut lines: Vec<Line> = sqlx::query_as(
        "select seq, attempt, logged_at, level, message from job_log
         where tenant_id = $1 and job_id = $2 and logged_at >= $4
             and ($5 = '' or level = lower($5) or position(lower($5) in lower(message)) > 0)
         order by seq desc limit $3",
    )
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .bind(limit)
    .bind(job.created_at() - chrono::Duration::hours(1))
    .bind(words)
    .fetch_all(&mut *tx)
    .await
    .or_failed("read the last log lines")?;
    lines.reverse();
    Ok(lines)
}

/// Up to `limit` lines of `job` after `after`, oldest first.
pub async fn lines(
    db: &Db,
    tenant: TenantId,
    job: JobId,
    after: i64,
    limit: i64,
) -> Result<Vec<Line>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as(
        "select seq, attempt, logged_at, level, message from job_log
         where tenant_id = $1 and job_id = $2 and seq > $3 and logged_at >= $5 order by seq limit $4",
    )
    .bind(tenant.as_uuid())
    .bind(job.as_uuid())
    .bind(after)
    .bind(limit)
    .bind(job.created_at() - chrono::Duration::hours(1))
    .fetch_all(&mut *tx)
    .await
    .or_failed("read log lines")
}
