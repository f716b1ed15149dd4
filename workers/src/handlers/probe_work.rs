//! Does `probe.work`.

use std::time::Duration;

use jobs::{
    Failure, Outcome,
    failure::Problem,
    kinds::probe_work::{Ending, ProbeWork, Probed},
};
use store::logs::Level;

use crate::{cx::Cx, registry::Handle};

/// Reports on the way.
const STEPS: u32 = 10;

impl Handle for ProbeWork {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Probed> {
        if self.work_ms > 0 {
            for step in 1..=STEPS {
                tokio::time::sleep(Duration::from_millis(u64::from(self.work_ms)) / STEPS).await;
                cx.progress((step * 100 / STEPS) as u8, format!("step {step} of {STEPS}"));
                cx.log(Level::Info, format!("did step {step}"));
            }
        }
        let this_time = self.endings.get(usize::from(cx.job.attempt) - 1).unwrap_or(&Ending::Complete);
        end(&self, this_time, cx)
    }
}

fn end(job: &ProbeWork, ending: &Ending, cx: &Cx<'_>) -> Outcome<Probed> {
    let told = || Problem::new("told_to", "the arguments say so");
    match ending {
        Ending::Complete => {
            for number in 0..job.follow_ups {
                cx.then(&ProbeWork { echo: format!("follow-up {number}"), ..ProbeWork::default() })?;
            }
            let padding = "x".repeat(job.result_bytes as usize);
            Ok(Probed { echo: job.echo.clone(), attempt: cx.job.attempt, padding })
        }
        Ending::Retry => Err(Failure::Retry { problem: told(), after: None }),
        Ending::RetryAfter(seconds) => {
            Err(Failure::Retry { problem: told(), after: Some(Duration::from_secs(u64::from(*seconds))) })
        }
        Ending::Snooze(seconds) => {
            Err(Failure::Snooze { problem: told(), wait: Duration::from_secs(u64::from(*seconds)) })
        }
        Ending::Discard => Err(Failure::Discard { problem: told() }),
        Ending::Cancel => Err(Failure::Cancel { problem: told() }),
        #[expect(clippy::panic, reason = "this is what was asked for")]
        Ending::Panic => panic!("told to panic"),
        Ending::Abort if cx.faults().abort_allowed => std::process::abort(),
        Ending::Abort => {
            Err(Failure::discard("abort_not_allowed", "this worker was not started for fault tests"))
        }
    }
}
