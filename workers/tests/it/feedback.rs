//! What providers tell of messages that went out: it moves them on, and keeps others away from an address.

use jobs::{
    Category, Channel, PartyId, TenantId, WebhookEventId, WebhookSourceId, kinds::notify_plan::NotifyPlan,
};
use serde_json::{Value, json};
use store::{Role, messages::Message};
use store::{
    enqueue::{self, NewJob},
    inbox::{self, Created, Event, NewEvent, NewSource, Received},
    keys, messages, parties,
    submit::Answer,
};
use testkit::{SmtpServer, eventually};

use crate::{
    carriers,
    journeys::serve,
    outbound::{becomes, message, planned, reached, reached_by, reminder, somebody, start, tries},
    world::{SOON, World},
};

/// A source of the provider of `channel`, which is believed here: that it is checked is tested elsewhere.
async fn source(world: &World, tenant: TenantId, channel: Channel, topic: Option<&str>) -> WebhookSourceId {
    let id = WebhookSourceId::new();
    let new = NewSource {
        id,
        name: format!("of-{channel}"),
        scheme: json!({"type": if topic.is_some() { "sns" } else { "stripe" }}),
        window_s: 300,
        order_pointer: None,
        sequence_pointer: None,
        feedback: Some(channel),
        feedback_topic: topic.map(str::to_owned),
        secret: topic.is_none().then(|| "x".to_owned()),
        by: "test".to_owned(),
    };
    let answer = |_: &inbox::Source| Answer::of(201, None, &json!({}));
    let made = inbox::create(&world.api, tenant, &new, 10, None, answer).await.unwrap();
    assert!(matches!(made, Created::New(_)), "{made:?}");
    id
}

/// The event that `body` became, once somebody has looked at it.
async fn told(world: &World, tenant: TenantId, source: WebhookSourceId, body: Vec<u8>) -> Event {
    let new = NewEvent {
        source,
        event_id: WebhookEventId::new().to_string(),
        event_type: "x".to_owned(),
        object: None,
        sequence: None,
        headers: json!({}),
        body,
        traceparent: None,
    };
    let Received::New(id) = inbox::take(&world.api, tenant, new).await.unwrap() else {
        unreachable!("it is new")
    };
    eventually("the event to be looked at", SOON, || async {
        let (event, _) = inbox::event(&world.api, tenant, source, id).await.unwrap().unwrap();
        (event.state != "received").then_some(event)
    })
    .await
}

async fn tells(world: &World, source: WebhookSourceId, body: &Value) -> Event {
    told(world, world.tenant, source, body.to_string().into_bytes()).await
}

async fn form(world: &World, tenant: TenantId, source: WebhookSourceId, fields: &str) -> Event {
    told(world, tenant, source, fields.as_bytes().to_vec()).await
}

/// Why nothing goes to the addresses of `party` besides its inbox.
pub(crate) async fn suppressed(world: &World, tenant: TenantId, party: PartyId) -> Vec<Option<String>> {
    let contacts = parties::contacts(&world.api, tenant, party).await.unwrap();
    contacts.into_iter().filter(|one| !one.address.is_empty()).map(|one| one.suppression).collect()
}

pub(crate) fn resend(event: &str, message: &Message, more: &Value) -> Value {
    let name = format!("<{}@acme.test>", message.id());
    let mut data = json!({"email_id": "x", "headers": [{"name": "Message-ID", "value": name}]});
    for (name, value) in more.as_object().unwrap() {
        data[name] = value.clone();
    }
    json!({"type": event, "data": data})
}

#[tokio::test]
async fn a_bounce_and_a_complaint_come_to_the_same_in_either_order() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let source = source(&world, world.tenant, Channel::Email, None).await;
    let bounce = json!({"bounce": {"type": "Permanent", "subType": "General", "message": "no such user"}});
    let nothing = json!({});
    for (number, order) in
        [["email.bounced", "email.complained"], ["email.complained", "email.bounced"]].into_iter().enumerate()
    {
        let party = somebody(&world, &format!("ada{number}@example.test")).await;
        let sent = planned(&world, &reminder(party, Channel::Email)).await[0];
        let sent = becomes(&world, sent, &["sent"]).await;
        for event in ["email.delivered"].into_iter().chain(order) {
            let more = if event == "email.bounced" { &bounce } else { &nothing };
            let event = tells(&world, source, &resend(event, &sent, more)).await;
            assert_eq!((event.state.as_str(), event.reason), ("processed", None));
        }
        // A late word does not take anything back.
        tells(&world, source, &resend("email.delivered", &sent, &nothing)).await;
        let now = message(&world, sent.id()).await;
        assert_eq!(now.state, "complained", "{order:?}");
        assert_eq!(
            suppressed(&world, world.tenant, party).await,
            [Some("hard_bounce".to_owned())],
            "{order:?}"
        );
        let critical =
            NotifyPlan { category: Category::Critical, dedupe_s: Some(0), ..reminder(party, Channel::Email) };
        let next = planned(&world, &critical).await[0];
        assert_eq!(message(&world, next).await.state, "skipped", "not even what is critical");
    }
}

