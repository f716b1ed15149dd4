//! Lets parked jobs go when a worker comes that knows them, and when one goes that did not.

use std::time::Duration;

use store::{
    Db,
    parking::{self, Which},
};
use tokio_util::sync::CancellationToken;

use super::chain;
use crate::knows::Knows;

/// Pause between tries when the database does not answer at the start.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Longest time for the last word of a process that goes.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Makes jobs available that this process knows, then waits for `stop` and makes those available that it does not.
pub async fn run(db: Db, knows: Knows, stop: CancellationToken) {
    while !let_go(&db, Which::Known, &knows).await {
        tokio::select! {
            () = tokio::time::sleep(TRY_AGAIN) => {}
            () = stop.cancelled() => return,
        }
    }
    stop.cancelled().await;
    // Nobody may be there who knows them. Then they are parked again, by somebody else.
    if tokio::time::timeout(LAST_WORD, let_go(&db, Which::Unknown, &knows)).await.is_err() {
        tracing::debug!("Parked jobs were not let go in time; each is tried again when its wait is over");
    }
}

async fn let_go(db: &Db, which: Which, knows: &Knows) -> bool {
    match parking::unpark(db, which, knows.all()).await {
        Ok(0) => true,
        Ok(jobs) => {
            tracing::info!(jobs, "Let parked jobs go");
            true
        }
        Err(error) => {
            tracing::warn!(error = chain(&error), "Could not look for parked jobs");
            false
        }
    }
}
