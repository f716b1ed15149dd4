//! What Google, Microsoft and Cronofy tell, as they document it.

use calendar::{
    Event, busy,
    provided::{Page, cronofy, google, microsoft},
};
use chrono::{DateTime, Utc};
use matching::Span;
use serde_json::{Value, json};

use crate::said::{at, span};

fn busy_by(page: Page) -> (Vec<Span>, usize) {
    let events: Vec<Event> = page.entries.into_iter().map(|entry| entry.event).collect();
    let horizon = span("2026-06-01T00:00:00Z", "2026-12-01T00:00:00Z");
    let busy = busy(&events, "Europe/Vienna".parse().unwrap(), horizon).unwrap();
    (busy.spans, busy.doubts)
}

fn of_google(items: &Value) -> Page {
    let list = json!({"kind": "calendar#events", "timeZone": "Europe/Vienna", "items": items, "nextSyncToken": "s1"});
    google::page(list.to_string().as_bytes()).unwrap()
}

/// An entry of Google's at an hour in Vienna, with more to it.
fn entry(id: &str, hour: u32, more: &Value) -> Value {
    let time = |hour: u32| json!({"dateTime": format!("2026-07-01T{hour:02}:00:00+02:00"), "timeZone": "Europe/Vienna"});
    let mut entry = json!({"kind": "calendar#event", "id": id, "etag": "\"1\"", "status": "confirmed",
        "iCalUID": format!("{id}@google.com"), "start": time(hour), "end": time(hour + 1), "eventType": "default"});
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    entry
}

#[test]
fn of_google_what_takes_time_is_busy() {
    let page = of_google(&json!([
        entry("busy", 10, &json!({})),
        entry("free", 12, &json!({"transparency": "transparent"})),
        entry("home", 13, &json!({"eventType": "workingLocation"})),
        entry("no", 14, &json!({"attendees": [{"self": true, "responseStatus": "declined"}, {"email": "x"}]})),
        entry("others", 16, &json!({"attendees": [{"email": "x", "responseStatus": "declined"}]})),
        entry("ours", 18, &json!({"iCalUID": "bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f@crewline"})),
        {"id": "gone", "status": "cancelled"},
    ]));
    assert_eq!((page.token.as_deref(), page.gone.as_slice()), (Some("s1"), &["gone".to_owned()][..]));
    let (spans, doubts) = busy_by(page);
    assert_eq!(doubts, 0);
    let expected = [
        span("2026-07-01T08:00:00Z", "2026-07-01T09:00:00Z"),
        span("2026-07-01T14:00:00Z", "2026-07-01T15:00:00Z"),
    ];
    assert_eq!(spans, expected);
}

