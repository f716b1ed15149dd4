//! Weights that are others for a while: a tenant is given more of a queue, or less, until a time.

use chrono::{DateTime, Utc};
use jobs::{Queue, UserId};
use sqlx::FromRow;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// A share that is weighed otherwise for a while.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Weighed {
    /// The tenant's short name.
    pub slug: String,
    /// Its long name.
    pub name: String,
    /// Of which queue.
    pub queue: String,
    /// Its weight now.
    pub weight: f32,
    /// Its weight after that.
    pub usual_weight: f32,
    /// Until when.
    pub weight_until: DateTime<Utc>,
}

/// Gives a tenant another weight in a queue for `for_s` seconds; false when it has had nothing of that queue yet, or when `user`
/// does not operate the whole installation.
///
/// # Errors
/// When the database fails.
pub async fn for_a_while(
    db: &Db,
    user: UserId,
    slug: &str,
    queue: Queue,
    weight: f32,
    for_s: i32,
) -> Result<bool, StoreError> {
    sqlx::query_scalar("select weigh_for_a_while($1, $2, $3, $4, $5)")
        .bind(user.as_uuid())
        .bind(slug)
        .bind(queue.name())
        .bind(weight)
        .bind(for_s)
        .fetch_one(db.pool())
        .await
        .or_failed("weigh a share for a while")
}

/// Ends that before its time; false when there is nothing to end, or when `user` does not operate the whole installation.
///
/// # Errors
/// When the database fails.
pub async fn as_usual(db: &Db, user: UserId, slug: &str, queue: Queue) -> Result<bool, StoreError> {
    sqlx::query_scalar("select weigh_as_usual($1, $2, $3)")
        .bind(user.as_uuid())
        .bind(slug)
        .bind(queue.name())
        .fetch_one(db.pool())
        .await
        .or_failed("weigh a share as usual")
}

/// What is weighed otherwise for a while, the first to end first; none for those who do not watch the whole installation.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db, user: UserId) -> Result<Vec<Weighed>, StoreError> {
    sqlx::query_as("select * from weighed_for_a_while($1)")
        .bind(user.as_uuid())
        .fetch_all(db.pool())
        .await
        .or_failed("list shares that are weighed for a while")
}

/// Weighs as usual what was weighed otherwise for a while that is over; answers how many shares. For workers.
///
/// # Errors
/// When the database fails.
pub async fn end_those_over(db: &Db) -> Result<u64, StoreError> {
    let ended = sqlx::query(
        "update share set weight = usual_weight, usual_weight = null, weight_until = null
         where weight_until <= clock_timestamp()",
    )
    .execute(db.pool())
    .await
    .or_failed("weigh shares as usual")?;
    Ok(ended.rows_affected())
}