#[tokio::test]
async fn a_soft_bounce_keeps_nothing_away_and_the_same_may_be_told_again() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let source = source(&world, world.tenant, Channel::Email, None).await;
    let party = somebody(&world, "ada@example.test").await;
    let sent = planned(&world, &reminder(party, Channel::Email)).await[0];
    becomes(&world, sent, &["sent"]).await;
    // By the name that the mail server gave it, as nothing else is told.
    let bounce = json!({"type": "Transient", "subType": "MailboxFull", "message": "full"});
    let body = json!({"type": "email.bounced", "data": {"email_id": "1", "bounce": bounce}});
    assert_eq!(tells(&world, source, &body).await.state, "processed");
    let now = message(&world, sent).await;
    assert_eq!(
        (now.state.as_str(), now.detail.as_deref()),
        ("bounced", Some("it bounced: Transient: MailboxFull: full"))
    );
    assert_eq!(suppressed(&world, world.tenant, party).await, [None]);
    let again = planned(&world, &reminder(party, Channel::Email)).await[0];
    becomes(&world, again, &["sent"]).await;
}

#[tokio::test]
async fn what_nobody_knew_is_known_when_the_provider_tells() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let source = source(&world, world.tenant, Channel::Email, None).await;
    let party = somebody(&world, "dropped@example.test").await;
    let lost = planned(&world, &reminder(party, Channel::Email)).await[0];
    let lost = becomes(&world, lost, &["unknown"]).await;
    tells(&world, source, &resend("email.sent", &lost, &json!({}))).await;
    let now = message(&world, lost.id()).await;
    assert_eq!((now.state.as_str(), now.provider_id.as_deref()), ("sent", Some("x")));
    assert_eq!(tries(&world, lost.id()).await, "done");
    let effects = messages::effects(&world.api, world.tenant, lost.id()).await.unwrap();
    assert_eq!(effects[0].resolved_by.as_deref(), Some("webhook source of-email"));
}

#[tokio::test]
async fn what_was_never_sent_from_here_is_parked() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let source = source(&world, world.tenant, Channel::Email, None).await;
    let party = somebody(&world, "ada@example.test").await;
    // Planned, and not before tomorrow: whoever tells of it knows more than we do.
    let plan = NotifyPlan {
        category: Category::Social,
        channels: Some(vec![Channel::Email]),
        ..reminder(party, Channel::Email)
    };
    let waits = planned(&world, &plan).await[0];
    let waits = message(&world, waits).await;
    for body in [
        json!({"type": "email.bounced", "data": {"email_id": "nobody's", "bounce": {"type": "Permanent"}}}),
        resend("email.bounced", &waits, &json!({"bounce": {"type": "Permanent"}})),
    ] {
        let event = tells(&world, source, &body).await;
        assert_eq!(event.state, "parked");
        assert!(event.reason.unwrap().contains("never sent from here"));
    }
    assert_eq!(suppressed(&world, world.tenant, party).await, [None]);
    let event = tells(&world, source, &json!({"surprise": true})).await;
    assert!(event.reason.unwrap().starts_with("it does not read as feedback"));
}

