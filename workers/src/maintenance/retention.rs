//! Lets go of history that tenants asked not to keep.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{Days, NaiveDate, Utc};
use jobs::TenantId;
use store::{
    Db, StoreError,
    retention::{self, Rules},
};
use tokio_util::sync::CancellationToken;

use super::chain;

/// How often to look.
const EVERY: Duration = Duration::from_hours(1);
/// Rest after a page, as a multiple of the time that it took.
const REST_PER_PAGE: u32 = 2;

/// Days that were looked through to their end when every rule had let them go, and by which rules.
type Done = HashMap<(TenantId, NaiveDate), Rules>;

/// Lets go until `stop`; nothing is kept for more than `history_days` anyway.
pub async fn run(db: Db, history_days: u32, stop: CancellationToken) {
    let mut done = Done::new();
    while !stop.is_cancelled() {
        tokio::select! {
            went = everybody(&db, history_days, &mut done) => if let Err(error) = went {
                tracing::warn!(error = chain(&error), "Could not let go of old history; trying again in an hour");
            },
            () = stop.cancelled() => {}
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn everybody(db: &Db, history_days: u32, done: &mut Done) -> Result<(), StoreError> {
    let today = Utc::now().date_naive();
    let oldest = today - Days::new(u64::from(history_days) + 1);
    done.retain(|(_, day), _| *day >= oldest);
    for (tenant, rules) in retention::of_all(db).await? {
        let Some((fewest, most)) = rules.span() else { continue };
        let youngest = today - Days::new(u64::from(fewest));
        let mut pruned = 0;
        for day in oldest.iter_days().take_while(|day| *day <= youngest) {
            if done.get(&(tenant, day)) == Some(&rules) {
                continue;
            }
            pruned += whole_day(db, tenant, day).await?;
            if day < today - Days::new(u64::from(most)) {
                done.insert((tenant, day), rules.clone());
            }
        }
        if pruned > 0 {
            tracing::info!(tenant.id = %tenant, attempts = pruned, "Let go of old history");
        }
    }
    Ok(())
}

async fn whole_day(db: &Db, tenant: TenantId, day: NaiveDate) -> Result<usize, StoreError> {
    let (mut after, mut sum) = (None, 0);
    loop {
        let began = Instant::now();
        let (pruned, reached) = retention::prune(db, tenant, day, after).await?;
        sum += pruned;
        after = reached;
        if after.is_none() {
            return Ok(sum);
        }
        tokio::time::sleep(began.elapsed() * REST_PER_PAGE).await;
    }
}
