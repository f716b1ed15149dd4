//! Bookings as providers take them, and as they tell of them afterwards.

use calendar::{
    Entry, Ours, Tongue,
    provided::{Page, cronofy, google, microsoft},
};
use serde_json::{Value, json};

use crate::said::{at, span};

const TONGUES: [Tongue; 3] = [Tongue::Google, Tongue::Microsoft, Tongue::Cronofy];

fn entry() -> Entry {
    Entry {
        booking: "bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f".parse().unwrap(),
        version: 2,
        during: span("2026-07-01T10:00:00.5Z", "2026-07-01T11:30:00Z"),
        summary: "12 Elm\nStreet".to_owned(),
        changed_at: at("2026-06-01T12:00:00Z"),
    }
}

/// As its provider keeps what it was given.
fn kept(tongue: Tongue, text: &str) -> Value {
    let mut value: Value = serde_json::from_str(text).unwrap();
    let more = match tongue {
        Tongue::Google => {
            json!({"iCalUID": "bkg0192f3c47a1b7c3d8e4f5a6b7c8d9e0f@google.com", "etag": "\"1\""})
        }
        Tongue::Microsoft => {
            json!({"id": "AAMk=", "@odata.etag": "W/\"1\"", "type": "singleInstance", "iCalUId": "0400"})
        }
        _ => json!({"calendar_id": "cal_1", "event_uid": "evt_1", "deleted": false, "updated": "1"}),
    };
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

fn page(tongue: Tongue, value: &Value) -> Page {
    let list = match tongue {
        Tongue::Google => json!({"items": [value], "nextSyncToken": "1"}),
        Tongue::Microsoft => json!({"value": [value], "@odata.deltaLink": "x"}),
        _ => json!({"pages": {"next_page": null}, "events": [value]}),
    };
    let bytes = list.to_string().into_bytes();
    match tongue {
        Tongue::Google => google::page(&bytes),
        Tongue::Microsoft => microsoft::page(&bytes),
        _ => cronofy::page(&bytes),
    }
    .unwrap()
}

fn ours(tongue: Tongue, value: &Value) -> Option<Ours> {
    page(tongue, value).entries.remove(0).event.ours
}

#[test]
fn what_is_written_is_known_when_it_comes_back() {
    for tongue in TONGUES {
        let value = kept(tongue, &tongue.event(&entry(), 7));
        let known = ours(tongue, &value).unwrap();
        assert!(known.booking == entry().booking && !known.is_copy, "{tongue:?} {known:?}");
        assert!(tongue.is_untouched(&value.to_string(), &entry()), "{tongue:?} {value}");
        assert!(!value.to_string().contains("\\n"), "one line");
    }
    let made = kept(Tongue::Microsoft, &Tongue::Microsoft.event(&entry(), 7));
    assert_eq!(made["transactionId"], "bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f.7");
    let mut told = made.clone();
    told.as_object_mut().unwrap().remove("singleValueExtendedProperties");
    let known = ours(Tongue::Microsoft, &told).unwrap();
    assert!(known.booking == entry().booking && !known.is_untouched, "its list tells no seal");
    assert!(microsoft::is_sealed(&made.to_string()) && !microsoft::is_sealed(&told.to_string()));
}

#[test]
fn what_a_person_changed_is_seen() {
    let changes: [(Tongue, &str, Value); 10] = [
        (Tongue::Google, "/summary", json!("Mine")),
        (Tongue::Google, "/end/dateTime", json!("2026-07-01T12:30:00Z")),
        (Tongue::Google, "/start", json!({"date": "2026-07-01"})),
        (Tongue::Google, "/transparency", json!("transparent")),
        (Tongue::Microsoft, "/subject", json!("Mine")),
        (Tongue::Microsoft, "/start/dateTime", json!("2026-07-01T09:00:00.0000000")),
        (Tongue::Microsoft, "/isAllDay", json!(true)),
        (Tongue::Microsoft, "/showAs", json!("free")),
        (Tongue::Cronofy, "/summary", json!("Mine")),
        (Tongue::Cronofy, "/start", json!("2026-07-01T09:00:00Z")),
    ];
    for (tongue, path, new) in changes {
        let mut value = kept(tongue, &tongue.event(&entry(), 1));
        *value.pointer_mut(path).unwrap() = new;
        assert!(!tongue.is_untouched(&value.to_string(), &entry()), "{tongue:?} {path}");
        assert_eq!(ours(tongue, &value).map(|ours| ours.booking), Some(entry().booking), "{tongue:?} {path}");
    }
    let mut series = kept(Tongue::Google, &Tongue::Google.event(&entry(), 1));
    series["recurrence"] = json!(["RRULE:FREQ=DAILY"]);
    assert!(!Tongue::Google.is_untouched(&series.to_string(), &entry()));
}

#[test]
fn a_copy_is_ours_until_somebody_changes_it() {
    let mut copy = kept(Tongue::Google, &Tongue::Google.event(&entry(), 1));
    (copy["id"], copy["iCalUID"]) = (json!("another"), json!("another@google.com"));
    let known = ours(Tongue::Google, &copy).unwrap();
    assert!(known.is_copy && known.is_untouched);
    copy["start"]["dateTime"] = json!("2026-07-01T08:00:00Z");
    assert_eq!(ours(Tongue::Google, &copy), None, "it is an appointment of theirs");
    copy["extendedProperties"]["private"]["crewlineBooking"] = json!("something else");
    assert_eq!(ours(Tongue::Google, &copy), None);
}

#[test]
fn of_what_is_called_off_stays_what_somebody_wrote_down() {
    let words = [
        (Tongue::Google, "description", "summary"),
        (Tongue::Microsoft, "bodyPreview", "subject"),
        (Tongue::Cronofy, "description", "summary"),
    ];
    for (tongue, words, name) in words {
        let mut value = kept(tongue, &tongue.event(&entry(), 1));
        assert_eq!(tongue.called_off(&entry(), &value.to_string()), None, "{tongue:?}: nobody did");
        value[words] = json!("Ring twice");
        let off: Value =
            serde_json::from_str(&tongue.called_off(&entry(), &value.to_string()).unwrap()).unwrap();
        assert_eq!(off[name], "Cancelled: 12 Elm Street");
        value.as_object_mut().unwrap().extend(off.as_object().unwrap().clone());
        assert!(tongue.is_called_off(&value.to_string(), entry().booking), "{tongue:?}");
        assert!(!tongue.is_called_off(&tongue.event(&entry(), 1), entry().booking), "{tongue:?}");
        assert!(value[words] == "Ring twice" && ours(tongue, &value).is_some());
        assert!(!page(tongue, &value).entries[0].event.is_busy, "{tongue:?}: it takes no time");
        let over: Value =
            serde_json::from_str(&tongue.event_over(&entry(), &value.to_string(), None)).unwrap();
        assert!(over.get("id").is_none() && over[name] == "12 Elm Street", "{over}");
    }
    let place = json!({"description": "Rear door"});
    let mut found = kept(Tongue::Cronofy, &Tongue::Cronofy.event(&entry(), 1));
    (found["location"], found["description"]) = (place.clone(), json!("Ring twice"));
    let over: Value =
        serde_json::from_str(&Tongue::Cronofy.event_over(&entry(), &found.to_string(), None)).unwrap();
    assert_eq!((&over["location"], &over["description"]), (&place, &json!("Ring twice")));
}

#[test]
fn what_cannot_be_read_is_nobodys() {
    for tongue in TONGUES {
        for nonsense in ["", "<html>", "[]", "{}", "null"] {
            assert!(!tongue.is_untouched(nonsense, &entry()), "{tongue:?} {nonsense}");
            assert!(!tongue.is_called_off(nonsense, entry().booking), "{tongue:?} {nonsense}");
            assert_eq!(tongue.called_off(&entry(), nonsense), None, "{tongue:?} {nonsense}");
        }
    }
    assert!(cronofy::first(br#"{"calendars": []}"#).unwrap().is_none());
    assert!(cronofy::find(b"{}", entry().booking).is_err());
}
