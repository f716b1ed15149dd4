//! Every sender that can be named, over HTTP: what it signs is kept, what somebody else signs is refused.

use std::process::{Command, Stdio};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::StatusCode;
use ring::hmac::{Algorithm, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA512, Key};
use serde_json::{Value, json};
use tempfile::TempDir;
use webhooks::{SigningKey, sign};

use crate::{
    app::{Answer, TestApp, eventually, settings},
    webhooks_in::{OTHER, SECRET, path_of},
};

const FORM: &str = "MessageSid=SM1&MessageStatus=delivered";
const CERTIFICATE: &str = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem";
type Headers = Vec<(&'static str, String)>;

fn mac(algorithm: Algorithm, secret: &str, text: &str) -> Vec<u8> {
    ring::hmac::sign(&Key::new(algorithm, secret.as_bytes()), text.as_bytes()).as_ref().to_vec()
}

/// What a sender that signs by `scheme` puts beside `body` when it calls `url`.
fn signed(scheme: &str, secret: &str, url: &str, body: &str) -> Headers {
    let at_s = chrono::Utc::now().timestamp();
    let timed =
        || format!("t={at_s},v1={}", hex::encode(mac(HMAC_SHA256, secret, &format!("{at_s}.{body}"))));
    match scheme {
        "stripe" => vec![("stripe-signature", timed())],
        "mux" => vec![("mux-signature", timed())],
        "twilio" => {
            // A form is signed by its names and values, any other body by its hash in the URL.
            let parameters = if url.contains("bodySHA256") { "" } else { &body.replace(['=', '&'], "") };
            let mac = mac(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret, &format!("{url}{parameters}"));
            vec![("x-twilio-signature", STANDARD.encode(mac))]
        }
        "cronofy" => vec![("cronofy-hmac-sha256", STANDARD.encode(mac(HMAC_SHA256, secret, body)))],
        "github" => {
            let signature = format!("sha256={}", hex::encode(mac(HMAC_SHA256, secret, body)));
            let delivery = ("x-github-delivery", "72d3162e".to_owned());
            vec![("x-hub-signature-256", signature), delivery, ("x-github-event", "push".to_owned())]
        }
        "generic" => {
            let signature = mac(HMAC_SHA512, secret, &format!("{at_s}.{body}"));
            vec![("x-signature", format!("v={}", hex::encode(signature))), ("x-time", at_s.to_string())]
        }
        _ => {
            let key = SigningKey::parse(secret).unwrap();
            let signed = sign("msg_1", at_s, body.as_bytes(), &[key]).unwrap();
            let (time, signature) = (signed.timestamp, signed.signature);
            vec![("webhook-id", signed.id), ("webhook-timestamp", time), ("webhook-signature", signature)]
        }
    }
}

async fn made(app: &TestApp, name: &str, scheme: &Value, secret: Option<&str>) -> Value {
    let body = json!({"name": name, "scheme": scheme, "secret": secret});
    let made = app.post("/v1/webhook-sources", &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.body
}

/// Sends `body` to `source`, with `query` behind its address.
async fn post(app: &TestApp, source: &Value, query: &str, headers: &Headers, body: &str) -> Answer {
    let url = app.url(&format!("/v1/hooks/{}{query}", source["id"].as_str().unwrap()));
    let mut request = app.http.post(url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    Answer::of(request.send().await.unwrap()).await
}

/// Sends what is not to be believed until the operator reads why; what is too much at once is not written down.
async fn refused(app: &TestApp, source: &Value, query: &str, told: (&Headers, &str), code: &str) {
    eventually(async || {
        post(app, source, query, told.0, told.1).await.problem(401, "signature_refused");
        let refusals = app.get(&path_of(source, "/refusals")).await.body;
        (refusals["refusals"][0]["code"] == code).then_some(())
    })
    .await;
    assert_eq!(app.get(&path_of(source, "/events")).await.body["events"], json!([]), "nothing is kept");
}

/// Sends what is to be believed, twice: it is one event.
async fn taken(app: &TestApp, source: &Value, query: &str, told: (&Headers, &str), event_type: &str) {
    let first = post(app, source, query, told.0, told.1).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}: {}", source["scheme"], first.text);
    let again = post(app, source, query, told.0, told.1).await;
    assert_eq!((again.status, &again.body["event"]), (StatusCode::OK, &first.body["event"]));
    let events = app.get(&path_of(source, "/events")).await.body;
    assert_eq!(events["events"].as_array().unwrap().len(), 1, "{events}");
    assert_eq!(events["events"][0]["event_type"], event_type, "{events}");
}

#[tokio::test]
async fn what_each_sender_signs_is_kept_once_and_what_another_signs_is_refused() {
    let app = TestApp::start().await;
    let json = r#"{"id": "evt_1", "type": "thing.done", "notification": {"type": "thing.done"}}"#;
    let hash = hex::encode(ring::digest::digest(&ring::digest::SHA256, json.as_bytes()));
    let hashed = format!("?bodySHA256={hash}");
    let generic = json!({
        "type": "generic", "header": "X-Signature", "algorithm": "sha512", "encoding": "hex", "prefix": "v=",
        "timestamp_header": "X-Time", "id_pointer": "/id", "type_pointer": "/type",
    });
    let plain = |name: &str| json!({"type": name});
    let table = [
        (plain("stripe"), "", json, "thing.done"),
        (plain("mux"), "", json, "thing.done"),
        (plain("twilio"), "", FORM, "delivered"),
        (plain("twilio"), hashed.as_str(), json, "unknown"),
        (plain("cronofy"), "", json, "thing.done"),
        (plain("standard_webhooks"), "", json, "thing.done"),
        (plain("github"), "", json, "push"),
        (generic, "", json, "thing.done"),
    ];
    for (number, (scheme, query, body, event_type)) in table.iter().enumerate() {
        let name = scheme["type"].as_str().unwrap();
        let source = made(&app, &format!("from-{number}"), scheme, Some(SECRET)).await;
        // As the sender knows the address: Twilio signs it.
        let url = format!("{}{query}", source["url"].as_str().unwrap());
        let (ours, forged) = (signed(name, SECRET, &url, body), signed(name, OTHER, &url, body));
        refused(&app, &source, query, (&forged, body), "wrong_signature").await;
        let changed = body.replace("done", "undone").replace("delivered", "undelivered");
        let word = if query.is_empty() { "wrong_signature" } else { "unreadable_body" };
        refused(&app, &source, query, (&ours, &changed), word).await;
        refused(&app, &source, query, (&Headers::new(), body), "header_missing").await;
        taken(&app, &source, query, (&ours, body), event_type).await;
    }
    let jobs = "select count(*) from job where kind = 'webhook.process'";
    assert_eq!(app.number(jobs).await, table.len() as i64);
}

#[tokio::test]
async fn twilio_is_believed_at_the_address_it_calls_and_at_no_other() {
    let settings = api::Settings { public_url: "https://api.acme.test/".to_owned(), ..settings() };
    let app = TestApp::start_with(settings).await;
    let source = made(&app, "texts", &json!({"type": "twilio"}), Some(SECRET)).await;
    let path = format!("/v1/hooks/{}", source["id"].as_str().unwrap());
    let elsewhere = signed("twilio", SECRET, &app.url(&path), FORM);
    refused(&app, &source, "", (&elsewhere, FORM), "wrong_signature").await;
    let ours = signed("twilio", SECRET, &format!("https://api.acme.test{path}"), FORM);
    taken(&app, &source, "", (&ours, FORM), "delivered").await;
}

/// Somebody with a key and a certificate as Amazon SNS has them.
struct Amazon(TempDir);

impl Amazon {
    fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        let certificate = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
        let names = ["-subj", "/CN=sns.amazonaws.com", "-keyout", "key.pem", "-out", "certificate.pem"];
        this.openssl(&[&certificate[..], &names].concat());
        this
    }

    fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        let mut told = Command::new("openssl");
        let told = told.args(arguments).current_dir(self.0.path()).stderr(Stdio::null()).output();
        let told = told.expect("openssl is not installed; ./dev test installs it");
        assert!(told.status.success(), "{told:?}");
        told.stdout
    }

    fn certificate(&self) -> Vec<u8> {
        std::fs::read(self.0.path().join("certificate.pem")).unwrap()
    }

    /// That a mail bounced, signed now, under the certificate at `url`.
    fn bounce(&self, url: &str) -> String {
        let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let mut message = json!({
            "Type": "Notification", "MessageId": "22b80b92", "TopicArn": "arn:aws:sns:eu-west-1:1:mails",
            "Message": json!({"notificationType": "Bounce"}).to_string(), "Timestamp": now,
            "SignatureVersion": "2", "SigningCertURL": url,
        });
        let fields = ["Message", "MessageId", "Timestamp", "TopicArn", "Type"];
        let lines = fields.map(|name| format!("{name}\n{}\n", message[name].as_str().unwrap()));
        std::fs::write(self.0.path().join("text"), lines.concat()).unwrap();
        let signature = self.openssl(&["dgst", "-sha256", "-sign", "key.pem", "text"]);
        message["Signature"] = json!(STANDARD.encode(signature));
        message.to_string()
    }
}

