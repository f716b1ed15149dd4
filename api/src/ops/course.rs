//! How a queue or a kind stands and went in the last hour, in the same words for both.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use store::observing::{Minute, WAITING_COUNTED_MAX};
use tr::tr;

use super::{charts, words};

/// Minutes that say at which pace something is worked off.
const PACE_MINUTES: i64 = 10;

/// What is known of a queue, or of a kind.
pub(super) struct Course<'a> {
    pub(super) now: DateTime<Utc>,
    /// Counted up to [`WAITING_COUNTED_MAX`] and one more.
    pub(super) waiting: i64,
    pub(super) running: i64,
    /// Since when the first in line may run.
    pub(super) oldest_at: Option<DateTime<Utc>>,
    /// Workers that listen, and their slots.
    pub(super) heard: (i64, i64),
    /// What ended in the last hour.
    pub(super) minutes: Vec<&'a Minute>,
}

impl Course<'_> {
    /// All of it.
    pub(super) fn facts(&self) -> Markup {
        let per_minute = |of: fn(&Minute) -> i32| charts::per_minute(&self.minutes, self.now, of);
        let waits = charts::percentiles(self.minutes.iter().map(|minute| &minute.wait_ms));
        let runs = charts::percentiles(self.minutes.iter().map(|minute| &minute.run_ms));
        let (workers, slots) = self.heard;
        html! {
            dl.facts {
                div { dt { (tr!("Waiting")) } dd { (words::up_to(self.waiting, WAITING_COUNTED_MAX.into())) } }
                div { dt { (tr!("Oldest")) } dd { @match self.oldest_at { Some(at) => (words::span(self.now - at)), None => "–" } } }
                @if let Some(left) = self.left() { div { dt { (tr!("Worked off in")) } dd { (left) } } }
                div { dt { (tr!("Running")) } dd { (self.busy(slots)) } }
                div { dt { (tr!("Workers")) } dd { (words::count(workers)) } }
                div { dt { (tr!("Lately")) } dd { (tr!("{pace} a minute", pace = words::decimal(self.lately() as f64 / PACE_MINUTES as f64))) } }
                div { dt { (tr!("Wait")) } dd { (charts::said(waits)) } }
                div { dt { (tr!("Run")) } dd { (charts::said(runs)) } }
                div { dt { (tr!("Completed")) } dd { (charts::sparkline(&per_minute(|minute| minute.completed), &tr!("completed"))) } }
                div.bad { dt { (tr!("Failed")) } dd { (charts::sparkline(&per_minute(|minute| minute.failed), &tr!("failed"))) } }
            }
        }
    }

    /// How many of the slots are in use.
    fn busy(&self, slots: i64) -> String {
        let running = words::count(self.running);
        let busy = tr!(
            "{running} of {count} slot" | "{running} of {count} slots" % slots,
            running,
            count = words::count(slots)
        );
        match (self.running * 100).checked_div(slots) {
            Some(percent) => tr!("{busy}, {percent} %", busy, percent),
            None => busy,
        }
    }

    /// Jobs that ended in the last [`PACE_MINUTES`].
    fn lately(&self) -> i64 {
        let since = self.now - TimeDelta::minutes(PACE_MINUTES);
        let lately = self.minutes.iter().filter(|minute| minute.minute >= since);
        lately.map(|minute| i64::from(minute.completed + minute.discarded)).sum()
    }

    /// How long what waits takes at the pace of the last minutes, if nothing more comes; none where that cannot be told.
    fn left(&self) -> Option<String> {
        let (ended, counted) = (self.lately(), self.waiting.min(WAITING_COUNTED_MAX.into()));
        let seconds = (counted * PACE_MINUTES * 60).checked_div(ended).filter(|_| counted > 0)?;
        let span = words::span(TimeDelta::seconds(seconds.max(1)));
        Some(if self.waiting > counted { tr!("more than {span}", span) } else { tr!("about {span}", span) })
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use store::observing::Minute;

    use super::Course;

    #[test]
    fn what_waits_is_worked_off_at_the_pace_of_the_last_minutes() {
        let now = Utc::now();
        let minute = |ago, completed| Minute {
            minute: now - TimeDelta::minutes(ago),
            queue: "default".to_owned(),
            kind: "probe.work".to_owned(),
            completed,
            failed: 0,
            discarded: 0,
            wait_ms: Vec::new(),
            run_ms: Vec::new(),
        };
        let (lately, before) = (minute(2, 100), minute(30, 9_000));
        let left = |waiting, minutes| {
            Course { now, waiting, running: 0, oldest_at: None, heard: (0, 0), minutes }.left()
        };
        assert_eq!(left(50, vec![&lately, &before]).unwrap(), "about 5 min");
        assert_eq!(left(10_001, vec![&lately]).unwrap(), "more than 16 h 40 min");
        assert_eq!((left(0, vec![&lately]), left(50, vec![&before])), (None, None));
    }
}