#[test]
fn of_google_a_series_leaves_out_what_was_cancelled_and_moves_what_was_moved() {
    let original =
        |day: &str| json!({"dateTime": format!("2026-{day}:00:00+02:00"), "timeZone": "Europe/Vienna"});
    let page = of_google(&json!([
        entry("weekly", 10, &json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE;TZID=Europe/Vienna:20260722T100000"]})),
        {"id": "weekly_1", "status": "cancelled", "recurringEventId": "weekly", "originalStartTime": original("07-08T10")},
        {"id": "weekly_2", "status": "confirmed", "recurringEventId": "weekly", "originalStartTime": original("07-15T10"),
            "iCalUID": "weekly@google.com", "start": original("07-16T10"), "end": original("07-16T12")},
    ]));
    assert!(page.gone.is_empty());
    let expected = [
        span("2026-07-01T08:00:00Z", "2026-07-01T09:00:00Z"),
        span("2026-07-16T08:00:00Z", "2026-07-16T10:00:00Z"),
    ];
    assert_eq!(busy_by(page), (expected.to_vec(), 0));
}

#[test]
fn of_google_a_day_is_one_of_the_owners() {
    let page = of_google(&json!([entry(
        "day",
        10,
        &json!({"start": {"date": "2026-07-01"}, "end": {"date": "2026-07-02"}})
    )]));
    let day = span("2026-06-30T22:00:00Z", "2026-07-01T22:00:00Z");
    assert_eq!(busy_by(page), (vec![day], 0));
}

#[test]
fn what_is_not_understood_is_busy() {
    for broken in [
        entry("x", 10, &json!({"start": {"dateTime": "soon"}})),
        entry("x", 10, &json!({"recurrence": ["RRULE:FREQ=SOMETIMES"]})),
        entry("x", 10, &json!({"start": 7})),
        json!({"id": "x"}),
    ] {
        assert!(busy_by(of_google(&json!([broken]))).1 > 0, "{broken}");
    }
    let evil =
        entry("x", 10, &json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=1\r\nEND:VEVENT\r\nBEGIN:VEVENT"]}));
    assert!(!busy_by(of_google(&json!([evil]))).0.is_empty());
    for page in [google::page(b"<html>"), microsoft::page(b"[]x"), cronofy::page(b"{}")] {
        assert!(page.is_err());
    }
}

#[test]
fn of_microsoft_each_time_of_a_series_counts_by_itself() {
    let time = |text: &str| json!({"dateTime": format!("2026-07-{text}:00.0000000"), "timeZone": "UTC"});
    let item = |id: &str, from: &str, until: &str| {
        json!({"@odata.etag": "W/\"1\"", "id": id, "type": "occurrence",
        "iCalUId": "series", "start": time(from), "end": time(until)})
    };
    let with = |mut item: Value, more: Value| {
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    };
    let day = json!({"isAllDay": true, "showAs": "oof"});
    let list = json!({"@odata.deltaLink": "https://graph.microsoft.com/v1.0/me/calendarView/delta?$deltatoken=x", "value": [
        with(item("master", "01T08:00", "01T09:00"), json!({"type": "seriesMaster"})),
        item("one", "01T08:00", "01T09:00"),
        item("two", "02T08:00", "02T09:00"),
        with(item("free", "03T08:00", "03T09:00"), json!({"showAs": "free"})),
        with(item("no", "04T08:00", "04T09:00"), json!({"responseStatus": {"response": "declined"}})),
        with(item("off", "05T08:00", "05T09:00"), json!({"isCancelled": true})),
        with(item("day", "06T00:00", "07T00:00"), day),
        item("bare day", "08T00:00", "09T00:00"),
        with(item("by the clock", "10T00:00", "11T00:00"), json!({"isAllDay": false})),
        {"@removed": {"reason": "deleted"}, "id": "gone"},
    ]});
    let page = microsoft::page(list.to_string().as_bytes()).unwrap();
    assert_eq!(page.gone, ["gone"]);
    assert!(page.token.as_ref().unwrap().contains("deltatoken") && page.next.is_none());
    let expected = [
        span("2026-07-01T08:00:00Z", "2026-07-01T09:00:00Z"),
        span("2026-07-02T08:00:00Z", "2026-07-02T09:00:00Z"),
        span("2026-07-05T22:00:00Z", "2026-07-06T22:00:00Z"),
        span("2026-07-07T22:00:00Z", "2026-07-08T22:00:00Z"),
        span("2026-07-10T00:00:00Z", "2026-07-11T00:00:00Z"),
    ];
    assert_eq!(busy_by(page), (expected.to_vec(), 0));
}

#[test]
fn of_microsoft_what_lies_outside_of_the_window_is_told_without_its_times() {
    let hollow = json!({"@odata.type": "#microsoft.graph.event", "@odata.etag": "W/\"2\"", "id": "far"});
    let garbled = json!({"id": "odd", "start": {"dateTime": "soon", "timeZone": "UTC"}});
    let page = microsoft::page(json!({"value": [hollow, garbled]}).to_string().as_bytes()).unwrap();
    let told: Vec<_> = page.entries.iter().map(|entry| (entry.id.as_str(), entry.is_hollow)).collect();
    assert_eq!((told, page.gone.len()), (vec![("far", true), ("odd", false)], 0));
    // Asked for by itself it says more.
    let time =
        |hour: u32| json!({"dateTime": format!("2026-07-01T{hour:02}:00:00.0000000"), "timeZone": "UTC"});
    let whole = json!({"id": "far", "@odata.etag": "W/\"2\"", "start": time(8), "end": time(9)});
    let asked = microsoft::asked(&whole.to_string()).unwrap();
    assert_eq!((asked.id.as_str(), asked.etag.as_str(), asked.is_hollow), ("far", "W/\"2\"", false));
    let busy = busy_by(Page { entries: vec![asked], ..Page::default() });
    assert_eq!(busy, (vec![span("2026-07-01T08:00:00Z", "2026-07-01T09:00:00Z")], 0));
    assert!(microsoft::asked(&json!({"id": "series", "type": "seriesMaster"}).to_string()).is_none());
}

#[test]
fn of_cronofy_what_takes_time_is_busy() {
    let event = |uid: &str, start: &str, end: &str, more: Value| {
        let mut event = json!({"calendar_id": "cal_1", "event_uid": uid, "start": start, "end": end, "deleted": false,
            "participation_status": "accepted", "transparency": "opaque", "event_status": "confirmed", "updated": "1"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let list = json!({"pages": {"current": 1, "total": 1, "next_page": ""}, "events": [
        event("a", "2026-07-01T08:00:00Z", "2026-07-01T09:00:00Z", json!({})),
        event("a", "2026-07-02T08:00:00Z", "2026-07-02T09:00:00Z", json!({})),
        event("b", "2026-07-03T08:00:00Z", "2026-07-03T09:00:00Z", json!({"transparency": "transparent"})),
        event("c", "2026-07-04", "2026-07-05", json!({})),
        event("d", "2026-07-06T08:00:00Z", "2026-07-06T09:00:00Z", json!({"participation_status": "declined"})),
    ]});
    let page = cronofy::page(list.to_string().as_bytes()).unwrap();
    assert!(page.next.is_none() && page.token.is_none() && page.entries.len() == 5);
    let times: Vec<DateTime<Utc>> = busy_by(page).0.iter().map(|span| span.from).collect();
    assert_eq!(times, ["2026-07-01T08:00:00Z", "2026-07-02T08:00:00Z", "2026-07-03T22:00:00Z"].map(at));
}
