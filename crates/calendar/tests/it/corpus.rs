//! Calendars that people really sent around, beside somebody else who reads them: the samples that calcard brings along.

use std::{fs, path::PathBuf, process::Command};

use calendar::{busy, read};
use chrono::TimeDelta;
use matching::Span;
use schedule::Zone;
use serde_json::Value;

use crate::{oracle::told, said::shown};

/// How much of a calendar is compared, from its first entry on.
const AHEAD: TimeDelta = TimeDelta::days(400);
/// Calendars that both read and understand. Fewer are a sign that one of them does not any more.
const COMPARED_MIN: usize = 500;

/// Where they differ, and why that is well.
const KNOWN: &[(&str, &[&str])] = &[
    (
        "they know no zones by the names of Windows, of offsets, or of the world",
        &["006", "021", "027", "101", "165", "215", "385", "544"],
    ),
    ("of what the clock shows twice they take the second, and we the first (RFC 5545)", &["298", "864"]),
    ("they know no clocks after 2037", &["303"]),
    ("they leave out the last one, which is when the rule ends", &["338", "624", "712", "748", "923"]),
    ("a day that is left out takes whatever is on it along", &["340", "735"]),
    ("entries of one name count each, so that none is taken for free", &["659", "705", "714"]),
    ("a time in UTC stays one, whatever zone is said besides", &["504"]),
    ("they do not follow those that change all that come after", &["788"]),
    ("days with hours, or as long as minutes", &["034", "038", "310", "530"]),
];

/// Where the sources of calcard are.
fn samples() -> PathBuf {
    let run = |arguments: &[&str]| {
        let answered = Command::new(env!("CARGO")).args(arguments).output().unwrap();
        assert!(answered.status.success(), "{}", String::from_utf8_lossy(&answered.stderr));
        String::from_utf8(answered.stdout).unwrap()
    };
    let about = run(&["-vV"]);
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = ["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", host];
    let told: Value = serde_json::from_str(&run(&metadata)).unwrap();
    let packages = told["packages"].as_array().unwrap();
    let calcard = packages.iter().find(|package| package["name"] == "calcard").unwrap();
    let manifest = PathBuf::from(calcard["manifest_path"].as_str().unwrap());
    manifest.parent().unwrap().join("resources/ical")
}

/// What is compared of a calendar: when somebody is busy, and in which stretch of time. None of one that is not understood as a
/// whole, and so is busy where others are not.
fn understood(text: &str) -> Option<(Vec<Span>, Span)> {
    let events = read(text.as_bytes(), None).ok()?;
    let first = events.iter().filter_map(|event| Some(event.start.as_ref()?.wall)).min()?;
    let from = first.and_utc() - TimeDelta::days(2);
    let horizon = Span { from, until: from + AHEAD };
    let found = busy(&events, Zone::UTC, horizon).ok()?;
    (found.doubts == 0 && !text.contains("VFREEBUSY")).then_some((found.spans, horizon))
}

#[test]
fn calendars_of_the_wild_are_read_as_others_read_them() {
    let mut files = Vec::new();
    for entry in fs::read_dir(samples()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "ics") {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        files.extend(understood(&text).map(|(ours, horizon)| (name, ours, text, horizon)));
    }
    files.sort();
    let asked: Vec<(String, Span)> =
        files.iter().map(|(_, _, text, horizon)| (text.clone(), *horizon)).collect();
    let (mut compared, mut differing) = (0, Vec::new());
    for ((name, ours, ..), theirs) in files.iter().zip(told(&asked)) {
        let Some(theirs) = theirs else { continue };
        compared += 1;
        let is_known = || KNOWN.iter().any(|(_, names)| names.contains(&name.as_str()));
        if *ours != theirs && !is_known() {
            let odd = |a: &[Span], b: &[Span]| {
                a.iter().filter(|span| !b.contains(span)).map(shown).take(3).collect::<Vec<_>>()
            };
            let (ours, theirs) = (odd(ours, &theirs), odd(&theirs, ours));
            differing.push(format!("{name}: {ours:?} is ours, {theirs:?} theirs"));
        }
    }
    assert!(differing.is_empty(), "{compared} compared, {} differ: {differing:#?}", differing.len());
    assert!(compared >= COMPARED_MIN, "{compared} compared");
}
