//! Payloads that are too large for a row: fetched before the handler begins, stowed before its verdict is told.

use std::time::Duration;

use jobs::{Failure, Outcome, TenantId, failure::Problem};
use payloads::{Of, PayloadError};
use serde_json::Value;
use store::{
    claim::Claimed,
    enqueue::NewJob,
    payload::{Field, Payload},
};

use crate::{
    deps::Deps,
    faults::{Faults, Point},
    verdict::Ended,
};

/// Wait of a job whose arguments are out of reach. It has not begun, so no attempt is used up.
const OUT_OF_REACH_WAIT: Duration = Duration::from_secs(10);

/// The arguments of `job`, of which its row held `args`; or how the run ends without them.
pub(crate) async fn args(deps: &Deps, job: &Claimed, args: Payload) -> Result<Value, Ended> {
    let of = Of { tenant: job.tenant, job: job.id, field: Field::Args };
    let problem = |code: &str, error: &PayloadError| Problem::of(code, error);
    payloads::fetch(&deps.db, &deps.blobs, of, args).await.map_err(|error| {
        if error.is_for_another() {
            return Ended::Unknown(problem("no_key", &error));
        }
        Ended::Returned(Err(if error.is_transient() {
            Failure::Snooze { wait: OUT_OF_REACH_WAIT, problem: problem("args_out_of_reach", &error) }
        } else {
            // Sealed anew since the claim, perhaps: then the next claim reads another name.
            Failure::Retry { problem: problem("args_lost", &error), after: None }
        }))
    })
}

/// How the run of `job` ends that left `result`.
pub(crate) async fn result(deps: &Deps, job: &Claimed, result: Value, faults: Faults) -> Ended {
    let of = Of { tenant: job.tenant, job: job.id, field: Field::Result };
    let stowed = payloads::stow(&deps.db, &deps.blobs, of, result).await;
    if matches!(stowed, Ok(Payload::Object(_))) {
        faults.reach(Point::AfterPut);
    }
    match stowed {
        Err(error) if error.is_for_another() => Ended::Unknown(Problem::of("no_key", &error)),
        stowed => Ended::Returned(stowed.map_err(|error| failure("result", &error))),
    }
}

/// Stows the arguments of follow-up jobs that are too large for their rows.
pub(crate) async fn follow_ups(deps: &Deps, tenant: TenantId, new: &mut [NewJob]) -> Outcome<()> {
    for new in new {
        let of = Of { tenant, job: new.id, field: Field::Args };
        if let Payload::Inline(value) = std::mem::replace(&mut new.args, Payload::Inline(Value::Null)) {
            let stowed = payloads::stow(&deps.db, &deps.blobs, of, value).await;
            new.args = stowed.map_err(|error| failure("args", &error))?;
        }
    }
    Ok(())
}

fn failure(what: &str, error: &PayloadError) -> Failure {
    match error {
        PayloadError::TooLarge { .. } => {
            Failure::Discard { problem: Problem::of(&format!("{what}_too_large"), error) }
        }
        _ => Failure::Retry { problem: Problem::of(&format!("{what}_not_stored"), error), after: None },
    }
}
