//! Parked jobs: those that a worker gave back because it does not know their kind or version.
//!
//! Each time a job is parked it waits twice as long as the time before. It need not wait that long when somebody comes
//! who knows it, or somebody goes who did not: both say so.

use std::time::Duration;

use crate::{
    db::{Db, commit},
    enqueue::ring,
    error::{OrFailed, StoreError},
};

/// How long a job is parked the first time.
pub(crate) const PARK_FIRST: Duration = Duration::from_secs(2);
/// The longest that a job stays parked.
pub(crate) const PARK_LONGEST: Duration = Duration::from_mins(5);
/// Jobs made available in one statement.
const UNPARK_MAX: u64 = 1_000;

/// A kind and the versions of it that a program can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// `family.thing`.
    pub kind: &'static str,
    /// The oldest version.
    pub oldest: u16,
    /// The newest.
    pub newest: u16,
}

/// Which parked jobs to make available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that somebody with this knowledge can do: said by who comes.
    Known,
    /// Those that somebody with this knowledge cannot do: said by who goes.
    Unknown,
}

/// Makes parked jobs available at once; answers how many.
pub async fn unpark(db: &Db, which: Which, known: &[Known]) -> Result<u64, StoreError> {
    let mut moved = 0;
    loop {
        let now = unpark_some(db, which, known).await?;
        moved += now;
        if now < UNPARK_MAX {
            return Ok(moved);
        }
    }
}

async fn unpark_some(db: &Db, which: Which, known: &[Known]) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let moved = sqlx::query(
        "with parked as materialized (
             select j.tenant_id, j.id, j.fence, j.lane_id from job j
             left join unnest($1::text[], $2::smallint[], $3::smallint[]) as known (kind, oldest, newest)
                 on known.kind = j.kind
             where j.parks is not null and j.pos is null
               and coalesce(j.kind_version between known.oldest and known.newest, false) = $4
             limit $5 for update of j skip locked
         ),
         woken as (
             update lane set asleep_since = null where asleep_since is not null and id in (select lane_id from parked)
         )
         update job set pos = nextval('job_pos'), scheduled_at = clock_timestamp() from parked
         where job.tenant_id = parked.tenant_id and job.id = parked.id and job.fence = parked.fence and job.pos is null",
    )
    .bind(known.iter().map(|known| known.kind).collect::<Vec<_>>())
    .bind(known.iter().map(|known| known.oldest as i16).collect::<Vec<_>>())
    .bind(known.iter().map(|known| known.newest as i16).collect::<Vec<_>>())
    .bind(which == Which::Known)
    .bind(UNPARK_MAX as i64)
    .execute(&mut *tx)
    .await
    .or_failed("make parked jobs available")?;
    if moved.rows_affected() > 0 {
        ring(&mut tx, jobs::Queue::ALL.into_iter()).await?;
    }
    commit(tx, "make parked jobs available").await?;
    Ok(moved.rows_affected())
}
