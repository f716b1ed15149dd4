//! Weights that are others for a while: a tenant is given more of a queue, or less, until a time.

use chrono::{DateTime, Utc};
use jobs::{ApiKeyId, Queue, UserId};
use serde_json::{Value, json};
use sqlx::FromRow;

use crate::{
    audit,
    db::{Db, Tx, commit},
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

/// A share that a key weighs.
#[derive(Debug, Clone, Copy)]
pub struct Share<'a> {
    /// The key, which has to run the installation.
    pub by: ApiKeyId,
    /// The tenant's short name.
    pub slug: &'a str,
    /// Of which queue.
    pub queue: Queue,
}

impl Share<'_> {
    /// As [`for_a_while`], for a key: how it is weighed then, and none where that says false. Written down in the chain of the
    /// installation.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn weigh(self, db: &Db, weight: f32, for_s: i32) -> Result<Option<Weighed>, StoreError> {
        let mut tx = db.begin().await?;
        let before = self.standing(&mut tx).await?;
        let is_weighed: bool = sqlx::query_scalar("select key_weighs_for_a_while($1, $2, $3, $4, $5)")
            .bind(self.by.as_uuid())
            .bind(self.slug)
            .bind(self.queue.name())
            .bind(weight)
            .bind(for_s)
            .fetch_one(&mut *tx)
            .await
            .or_failed("weigh a share for a while")?;
        if !is_weighed {
            return Ok(None);
        }
        let after = self.standing(&mut tx).await?;
        self.note(&mut tx, "share.weigh", before.as_ref(), after.as_ref()).await?;
        commit(tx, "weigh a share for a while").await?;
        Ok(after)
    }

    /// As [`as_usual`], for a key. Written down in the chain of the installation.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn weigh_as_usual(self, db: &Db) -> Result<bool, StoreError> {
        let mut tx = db.begin().await?;
        let before = self.standing(&mut tx).await?;
        let is_usual: bool = sqlx::query_scalar("select key_weighs_as_usual($1, $2, $3)")
            .bind(self.by.as_uuid())
            .bind(self.slug)
            .bind(self.queue.name())
            .fetch_one(&mut *tx)
            .await
            .or_failed("weigh a share as usual")?;
        if is_usual {
            self.note(&mut tx, "share.as_usual", before.as_ref(), None).await?;
            commit(tx, "weigh a share as usual").await?;
        }
        Ok(is_usual)
    }

    /// How it is weighed; none when as usual.
    async fn standing(self, tx: &mut Tx) -> Result<Option<Weighed>, StoreError> {
        sqlx::query_as("select * from key_sees_weighed($1, $2, $3)")
            .bind(self.by.as_uuid())
            .bind(self.slug)
            .bind(self.queue.name())
            .fetch_optional(&mut **tx)
            .await
            .or_failed("see how a share is weighed")
    }

    async fn note(
        self,
        tx: &mut Tx,
        action: &str,
        before: Option<&Weighed>,
        after: Option<&Weighed>,
    ) -> Result<(), StoreError> {
        let told = |weighed: Option<&Weighed>| -> Value {
            weighed.map(|of| json!({ "weight": of.weight, "until": of.weight_until })).unwrap_or_default()
        };
        let said = json!({
            "by": self.by, "action": action, "target": format!("{} {}", self.slug, self.queue),
            "before": told(before), "after": told(after), "outcome": "done",
        });
        audit::note(tx, &said).await.map(drop)
    }
}

/// As [`list`], for a key; none when it does not run the installation.
///
/// # Errors
/// When the database fails.
pub async fn list_for_key(db: &Db, by: ApiKeyId) -> Result<Vec<Weighed>, StoreError> {
    sqlx::query_as("select * from key_sees_weighed($1, null, null)")
        .bind(by.as_uuid())
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
