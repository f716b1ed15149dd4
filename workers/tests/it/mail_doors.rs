//! Mail servers that are spoken to in secret, and want to know by whom.

use jobs::{Channel, MessageId};
use testkit::{Door, SmtpServer, eventually};

use crate::{
    outbound::{becomes, message, planned, reminder, somebody, tries},
    world::{SOON, Worker, World},
};

/// A worker that knows `smtp` by `tls`, and is let in with `password`.
fn start(world: &World, smtp: &SmtpServer, tls: &str, password: &str, is_believed: bool) -> Worker {
    let (address, certificate) = (smtp.address(), smtp.certificate());
    let usual = ["--smtp-address", &address, "--smtp-tls", tls, "--mail-from", "Acme <hello@acme.test>"];
    let login = ["--smtp-user", "crew", "--smtp-password", password];
    let believed = ["--smtp-ca", certificate.to_str().unwrap()];
    let believed = if is_believed { &believed[..] } else { &[] };
    world.start(&[&usual[..], &login, believed].concat())
}

async fn sent_to(world: &World, address: &str) -> MessageId {
    let party = somebody(world, address).await;
    planned(world, &reminder(party, Channel::Email)).await[0]
}

#[tokio::test]
async fn a_mail_goes_through_tls_by_whoever_is_let_in() {
    for (door, tls) in [(Door::Starttls, "starttls"), (Door::Wrapped, "wrapped")] {
        let (world, smtp) = (World::new().await, SmtpServer::start_behind(door).unwrap());
        let _worker = start(&world, &smtp, tls, "secret", true);
        let id = sent_to(&world, "ada@example.test").await;
        becomes(&world, id, &["sent"]).await;
        assert_eq!(smtp.kept().unwrap().len(), 1, "{door:?}");
    }
}

#[tokio::test]
async fn nothing_is_sent_where_the_secret_is_not_kept() {
    for (door, password, is_believed) in [
        // The wrong password; a certificate of nobody's; a server that cannot change over to TLS, or was made to say so.
        (Door::Starttls, "guess", true),
        (Door::Starttls, "secret", false),
        (Door::Open, "secret", false),
    ] {
        let (world, smtp) = (World::new().await, SmtpServer::start_behind(door).unwrap());
        let _worker = start(&world, &smtp, "starttls", password, is_believed);
        let id = sent_to(&world, "ada@example.test").await;
        eventually("a try to fail", SOON, || async {
            tries(&world, id).await.starts_with("failed").then_some(())
        })
        .await;
        // It is tried again, and nobody was told.
        assert!(matches!(message(&world, id).await.state.as_str(), "planned" | "sending"));
        assert_eq!(smtp.kept().unwrap(), [], "{door:?} {password}");
    }
}