#[tokio::test]
async fn ses_is_heard_by_its_topic_and_no_other() {
    const TOPIC: &str = "arn:aws:sns:eu-west-1:1:mails";
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let _worker = start(&world, &smtp, &[]);
    let source = source(&world, world.tenant, Channel::Email, Some(TOPIC)).await;
    let party = somebody(&world, "ada@example.test").await;
    let sent = planned(&world, &reminder(party, Channel::Email)).await[0];
    becomes(&world, sent, &["sent"]).await;
    let headers = json!([{"name": "Message-ID", "value": format!("<{sent}@acme.test>")}]);
    let mail = json!({"messageId": "0100-000000", "headers": headers});
    let bounce = json!({"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": []});
    let said = json!({"notificationType": "Bounce", "mail": mail, "bounce": bounce}).to_string();
    let notification = |topic: &str| json!({"Type": "Notification", "TopicArn": topic, "Message": said});
    let event = tells(&world, source, &notification("arn:aws:sns:eu-west-1:666:mine")).await;
    assert!(event.reason.unwrap().contains("another topic"));
    assert_eq!(message(&world, sent).await.state, "sent");
    tells(&world, source, &notification(TOPIC)).await;
    assert_eq!(message(&world, sent).await.state, "bounced");
    assert_eq!(suppressed(&world, world.tenant, party).await, [Some("hard_bounce".to_owned())]);

    // Elsewhere than at Amazon's nothing is visited.
    for url in [
        "https://evil.test/?Action=ConfirmSubscription",
        "http://169.254.169.254/?Action=ConfirmSubscription",
    ] {
        let asked = json!({"Type": "SubscriptionConfirmation", "TopicArn": TOPIC, "SubscribeURL": url});
        let event = tells(&world, source, &asked).await;
        assert!(event.reason.unwrap().contains("SubscribeURL"), "{url}");
    }
}

#[tokio::test]
async fn a_text_message_never_goes_back_to_an_earlier_state() {
    let (world, carriers) = (World::new().await, carriers::serve().await);
    let source = source(&world, world.tenant, Channel::Sms, None).await;
    let _worker = carriers::start(&world, &carriers, &["--public-url", "https://api.acme.test"]);
    for (statuses, state, suppression) in [
        (vec!["delivered", "sent", "queued"], "delivered", None),
        (vec!["sent", "undelivered&ErrorCode=30003", "sent"], "bounced", None),
        (vec!["failed&ErrorCode=30005"], "bounced", Some("hard_bounce")),
    ] {
        let party = reached(&world, Channel::Sms, "+4366012345").await;
        let sent = planned(&world, &reminder(party, Channel::Sms)).await[0];
        let sent = becomes(&world, sent, &["sent"]).await;
        let sid = sent.provider_id.clone().unwrap();
        for status in statuses {
            let fields = format!("MessageSid={sid}&To=%2B4366012345&MessageStatus={status}");
            assert_eq!(form(&world, world.tenant, source, &fields).await.state, "processed", "{status}");
        }
        assert_eq!(message(&world, sent.id()).await.state, state);
        assert_eq!(suppressed(&world, world.tenant, party).await, [suppression.map(str::to_owned)]);
        // What comes next is about the next.
        world.database.execute("update effect set provider_id = provider_id || '-old'").await.unwrap();
    }
    let wanted = format!("https://api.acme.test/v1/hooks/{source}");
    assert!(carriers.texts().iter().all(|text| text.status_callback.as_deref() == Some(wanted.as_str())));
}

#[tokio::test]
async fn what_a_text_message_cost_is_kept_once_its_carrier_says_so() {
    let (world, carriers) = (World::new().await, carriers::serve().await);
    let (client, stop) = serve(&world).await;
    let source = source(&world, world.tenant, Channel::Sms, None).await;
    let _worker = carriers::start(&world, &carriers, &[]);
    let usd = json!({"amount": "0.00750", "currency": "USD"});
    for (number, (told, cost)) in [
        ("sent", Value::Null),
        ("delivered", usd.clone()),
        ("undelivered&ErrorCode=30003", usd),
        ("delivered&Price=-0.01200&PriceUnit=EUR", json!({"amount": "0.01200", "currency": "EUR"})),
    ]
    .into_iter()
    .enumerate()
    {
        let party = reached(&world, Channel::Sms, &format!("+43660123{number}")).await;
        let id = planned(&world, &reminder(party, Channel::Sms)).await[0];
        let sid = becomes(&world, id, &["sent"]).await.provider_id.unwrap();
        form(&world, world.tenant, source, &format!("MessageSid={sid}&MessageStatus={told}")).await;
        assert_eq!(client.get(&format!("/v1/messages/{id}")).await["cost"], cost, "{told}");
        // Whatever is told afterwards.
        form(&world, world.tenant, source, &format!("MessageSid={sid}&MessageStatus=sent&x=y")).await;
        assert_eq!(client.get(&format!("/v1/messages/{id}")).await["cost"], cost, "{told}");
    }
    stop.cancel();
}

