//! What a person added to an entry of ours.

use calendar::{Entry, Tongue::File, read};

use crate::said::{at, span};

const OWNER: Option<&str> = Some("ada@example.com");

fn entry(version: i32) -> Entry {
    Entry {
        booking: "bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f".parse().unwrap(),
        version,
        during: span("2026-07-01T10:00:00Z", "2026-07-01T11:30:00Z"),
        summary: "12 Elm Street".to_owned(),
        changed_at: at("2026-06-01T12:00:00Z"),
    }
}

/// The entry with these lines before its end.
fn with(lines: &[&str]) -> String {
    File.event(&entry(2), 1).replace("END:VEVENT", &format!("{}\r\nEND:VEVENT", lines.join("\r\n")))
}

/// Without the folds of long lines.
fn lines(text: &str) -> Vec<String> {
    text.replace("\r\n ", "").lines().map(str::to_owned).collect()
}

fn is_untouched(text: &str) -> bool {
    read(text.as_bytes(), OWNER).unwrap()[0].ours.as_ref().is_some_and(|ours| ours.is_untouched)
}

#[test]
fn what_a_person_added_stays() {
    let added = [
        "DESCRIPTION:Key at the neighbours\\, ring twice\\n\\; then wait — and a line that is longer than any may be",
        "LOCATION:12 Elm Street",
        "ATTENDEE;CN=\"Bob: B.\";PARTSTAT=ACCEPTED:mailto:bob@example.com",
        "CATEGORIES:Work,Elm",
        "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER:-PT30M",
        "END:VALARM",
    ];
    let kept = File.event_over(&entry(3), &with(&added), OWNER);
    let said = lines(&kept);
    for line in added.iter().chain(&["SEQUENCE:3", "DTSTART:20260701T100000Z", "STATUS:CONFIRMED"]) {
        assert!(said.iter().any(|said| said == line), "{line} in {kept}");
    }
    assert!(is_untouched(&kept), "{kept}");
    assert_eq!(File.event_over(&entry(3), &kept, OWNER), kept, "and again");
    assert!(kept.lines().all(|line| line.len() <= 75), "{kept}");
}

#[test]
fn what_says_when_it_is_is_ours() {
    let moved = with(&[
        "RRULE:FREQ=DAILY",
        "EXDATE;TZID=Europe/Vienna:20260702T120000",
        "X-MICROSOFT-CDO-BUSYSTATUS:FREE",
        "ATTENDEE;PARTSTAT=DECLINED:mailto:Ada@example.com",
        "COMMENT:no",
    ]);
    let moved =
        moved.replace("DTSTART:20260701T10", "DTSTART:20260701T09").replace("SEQUENCE:2", "SEQUENCE:7");
    let second = "BEGIN:VEVENT\r\nUID:bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f@crewline\r\nDTSTAMP:20260101T000000Z\r\n\
                  RECURRENCE-ID:20260702T090000Z\r\nDTSTART:20260702T090000Z\r\nSUMMARY:x\r\nEND:VEVENT\r\n";
    let moved = moved.replace("BEGIN:VEVENT", &format!("{second}BEGIN:VEVENT"));
    assert!(!is_untouched(&moved));
    let ours = File.event_over(&entry(3), &moved, OWNER);
    let plain = File.event(&entry(7), 1).replace("END:VEVENT", "COMMENT:no\r\nEND:VEVENT");
    assert_eq!(ours, plain, "with the highest count that its calendar saw");
    // What is none of ours is written over as a whole.
    for strange in ["", "BEGIN:VCALENDAR", &plain.replace("UID:bkg_", "UID:x")] {
        assert_eq!(File.event_over(&entry(3), strange, OWNER), File.event(&entry(3), 1), "{strange}");
    }
}

#[test]
fn one_with_words_in_it_is_called_off_and_not_taken_out() {
    let found = with(&["DESCRIPTION:Key at the neighbours", "BEGIN:VALARM", "TRIGGER:-PT30M", "END:VALARM"]);
    let off = File.called_off(&entry(3), &found).unwrap();
    let said = lines(&off);
    for line in ["DESCRIPTION:Key at the neighbours", "STATUS:CANCELLED", "TRANSP:TRANSPARENT", "SEQUENCE:3"]
    {
        assert!(said.iter().any(|said| said == line), "{line} in {off}");
    }
    assert!(!off.contains("VALARM") && !off.contains("CONFIRMED"), "{off}");
    assert!(!read(off.as_bytes(), OWNER).unwrap()[0].is_busy);
    assert!(File.is_called_off(&off, entry(3).booking) && !File.is_called_off(&found, entry(3).booking));
    for plain in [File.event(&entry(2), 1), with(&["DESCRIPTION:  ", "X-SERVER:1"]), String::new()] {
        assert_eq!(File.called_off(&entry(3), &plain), None, "{plain}");
    }
}
