//! Expressions, zones and missed slots, against tables worked out by hand and against an oracle.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clock_changes;
mod missed_slots;
mod refusals;
mod vixie;

use chrono::{DateTime, Utc};
use schedule::{Cron, Zone};

fn cron(text: &str) -> Cron {
    Cron::parse(text).unwrap()
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse::<DateTime<chrono::FixedOffset>>().unwrap().to_utc()
}
