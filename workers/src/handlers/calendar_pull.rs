//! Does `calendar.pull`. A calendar that cannot be read says so at its link, and what it said before grows old.

use jobs::{
    Failure, Outcome,
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

impl Handle for CalendarPull {
    async fn run(self, cx: &Cx<'_>) -> Outcome<CalendarPulled> {
        let (deps, tenant) = (cx.deps, cx.tenant());
        let leave = deps.breakers.enter(Called::Calendar(self.link), tenant).map_err(|wait| {
            let why = "the calendar did not answer the last times and is left alone for a while";
            Failure::Snooze { wait, problem: Problem::new("calendar_away", why) }
        })?;
        let pulled = pull(deps, tenant, self.link).await;
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
            Err(trouble @ Trouble::Renewing) => Err(trouble.into_failure()),
            Err(trouble) => {
                calendars::failed(&deps.db, tenant, self.link, &trouble.to_string(), trouble.is_refusal())
                    .await?;
                Err(trouble.into_failure())
            }
        }
    }
}
