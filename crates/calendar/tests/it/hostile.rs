//! Bytes that somebody else chose.

use std::time::{Duration, Instant};

use calendar::{CALENDAR_BYTES_MAX, TooMuch, Unreadable, busy, read};
use proptest::prelude::*;
use schedule::Zone;

use crate::said::{events, file, span};

/// Nobody reads a calendar of a few entries for longer, also as tests are built.
const LONG: Duration = Duration::from_secs(20);

fn horizon() -> matching::Span {
    span("2026-01-01T00:00:00Z", "2027-01-02T00:00:00Z")
}

#[test]
fn what_is_no_calendar_is_none() {
    for text in [
        "",
        "\u{feff}",
        "<html></html>",
        "BEGIN:VCARD\r\nEND:VCARD\r\n",
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n",
    ] {
        assert_eq!(read(text.as_bytes(), None).map(drop), Err(Unreadable::NoCalendar), "{text}");
    }
    assert_eq!(read(&vec![b'x'; CALENDAR_BYTES_MAX + 1], None), Err(Unreadable::TooLong));
}

#[test]
fn lines_may_be_broken_anywhere_and_end_in_any_way() {
    let lines = "SUMMARY:gr\r\n \u{fc}\u{df}e\nDTSTART:2026\n 0701T100000Z\nDTEND:20260701T110000Z";
    let text =
        file(&[]).replace("END:VCALENDAR", &format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT\nEND:VCALENDAR"));
    for text in [text.clone(), text.replace("\r\n", "\n"), format!("\u{feff}{text}")] {
        let events = read(text.as_bytes(), None).unwrap();
        assert_eq!(busy(&events, Zone::UTC, horizon()).unwrap().spans.len(), 1, "{text:?}");
    }
    // A line that is broken in the middle of a letter.
    let mut bytes = file(&["DTSTART:20260701T100000Z\nDURATION:PT1H\nSUMMARY:\u{fc}"]).into_bytes();
    let at = bytes.iter().position(|byte| *byte == 0xc3).unwrap();
    bytes.splice(at + 1..=at, *b"\r\n ");
    assert_eq!(busy(&read(&bytes, None).unwrap(), Zone::UTC, horizon()).unwrap().spans.len(), 1);
}

#[test]
fn what_never_ends_or_never_comes_is_bounded() {
    let begun = Instant::now();
    let entries = [
        "DTSTART:19000101T000000Z\nDURATION:PT1M\nRRULE:FREQ=HOURLY",
        "DTSTART:19700101T000000Z\nDURATION:PT1M\nRRULE:FREQ=SECONDLY",
        "DTSTART:20260101T000000Z\nDURATION:PT1M\nRRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "DTSTART:20260101T000000Z\nDURATION:PT1M\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "DTSTART:20260101T000000Z\nDURATION:PT1M\nRRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "DTSTART:20260101T000000Z\nDURATION:P9999999999W\nRRULE:FREQ=DAILY",
        "DTSTART:20260101T000000Z\nDURATION:PT1M\nRRULE:FREQ=DAILY;INTERVAL=0",
        "DTSTART:99991231T235959Z\nDURATION:P1D",
        "DTSTART:20260101T000000Z\nDURATION:PT4294967295H",
    ];
    for entry in entries {
        let busy = busy(&events(&[entry]), Zone::UTC, horizon()).unwrap();
        assert!(busy.doubts <= 1, "{entry}");
    }
    // A year of seconds in a few hundred bytes.
    let list = |most: u8| (0..most).map(|one| one.to_string()).collect::<Vec<_>>().join(",");
    let (hours, sixty) = (list(24), list(60));
    let each = format!(
        "DTSTART:20260301T000000Z\nDURATION:PT1M\nRRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={hours};BYMINUTE={sixty};BYSECOND={sixty}"
    );
    let followed = busy(&events(&[each.as_str()]), Zone::UTC, horizon()).unwrap();
    assert_eq!(followed.doubts, 1);
    assert_eq!(followed.spans, [span("2026-03-01T00:00:00Z", "2027-01-02T00:00:00Z")]);
    let many = vec!["DTSTART:20260101T000000Z\nDURATION:PT1M\nRRULE:FREQ=HOURLY"; 20];
    assert_eq!(busy(&events(&many), Zone::UTC, horizon()), Err(TooMuch::Occurrences));
    let doubtful = vec!["SUMMARY:when?"; 201];
    assert_eq!(busy(&events(&doubtful), Zone::UTC, horizon()), Err(TooMuch::Doubts));
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes, Some("a@b"));
    }

    #[test]
    fn nor_does_a_calendar_that_somebody_scratched(at in 0usize..400, with in "[\\x00-\\x7f]{0,3}") {
        let mut text = file(&["DTSTART;TZID=Europe/Vienna:20260331T080000\nDTEND;TZID=Europe/Vienna:20260331T090000\n\
            RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=5\nEXDATE:20260430T060000Z\nRDATE:20260501T060000Z"]);
        let at = at.min(text.len());
        text.replace_range(at..(at + with.len()).min(text.len()), &with);
        if let Ok(events) = read(text.as_bytes(), None) {
            let _ = busy(&events, Zone::UTC, horizon());
        }
    }
}
