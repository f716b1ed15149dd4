//! Changes of clocks, zones by every name, days, lengths, rules, and what stands in for what.

use crate::said::{busy_of, events, in_2026, shown, span};

#[test]
fn what_the_clock_skips_or_shows_twice_is_when_everybody_else_says() {
    let daily = |zone: &str, from: &str, count: u32| {
        in_2026(
            "UTC",
            &[&format!("DTSTART;TZID={zone}:{from}\nDURATION:PT30M\nRRULE:FREQ=DAILY;COUNT={count}")],
        )
    };
    assert_eq!(
        daily("America/New_York", "20260307T023000", 3),
        ["03-07T07:30/03-07T08:00", "03-08T07:30/03-08T08:00", "03-09T06:30/03-09T07:00"]
    );
    assert_eq!(
        daily("America/New_York", "20261031T013000", 3),
        ["10-31T05:30/10-31T06:00", "11-01T05:30/11-01T06:00", "11-02T06:30/11-02T07:00"]
    );
    assert_eq!(daily("Australia/Lord_Howe", "20261004T021500", 1), ["10-03T15:45/10-03T16:15"]);
    assert_eq!(daily("Asia/Kathmandu", "20260601T120000", 1), ["06-01T06:15/06-01T06:45"]);
    // One that is not repeated takes time in the gap as well.
    let single = "DTSTART;TZID=America/New_York:20260308T023000\nDURATION:PT1H";
    assert_eq!(in_2026("UTC", &[single]), ["03-08T07:30/03-08T08:30"]);
    // Also where it would have ended when the clock shows again.
    for (end, ends) in [("033000", "08:30"), ("030000", "08:00"), ("023000", "")] {
        let zone = "TZID=America/New_York:20260308T";
        let by_the_clock = format!("DTSTART;{zone}023000\nDTEND;{zone}{end}");
        let expected = if ends.is_empty() { Vec::new() } else { vec![format!("03-08T07:30/03-08T{ends}")] };
        assert_eq!(in_2026("UTC", &[&by_the_clock]), expected, "{end}");
    }
}

#[test]
fn a_rule_in_utc_stays_in_utc_wherever_its_owner_is() {
    let entry = "DTSTART:20260601T220000Z\nDTEND:20260601T230000Z\nRRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2";
    assert_eq!(in_2026("Pacific/Auckland", &[entry]), ["06-01T22:00/06-01T23:00", "06-08T22:00/06-08T23:00"]);
}

#[test]
fn zones_are_known_by_many_names_and_one_that_is_not_known_is_busy_wherever_it_may_be() {
    let winter = ["01-12T09:00/01-12T10:00"];
    for name in ["Europe/Vienna", "W. Europe Standard Time", "\"Europe/Vienna\""] {
        let entry = format!("DTSTART;TZID={name}:20260112T100000\nDTEND;TZID={name}:20260112T110000");
        assert_eq!(in_2026("UTC", &[&entry]), winter, "{name}");
    }
    let entry = "DTSTART;TZID=Nowhere/Else:20260112T100000\nDTEND;TZID=Nowhere/Else:20260112T110000";
    let busy = busy_of(&events(&[entry]), "UTC", span("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"));
    assert_eq!(busy.doubts, 1);
    assert_eq!(busy.spans.iter().map(shown).collect::<Vec<_>>(), ["01-11T00:00/01-13T00:00"]);
}

