//! What is rare, and happens all the same.

use calendar::{CALENDAR_BYTES_MAX, Entry, Unreadable, feed, read};
use chrono::{DateTime, Utc};
use matching::Span;

use crate::said::{at, busy_of, events, file, in_2026, shown, span};

/// Whether somebody is busy then, and maybe longer.
fn covers(text: &str, when: Span) -> bool {
    let events = read(text.as_bytes(), None).unwrap();
    let busy = busy_of(&events, "UTC", span("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"));
    busy.spans.iter().any(|span| span.from <= when.from && when.until <= span.until)
}

#[test]
fn an_hourly_rule_is_in_both_hours_that_the_clock_shows_alike() {
    let hourly = "DTSTART;TZID=America/New_York:20261101T000000\nDURATION:PT10M\nRRULE:FREQ=HOURLY;COUNT=4";
    let begins: Vec<String> = in_2026("UTC", &[hourly]).iter().map(|span| span[..11].to_owned()).collect();
    assert_eq!(begins, ["11-01T04:00", "11-01T05:00", "11-01T06:00", "11-01T07:00", "11-01T08:00"]);
    // By the clock of whoever keeps it, and where it is put back by half an hour.
    let floating = "DTSTART:20260405T004500\nDURATION:PT10M\nRRULE:FREQ=HOURLY;COUNT=2";
    let begins: Vec<String> =
        in_2026("Australia/Lord_Howe", &[floating]).iter().map(|span| span[..11].to_owned()).collect();
    assert_eq!(begins, ["04-04T13:45", "04-04T14:45", "04-04T15:15"]);
    // What is so many hours apart by UTC is not twice, nor what is each day.
    let utc = "DTSTART:20261101T040000Z\nDURATION:PT10M\nRRULE:FREQ=HOURLY;COUNT=4";
    assert_eq!(in_2026("America/New_York", &[utc]).len(), 4);
    let daily = "DTSTART;TZID=America/New_York:20261101T013000\nDURATION:PT10M\nRRULE:FREQ=DAILY;COUNT=1";
    assert_eq!(in_2026("UTC", &[daily]).len(), 1);
}

#[test]
fn a_day_that_was_left_out_is_the_day_after() {
    let daily = "DTSTART;TZID=Pacific/Apia:20111229T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3";
    let busy = busy_of(&events(&[daily]), "UTC", span("2011-12-01T00:00:00Z", "2012-02-01T00:00:00Z"));
    let shown: Vec<String> = busy.spans.iter().map(shown).collect();
    assert_eq!(
        (busy.doubts, shown),
        (0, vec!["12-29T20:00/12-29T21:00".into(), "12-30T20:00/12-30T21:00".into()])
    );
}

#[test]
fn a_clock_that_is_put_back_for_ramadan_moves_what_goes_by_it() {
    let weekly = "DTSTART;TZID=Africa/Casablanca:20260208T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=7";
    let begins: Vec<String> = in_2026("UTC", &[weekly]).iter().map(|span| span[..11].to_owned()).collect();
    let expected = [
        "02-08T08:00",
        "02-15T09:00",
        "02-22T09:00",
        "03-01T09:00",
        "03-08T09:00",
        "03-15T09:00",
        "03-22T08:00",
    ];
    assert_eq!(begins, expected);
}

#[test]
fn the_rules_of_a_zone_are_those_of_today_and_not_those_that_a_file_remembers() {
    // Brazil gave its summer time up in 2019.
    let old = "BEGIN:VTIMEZONE\r\nTZID:America/Sao_Paulo\r\nBEGIN:DAYLIGHT\r\nDTSTART:20001015T000000\r\nTZOFFSETFROM:-0300\r\n\
        TZOFFSETTO:-0200\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=3SU\r\nEND:DAYLIGHT\r\nBEGIN:STANDARD\r\nDTSTART:20000220T000000\r\n\
        TZOFFSETFROM:-0200\r\nTZOFFSETTO:-0300\r\nRRULE:FREQ=YEARLY;BYMONTH=2;BYDAY=3SU\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";
    let entry = "DTSTART;TZID=America/Sao_Paulo:20260112T100000\nDURATION:PT1H";
    let text = file(&[entry]).replacen("BEGIN:VEVENT", &format!("{old}BEGIN:VEVENT"), 1);
    assert!(covers(&text, span("2026-01-12T13:00:00Z", "2026-01-12T14:00:00Z")), "{text}");
    assert_eq!(in_2026("UTC", &[entry]), ["01-12T13:00/01-12T14:00"]);
}

