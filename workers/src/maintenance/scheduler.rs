//! The scheduler: makes jobs of the slots of schedules when their time has come.
//!
//! Every process has one and none is in charge: whoever wakes first takes what is due, and the others pass it by. A process
//! that does nothing else asks one question of one row a second.

use std::time::Duration;

use store::{Db, StoreError, schedules};
use tokio_util::sync::CancellationToken;

use super::chain;

/// Longest pause between two looks: so soon a schedule that somebody changed is seen.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Shortest pause: while another process has what is due.
const PAUSE_MIN: Duration = Duration::from_millis(20);

/// Fires schedules until `stop`.
pub async fn run(db: Db, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let pause = match round(&db).await {
            Ok(next) => next.unwrap_or(PAUSE_MAX).clamp(PAUSE_MIN, PAUSE_MAX),
            Err(error) => {
                tracing::warn!(error = chain(&error), "Could not fire schedules; trying again");
                PAUSE_MAX
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// One round; answers how soon the next schedule comes due.
async fn round(db: &Db) -> Result<Option<Duration>, StoreError> {
    let next = schedules::next_due(db).await?;
    if next.is_none_or(|next| !next.is_zero()) {
        return Ok(next);
    }
    let round = schedules::fire_due(db).await?;
    for fired in &round.fired {
        metrics::counter!(telemetry::metrics::SCHEDULE_FIRES_TOTAL, "outcome" => fired.outcome).increment(1);
        if fired.outcome == "refused" {
            tracing::warn!(
                schedule.id = %fired.schedule, tenant.id = %fired.tenant,
                "{} made no job: its kind does not take its arguments any more", fired.schedule
            );
        }
    }
    if let Some((schedule, error)) = &round.set_aside {
        tracing::error!(schedule.id = %schedule, error = chain(error), "Paused {schedule}, which cannot be fired");
    }
    if round.is_full { Ok(Some(Duration::ZERO)) } else { schedules::next_due(db).await }
}
