//! Random expressions against a cron that walks through the days minute by minute, as Vixie's does.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::parser::CronParser;
use proptest::prelude::*;

use crate::{at, cron, zone};

/// Zones and a day shortly before they change their clocks, or none of it.
const DAYS: [(&str, &str); 12] = [
    ("Europe/Berlin", "2026-03-28T00:00:00Z"),
    ("Europe/Berlin", "2026-10-24T00:00:00Z"),
    ("America/New_York", "2026-03-07T00:00:00Z"),
    ("America/New_York", "2026-10-31T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-03T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-02T12:00:00Z"),
    ("Africa/Casablanca", "2026-02-14T00:00:00Z"),
    ("Africa/Casablanca", "2026-03-21T00:00:00Z"),
    ("Pacific/Apia", "2011-12-29T00:00:00Z"),
    ("Asia/Beirut", "2026-03-28T00:00:00Z"),
    ("Antarctica/Troll", "2026-03-28T00:00:00Z"),
    ("UTC", "2026-03-28T00:00:00Z"),
];
const DAYS_LONG: i64 = 3;

/// What a cron does that wakes every minute: appointments in minutes that the clock skipped are kept at once, and those
/// in minutes that it shows again are not kept again.
fn walk(text: &str, zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let matching = CronParser::new().parse(text).unwrap();
    let matches = |minute: NaiveDateTime| matching.is_time_matching(&minute).unwrap();
    let mut fields = text.split(' ');
    let is_wild = [fields.next(), fields.next()].iter().flatten().any(|field| field.starts_with('*'));
    let minute = TimeDelta::minutes(1);
    let mut reached = from.with_timezone(&zone).naive_local();
    let mut found = Vec::new();
    let mut now = from;
    while now < to {
        now += minute;
        let shown = now.with_timezone(&zone).naive_local();
        let mut comes = matches(shown) && (is_wild || shown > reached);
        while reached + minute < shown {
            reached += minute;
            comes |= !is_wild && matches(reached);
        }
        reached = reached.max(shown);
        if comes {
            found.push(now);
        }
    }
    found
}

fn field(least: u32, most: u32) -> impl Strategy<Value = String> {
    let number = least..=most;
    prop_oneof![
        3 => Just("*".to_owned()),
        1 => (1..=most - least).prop_map(|step| format!("*/{step}")),
        3 => number.clone().prop_map(|n| n.to_string()),
        1 => prop::collection::vec(number.clone(), 1..4)
            .prop_map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
        2 => (number.clone(), number, 1..=3_u32)
            .prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
    ]
}

fn hours() -> impl Strategy<Value = String> {
    // Most clocks are changed at night.
    prop_oneof![field(0, 23), field(0, 4)]
}

fn days() -> impl Strategy<Value = &'static str> {
    prop_oneof![5 => Just("* * *"), 1 => Just("* * SUN"), 1 => Just("29-31 * *"), 1 => Just("* 10-12 FRI,SAT")]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn slots_are_those_of_a_cron_that_walks(minute in field(0, 59), hour in hours(), days in days(), day in 0..DAYS.len()) {
        let text = format!("{minute} {hour} {days}");
        let (name, from) = DAYS[day];
        let from = at(from);
        let to = from + TimeDelta::days(DAYS_LONG);
        let (cron, zone) = (cron(&text), zone(name));
        let mut slots = Vec::new();
        let mut next = cron.after(zone, from);
        while let Some(slot) = next.filter(|slot| *slot <= to) {
            prop_assert!(slots.last().is_none_or(|last| *last < slot), "{text} in {name} goes back at {slot}");
            slots.push(slot);
            next = cron.after(zone, slot);
        }
        prop_assert_eq!(&slots, &walk(&text, name.parse().unwrap(), from, to), "{} in {}", text, name);
        // From anywhere between two slots the next is the same, and the latest is the one before.
        for pair in slots.windows(2) {
            let between = pair[0] + (pair[1] - pair[0]) / 2;
            prop_assert_eq!(cron.after(zone, between), Some(pair[1]), "{} in {} after {}", text, name, between);
            prop_assert_eq!(cron.latest(zone, slots[0], between), Some(pair[0]), "{} in {} until {}", text, name, between);
        }
    }

    #[test]
    fn whatever_is_typed_is_read_or_refused(text in "[@*0-9A-Za-z,/#+? -]{0,40}") {
        if let Ok(cron) = schedule::Cron::parse(&text) {
            let slot = cron.after(zone("Europe/Berlin"), at("2026-11-21T00:00:00Z"));
            prop_assert!(slot.is_some() && !cron.describe().is_empty(), "{text}");
        }
    }
}