#[test]
fn days_are_those_of_the_owner() {
    for (zone, expected) in [
        ("UTC", "07-01T00:00/07-03T00:00"),
        ("America/Los_Angeles", "07-01T07:00/07-03T07:00"),
        ("Pacific/Auckland", "06-30T12:00/07-02T12:00"),
    ] {
        assert_eq!(in_2026(zone, &["DTSTART;VALUE=DATE:20260701\nDTEND;VALUE=DATE:20260703"]), [expected]);
    }
    assert_eq!(
        in_2026("UTC", &["DTSTART;VALUE=DATE:20260701"]),
        ["07-01T00:00/07-02T00:00"],
        "a day without an end"
    );
    assert_eq!(
        in_2026("Europe/Vienna", &["DTSTART:20260701T100000\nDTEND:20260701T110000"]),
        ["07-01T08:00/07-01T09:00"]
    );
    assert_eq!(in_2026("UTC", &["DTSTART:20260701T100000Z"]), [""; 0], "no time at all");
    let backwards = events(&["DTSTART:20260701T100000Z\nDTEND:20260701T090000Z"]);
    let busy = busy_of(&backwards, "UTC", span("2026-06-01T00:00:00Z", "2026-08-01T00:00:00Z"));
    assert_eq!((busy.doubts, shown(&busy.spans[0])), (1, "07-01T00:00/07-02T00:00".to_owned()));
}

#[test]
fn a_day_is_as_long_as_the_clock_makes_it_and_hours_are_not() {
    let lasting = |length: &str| {
        in_2026("UTC", &[&format!("DTSTART;TZID=Europe/Vienna:20260328T120000\nDURATION:{length}")])
    };
    assert_eq!(lasting("P1D"), ["03-28T11:00/03-29T10:00"]);
    assert_eq!(lasting("PT24H"), ["03-28T11:00/03-29T11:00"]);
    assert_eq!(lasting("P1W"), ["03-28T11:00/04-04T10:00"]);
    // In autumn a day has 25 hours.
    let lasting = |length: &str| {
        in_2026("UTC", &[&format!("DTSTART;TZID=Europe/Vienna:20261024T120000\nDURATION:{length}")])
    };
    assert_eq!(lasting("P1D"), ["10-24T10:00/10-25T11:00"]);
    assert_eq!(lasting("PT24H"), ["10-24T10:00/10-25T10:00"]);
    let day = "DTSTART;VALUE=DATE:20261025\nDTEND;VALUE=DATE:20261026";
    assert_eq!(in_2026("Europe/Vienna", &[day]), ["10-24T22:00/10-25T23:00"]);
}

#[test]
fn rules_end_when_they_say() {
    let ends = |rule: &str| {
        let entry =
            format!("DTSTART;TZID=Europe/Vienna:20260601T080000\nDURATION:PT1H\nRRULE:FREQ=DAILY;{rule}");
        in_2026("UTC", &[&entry]).len()
    };
    assert_eq!(ends("UNTIL=20260603"), 3, "all of that day");
    assert_eq!(ends("UNTIL=20260603T060000Z"), 3, "the very moment");
    assert_eq!(ends("UNTIL=20260603T055959Z"), 2);
    assert_eq!(ends("UNTIL=20260603T080000"), 3, "by the wall");
    let except = "DTSTART:20260601T080000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20260602T080000Z";
    assert_eq!(in_2026("UTC", &[except]).len(), 2, "what is left out counts");
    let yearly = "DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY";
    assert_eq!(in_2026("UTC", &[yearly]), [""; 0], "there is no such day");
    let busy = busy_of(&events(&[yearly]), "UTC", span("2025-01-01T00:00:00Z", "2032-01-01T00:00:00Z"));
    assert_eq!((busy.doubts, busy.spans), (0, vec![span("2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z")]));
    let monthly = "DTSTART:20260131T080000Z\nDURATION:PT1H\nRRULE:FREQ=MONTHLY";
    assert_eq!(in_2026("UTC", &[monthly]).len(), 7);
    let last = "DTSTART:20260130T080000Z\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3";
    assert_eq!(
        in_2026("UTC", &[last]),
        ["01-30T08:00/01-30T09:00", "02-27T08:00/02-27T09:00", "03-31T08:00/03-31T09:00"]
    );
}

