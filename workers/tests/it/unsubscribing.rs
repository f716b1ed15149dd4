//! The link by which a recipient ends mails of a sort (RFC 8058): out of the mail, by one POST, to the mail that does not come.

use jobs::{Category, Channel, kinds::notify_plan::NotifyPlan};
use reqwest::{Client, redirect::Policy};
use serde_json::json;
use testkit::SmtpServer;

use crate::{
    journeys::serve,
    outbound::{becomes, message, planned, reminder, somebody},
    world::World,
};

/// The one address in the header that mail programs read.
fn link(mail: &str) -> String {
    let (_, rest) = mail.split_once("List-Unsubscribe:").unwrap();
    let (address, _) = rest.split_once('>').unwrap();
    address.trim().trim_start_matches('<').to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_post_to_the_link_of_a_mail_ends_mails_of_its_sort_until_they_are_wanted_again() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let (client, stop) = serve(&world).await;
    let address = smtp.address();
    let usual = ["--smtp-address", &address, "--smtp-tls", "none", "--mail-from", "Acme <hello@acme.test>"];
    let _worker = world.start(&[&usual[..], &["--public-url", &client.url]].concat());
    let party = somebody(&world, "ada@example.test").await;
    let plan = NotifyPlan { dedupe_s: Some(0), ..reminder(party, Channel::Email) };
    let first = planned(&world, &plan).await[0];
    let contact = becomes(&world, first, &["sent"]).await.contact().unwrap();
    let mail = smtp.kept().unwrap()[0].mail.clone();
    assert!(mail.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{mail}");
    let link = link(&mail);
    assert!(link.starts_with(&format!("{}/u/cpt_", client.url)), "{link}");

    // As a mail program does it, which has no cookies, shows no page and is led nowhere else; and as an impatient one does.
    let http = Client::builder().redirect(Policy::none()).build().unwrap();
    for _ in 0..2 {
        let post = http.post(&link).header("content-type", "application/x-www-form-urlencoded");
        let ended = post.body("List-Unsubscribe=One-Click").send().await.unwrap();
        assert_eq!(ended.status(), 200);
        assert!(!ended.headers().contains_key("set-cookie") && !ended.headers().contains_key("location"));
    }
    let next = planned(&world, &plan).await[0];
    assert_eq!(message(&world, next).await.state, "skipped");
    // What nobody can end still comes.
    let critical = NotifyPlan { category: Category::Critical, ..plan.clone() };
    let critical = planned(&world, &critical).await[0];
    becomes(&world, critical, &["sent"]).await;

    let consent = client.http.post(format!("{}/v1/contact-points/{contact}/consent", client.url));
    let consent = consent.bearer_auth(&client.key).header("Idempotency-Key", "again");
    let wanted = consent.json(&json!({"word": "granted", "category": "operational"})).send().await.unwrap();
    assert!(wanted.status().is_success(), "{}", wanted.status());
    let again = planned(&world, &plan).await[0];
    becomes(&world, again, &["sent"]).await;
    assert_eq!(smtp.kept().unwrap().len(), 3);
    stop.cancel();
}
