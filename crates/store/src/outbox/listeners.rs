//! Which tenants have an endpoint. Every job that ends asks, so a process remembers the answer for a while.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use jobs::TenantId;
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// How long it is believed who listens: the longest until a tenant's first endpoint is told of jobs.
const KNOWN_FOR: Duration = Duration::from_secs(5);

/// The tenants that want to be told what happens.
pub type Listening = Arc<HashSet<TenantId>>;

/// What a process remembers of them.
#[derive(Default)]
pub(crate) struct Listeners(RwLock<Option<(Listening, Instant)>>);

/// The tenants that have an endpoint, as it was a few seconds ago at most. For workers.
pub(crate) async fn listening(db: &Db) -> Result<Listening, StoreError> {
    if let Some((known, since)) = db.listeners().0.read().unwrap_or_else(PoisonError::into_inner).as_ref()
        && since.elapsed() < KNOWN_FOR
    {
        return Ok(known.clone());
    }
    // Boxed, so that what is rare does not make larger what is not.
    Box::pin(look(db)).await
}

async fn look(db: &Db) -> Result<Listening, StoreError> {
    let since = Instant::now();
    let tenants: Vec<Uuid> =
        sqlx::query_scalar("select distinct tenant_id from webhook_endpoint where disabled_at is null")
            .fetch_all(db.pool())
            .await
            .or_failed("see who wants to be told")?;
    let found: Listening = Arc::new(tenants.into_iter().map(TenantId::from_uuid).collect());
    let mut known = db.listeners().0.write().unwrap_or_else(PoisonError::into_inner);
    *known = Some((found.clone(), since));
    Ok(found)
}
