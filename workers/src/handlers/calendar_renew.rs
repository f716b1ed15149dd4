//! Does `calendar.renew`. A calendar of which nobody tells is read as often as any other.

use jobs::{
    Failure, Outcome,
    failure::Problem,
    kinds::calendar_renew::{CalendarRenew, CalendarRenewed},
};

use crate::{
    breakers::Called,
    calendars::{Trouble, watch},
    cx::Cx,
    registry::Handle,
};

impl Handle for CalendarRenew {
    async fn run(self, cx: &Cx<'_>) -> Outcome<CalendarRenewed> {
        let tenant = cx.tenant();
        let leave = cx.deps.breakers.enter(Called::Calendar(self.link), tenant).map_err(|wait| {
            let why = "the calendar did not answer the last times and is left alone for a while";
            Failure::Snooze { wait, problem: Problem::new("calendar_away", why) }
        })?;
        let watched = watch(cx.deps, (tenant, self.link)).await;
        leave.told(watched.as_ref().map_or_else(Trouble::is_answer, |_| true));
        let until = watched.map_err(Trouble::into_failure)?;
        Ok(CalendarRenewed { link: self.link, until })
    }
}
