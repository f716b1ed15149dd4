//! Mails that come back to a real mailbox: what they tell moves a message on, and keeps others away from its address.

use jobs::{Channel, MessageId};
use testkit::{Door, ImapServer, Kept, SmtpServer, eventually};

use crate::{
    outbound::{becomes, message, planned, reminder, somebody, start},
    world::{SOON, Worker, World},
};

/// A worker that reads `mailbox` besides.
fn reading(world: &World, smtp: &SmtpServer, mailbox: &ImapServer, tls: &str, password: &str) -> Worker {
    let (address, certificate) = (mailbox.address(), mailbox.certificate());
    let usual = ["--bounces-address", &address, "--bounces-tls", tls, "--bounces-user", "crew"];
    let believed = ["--bounces-ca", certificate.to_str().unwrap()];
    let believed = if tls == "none" { &[][..] } else { &believed };
    start(world, smtp, &[&usual[..], &["--bounces-password", password], believed].concat())
}

/// What a mail server writes back of `sent`, with the head that it came with.
fn report(sent: &Kept, action: &str, status: &str) -> String {
    let head = sent.mail.split("\r\n\r\n").next().unwrap().split("\n\n").next().unwrap();
    format!(
        "From: MAILER-DAEMON@mx.test\r\nTo: hello@acme.test\r\nSubject: Returned\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nIt did not go.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\n\
         Final-Recipient: rfc822; {}\r\nAction: {action}\r\nStatus: {status}\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\n{head}\r\n\r\n--b--\r\n",
        sent.recipient
    )
}

async fn sent_to(world: &World, address: &str) -> MessageId {
    let party = somebody(world, address).await;
    let id = planned(world, &reminder(party, Channel::Email)).await[0];
    becomes(world, id, &["sent"]).await;
    id
}

async fn marked(mailbox: &ImapServer, marks: &[&str]) {
    eventually(&format!("the mails to be marked {marks:?}"), SOON, || async {
        (mailbox.marks().unwrap() == marks).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_comes_back_is_read_once_and_noted_and_the_rest_is_left_to_people() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let mailbox = ImapServer::start_behind(Door::Starttls).unwrap();
    let worker = start(&world, &smtp, &[]);
    let (gone, full, late) = (
        sent_to(&world, "gone@example.test").await,
        sent_to(&world, "full@example.test").await,
        sent_to(&world, "late@example.test").await,
    );
    worker.kill();

    let kept = smtp.kept().unwrap();
    for (nth, action, status) in [(0, "failed", "5.1.1"), (1, "failed", "5.2.2"), (2, "delayed", "4.4.1")] {
        mailbox.deliver(&report(&kept[nth], action, status)).unwrap();
    }
    mailbox.deliver("Subject: Re: your reminder\r\n\r\nCan we make it ten?\r\n").unwrap();
    let stranger = Kept { mail: format!("Message-ID: <{}@acme.test>", MessageId::new()), ..kept[0].clone() };
    mailbox.deliver(&report(&stranger, "failed", "5.1.1")).unwrap();

    let _worker = reading(&world, &smtp, &mailbox, "starttls", "secret");
    // Seen; and flagged where somebody should look: a person's letter, and a report on a mail that never was.
    marked(&mailbox, &["S", "S", "S", "FS", "FS"]).await;
    assert_eq!(message(&world, gone).await.state, "bounced");
    assert_eq!(message(&world, full).await.state, "bounced");
    assert_eq!(message(&world, full).await.detail.as_deref(), Some("5.2.2"));
    assert_eq!(message(&world, late).await.state, "sent");
    let words = "select coalesce(jsonb_agg(jsonb_build_array(p.address, c.word, c.source)), '[]')
        from consent c join contact_point p on p.id = c.contact_point_id where c.category is null";
    assert_eq!(
        world.database.json(words).await.unwrap(),
        serde_json::json!([["gone@example.test", "hard_bounce", "mailbox"]])
    );
}

#[tokio::test]
async fn a_mailbox_is_reached_in_secret_and_by_those_who_know_its_password() {
    for (door, tls) in [(Door::Wrapped, "wrapped"), (Door::Open, "none")] {
        let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
        let mailbox = ImapServer::start_behind(door).unwrap();
        mailbox.deliver("Subject: Hi\r\n\r\nHi.\r\n").unwrap();
        let _worker = reading(&world, &smtp, &mailbox, tls, "secret");
        marked(&mailbox, &["FS"]).await;
    }
}
