//! Which objects the rows of jobs name.

use std::collections::HashSet;

use jobs::{JobId, TenantId};

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// The keys of objects that hold payloads of `jobs`, live or in history.
pub async fn named(db: &Db, tenant: TenantId, jobs: &[JobId]) -> Result<HashSet<String>, StoreError> {
    // One statement, so that a job that ends in this moment is seen here or there.
    let keys: Vec<String> = sqlx::query_scalar(
        "select args ->> 'key' from job
         where tenant_id = $1 and id = any ($2) and args ->> '$crewline' = 'object'
         union
         select held.payload ->> 'key' from attempt a cross join lateral (values (a.args), (a.result)) as held (payload)
         where a.tenant_id = $1 and a.job_id = any ($2) and held.payload ->> '$crewline' = 'object'",
    )
    .bind(tenant.as_uuid())
    .bind(jobs.iter().map(JobId::as_uuid).collect::<Vec<_>>())
    .fetch_all(db.pool())
    .await
    .or_failed("see which objects are named")?;
    Ok(keys.into_iter().collect())
}
