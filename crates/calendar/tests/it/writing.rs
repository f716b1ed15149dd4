//! What we write, and whether we know it again.

use calendar::{Entry, Tongue, feed, read};
use jobs::BookingId;

use crate::said::{at, busy_of, span};

fn entry(summary: &str) -> Entry {
    Entry {
        booking: "bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f".parse().unwrap(),
        version: 2,
        during: span("2026-07-01T10:00:00Z", "2026-07-01T11:30:00Z"),
        summary: summary.to_owned(),
        changed_at: at("2026-06-01T12:00:00Z"),
    }
}

fn event(entry: &Entry) -> String {
    Tongue::File.event(entry, 1)
}

#[test]
fn a_booking_is_written_as_calendars_want_it_and_the_same_each_time() {
    let text = event(&entry(
        "12 Elm Street, \"rear\"; façade 🏠 שלום \\ and a name that is longer than one line may be",
    ));
    assert_eq!(
        text,
        event(&entry(
            "12 Elm Street, \"rear\"; façade 🏠 שלום \\ and a name that is longer than one line may be"
        ))
    );
    assert!(
        text.ends_with("END:VCALENDAR\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']),
        "{text}"
    );
    assert!(text.lines().all(|line| line.len() <= 75), "{text}");
    for line in ["DTSTART:20260701T100000Z", "DTEND:20260701T113000Z", "SEQUENCE:2", "STATUS:CONFIRMED"] {
        assert!(text.lines().any(|said| said == line), "{line} in {text}");
    }
    assert!(text.contains("UID:bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f@crewline"), "{text}");
    // What has several lines is not the same everywhere: it would look as if a person had changed it.
    assert!(event(&entry("first\nsecond")).contains("SUMMARY:first second\r\n"));
}

#[test]
fn what_we_wrote_is_known_again_and_a_change_shows() {
    let text = event(&entry("12 Elm Street, rear; \\ 🏠"));
    let ours = |text: &str| read(text.as_bytes(), None).unwrap()[0].ours.clone();
    let known = ours(&text).unwrap();
    assert!(known.is_untouched && known.booking == entry("").booking);
    for (from, to) in [
        ("DTSTART:20260701T100000Z", "DTSTART:20260701T090000Z"),
        ("DTEND:20260701T113000Z", "DTEND:20260701T120000Z"),
        ("SUMMARY:12", "SUMMARY:14"),
        ("STATUS:CONFIRMED", "STATUS:CANCELLED"),
        ("TRANSP:OPAQUE", "TRANSP:TRANSPARENT"),
        ("SEQUENCE:2", "RRULE:FREQ=DAILY"),
        ("X-CREWLINE-SEAL:", "X-CREWLINE-SEAL:0"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(!ours(&text.replace(from, to)).unwrap().is_untouched, "{to}");
    }
    // A server may write the same in its own way.
    let shuffled = text.replace("SEQUENCE:2\r\n", "SEQUENCE:3\r\nX-SERVER:1\r\n").replace("\r\n", "\n");
    let shuffled = shuffled.replace("DTSTART:20260701T100000Z", "DTSTART;TZID=Europe/Vienna:20260701T120000");
    assert!(ours(&shuffled).unwrap().is_untouched);
    assert_eq!(ours(&text.replace("@crewline", "@example")), None);
}

#[test]
fn our_own_entries_take_no_time() {
    let events = read(event(&entry("x")).as_bytes(), None).unwrap();
    let busy = busy_of(&events, "UTC", span("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"));
    assert_eq!((busy.spans.len(), busy.doubts), (0, 0));
}

#[test]
fn a_feed_holds_everything_in_order() {
    let entries = [entry("one"), Entry { booking: BookingId::new(), ..entry("two") }];
    let text = feed("Ada", &entries);
    assert!(text.contains("X-WR-CALNAME:Ada\r\n") && text.contains("METHOD:PUBLISH\r\n"), "{text}");
    let events = read(text.as_bytes(), None).unwrap();
    assert!(
        events.len() == 2
            && events.iter().all(|event| event.ours.as_ref().is_some_and(|ours| ours.is_untouched))
    );
    assert_eq!(read(feed("Ada", &[]).as_bytes(), None).unwrap(), []);
}
