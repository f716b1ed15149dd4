//! When something that repeats is, by the clock on the wall.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use rrule::{RRuleSet, Tz};
use schedule::Zone;

use crate::event::{Clock, Moment};

/// How often something may be within one reading.
const TIMES_MAX: u16 = 20_000;
/// What repeats so often is nobody's appointment.
const TOO_OFTEN: [&str; 2] = ["FREQ=SECONDLY", "FREQ=MINUTELY"];
/// Times of one day that a rule may list.
const TIMES_OF_DAY_MAX: usize = 24;
/// How long ago something may have begun that is every hour.
const HOURLY_BACK_MAX: TimeDelta = TimeDelta::days(3_660);
const DATE: &str = "%Y%m%d";
const TIME: &str = "%Y%m%dT%H%M%S";

/// What the clock shows each time it is, from `from` until `until`. None when the rule cannot be followed. The library is
/// shown the wall clock as if it were UTC: it never sees a change of clocks.
pub(crate) fn times(
    rule: &str,
    start: &Moment,
    owner: Zone,
    (from, until): (NaiveDateTime, NaiveDateTime),
) -> Option<Vec<NaiveDateTime>> {
    let rule = rule.to_ascii_uppercase();
    if rule.split(';').any(|part| TOO_OFTEN.contains(&part)) || times_of_day(&rule) > TIMES_OF_DAY_MAX {
        return None;
    }
    // The library goes through all of it from its beginning.
    if is_hourly(&rule) && from - start.wall > HOURLY_BACK_MAX {
        return None;
    }
    let parts: Option<Vec<String>> = rule.split(';').map(|part| on_the_wall(part, start, owner)).collect();
    let text = format!("DTSTART:{}Z\nRRULE:{}", start.wall.format(TIME), parts?.join(";"));
    let set: RRuleSet = text.parse().ok()?;
    let utc = |wall: NaiveDateTime| wall.and_utc().with_timezone(&Tz::UTC);
    let found = set.after(utc(from)).before(utc(until)).all(TIMES_MAX);
    let times = || found.dates.iter().map(DateTime::naive_utc).collect();
    (!found.limited).then(times)
}

/// Whether it is so many hours apart, whatever the clock does.
pub(crate) fn is_hourly(rule: &str) -> bool {
    rule.split(';').any(|part| part.eq_ignore_ascii_case("FREQ=HOURLY"))
}

/// Times of each day that a rule lists: hours, minutes and seconds, each with each.
fn times_of_day(rule: &str) -> usize {
    let lists = ["BYHOUR=", "BYMINUTE=", "BYSECOND="];
    let length = |name| {
        rule.split(';').filter_map(move |part| part.strip_prefix(name)).map(|list| list.split(',').count())
    };
    lists.into_iter().map(|name| length(name).sum::<usize>().max(1)).product()
}

/// The part of a rule, its end as the clock on the wall shows it.
fn on_the_wall(part: &str, start: &Moment, owner: Zone) -> Option<String> {
    let Some(end) = part.strip_prefix("UNTIL=") else { return Some(part.to_owned()) };
    let wall = if let Ok(date) = NaiveDate::parse_from_str(end, DATE) {
        // The whole of that day.
        date.and_time(NaiveTime::from_hms_opt(23, 59, 59)?)
    } else if let Some(utc) = end.strip_suffix('Z') {
        let at: DateTime<Utc> = NaiveDateTime::parse_from_str(utc, TIME).ok()?.and_utc();
        if start.clock == Clock::Unknown {
            return None;
        }
        start.shows(at, owner)
    } else {
        NaiveDateTime::parse_from_str(end, TIME).ok()?
    };
    Some(format!("UNTIL={}Z", wall.format(TIME)))
}
