//! Notices to browsers, by a server that takes them as push services do; a browser's own library reads them.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{TimeDelta, Utc};
use jobs::Channel;
use serde_json::{Value, json};
use store::messages::{self, Filter};
use testkit::{TwilioServer, eventually};

use crate::{
    matching::{request, technician, wanted},
    outbound::{also_reached, becomes, planned, reached, reminder},
    world::{SOON, World},
};

/// A secret of 16 bytes that a browser shares.
const AUTH: &str = "_ordMnz7uTCmrpBTeUV4Bw";

fn ask_node(question: &Value) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let fetched = Command::new(root.join("dev.d/vendors.sh")).stdout(Stdio::null()).status().unwrap();
    assert!(fetched.success(), "npm did not get the libraries; dev.d/vendors.sh says why");
    let mut node = Command::new("node")
        .arg(root.join("crates/webhooks/tests/vendors/node/push.mjs"))
        .arg(root.join(".dev/vendors/node"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("./dev test installs nodejs");
    node.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let said = node.wait_with_output().unwrap();
    assert!(said.status.success());
    serde_json::from_slice(&said.stdout).unwrap()
}

type Taken = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

async fn push_service() -> (String, Taken) {
    let taken = Taken::default();
    let kept = taken.clone();
    let take = async move |headers: HeaderMap, body: Bytes| {
        kept.lock().unwrap().push((headers, body));
        StatusCode::CREATED
    };
    let router =
        Router::new().route("/send/there", post(take)).route("/send/gone", post(async || StatusCode::GONE));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, taken)
}

fn text<'a>(keys: &'a Value, pointer: &str) -> &'a str {
    keys.pointer(pointer).unwrap().as_str().unwrap()
}

/// What a worker that pushes is started with.
fn pushes(keys: &Value) -> [&str; 8] {
    let (private, public) = (text(keys, "/server/private"), text(keys, "/server/public"));
    [
        "--vapid-key",
        private,
        "--vapid-public-key",
        public,
        "--vapid-contact",
        "mailto:ops@acme.example",
        "--webhooks-loopback",
        "true",
    ]
}

fn subscription(keys: &Value, endpoint: &str) -> String {
    let shared = json!({"p256dh": text(keys, "/browser/public"), "auth": AUTH});
    json!({"endpoint": endpoint, "keys": shared}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_is_pushed_and_sent_by_text_message_when_nobody_reads_it() {
    let (world, (pushed, notices)) = (World::new().await, push_service().await);
    let texts = TwilioServer::start().await.unwrap();
    let url = texts.url();
    let keys = ask_node(&json!({"make": true}));
    let carrier = ["--twilio-account", "AC1", "--twilio-token", "token", "--twilio-from", "+15005550006"];
    let _worker = world.start(&[&pushes(&keys)[..], &carrier, &["--twilio-url", url.as_str()]].concat());
    let ada = technician(&world, 0.0).await;
    let device = subscription(&keys, &format!("{pushed}/send/there"));
    also_reached(&world, ada, Channel::Push, &device).await;
    also_reached(&world, ada, Channel::Sms, "+4366012345").await;
    request(&world, wanted(0.0)).await;
    eventually("the notice", SOON, || async { (notices.lock().unwrap().len() == 1).then_some(()) }).await;
    let filter = Filter { party: Some(ada), channel: Some("sms".into()), ..Filter::default() };
    let text = messages::list(&world.api, world.tenant, &filter, 10).await.unwrap().remove(0);
    assert!(text.unless_read && text.scheduled_at > Utc::now() + TimeDelta::seconds(60), "{text:?}");
    let due = "update job set scheduled_at = now() where kind = 'notify.send' and scheduled_at > now()";
    world.database.execute(due).await.unwrap();
    becomes(&world, text.id(), &["sent"]).await;
    assert_eq!((texts.texts().len(), notices.lock().unwrap().len()), (1, 1), "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_reaches_a_browser_and_nobody_between_reads_it() {
    let (world, (url, taken)) = (World::new().await, push_service().await);
    let keys = ask_node(&json!({"make": true}));
    let text = |pointer: &str| text(&keys, pointer);
    let _worker = world.start(&pushes(&keys));
    let subscribed = |under: &str| subscription(&keys, &format!("{url}{under}"));
    let ada = reached(&world, Channel::Push, &subscribed("/send/there")).await;
    let id = planned(&world, &reminder(ada, Channel::Push)).await[0];
    becomes(&world, id, &["sent"]).await;

    let (headers, body) = taken.lock().unwrap().pop().unwrap();
    assert!(taken.lock().unwrap().is_empty(), "told once");
    let header = |name: &str| headers[name].to_str().unwrap();
    assert_eq!((header("content-encoding"), header("ttl")), ("aes128gcm", "86400"));
    assert_eq!(header("topic"), id.as_uuid().simple().to_string());
    assert!(!body.windows(3).any(|part| part == b"Elm"));
    let read = ask_node(&json!({
        "authorization": header("authorization"), "body": BASE64_STANDARD.encode(&body),
        "private": text("/browser/private"), "auth": AUTH,
    }));
    assert_eq!((&read["genuine"], read["key"].as_str()), (&json!(true), Some(text("/server/public"))));
    assert_eq!(read["head"], json!({"typ": "JWT", "alg": "ES256"}));
    assert_eq!(
        (&read["claims"]["aud"], &read["claims"]["sub"]),
        (&json!(url), &json!("mailto:ops@acme.example"))
    );
    let lasts_s = read["claims"]["exp"].as_i64().unwrap() - Utc::now().timestamp();
    assert!((1..=86_400).contains(&lasts_s), "{lasts_s}");
    assert_eq!(read["notice"]["title"], "Erinnerung: 12 Elm Street, Monday, 09:00");
    assert_eq!(read["notice"]["tag"], json!(id));

    // A browser that was reset: nothing goes there again.
    let gone = reached(&world, Channel::Push, &subscribed("/send/gone")).await;
    let id = planned(&world, &reminder(gone, Channel::Push)).await[0];
    becomes(&world, id, &["failed"]).await;
    let again = planned(&world, &reminder(gone, Channel::Push)).await[0];
    becomes(&world, again, &["skipped"]).await;
    // What leads into our own network is not called, whatever a tenant writes.
    let inside =
        reached(&world, Channel::Push, &subscribed("").replace("127.0.0.1", "169.254.169.254")).await;
    let id = planned(&world, &reminder(inside, Channel::Push)).await[0];
    becomes(&world, id, &["failed"]).await;
}