#[tokio::test]
async fn stop_ends_the_messages_of_the_tenant_it_was_said_to() {
    const NUMBER: &str = "+4366012345";
    let (world, carriers) = (World::new().await, carriers::serve().await);
    let owner = world.database.db(Role::Owner).unwrap();
    let other = keys::create_tenant(&owner, "other", "Other").await.unwrap();
    let mine = source(&world, world.tenant, Channel::Sms, None).await;
    let theirs = source(&world, other, Channel::Sms, None).await;
    let _worker = carriers::start(&world, &carriers, &[]);
    let party = reached(&world, Channel::Sms, NUMBER).await;
    let answered = |text: &str| format!("SmsStatus=received&MessageSid=SM9&From=%2B4366012345&Body={text}");

    // The other tenant does not know the number, and what is said to it touches nobody else.
    let event = form(&world, other, theirs, &answered("STOP")).await;
    assert!(event.reason.unwrap().contains("nobody is known"));
    assert_eq!(suppressed(&world, world.tenant, party).await, [None]);

    let event = form(&world, world.tenant, mine, &answered("stop+please")).await;
    assert!(event.reason.unwrap().contains("a person should read it"));
    for text in ["+Stop.+", "STOP"] {
        assert_eq!(form(&world, world.tenant, mine, &answered(text)).await.state, "processed");
    }
    assert_eq!(suppressed(&world, world.tenant, party).await, [Some("stop".to_owned())]);
    assert_eq!(world.database.number("select count(*) from consent").await.unwrap(), 1, "said once");
    let skipped = planned(&world, &reminder(party, Channel::Sms)).await[0];
    assert_eq!(message(&world, skipped).await.state, "skipped");

    assert_eq!(form(&world, world.tenant, mine, &answered("help")).await.state, "processed");
    assert_eq!(suppressed(&world, world.tenant, party).await, [Some("stop".to_owned())]);
    // It holds for whoever has the number, and outlives them.
    let heir = reached(&world, Channel::Sms, NUMBER).await;
    assert!(parties::remove(&world.api, world.tenant, party).await.unwrap());
    assert!(parties::remove(&world.api, world.tenant, heir).await.unwrap());
    let party = reached(&world, Channel::Sms, NUMBER).await;
    assert_eq!(suppressed(&world, world.tenant, party).await, [Some("stop".to_owned())]);
    form(&world, world.tenant, mine, &answered("START")).await;
    assert_eq!(suppressed(&world, world.tenant, party).await, [None]);
    let sent = planned(&world, &reminder(party, Channel::Sms)).await[0];
    becomes(&world, sent, &["sent"]).await;
}

#[tokio::test]
async fn stop_said_to_one_of_two_who_know_a_number_ends_nothing_of_the_other() {
    const NUMBER: &str = "+4366012345";
    let (world, carriers) = (World::new().await, carriers::serve().await);
    let owner = world.database.db(Role::Owner).unwrap();
    let other = keys::create_tenant(&owner, "other", "Other").await.unwrap();
    let mine = source(&world, world.tenant, Channel::Sms, None).await;
    let _worker = carriers::start(&world, &carriers, &[]);
    let party = reached(&world, Channel::Sms, NUMBER).await;
    let theirs = reached_by(&world, other, Channel::Sms, NUMBER).await;
    let stop = "SmsStatus=received&MessageSid=SM9&From=%2B4366012345&Body=STOP";
    assert_eq!(form(&world, world.tenant, mine, stop).await.state, "processed");
    assert_eq!(suppressed(&world, world.tenant, party).await, [Some("stop".to_owned())]);
    assert_eq!(suppressed(&world, other, theirs).await, [None]);

    let skipped = planned(&world, &reminder(party, Channel::Sms)).await[0];
    assert_eq!(message(&world, skipped).await.state, "skipped");
    let plan = NewJob::of(&reminder(theirs, Channel::Sms)).unwrap();
    let mut tx = world.api.tenant(other).await.unwrap();
    enqueue::insert(&world.api, &mut tx, other, &[plan]).await.unwrap();
    tx.commit().await.unwrap();
    eventually("the other's text", SOON, || async { (carriers.texts().len() == 1).then_some(()) }).await;
    assert_eq!(carriers.texts()[0].to, NUMBER);
}
