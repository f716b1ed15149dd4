//! Senders that are slow, that send too much or sign with the wrong key: what they are told, what the operator sees, and what
//! is never written down of any message.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::join;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use webhooks::{SigningKey, sign};

use crate::{
    app::{BOUND, TestApp, eventually},
    problems::slow,
    webhooks_in::{OTHER, SECRET, path_of, send, source},
};

/// The head of a message that announces so many bytes, and the beginning of its body.
fn begun(source: &str, bytes: usize) -> String {
    format!(
        "POST /v1/hooks/{source} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nwebhook-id: msg_1\r\n\
         webhook-signature: v1,proof\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n{{\"type\""
    )
}

#[tokio::test]
async fn a_sender_that_does_not_go_on_is_cut_off_and_the_operator_sees_why() {
    let app = TestApp::start().await;
    let source = source(&app, json!({})).await;
    let id = source["id"].as_str().unwrap();
    let latest = async || app.get(&path_of(&source, "/refusals")).await.body["refusals"][0].clone();
    let (answer, took) = slow(&app, &begun(id, 100)).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body_timeout"), "{answer}");
    assert!(took < Duration::from_secs(9), "{took:?}");
    let refused = latest().await;
    assert_eq!((&refused["code"], &refused["headers"]["webhook-id"]), (&json!("too_slow"), &json!("msg_1")));
    assert!(refused["reason"].as_str().unwrap().contains("within 1 s"), "{refused}");
    assert!(!refused.to_string().contains("proof"), "{refused}");

    // One that announces too much need not send it. Refusals are written down once in a tenth of a second, so it is waited for.
    eventually(async || {
        let (answer, _) = slow(&app, &begun(id, 5 * 1024 * 1024)).await;
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("payload_too_large"), "{answer}");
        (latest().await["code"] == "too_large").then_some(())
    })
    .await;
    assert!(app.claim().await.is_empty());
}

/// A piece of a body, and more of them than any socket on the way holds.
const PIECE_BYTES: usize = 64 * 1024;
const PIECES: usize = 1_024;

#[tokio::test]
async fn a_body_without_a_length_is_read_no_further_than_it_may_be_long() {
    let app = TestApp::start().await;
    let source = source(&app, json!({})).await;
    let (mut reads, mut writes) = TcpStream::connect(app.address).await.unwrap().into_split();
    let head = format!(
        "POST /v1/hooks/{} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
        source["id"].as_str().unwrap()
    );
    let size = format!("{PIECE_BYTES:x}\r\n");
    let piece = [size, "x".repeat(PIECE_BYTES), "\r\n".to_owned()].concat();
    let sending = async {
        writes.write_all(head.as_bytes()).await.unwrap();
        for sent in 0..PIECES {
            if writes.write_all(piece.as_bytes()).await.is_err() {
                return sent;
            }
        }
        PIECES
    };
    let reading = async {
        let mut answer = Vec::new();
        // Whoever still sends may find the connection cut after the answer.
        drop(reads.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let both = tokio::time::timeout(BOUND, join(sending, reading)).await;
    let (sent, answer) = both.expect("the connection is not closed");
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("payload_too_large"), "{answer}");
    assert!(sent < PIECES, "nobody reads all of it");
    let refusals = app.get(&path_of(&source, "/refusals")).await.body;
    assert_eq!(refusals["refusals"][0]["code"], "too_large", "{refusals}");
    assert!(app.claim().await.is_empty());
}

/// What is logged, by us and by everything beneath us.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_of_a_message_or_of_what_proves_it_is_logged() {
    let (app, log) = (TestApp::start().await, Log::default());
    let written = log.clone();
    let everything = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || written.clone())
        .finish();
    // While there is one subscriber alone, threads of other tests that have none would decide what is logged here.
    let _another = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    // The server's tasks are of this thread, as the test is.
    let listening = tracing::subscriber::set_default(everything);
    let source = source(&app, json!({})).await;
    let body = r#"{"type": "email.bounced", "to": "ada.lovelace@example.com"}"#;
    assert_eq!(send(&app, &source, "msg_1", body, SECRET, 0).await.status, 202);
    send(&app, &source, "msg_2", body, OTHER, 0).await.problem(401, "signature_refused");
    let now_s = chrono::Utc::now().timestamp();
    let signed = sign("msg_3", now_s, body.as_bytes(), &[SigningKey::parse(SECRET).unwrap()]).unwrap();
    let url = app.url(&format!("/v1/hooks/{}", source["id"].as_str().unwrap()));
    let forged = app.http.post(url).header("webhook-id", "msg_4").header("webhook-timestamp", now_s);
    let forged = forged.header("webhook-signature", &signed.signature).body(body).send().await.unwrap();
    assert_eq!(forged.status(), 401);
    let (answer, _) = slow(&app, &begun(source["id"].as_str().unwrap(), 100)).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    drop(listening);

    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(logged.contains("was refused: no signature fits any secret"), "{logged}");
    assert!(logged.contains("Refused POST /v1/hooks/{source}"), "{logged}");
    for secret in [
        SECRET.trim_start_matches("whsec_"),
        OTHER.trim_start_matches("whsec_"),
        signed.signature.trim_start_matches("v1,"),
        "Bearer something",
        app.key.as_str(),
        "ada.lovelace",
        "v1,proof",
    ] {
        let line = logged.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} was logged");
    }
}
