//! What guests are sent, and what their calendars answer.

use calendar::{Entry, Method, NoReply, Person, Said, invitation, read, reply};
use jobs::InvitationId;

use crate::said::{at, span};

fn person(name: &str, address: &str) -> Person {
    Person { name: name.to_owned(), address: address.to_owned() }
}

fn id() -> InvitationId {
    "inv_0192f3c47a1b7c3d8e4f5a6b7c8d9e10".parse().unwrap()
}

fn sent(method: Method) -> String {
    let entry = Entry {
        booking: "bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f".parse().unwrap(),
        version: 3,
        during: span("2026-07-01T10:00:00Z", "2026-07-01T11:30:00Z"),
        summary: "12 Elm Street".to_owned(),
        changed_at: at("2026-06-01T12:00:00Z"),
    };
    let host = person("Acme: \"Pictures\"\r\nX-EVIL:1", "hello@acme.test");
    invitation(&entry, id(), (&host, &person("Ada", "ada@example.test")), method)
}

/// Without the folds of long lines.
fn lines(text: &str) -> Vec<String> {
    text.replace("\r\n ", "").lines().map(str::to_owned).collect()
}

/// As calendar programs answer: Google's, and Outlook's.
fn answer(partstat: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nPRODID:-//Google Inc//Google Calendar 70.9054//EN\r\nVERSION:2.0\r\nCALSCALE:GREGORIAN\r\n\
         METHOD:REPLY\r\nBEGIN:VEVENT\r\nDTSTART:20260701T100000Z\r\nDTEND:20260701T113000Z\r\nDTSTAMP:20260602T080000Z\r\n\
         ORGANIZER;CN=Acme:mailto:hello@acme.test\r\n\
         UID:bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f.inv_0192f3c47a1b7c3d8e4f5a6b7c8d9e10@crewline\r\n\
         ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT={partstat};CN=Ada;X-NUM-GUESTS=0:mailto:Ada@Example.test\r\n\
         SEQUENCE:3\r\nSUMMARY:12 Elm Street\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

#[test]
fn a_guest_is_invited_as_calendars_want_it() {
    let text = sent(Method::Request);
    let lines = lines(&text);
    for line in ["METHOD:REQUEST", "SEQUENCE:3", "STATUS:CONFIRMED", "DTSTART:20260701T100000Z"] {
        assert!(lines.iter().any(|said| said == line), "{line} in {text}");
    }
    let uid = "UID:bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f.inv_0192f3c47a1b7c3d8e4f5a6b7c8d9e10@crewline";
    assert!(lines.iter().any(|line| line == uid), "{text}");
    let attendee = lines.iter().find(|line| line.starts_with("ATTENDEE")).unwrap();
    assert!(attendee.ends_with(":mailto:ada@example.test"), "{attendee}");
    for parameter in [";PARTSTAT=NEEDS-ACTION", ";RSVP=TRUE", ";CN=Ada"] {
        assert!(attendee.contains(parameter), "{parameter} in {attendee}");
    }
    let organizer = lines.iter().find(|line| line.starts_with("ORGANIZER")).unwrap();
    assert!(organizer.ends_with(":mailto:hello@acme.test"), "{organizer}");
    assert!(!lines.iter().any(|line| line.starts_with("X-EVIL")), "{text}");
}

#[test]
fn what_is_called_off_says_so() {
    let lines = lines(&sent(Method::Cancel));
    assert!(
        lines.iter().any(|line| line == "METHOD:CANCEL")
            && lines.iter().any(|line| line == "STATUS:CANCELLED")
    );
}

#[test]
fn a_booking_is_known_in_the_calendar_of_a_guest_too() {
    let event = read(sent(Method::Request).as_bytes(), None).unwrap().remove(0);
    let ours = event.ours.unwrap();
    assert_eq!(ours.booking.to_string(), "bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f");
    assert!(ours.is_untouched);
}

#[test]
fn answers_are_read() {
    for (word, said) in [
        ("ACCEPTED", Said::Accepted),
        ("accepted", Said::Accepted),
        ("TENTATIVE", Said::Tentative),
        ("DECLINED", Said::Declined),
    ] {
        let reply = reply(&answer(word)).unwrap();
        assert_eq!((reply.said, reply.invitation, reply.version), (said, id(), 3), "{word}");
        assert_eq!(reply.guest, "Ada@Example.test");
        assert_eq!((reply.sent_by, reply.at), (None, Some(at("2026-06-02T08:00:00Z"))));
    }
    let by = answer("ACCEPTED").replace(";CN=Ada;", ";SENT-BY=\"mailto:bob@example.test\";");
    assert_eq!(reply(&by).unwrap().sent_by.as_deref(), Some("bob@example.test"));
}

#[test]
fn what_is_no_answer_is_none() {
    for (text, why) in [
        (String::new(), NoReply::NoCalendar),
        ("Hello".to_owned(), NoReply::NoCalendar),
        (sent(Method::Request), NoReply::OtherMethod),
        (answer("ACCEPTED").replace("METHOD:REPLY", "METHOD:COUNTER"), NoReply::OtherMethod),
        (answer("ACCEPTED").replace("METHOD:REPLY\r\n", ""), NoReply::OtherMethod),
        (answer("ACCEPTED").replace("@crewline", "@google.com"), NoReply::NotOurs),
        (answer("ACCEPTED").replace(".inv_", ".off_"), NoReply::NotOurs),
        (answer("NEEDS-ACTION"), NoReply::NoAnswer),
        (answer("DELEGATED"), NoReply::NoAnswer),
        (answer("ACCEPTED").replace("ATTENDEE", "X-ATTENDEE"), NoReply::NoAnswer),
    ] {
        assert_eq!(reply(&text).unwrap_err(), why, "{text}");
    }
}

#[test]
fn the_example_of_the_kind_is_an_answer() {
    let example = <jobs::kinds::invite_reply::InviteReply as jobs::Job>::example();
    assert_eq!(reply(&example.calendar).unwrap().said, Said::Accepted);
}
