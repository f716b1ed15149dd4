//! What providers tell, signed as they sign it: from their call to the address that gets nothing more.

use jobs::{Channel, kinds::notify_plan::NotifyPlan};
use ring::hmac;
use serde_json::{Value, json};
use testkit::{SmtpServer, eventually};
use webhooks::{SigningKey, sign};

use crate::{
    carriers,
    feedback::{resend, suppressed},
    journeys::{Client, serve},
    outbound::{becomes, message, planned, reached, reminder, somebody, start},
    world::{SOON, World},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const FORGED: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A source of what the provider of `channel` tells; answers where.
async fn source(client: &Client, scheme: &str, channel: Channel) -> String {
    let body = json!({"name": "told", "scheme": {"type": scheme}, "secret": SECRET, "feedback": channel});
    let (status, made) = client.post("/v1/webhook-sources", body).await;
    assert_eq!(status, 201, "{made}");
    made["url"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounce_that_resend_signed_ends_mails_to_the_address_and_a_forged_one_does_not() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let (client, stop) = serve(&world).await;
    let url = source(&client, "standard_webhooks", Channel::Email).await;
    let _worker = start(&world, &smtp, &[]);
    let party = somebody(&world, "ada@example.test").await;
    let plan = NotifyPlan { dedupe_s: Some(0), ..reminder(party, Channel::Email) };
    let sent = planned(&world, &plan).await[0];
    let sent = becomes(&world, sent, &["sent"]).await;
    let bounce = json!({"bounce": {"type": "Permanent", "subType": "General", "message": "no such user"}});
    let body = resend("email.bounced", &sent, &bounce).to_string();
    for (secret, answered, state) in [(FORGED, 401, "sent"), (SECRET, 202, "bounced")] {
        let key = SigningKey::parse(secret).unwrap();
        let signed = sign("msg_1", chrono::Utc::now().timestamp(), body.as_bytes(), &[key]).unwrap();
        let request = client.http.post(&url).header("webhook-id", signed.id);
        let request = request.header("webhook-timestamp", signed.timestamp);
        let request = request.header("webhook-signature", signed.signature).body(body.clone());
        assert_eq!(request.send().await.unwrap().status(), answered);
        becomes(&world, sent.id(), &[state]).await;
    }
    assert_eq!(suppressed(&world, world.tenant, party).await, [Some("hard_bounce".to_owned())]);
    let next = planned(&world, &plan).await[0];
    assert_eq!(message(&world, next).await.state, "skipped");
    stop.cancel();
}

/// The form as it is sent, and how Twilio signs it when it calls `url`.
fn answered(url: &str, secret: &str, text: &str) -> (String, String) {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let signed = format!("{url}Body{text}From+4366012345MessageSidSM9SmsStatusreceived");
    let signature = hmac::sign(&key, signed.as_bytes());
    let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, signature);
    (format!("SmsStatus=received&MessageSid=SM9&From=%2B4366012345&Body={text}"), signature)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_twilio_signed_ends_texts_to_the_number_and_a_forged_one_does_not() {
    let (world, carriers) = (World::new().await, carriers::serve().await);
    let (client, stop) = serve(&world).await;
    let url = source(&client, "twilio", Channel::Sms).await;
    let _worker = carriers::start(&world, &carriers, &[]);
    let party = reached(&world, Channel::Sms, "+4366012345").await;
    for (secret, status) in [(FORGED, 401), (SECRET, 202)] {
        assert_eq!(suppressed(&world, world.tenant, party).await, [None]);
        let (form, signature) = answered(&url, secret, "STOP");
        let request = client.http.post(&url).header("x-twilio-signature", signature).body(form);
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    eventually("the number to be left alone", SOON, || async {
        (suppressed(&world, world.tenant, party).await == [Some("stop".to_owned())]).then_some(())
    })
    .await;
    let next = planned(&world, &reminder(party, Channel::Sms)).await[0];
    assert_eq!(message(&world, next).await.state, "skipped");
    assert!(carriers.texts().is_empty());
    // Of what was forged nothing was looked at.
    let events = "select count(*) from webhook_event";
    assert_eq!(world.database.number(events).await.unwrap(), 1);
    let refused = world.database.json("select jsonb_agg(word) from webhook_refusal").await.unwrap();
    assert_eq!(refused, Value::from(vec!["wrong_signature"]));
    stop.cancel();
}
