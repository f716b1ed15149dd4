//! Does `calendar.pull`. A calendar that cannot be read says so at its link, and what it said before grows old.

use std::{future::Future, time::Duration};

use jobs::{
    Failure, Job, Outcome,
    failure::Problem,
    kinds::calendar_pull::{CalendarPull, CalendarPulled},
};
use store::calendars;

use crate::{
    breakers::Called,
    calendars::{Trouble, pull},
    cx::Cx,
    registry::Handle,
};

/// A reading may take as long as its job, but for what it takes to note that it took too long.
const READ_MAX: Duration = Duration::from_secs(110);
const _: () =
    assert!(READ_MAX.as_secs() < CalendarPull::POLICY.timeout_s as u64, "or nobody is left to note it");

impl Handle for CalendarPull {
    async fn run(self, cx: &Cx<'_>) -> Outcome<CalendarPulled> {
        let (deps, tenant) = (cx.deps, cx.tenant());
        let leave = deps.breakers.enter(Called::Calendar(self.link), tenant).map_err(|wait| {
            let why = "the calendar did not answer the last times and is left alone for a while";
            Failure::Snooze { wait, problem: Problem::new("calendar_away", why) }
        })?;
        let pulled = within(READ_MAX, pull(deps, tenant, self.link)).await;
        leave.told(pulled.as_ref().map_or_else(Trouble::is_answer, |_| true));
        match pulled {
            Ok(pulled) => {
                let nothing = CalendarPulled {
                    link: self.link,
                    read: false,
                    changed: 0,
                    removed: 0,
                    busy: 0,
                    doubts: 0,
                };
                Ok(pulled.unwrap_or(nothing))
            }
            Err(trouble) if trouble.is_passing() => Err(trouble.into_failure()),
            Err(trouble) => {
                calendars::failed(&deps.db, tenant, self.link, &trouble.to_string(), trouble.is_refusal())
                    .await?;
                Err(trouble.into_failure())
            }
        }
    }
}

async fn within<T>(
    longest: Duration,
    reading: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    tokio::time::timeout(longest, reading).await.unwrap_or(Err(Trouble::Slow(longest)))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_reading_without_end_is_told_at_its_link() {
        let slow = within(Duration::from_millis(1), pending::<Result<(), Trouble>>()).await.unwrap_err();
        assert!(slow.to_string().contains("takes more than") && !slow.is_answer() && !slow.is_passing());
        assert!(within(READ_MAX, ready(Ok(()))).await.is_ok());
    }
}
