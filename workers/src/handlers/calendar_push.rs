//! Does `calendar.push`.

use jobs::{
    Failure, Outcome,
    failure::Problem,
    kinds::calendar_push::{CalendarPush, CalendarPushed},
};

use crate::{
    breakers::Called,
    calendars::{Trouble, push},
    cx::Cx,
    registry::Handle,
};

impl Handle for CalendarPush {
    async fn run(self, cx: &Cx<'_>) -> Outcome<CalendarPushed> {
        let tenant = cx.tenant();
        let leave = cx.deps.breakers.enter(Called::Calendar(self.link), tenant).map_err(|wait| {
            let why = "the calendar did not answer the last times and is left alone for a while";
            Failure::Snooze { wait, problem: Problem::new("calendar_away", why) }
        })?;
        let pushed = push(cx.deps, tenant, (self.link, self.booking, self.wish)).await;
        leave.told(pushed.as_ref().map_or_else(Trouble::is_answer, |_| true));
        let outcome = pushed.map_err(Trouble::into_failure)?;
        Ok(CalendarPushed { booking: self.booking, outcome })
    }
}
