//! Beside python3-recurring-ical-events: the same rules, the same times.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};

use chrono::{DateTime, TimeDelta, Utc};
use matching::{Span, joined};
use serde_json::json;

use crate::said::{busy_of, events, file, shown, span};

const PROGRAM: &str = include_str!("oracle.py");
/// How much farther they are asked than is compared.
const AROUND: TimeDelta = TimeDelta::days(3);

/// What somebody else says of each calendar in a stretch of time; none where they cannot read it.
pub(crate) fn told(files: &[(String, Span)]) -> Vec<Option<Vec<Span>>> {
    let mut asked = Command::new("python3")
        // A package of Debian's is for Debian's Python, whichever comes first.
        .env("PATH", "/usr/bin:/bin:/usr/local/bin")
        .args(["-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is not installed; ./dev test installs it");
    let mut to = asked.stdin.take().unwrap();
    let line = |(text, horizon): &(String, Span)| {
        // Theirs has its ends by the clock of the entry.
        let wide = horizon.widened(AROUND, AROUND);
        json!({"text": text, "from": naive(wide.from), "until": naive(wide.until)}).to_string()
    };
    let lines = files.iter().map(line).collect::<Vec<_>>().join("\n");
    let writing = std::thread::spawn(move || to.write_all(lines.as_bytes()).unwrap());
    let answered = asked.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(answered.status.success(), "python3-recurring-ical-events is installed by ./dev test");
    let lines = String::from_utf8(answered.stdout).unwrap();
    let spans = |(line, (_, horizon)): (&str, &(String, Span))| {
        let pairs: Option<Vec<[DateTime<Utc>; 2]>> = serde_json::from_str(line).unwrap();
        let spans = pairs?.into_iter().map(|[from, until]| Span { from, until });
        Some(joined(spans.filter(|span| span.from < span.until && span.overlaps(horizon)).collect()))
    };
    lines.lines().zip(files).map(spans).collect()
}

fn naive(at: DateTime<Utc>) -> String {
    at.naive_utc().format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Every rule of a grammar, on starts that fit it, in zones whose clocks change and in some that do not.
fn entries() -> Vec<String> {
    let zones =
        ["Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"];
    let rules = [
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=3;COUNT=40",
        "FREQ=DAILY;BYDAY=MO,WE;UNTIL=20260630T120000Z",
        "FREQ=WEEKLY;BYDAY=TU,TH",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,MO",
        "FREQ=WEEKLY;INTERVAL=2;WKST=MO;BYDAY=SU,MO",
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=MONTHLY;BYDAY=2TU;COUNT=7",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
        "FREQ=YEARLY;BYYEARDAY=100,200",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
    ];
    let mut entries = Vec::new();
    for rule in rules {
        for (zone, hour) in
            zones.iter().flat_map(|zone| ["003000", "090000", "233000"].map(|hour| (zone, hour)))
        {
            entries
                .push(format!("DTSTART;TZID={zone}:{}T{hour}\nDURATION:PT45M\nRRULE:{rule}", first_of(rule)));
        }
        entries.push(format!(
            "DTSTART;VALUE=DATE:{}\nDTEND;VALUE=DATE:20260106\nRRULE:{}",
            "20260105", "FREQ=WEEKLY"
        ));
    }
    entries
}

/// A day on which something with this rule may begin: the first of its times.
fn first_of(rule: &str) -> &'static str {
    match rule {
        _ if rule.contains("TU,TH") => "20260106",
        _ if rule.contains("SU,MO") => "20260104",
        _ if rule.contains("BYMONTHDAY=31") => "20260131",
        _ if rule.contains("BYDAY=-1FR") => "20260130",
        _ if rule.contains("BYDAY=2TU") => "20260113",
        _ if rule.contains("BYSETPOS") => "20260130",
        _ if rule.contains("BYMONTH=3,10") => "20250330",
        _ if rule.contains("BYYEARDAY") => "20250410",
        _ if rule.contains("BYWEEKNO") => "20250512",
        _ => "20260105",
    }
}

#[test]
fn rules_are_followed_as_others_follow_them() {
    let horizon = span("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    let entries = entries();
    let files: Vec<(String, Span)> = entries.iter().map(|entry| (file(&[entry]), horizon)).collect();
    let mut differing = BTreeSet::new();
    for (entry, told) in entries.iter().zip(told(&files)) {
        let told = told.unwrap();
        let busy = busy_of(&events(&[entry]), "UTC", horizon);
        assert!(busy.doubts == 0 && !told.is_empty(), "{entry}");
        if busy.spans != told {
            let odd = |a: &[Span], b: &[Span]| {
                a.iter().filter(|span| !b.contains(span)).map(shown).take(3).collect::<Vec<_>>()
            };
            differing.insert(format!(
                "{entry}: {:?} is ours, {:?} theirs",
                odd(&busy.spans, &told),
                odd(&told, &busy.spans)
            ));
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
}
