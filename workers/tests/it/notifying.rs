//! From a notification to what people get, through real servers.

use chrono::{TimeDelta, Timelike, Utc};
use jobs::{
    Category, Channel, PartyId, State,
    kinds::notify_plan::{Ladder, NotifyPlan, Subject},
};
use serde_json::json;
use store::{
    enqueue::NewJob,
    messages::{self, Resolution},
    notification_templates,
    parties::{self, Terms, Word},
};
use testkit::{SmtpServer, eventually};

use crate::{
    outbound::{PUBLIC_URL, becomes, job_of, message, planned, reached, reminder, somebody, start, tries},
    world::{SOON, World},
};

#[tokio::test]
async fn a_reminder_becomes_a_mail_that_can_be_unsubscribed() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let party = somebody(&world, "ada+tag@example.test").await;
    let id = planned(&world, &reminder(party, Channel::Email)).await[0];
    let sent = becomes(&world, id, &["sent"]).await;
    assert_eq!((sent.locale.as_str(), sent.template_version), ("de", 0), "de-AT falls back to de");
    assert!(sent.provider_id.unwrap().contains("kept as 1"));
    let kept = smtp.kept().unwrap();
    assert_eq!((kept.len(), kept[0].recipient.as_str()), (1, "ada+tag@example.test"));
    let mail = &kept[0].mail;
    assert!(mail.contains(&format!("Message-ID: <{id}@acme.test>")), "{mail}");
    assert!(mail.contains("Subject: Erinnerung: 12 Elm Street, Monday, 09:00"), "{mail}");
    assert!(mail.contains(&format!("List-Unsubscribe: <{PUBLIC_URL}/u/cpt_")), "{mail}");
    assert!(mail.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{mail}");
    assert!(mail.contains("multipart/alternative") && mail.contains("text/html"), "{mail}");

    // The same is not told twice.
    let again = planned(&world, &reminder(party, Channel::Email)).await[0];
    let again = message(&world, again).await;
    assert_eq!(again.state, "skipped");
    assert!(again.decisions.0[2]["said"].as_str().unwrap().starts_with("the same was told at"), "{again:?}");
    assert_eq!(smtp.kept().unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_says_later_is_asked_later_and_one_that_says_no_is_believed() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    for (address, state, tried) in [
        ("greylisted@example.test", "sent", "failed done"),
        ("full@example.test", "sent", "failed done"),
        ("refused@example.test", "failed", "failed"),
        ("nobody@example.test", "failed", "failed"),
        ("dropped@example.test", "unknown", "unknown"),
    ] {
        let party = somebody(&world, address).await;
        let id = planned(&world, &reminder(party, Channel::Email)).await[0];
        becomes(&world, id, &[state]).await;
        assert_eq!(tries(&world, id).await, tried, "{address}");
        let contacts = parties::contacts(&world.api, world.tenant, party).await.unwrap();
        let bounced = contacts.iter().any(|one| one.suppression.as_deref() == Some("hard_bounce"));
        assert_eq!(bounced, address.starts_with("nobody"), "{address}");
    }
    let recipients: Vec<String> = smtp.kept().unwrap().into_iter().map(|kept| kept.recipient).collect();
    assert_eq!(recipients, ["greylisted@example.test", "full@example.test", "dropped@example.test"]);
    let filter = messages::Filter { state: Some("unknown".into()), ..messages::Filter::default() };
    assert_eq!(messages::list(&world.api, world.tenant, &filter, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_missing_stops_everything_before_anybody_is_told() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let party = somebody(&world, "ada@example.test").await;
    let mut plan = reminder(party, Channel::Email);
    plan.variables = json!({"name": "Ada"}).as_object().unwrap().clone();
    let job = world.enqueue(&[NewJob::of(&plan).unwrap()]).await[0];
    let error = world.reaches(job, State::Discarded).await.error.unwrap().0;
    assert_eq!(error["code"], "missing_variables");
    assert_eq!(error["message"], "reminder in de: the template needs address, starts");
    assert_eq!(world.database.number("select count(*) from message").await.unwrap(), 0);
}

#[tokio::test]
async fn what_waits_dies_quietly_when_it_is_not_wanted_any_more() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let party = somebody(&world, "ada@example.test").await;
    let about = |version| Some(Subject { reference: "visit/1".into(), version, at: None });
    let worker = start(&world, &smtp, &[]);
    let plan = |version, dedupe_s| NotifyPlan {
        subject: about(version),
        dedupe_s: Some(dedupe_s),
        ..reminder(party, Channel::Email)
    };
    // Held until it is pushed: nobody is there to send it while the visit moves.
    worker.kill();
    let job = world.enqueue(&[NewJob::of(&plan(1, 0)).unwrap()]).await[0];
    messages::set_subject(&world.api, world.tenant, "visit/1", 2, false).await.unwrap();
    let _worker = start(&world, &smtp, &[]);
    world.reaches(job, State::Completed).await;
    let job = job_of(&world, "notify.send").await;
    let sent = world.reaches(job, State::Completed).await.result.unwrap();
    assert_eq!(sent.0.inline().unwrap()["state"], "dropped");
    let newer = planned(&world, &plan(2, 0)).await[0];
    becomes(&world, newer, &["sent"]).await;
    assert_eq!(smtp.kept().unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_unsubscribed_is_not_told_even_what_was_planned_before() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let party = somebody(&world, "ada@example.test").await;
    let contacts = parties::contacts(&world.api, world.tenant, party).await.unwrap();
    let mail = contacts.iter().find(|one| one.address == "ada@example.test").unwrap().id();
    let withdrawn = Word::Withdrawn(Category::Operational);
    assert!(parties::say(&world.api, world.tenant, mail, withdrawn, "a test").await.unwrap());
    let id = planned(&world, &reminder(party, Channel::Email)).await[0];
    assert_eq!(message(&world, id).await.state, "skipped");
    let critical = NotifyPlan { category: Category::Critical, ..reminder(party, Channel::Email) };
    let id = planned(&world, &critical).await[0];
    becomes(&world, id, &["sent"]).await;
    assert!(!smtp.kept().unwrap()[0].mail.contains("List-Unsubscribe"), "nobody ends what is critical");
    // The last word counts.
    let granted = Word::Granted(Category::Operational);
    assert!(parties::say(&world.api, world.tenant, mail, granted, "a test").await.unwrap());
    let wanted = NotifyPlan { dedupe_s: Some(0), ..reminder(party, Channel::Email) };
    let id = planned(&world, &wanted).await[0];
    becomes(&world, id, &["sent"]).await;
}

#[tokio::test]
async fn a_digest_is_told_to_nobody_who_unsubscribed_while_it_gathered() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let party = somebody(&world, "ada@example.test").await;
    let plan = NotifyPlan { category: Category::Social, ..reminder(party, Channel::Email) };
    let gathered = planned(&world, &plan).await[0];
    let contact = message(&world, gathered).await.contact().unwrap();
    let withdrawn = Word::Withdrawn(Category::Social);
    assert!(parties::say(&world.api, world.tenant, contact, withdrawn, "a test").await.unwrap());
    let close = job_of(&world, "notify.digest_close").await;
    world.database.execute(CLOSES).await.unwrap();
    world.reaches(close, State::Completed).await;
    let dropped = message(&world, gathered).await;
    assert_eq!(
        (dropped.state.as_str(), dropped.detail.as_deref()),
        ("dropped", Some("the recipient unsubscribed meanwhile"))
    );
    assert!(smtp.kept().unwrap().is_empty());
}

/// Lets the time of every digest come.
const CLOSES: &str = "update job set scheduled_at = now() where kind = 'notify.digest_close'";

#[tokio::test]
async fn what_people_say_comes_in_one_digest() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let party = somebody(&world, "ada@example.test").await;
    let mut all = Vec::new();
    for number in 0..3 {
        let mut plan = NotifyPlan { category: Category::Social, ..reminder(party, Channel::Email) };
        plan.variables.insert("address".into(), json!(format!("{number} Elm Street")));
        all.extend(planned(&world, &plan).await);
    }
    for id in &all {
        assert_eq!(message(&world, *id).await.state, "gathered");
    }
    let close = job_of(&world, "notify.digest_close").await;
    assert_eq!(world.database.number("select count(*) from digest").await.unwrap(), 1);
    // Its time has come.
    world.database.execute(CLOSES).await.unwrap();
    world.reaches(close, State::Completed).await;
    eventually("the digest", SOON, || async { (smtp.kept().unwrap().len() == 1).then_some(()) }).await;
    let mail = &smtp.kept().unwrap()[0].mail;
    assert!(mail.contains("Subject: 3 Neuigkeiten"), "{mail}");
    for number in 0..3 {
        assert!(mail.contains(&format!("{number} Elm Street")), "{mail}");
    }
}

/// The jobs of messages that are held are there too early, as after an attempt that failed or a wait for a provider.
const EARLY: &str = "update job set scheduled_at = now() where kind = 'notify.send'";

/// Whether it is night for `party` for another hour; else they have no quiet hours.
async fn sleeps(world: &World, party: PartyId, is_night: bool) {
    let clock = "Europe/Vienna".parse::<schedule::Zone>().unwrap().wall(Utc::now());
    let minute = (clock.hour() * 60 + clock.minute()) as i16;
    let quiet = is_night.then_some(((minute + 1_380) % 1_440, (minute + 60) % 1_440));
    let timezone = Some("Europe/Vienna".to_owned());
    let terms = Terms { name: "Ada".into(), locale: "de".into(), timezone, quiet };
    parties::change(&world.api, world.tenant, party, &terms).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_not_wanted_any_more_by_the_time_it_may_ring_is_dropped() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let mut held = Vec::new();
    for number in 0..3 {
        let party = somebody(&world, &format!("ada{number}@example.test")).await;
        sleeps(&world, party, true).await;
        let subject = Subject { reference: format!("visit/{number}"), version: 1, at: None };
        let plan = NotifyPlan { subject: Some(subject), ..reminder(party, Channel::Email) };
        let id = planned(&world, &plan).await[0];
        held.push((id, message(&world, id).await.contact().unwrap()));
    }
    for (word, nth) in [(Word::Withdrawn(Category::Operational), 0), (Word::Suppressed("stop"), 1)] {
        assert!(parties::say(&world.api, world.tenant, held[nth].1, word, "a test").await.unwrap());
    }
    messages::set_subject(&world.api, world.tenant, "visit/2", 1, true).await.unwrap();
    world.database.execute(EARLY).await.unwrap();
    for (nth, why) in [
        (0, "the recipient unsubscribed meanwhile"),
        (1, "the recipient answered STOP meanwhile"),
        (2, "visit/2 is over"),
    ] {
        let dropped = becomes(&world, held[nth].0, &["dropped"]).await;
        assert_eq!(dropped.detail.as_deref(), Some(why));
    }
    assert!(smtp.kept().unwrap().is_empty());
}

#[tokio::test]
async fn what_a_person_sends_again_is_the_same_mail() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let party = somebody(&world, "dropped@example.test").await;
    let id = planned(&world, &reminder(party, Channel::Email)).await[0];
    becomes(&world, id, &["unknown"]).await;
    let job = job_of(&world, "notify.send").await;
    world.reaches(job, State::Completed).await;
    let again = Resolution::SendAgain;
    messages::resolve(&world.api, world.tenant, id, again, "a test").await.unwrap();
    eventually("it to be sent again", SOON, || async { (smtp.kept().unwrap().len() == 2).then_some(()) })
        .await;
    let name = format!("Message-ID: <{id}@acme.test>");
    assert!(smtp.kept().unwrap().iter().all(|kept| kept.mail.contains(&name)));
}

