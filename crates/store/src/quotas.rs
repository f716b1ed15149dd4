//! What is left of the limits that hold for a tenant.

use chrono::{DateTime, Utc};
use jobs::TenantId;
use sqlx::FromRow;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// Keys of one limit that are looked at.
const KEYS_MAX: i32 = 100;

/// A limit, or what a limit allows one of the keys that it covers.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Quota {
    /// What the limit is called.
    pub name: String,
    /// Jobs of every tenant are counted together.
    pub whole_installation: bool,
    /// Only jobs of this queue.
    pub queue: Option<String>,
    /// Only jobs of this kind.
    pub kind: Option<String>,
    /// Only jobs with such a concurrency key.
    pub pattern: Option<String>,
    /// The key that this is about, empty for a limit that does not look at keys; none when no such key is in use.
    pub key: Option<String>,
    /// Jobs that may run at once.
    pub concurrency: Option<i32>,
    /// Jobs that run under it.
    pub running: Option<i32>,
    rate_algorithm: Option<String>,
    /// Jobs that may begin in a period.
    pub rate_count: Option<i32>,
    /// The period, in seconds.
    pub rate_period_s: Option<f32>,
    /// Jobs that may begin now.
    tokens: Option<f64>,
    /// When one more may begin.
    pub next_at: Option<DateTime<Utc>>,
}

impl Quota {
    /// Jobs that may run beside those that do.
    pub fn places_left(&self) -> Option<i32> {
        self.concurrency.zip(self.running).map(|(most, running)| (most - running).max(0))
    }

    /// Jobs that may begin now.
    pub fn tokens_left(&self) -> Option<i64> {
        self.tokens.map(|tokens| tokens.floor().max(0.0) as i64)
    }

    /// Whether its rate is counted in windows of the clock.
    pub fn is_window(&self) -> bool {
        self.rate_algorithm.as_deref() == Some("window")
    }

    /// Whether nothing more may begin under it.
    pub fn is_used_up(&self) -> bool {
        self.places_left() == Some(0) || self.tokens_left() == Some(0)
    }
}

/// The limits that count jobs of `tenant`, its own by name and then those of the whole installation.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, tenant: TenantId) -> Result<Vec<Quota>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    sqlx::query_as("select * from limits_in_force($1)")
        .bind(KEYS_MAX)
        .fetch_all(&mut *tx)
        .await
        .or_failed("see what is left of limits")
}
