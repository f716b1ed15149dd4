//! What the end of a job means for the workflow it belongs to: one more in the counts of its step.

use std::collections::BTreeMap;

use jobs::JobId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::error::{OrFailed, StoreError};

/// A job that ended, or went back to waiting, with its place in a workflow.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Ended {
    job_id: Uuid,
    workflow_id: Option<Uuid>,
    step: Option<i16>,
    final_state: Option<String>,
}

impl Ended {
    pub(crate) fn job(&self) -> JobId {
        JobId::from_uuid(self.job_id)
    }
}

/// Adds the jobs that ended to the counts of their steps, once per step. Costs nothing for jobs of no workflow.
///
/// Steps are locked in one order, so that groups which end jobs of the same steps do not wait for each other in a ring.
pub(crate) async fn count(tx: &mut PgConnection, ended: &[Ended]) -> Result<(), StoreError> {
    let mut counts: BTreeMap<(Uuid, i16), [i32; 3]> = BTreeMap::new();
    for job in ended {
        let (Some(workflow), Some(step), Some(state)) = (job.workflow_id, job.step, &job.final_state) else {
            continue;
        };
        let [completed, discarded, cancelled] = counts.entry((workflow, step)).or_default();
        match state.as_str() {
            "completed" => *completed += 1,
            "discarded" => *discarded += 1,
            _ => *cancelled += 1,
        }
    }
    if counts.is_empty() {
        return Ok(());
    }
    let column = |at: usize| counts.values().map(|counts| counts[at]).collect::<Vec<_>>();
    sqlx::query(
        "with x as materialized (
             select * from unnest($1::uuid[], $2::smallint[], $3::int[], $4::int[], $5::int[])
                  as x (workflow_id, step, completed, discarded, cancelled)
         ),
         locked as materialized (
             select s.workflow_id, s.ordinal from workflow_step s join x on s.workflow_id = x.workflow_id and s.ordinal = x.step
             order by s.workflow_id, s.ordinal for update of s
         )
         update workflow_step s set completed = s.completed + x.completed, discarded = s.discarded + x.discarded,
             cancelled = s.cancelled + x.cancelled
         from x join locked on locked.workflow_id = x.workflow_id and locked.ordinal = x.step
         where s.workflow_id = x.workflow_id and s.ordinal = x.step",
    )
    .bind(counts.keys().map(|(workflow, _)| *workflow).collect::<Vec<_>>())
    .bind(counts.keys().map(|(_, step)| *step).collect::<Vec<_>>())
    .bind(column(0))
    .bind(column(1))
    .bind(column(2))
    .execute(&mut *tx)
    .await
    .or_failed("count jobs of workflows")?;
    sqlx::query("select pg_notify('crewline_jobs', 'workflows')")
        .execute(tx)
        .await
        .or_failed("announce the progress of workflows")?;
    Ok(())
}