#[tokio::test]
async fn whoever_sleeps_is_not_woken_however_late_it_gets() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let party = somebody(&world, "ada@example.test").await;
    sleeps(&world, party, true).await;
    let id = planned(&world, &reminder(party, Channel::Email)).await[0];
    let held = message(&world, id).await;
    assert!(held.scheduled_at > Utc::now() + TimeDelta::minutes(50), "{held:?}");
    let said = held.decisions.0[2]["said"].as_str().unwrap();
    assert!(said.starts_with("held until ") && said.ends_with("quiet hours in Europe/Vienna"), "{said}");
    world.database.execute(EARLY).await.unwrap();
    let snoozed =
        "select count(*) from attempt where outcome = 'snoozed' and error ->> 'code' = 'quiet_hours'";
    eventually("it to be held again", SOON, || async {
        (world.database.number(snoozed).await.unwrap() > 0).then_some(())
    })
    .await;
    assert!(smtp.kept().unwrap().is_empty());
    sleeps(&world, party, false).await;
    world.database.execute(EARLY).await.unwrap();
    becomes(&world, id, &["sent"]).await;
}

#[tokio::test]
async fn a_digest_that_a_tenant_wrote_wrongly_is_told_in_the_products_words() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let theirs = json!({"subject": "News for {{ nickname }}", "lines": ["{{ nickname }}"]});
    notification_templates::put(&world.api, world.tenant, "digest", "de", &theirs, "a test").await.unwrap();
    let party = somebody(&world, "ada@example.test").await;
    let plan = NotifyPlan { category: Category::Social, ..reminder(party, Channel::Email) };
    planned(&world, &plan).await;
    world.database.execute(CLOSES).await.unwrap();
    eventually("the digest", SOON, || async { (smtp.kept().unwrap().len() == 1).then_some(()) }).await;
    let mail = &smtp.kept().unwrap()[0].mail;
    assert!(mail.contains("Subject: 1 Neuigkeiten"), "{mail}");
}

