//! Which of the slots that have come due get a job, and which were missed.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    cron::Cron,
    policy::{CatchUp, CatchUpRule, ON_TIME},
    zone::Zone,
};

/// Slots without jobs, from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// The first of them.
    pub first: DateTime<Utc>,
    /// The last of them; the same if there is one only.
    pub last: DateTime<Utc>,
}

/// What is to be done about a schedule that has come due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Slots that were missed and are not made up for.
    pub missed: Option<Skipped>,
    /// Slots that get a job each, oldest first.
    pub slots: Vec<DateTime<Utc>>,
    /// The first slot that is still to come.
    pub next: Option<DateTime<Utc>>,
}

/// Decides about every slot from `first`, which has to be a slot, up to `now`.
pub fn due(cron: &Cron, zone: Zone, first: DateTime<Utc>, now: DateTime<Utc>, rule: CatchUpRule) -> Due {
    let on_time_from = now - ON_TIME;
    let mut slots = Vec::new();
    if first >= on_time_from {
        collect(&mut slots, cron, zone, Some(first), now);
    } else {
        match rule.policy {
            CatchUp::None => {
                let next = cron.after(zone, on_time_from - TimeDelta::microseconds(1));
                collect(&mut slots, cron, zone, next, now);
            }
            CatchUp::One => slots.extend(cron.latest(zone, first, now)),
            CatchUp::All => {
                collect(
                    &mut slots,
                    cron,
                    zone,
                    cron.after(zone, on_time_from - TimeDelta::microseconds(1)),
                    now,
                );
                let oldest = first.max(now - TimeDelta::seconds(i64::from(rule.age_s)));
                let mut made_up = Vec::new();
                let mut until = on_time_from - TimeDelta::microseconds(1);
                while made_up.len() < usize::from(rule.slots_max)
                    && let Some(slot) = cron.latest(zone, first, until)
                    && slot >= oldest
                {
                    made_up.push(slot);
                    until = slot - TimeDelta::microseconds(1);
                }
                made_up.reverse();
                slots.splice(0..0, made_up);
            }
        }
    }
    let missed_until = slots.first().map_or(now, |slot| *slot - TimeDelta::microseconds(1));
    let missed = cron.latest(zone, first, missed_until).map(|last| Skipped { first, last });
    Due { missed, slots, next: cron.after(zone, now) }
}

/// `from` and every slot after it up to `until`: at most one a second.
fn collect(
    slots: &mut Vec<DateTime<Utc>>,
    cron: &Cron,
    zone: Zone,
    from: Option<DateTime<Utc>>,
    until: DateTime<Utc>,
) {
    let mut next = from;
    while let Some(slot) = next.filter(|slot| *slot <= until) {
        slots.push(slot);
        next = cron.after(zone, slot);
    }
}
