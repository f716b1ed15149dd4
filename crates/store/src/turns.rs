//! Chores that one process does at a time, every so often, whichever that is.

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// Takes the turn at `chore` for `for_s` seconds; false when somebody has it. Nobody gives it back: it ends with its time.
///
/// # Errors
/// When the database fails.
pub async fn take(db: &Db, chore: &'static str, for_s: u32) -> Result<bool, StoreError> {
    let taken = sqlx::query(
        "insert into turn as t (chore, taken_until) values ($1, clock_timestamp() + make_interval(secs => $2))
         on conflict (chore) do update set taken_until = excluded.taken_until
         where t.taken_until <= clock_timestamp()",
    )
    .bind(chore)
    .bind(f64::from(for_s))
    .execute(db.pool())
    .await
    .or_failed("take a turn")?;
    Ok(taken.rows_affected() == 1)
}