#[tokio::test]
async fn an_offer_that_was_read_is_not_sent_by_text_message() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(
        &world,
        &smtp,
        &[
            "--twilio-account",
            "AC1",
            "--twilio-token",
            "t",
            "--twilio-from",
            "+1",
            "--twilio-url",
            "http://127.0.0.1:1",
        ],
    );
    let party = reached(&world, Channel::Sms, "+4366012345").await;
    let plan = NotifyPlan {
        channels: Some(vec![Channel::InApp, Channel::Sms]),
        ladder: Some(Ladder { ttl_s: 600, call_out: None }),
        ..reminder(party, Channel::InApp)
    };
    let ids = planned(&world, &plan).await;
    becomes(&world, ids[0], &["sent"]).await;
    let text = message(&world, ids[1]).await;
    assert!(text.unless_read && text.scheduled_at > Utc::now() + TimeDelta::seconds(60), "{text:?}");
    assert!(messages::mark_read(&world.api, world.tenant, ids[0]).await.unwrap());
    let due = "update job set scheduled_at = now() where kind = 'notify.send' and scheduled_at > now()";
    world.database.execute(due).await.unwrap();
    let dropped = becomes(&world, ids[1], &["dropped"]).await;
    assert_eq!(dropped.detail.as_deref(), Some("somebody has read it by another way"));
}