#[test]
fn one_of_a_series_may_be_moved_called_off_or_change_all_that_follow() {
    let weekly =
        "UID:a\nDTSTART;TZID=Europe/Vienna:20260601T080000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=4";
    let moved = "UID:a\nRECURRENCE-ID;TZID=Europe/Vienna:20260608T080000\nDTSTART;TZID=Europe/Vienna:20260609T100000\nDURATION:PT2H";
    assert_eq!(
        in_2026("UTC", &[weekly, moved]),
        [
            "06-01T06:00/06-01T07:00",
            "06-09T08:00/06-09T10:00",
            "06-15T06:00/06-15T07:00",
            "06-22T06:00/06-22T07:00"
        ]
    );
    let off =
        "UID:a\nRECURRENCE-ID:20260608T060000Z\nDTSTART:20260608T060000Z\nDURATION:PT1H\nSTATUS:CANCELLED";
    assert_eq!(in_2026("UTC", &[weekly, off]).len(), 3);
    let onwards = "UID:a\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Vienna:20260615T080000\n\
        DTSTART;TZID=Europe/Vienna:20260615T090000\nDURATION:PT2H";
    assert_eq!(
        in_2026("UTC", &[weekly, onwards])[2..],
        ["06-15T07:00/06-15T09:00", "06-22T07:00/06-22T09:00"]
    );
    assert_eq!(in_2026("UTC", &[moved]), ["06-09T08:00/06-09T10:00"], "also without its series");
}

#[test]
fn what_takes_no_time_is_free() {
    let with = |line: &str| {
        in_2026("UTC", &[&format!("DTSTART:20260701T100000Z\nDTEND:20260701T110000Z\n{line}")]).len()
    };
    for free in [
        "TRANSP:TRANSPARENT",
        "STATUS:CANCELLED",
        "X-MICROSOFT-CDO-BUSYSTATUS:FREE",
        "X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE",
        "ATTENDEE;PARTSTAT=DECLINED:mailto:Ada@Example.com",
    ] {
        assert_eq!(with(free), 0, "{free}");
    }
    for busy in [
        "TRANSP:OPAQUE",
        "STATUS:TENTATIVE",
        "X-MICROSOFT-CDO-BUSYSTATUS:OOF",
        "ATTENDEE;PARTSTAT=DECLINED:mailto:ben@example.com",
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:ada@example.com",
    ] {
        assert_eq!(with(busy), 1, "{busy}");
    }
}

#[test]
fn what_is_not_understood_is_busy_and_counted() {
    let horizon = span("2026-06-01T00:00:00Z", "2026-06-08T00:00:00Z");
    let of = |entry: &str| {
        let busy = busy_of(&events(&[entry]), "UTC", horizon);
        (busy.doubts, busy.spans.iter().map(shown).collect::<Vec<_>>())
    };
    let all = (1, vec!["06-01T00:00/06-08T00:00".to_owned()]);
    assert_eq!(of("DTSTART:20261340T080000Z\nDURATION:PT1H"), all, "nobody knows when");
    assert_eq!(of("SUMMARY:x"), all);
    let later = (1, vec!["06-03T08:00/06-08T00:00".to_owned()]);
    for rule in ["FREQ=SECONDLY", "FREQ=MINUTELY;INTERVAL=90", "FREQ=SOMETIMES", "FREQ=DAILY;COUNT=x"] {
        assert_eq!(of(&format!("DTSTART:20260603T080000Z\nDURATION:PT1H\nRRULE:{rule}")), later, "{rule}");
    }
    assert_eq!(
        of("DTSTART:20260603T080000Z\nDTEND:tomorrow"),
        (1, vec!["06-03T00:00/06-04T00:00".to_owned()])
    );
}

#[test]
fn those_who_tell_only_when_they_are_busy_are_understood() {
    let text = "BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\nFREEBUSY:20260701T100000Z/20260701T110000Z,20260702T100000Z/PT1H\r\n\
        FREEBUSY;FBTYPE=FREE:20260703T100000Z/PT1H\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n";
    let events = calendar::read(text.as_bytes(), None).unwrap();
    let busy = busy_of(&events, "UTC", span("2026-07-01T00:00:00Z", "2026-08-01T00:00:00Z"));
    assert_eq!(
        busy.spans.iter().map(shown).collect::<Vec<_>>(),
        ["07-01T10:00/07-01T11:00", "07-02T10:00/07-02T11:00"]
    );
}