#[test]
fn a_zone_that_is_written_otherwise_is_known_and_one_that_a_file_invents_is_never_taken_for_free() {
    let begins = |name: &str| format!("DTSTART;TZID={name}:20260112T100000\nDURATION:PT1H");
    for name in ["europe/vienna", "EUROPE/VIENNA", "Europe/Vienna "] {
        assert_eq!(in_2026("UTC", &[&begins(name)]), ["01-12T09:00/01-12T10:00"], "{name}");
    }
    assert_eq!(in_2026("Europe/Vienna", &[&begins("utc")]), ["01-12T10:00/01-12T11:00"]);
    let own = "BEGIN:VTIMEZONE\r\nTZID:Our Office\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\n\
        TZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";
    let text = file(&[&begins("Our Office")]).replacen("BEGIN:VEVENT", &format!("{own}BEGIN:VEVENT"), 1);
    let events = read(text.as_bytes(), None).unwrap();
    let busy = busy_of(&events, "UTC", span("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"));
    assert_eq!(
        (busy.doubts, busy.spans.iter().map(shown).collect()),
        (1, vec!["01-11T00:00/01-13T00:00".to_owned()])
    );
}

#[test]
fn one_of_a_series_may_be_moved_to_before_its_beginning() {
    let weekly = "UID:a\nDTSTART:20260601T080000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=2";
    let moved = "UID:a\nRECURRENCE-ID:20260608T080000Z\nDTSTART:20260520T100000Z\nDURATION:PT1H";
    assert_eq!(in_2026("UTC", &[weekly, moved]), ["05-20T10:00/05-20T11:00", "06-01T08:00/06-01T09:00"]);
}

#[test]
fn entries_of_one_name_count_each() {
    let twice =
        ["UID:a\nDTSTART:20260601T080000Z\nDURATION:PT1H", "UID:a\nDTSTART:20260602T080000Z\nDURATION:PT1H"];
    assert_eq!(in_2026("UTC", &twice), ["06-01T08:00/06-01T09:00", "06-02T08:00/06-02T09:00"]);
}

#[test]
fn a_calendar_may_be_long_and_not_too_long() {
    let words = "x".repeat(CALENDAR_BYTES_MAX - 1_000);
    let entry = format!("DTSTART:20260601T080000Z\nDURATION:PT1H\nDESCRIPTION:{words}");
    assert_eq!(in_2026("UTC", &[&entry]), ["06-01T08:00/06-01T09:00"]);
    let many = vec!["DTSTART:20260601T080000Z\nDURATION:PT1H"; 50_000];
    assert_eq!(read(file(&many).as_bytes(), None).map(drop), Err(Unreadable::TooMany));
}

#[test]
fn a_feed_is_the_same_to_the_byte_also_after_a_leap_day() {
    let entry = |from: &str, until: &str| Entry {
        booking: "bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f".parse().unwrap(),
        version: 1,
        during: span(from, until),
        summary: "Комната 🏠, שלום; \\ first\nsecond\r\nthird\rfourth\tand".to_owned(),
        changed_at: at("2028-02-29T12:00:00Z"),
    };
    for (from, until) in
        [("2028-02-29T22:00:00Z", "2028-03-01T01:00:00Z"), ("2028-03-01T10:00:00Z", "2028-03-01T11:00:00Z")]
    {
        let text = feed("Ada\r\nof Linz", &[entry(from, until)]);
        assert_eq!(text, feed("Ada\r\nof Linz", &[entry(from, until)]));
        let stamp = |at: DateTime<Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
        let Span { from, until } = span(from, until);
        assert!(text.contains(&stamp(from)) && text.contains(&stamp(until)), "{text}");
        let whole = text.replace("\r\n ", "");
        assert!(whole.contains("X-WR-CALNAME:Ada\\nof Linz\r\n"), "{text}");
        let said = "SUMMARY:Комната 🏠\\, שלום\\; \\\\ first\\nsecond\\nthird\\nfourth and\r\n";
        assert!(whole.contains(said) && text.lines().all(|line| line.len() <= 75), "{text}");
        assert!(read(text.as_bytes(), None).unwrap()[0].ours.as_ref().unwrap().is_untouched);
    }
}