#[tokio::test]
async fn a_tenants_own_words_are_sent_before_the_products_in_the_nearest_language() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let party = somebody(&world, "ada@example.test").await;
    let plan = NotifyPlan { dedupe_s: Some(0), ..reminder(party, Channel::Email) };
    // She reads de-AT. What is written in fr is for others, and of each language the last version counts.
    for (locale, word, found) in [
        ("fr", "Rappel", ("de", 0, "Erinnerung")),
        ("de", "Alt", ("de", 1, "Alt")),
        ("de", "Neu", ("de", 2, "Neu")),
        ("de-AT", "Servus", ("de-AT", 1, "Servus")),
        ("de", "Neuer", ("de-AT", 1, "Servus")),
    ] {
        let source = json!({"subject": format!("{word}: {{{{ address }}}}"), "lines": ["{{ starts }}"]});
        let (db, tenant) = (&world.api, world.tenant);
        notification_templates::put(db, tenant, "reminder", locale, &source, "a test").await.unwrap();
        let id = planned(&world, &plan).await[0];
        let sent = becomes(&world, id, &["sent"]).await;
        assert_eq!((sent.locale.as_str(), sent.template_version), (found.0, found.1), "{locale} {word}");
        let kept = smtp.kept().unwrap();
        let mail = &kept.last().unwrap().mail;
        assert!(mail.contains(&format!("Subject: {}: 12 Elm Street", found.2)), "{mail}");
    }
}
