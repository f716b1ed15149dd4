//! Guests who hear of a booking by a real mail, and whose calendars answer by one.

use jobs::{
    BookingId, InvitationId, Job, JobId, PartyId, State,
    kinds::invite_reply::{Heard, InviteReplied, InviteReply},
};
use store::{
    enqueue::NewJob,
    invitations::{self, Invitation, Made, NewInvitation},
    submit::Answer,
};
use testkit::{Door, ImapServer, Kept, SmtpServer, eventually};

use crate::{
    calendars::{ahead, book, cancel},
    matching::technician,
    outbound::{somebody, start},
    world::{SOON, Worker, World},
};

async fn invite(world: &World, booking: BookingId, party: PartyId) -> InvitationId {
    let new = NewInvitation { id: InvitationId::new(), booking, party, by: "key".into() };
    let answer = |_: &Invitation| Answer::of(201, None, &());
    let made = invitations::create(&world.api, world.tenant, &new, 10, None, answer).await.unwrap();
    assert!(matches!(made, Made::New(_)), "{made:?}");
    new.id
}

async fn guest(world: &World, booking: BookingId) -> Invitation {
    let found = invitations::invitations(&world.api, world.tenant, booking, None, 10).await.unwrap();
    found.into_iter().next().unwrap()
}

/// The calendar in the mail number `nth`, once it is there: what it tells a calendar, and of which version.
async fn told(smtp: &SmtpServer, nth: usize) -> (String, Kept) {
    let kept =
        eventually("a mail to the guest", SOON, async || smtp.kept().unwrap().into_iter().nth(nth)).await;
    let reply = notify::reply_in(kept.mail.as_bytes()).expect("there is a calendar in the mail");
    (reply.calendar.replace("\r\n ", ""), kept)
}

fn line<'a>(calendar: &'a str, name: &str) -> &'a str {
    calendar.lines().find_map(|line| line.strip_prefix(name)).unwrap()
}

/// What the guest's calendar answers to what it was told.
fn answer(calendar: &str, said: &str, guest: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Calendar//EN\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:{}\r\nSEQUENCE:{}\r\n\
         DTSTAMP:{}\r\nATTENDEE;PARTSTAT={said}:mailto:{guest}\r\nORGANIZER:mailto:hello@acme.test\r\nEND:VEVENT\r\n\
         END:VCALENDAR\r\n",
        line(calendar, "UID:"),
        line(calendar, "SEQUENCE:"),
        chrono::Utc::now().format("%Y%m%dT%H%M%SZ"),
    )
}

fn mailed(calendar: &str, from: &str) -> String {
    format!(
        "From: Ada <{from}>\r\nTo: hello@acme.test\r\nSubject: Accepted\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nYes.\r\n\
         --b\r\nContent-Type: text/calendar; charset=utf-8; method=REPLY\r\n\r\n{calendar}\r\n--b--\r\n"
    )
}

/// A worker that sends mails and reads those that come back.
fn working(world: &World, smtp: &SmtpServer, mailbox: &ImapServer) -> Worker {
    let address = mailbox.address();
    let reads = ["--bounces-address", &address, "--bounces-tls", "none", "--bounces-user", "crew"];
    start(world, smtp, &[&reads[..], &["--bounces-password", "secret"]].concat())
}

async fn heard(world: &World, calendar: String, from: Option<&str>) -> Heard {
    let job = InviteReply { calendar, from: from.map(str::to_owned) };
    let job: JobId = world.enqueue(&[NewJob::of(&job).unwrap()]).await[0];
    let result = world.reaches(job, State::Completed).await.result.unwrap().0.inline().unwrap().clone();
    serde_json::from_value::<InviteReplied>(result).unwrap().heard
}

#[tokio::test]
async fn a_guest_hears_of_a_booking_answers_and_hears_that_it_is_off() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let mailbox = ImapServer::start_behind(Door::Open).unwrap();
    let _worker = working(&world, &smtp, &mailbox);
    let (party, ada) = (technician(&world, 0.0).await, somebody(&world, "ada@example.test").await);
    let booking = book(&world, party, ahead(5)).await;
    invite(&world, booking, ada).await;

    let (calendar, kept) = told(&smtp, 0).await;
    assert_eq!((kept.recipient.as_str(), line(&calendar, "METHOD:")), ("ada@example.test", "REQUEST"));
    assert!(kept.mail.contains("text/calendar; charset=utf-8; method=REQUEST"), "{}", kept.mail);
    assert!(calendar.contains("ORGANIZER;CN=Acme:mailto:hello@acme.test"), "{calendar}");

    let accepted = answer(&calendar, "ACCEPTED", "ada@example.test");
    mailbox.deliver(&mailed(&accepted, "eve@example.test")).unwrap();
    mailbox
        .deliver(&mailed(&accepted.replace("METHOD:REPLY", "METHOD:COUNTER"), "ada@example.test"))
        .unwrap();
    let other = mailed(&accepted, "ada@example.test").replace("method=REPLY", "method=COUNTER");
    mailbox.deliver(&other).unwrap();
    mailbox.deliver(&mailed(&accepted, "ada@example.test")).unwrap();
    eventually("the answer to be noted", SOON, async || {
        (guest(&world, booking).await.answer.as_deref() == Some("accepted")).then_some(())
    })
    .await;
    eventually("the mails to be marked", SOON, async || {
        (mailbox.marks().unwrap() == ["S", "FS", "FS", "S"]).then_some(())
    })
    .await;

    cancel(&world, booking).await;
    let (cancelled, _) = told(&smtp, 1).await;
    assert_eq!((line(&cancelled, "METHOD:"), line(&cancelled, "STATUS:")), ("CANCEL", "CANCELLED"));
    assert_eq!(line(&cancelled, "UID:"), line(&calendar, "UID:"));
    let [before, after] = [&calendar, &cancelled].map(|text| line(text, "SEQUENCE:").parse::<i32>().unwrap());
    assert!(before < after, "{before} {after}");
    assert_eq!(guest(&world, booking).await.answer, None);
    assert_eq!(heard(&world, accepted, None).await, Heard::Overtaken, "it is late");
}

#[tokio::test]
async fn an_answer_that_is_passed_on_is_heard_if_it_is_the_guests() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let (party, ada) = (technician(&world, 0.0).await, somebody(&world, "ada@example.test").await);
    let booking = book(&world, party, ahead(5)).await;
    invite(&world, booking, ada).await;
    let (calendar, _) = told(&smtp, 0).await;
    let forwarded = answer(&calendar, "ACCEPTED", "eve@example.test");
    assert_eq!(heard(&world, forwarded, Some("eve@example.test")).await, Heard::Stranger);
    let declined = answer(&calendar, "DECLINED", "ada@example.test");
    assert_eq!(heard(&world, declined.clone(), Some("eve@example.test")).await, Heard::Stranger);
    assert_eq!(heard(&world, declined, Some("ada@example.test")).await, Heard::Noted);
    assert_eq!(guest(&world, booking).await.answer.as_deref(), Some("declined"));
    assert_eq!(heard(&world, InviteReply::example().calendar, None).await, Heard::Unknown);
    let nonsense = InviteReply { calendar: "Hello".into(), from: None };
    let job = world.enqueue(&[NewJob::of(&nonsense).unwrap()]).await[0];
    let error = world.reaches(job, State::Discarded).await.error.unwrap().0;
    assert_eq!(error["code"], "not_a_reply");
}