#[tokio::test]
async fn what_amazon_signs_is_kept_and_what_cannot_be_judged_may_come_again() {
    let (mut app, amazon, stranger) = (TestApp::start().await, Amazon::new(), Amazon::new());
    app.serve_with_certificate(CERTIFICATE, amazon.certificate()).await;
    let source = made(&app, "bounces", &json!({"type": "sns"}), None).await;
    let none = Headers::new();
    refused(&app, &source, "", (&none, &stranger.bounce(CERTIFICATE)), "wrong_signature").await;
    let changed = amazon.bounce(CERTIFICATE).replace("Bounce", "Lovely");
    refused(&app, &source, "", (&none, &changed), "wrong_signature").await;
    let evil = amazon.bounce("https://evil.test/SimpleNotificationService-0123.pem");
    refused(&app, &source, "", (&none, &evil), "foreign_certificate").await;

    // Nobody knows yet who sent this: the sender is asked to try again, and nothing is kept of it or against it.
    let nowhere = amazon.bounce(&CERTIFICATE.replace("eu-west-1", "zz-nowhere-1"));
    let later = post(&app, &source, "", &none, &nowhere).await.problem(503, "unavailable");
    assert!(later.header("retry-after").is_some(), "{}", later.text);
    assert!(later.text.contains("certificate"), "{}", later.text);
    let latest = app.get(&path_of(&source, "/refusals")).await.body["refusals"][0]["code"].clone();
    assert_eq!(latest, "foreign_certificate");
    taken(&app, &source, "", (&none, &amazon.bounce(CERTIFICATE)), "Bounce").await;
}
