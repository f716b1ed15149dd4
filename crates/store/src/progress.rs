//! What the end of a job means for the workflow it belongs to: one more in the counts of its step.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jobs::{JobId, State};
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

    /// The workflow it belongs to, its step, and the state it ended in.
    pub(crate) fn member(&self) -> Option<(Uuid, i16, &str)> {
        Some((self.workflow_id?, self.step?, self.final_state.as_deref()?))
    }
}

/// Adds jobs that ended to the counts of their steps, once per step: of each its workflow, its step, and the state it
/// ended in.
///
/// Steps are locked in one order, so that groups which end jobs of the same steps do not wait for each other in a ring.
pub(crate) async fn count<'a>(
    tx: &mut PgConnection,
    members: impl Iterator<Item = (Uuid, i16, &'a str)>,
) -> Result<(), StoreError> {
    let mut counts: BTreeMap<(Uuid, i16), [i32; 3]> = BTreeMap::new();
    for (workflow, step, state) in members {
        let [completed, discarded, cancelled] = counts.entry((workflow, step)).or_default();
        match state {
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

/// A place in a workflow: which, and the ordinal of the step.
pub(crate) type Place = (Uuid, i16);

/// Of `places`, those whose step is not over. They stay so until the transaction ends: jobs may begin again in them.
pub(crate) async fn hold_open(
    tx: &mut PgConnection,
    places: &BTreeSet<Place>,
) -> Result<HashSet<Place>, StoreError> {
    if places.is_empty() {
        return Ok(HashSet::new());
    }
    let open: Vec<Place> = sqlx::query_as(
        "select s.workflow_id, s.ordinal from workflow_step s
         join unnest($1::uuid[], $2::smallint[]) as x (workflow_id, step)
             on s.workflow_id = x.workflow_id and s.ordinal = x.step
         where s.state = 'running' and s.completed + s.discarded + s.cancelled < s.jobs_total
         order by s.workflow_id, s.ordinal for update of s",
    )
    .bind(places.iter().map(|(workflow, _)| *workflow).collect::<Vec<_>>())
    .bind(places.iter().map(|(_, step)| *step).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .or_failed("see which steps are not over")?;
    Ok(open.into_iter().collect())
}

/// Takes jobs that ended in a state and begin again out of the counts of their steps, which [`hold_open`] holds.
pub(crate) async fn uncount(tx: &mut PgConnection, begun: &[(Place, State)]) -> Result<(), StoreError> {
    if begun.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update workflow_step s set completed = s.completed - x.completed, discarded = s.discarded - x.discarded,
             cancelled = s.cancelled - x.cancelled
         from (
             select workflow_id, step, count(*) filter (where ended = 'completed')::int as completed,
                    count(*) filter (where ended = 'discarded')::int as discarded,
                    count(*) filter (where ended = 'cancelled')::int as cancelled
             from unnest($1::uuid[], $2::smallint[], $3::text[]) as x (workflow_id, step, ended) group by 1, 2) x
         where s.workflow_id = x.workflow_id and s.ordinal = x.step",
    )
    .bind(begun.iter().map(|((workflow, _), _)| *workflow).collect::<Vec<_>>())
    .bind(begun.iter().map(|((_, step), _)| *step).collect::<Vec<_>>())
    .bind(begun.iter().map(|(_, ended)| ended.name()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .or_failed("take jobs out of the counts of their steps")?;
    Ok(())
}
