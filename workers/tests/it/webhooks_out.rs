//! Telling endpoints what happened: a real one, one that fails, one that has had enough, and one where nobody may go.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::State as Shared,
    http::{HeaderMap, StatusCode, Uri},
};
use jobs::{State, kinds::probe_work::ProbeWork};
use serde_json::{Value, json};
use testkit::eventually;
use tokio_util::sync::CancellationToken;
use webhooks::{Incoming, Scheme, Secret, Trust, verify};

use crate::{
    journeys::{Client, serve},
    outbound::job_of,
    world::{SOON, World},
};

/// Instead of a status: no answer ever comes; or 204, once the test lets it.
const HANGS: u16 = 0;
const WAITS: u16 = 1;

/// Somebody who is told, and answers as the test wants.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    told: Arc<Mutex<Vec<Told>>>,
    /// The next answers; after them 204.
    answers: Arc<Mutex<VecDeque<u16>>>,
    /// What every answer says about when to come again, in seconds.
    after_s: Arc<AtomicU64>,
    /// Lets those be answered who wait.
    opened: CancellationToken,
}

#[derive(Clone)]
pub(crate) struct Told {
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Told {
    pub(crate) fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(header, _)| header == name).unwrap().1
    }

    pub(crate) fn message(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether somebody who knows `secret` believes it.
    pub(crate) fn is_believed_by(&self, secret: &Value) -> bool {
        let secret = Secret::parse(&Scheme::StandardWebhooks, secret.as_str().unwrap()).unwrap();
        let incoming = Incoming { url: "", headers: &self.headers, body: &self.body };
        let now_s = chrono::Utc::now().timestamp();
        let trust = Trust { secrets: std::slice::from_ref(&secret), certificate: None, window_s: 300, now_s };
        verify(&Scheme::StandardWebhooks, &incoming, &trust).is_ok()
    }
}

async fn hear(
    Shared(receiver): Shared<Receiver>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, String); 2]) {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let told = Told { path: uri.path().to_owned(), headers: headers.collect(), body: body.to_vec() };
    receiver.told.lock().unwrap().push(told);
    let next = receiver.answers.lock().unwrap().pop_front().unwrap_or(204);
    let status = match next {
        HANGS => std::future::pending().await,
        WAITS => {
            receiver.opened.cancelled().await;
            204
        }
        status => status,
    };
    let after_s = receiver.after_s.load(Ordering::Relaxed).to_string();
    let headers = [("location", "/elsewhere".to_owned()), ("retry-after", after_s)];
    (StatusCode::from_u16(status).unwrap(), headers)
}

impl Receiver {
    /// Starts listening; answers where.
    pub(crate) async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = Router::new().fallback(hear).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        url
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn answers(&self, answers: &[u16]) {
        self.answers.lock().unwrap().extend(answers);
    }

    pub(crate) fn wants_to_be_asked_after(&self, seconds: u64) {
        self.after_s.store(seconds, Ordering::Relaxed);
    }
}

pub(crate) async fn endpoint(client: &Client, url: &str, event_types: &[&str]) -> Value {
    let body = json!({"url": url, "event_types": event_types});
    let (status, made) = client.post("/v1/webhook-endpoints", body).await;
    assert_eq!(status, 201, "{made}");
    made
}

pub(crate) fn path_of(endpoint: &Value, rest: &str) -> String {
    format!("/v1/webhook-endpoints/{}{rest}", endpoint["id"].as_str().unwrap())
}

/// The latest delivery, once it is in `state`, with its attempts.
async fn delivery(client: &Client, endpoint: &Value, state: &str) -> Value {
    eventually(&format!("a delivery to be {state}"), SOON, || async {
        let listed = client.get(&path_of(endpoint, "/deliveries")).await;
        let latest = listed["deliveries"].get(0)?;
        (latest["state"] == state).then_some(())?;
        Some(client.get(&path_of(endpoint, &format!("/deliveries/{}", latest["id"].as_str()?))).await)
    })
    .await
}

/// Sends a test to `endpoint` and waits until its delivery is in `state`.
pub(crate) async fn try_out(client: &Client, endpoint: &Value, state: &str) -> Value {
    let (status, sent) = client.post(&path_of(endpoint, "/test"), json!({})).await;
    assert_eq!(status, 202, "{sent}");
    let path = path_of(endpoint, &format!("/deliveries/{}", sent["delivery"].as_str().unwrap()));
    eventually(&format!("the test to be {state}"), SOON, || async {
        let delivery = client.get(&path).await;
        (delivery["state"] == state).then_some(delivery)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_jobs_is_told_signed_and_again_until_it_gets_through() {
    let (world, receiver) = (World::new().await, Receiver::default());
    let (client, stop) = serve(&world).await;
    let made = endpoint(&client, &receiver.listen().await, &["job.*"]).await;
    let _worker = world.start(&["--webhooks-loopback", "true"]);
    receiver.answers(&[500]);
    let job = world.probe(ProbeWork { echo: "x".into(), ..ProbeWork::default() }).await;
    world.reaches(job, State::Completed).await;
    let sent = delivery(&client, &made, "delivered").await;
    assert_eq!((&sent["attempts"], &sent["subject"]), (&json!(2), &json!(job)), "{sent}");
    assert_eq!((&sent["tried"][0]["status"], &sent["tried"][1]["status"]), (&json!(204), &json!(500)));

    let told = receiver.told();
    assert_eq!((told.len(), &told[0].body), (2, &told[1].body), "the same each time");
    let message = told[1].message();
    assert_eq!((&message["data"]["id"], &message["data"]["kind"]), (&json!(job), &json!("probe.work")));
    assert_eq!(told[1].header("content-type"), "application/cloudevents+json");
    // All that an envelope of CloudEvents 1.0 needs, what may be there besides, and nothing else.
    let source = format!("urn:crewline:{}", world.tenant);
    let ours = json!({
        "specversion": "1.0", "id": sent["message"], "source": source, "type": "job.completed", "subject": job,
        "time": message["time"], "datacontenttype": "application/json", "data": message["data"],
    });
    assert_eq!(message, ours);
    let at = chrono::DateTime::parse_from_rfc3339(message["time"].as_str().unwrap()).unwrap();
    assert!((chrono::Utc::now() - at.to_utc()).num_seconds() < 60, "when it happened: {at}");
    assert_eq!(
        (told[1].header("webhook-id"), &message["id"]),
        (sent["message"].as_str().unwrap(), &sent["message"])
    );
    assert!(told.iter().all(|told| told.is_believed_by(&made["secret"])));
    // What was sent can be looked at, to the byte.
    assert_eq!(sent["body"].as_str().unwrap().as_bytes(), told[1].body);
    let request = &sent["tried"][0]["request"];
    assert_eq!((&request["url"], request["headers"].as_object().unwrap().len()), (&made["url"], 4));
    assert_eq!(request["headers"]["webhook-signature"], told[1].header("webhook-signature"));
    // Telling is a job too, and nobody is told of that.
    let live = "select count(*) from webhook_message where data ->> 'kind' = 'webhook.deliver'";
    assert_eq!(world.database.number(live).await.unwrap(), 0);
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_hangs_is_given_up_after_its_time_and_told_again() {
    let (world, receiver) = (World::new().await, Receiver::default());
    let (client, stop) = serve(&world).await;
    let made = endpoint(&client, &receiver.listen().await, &["none"]).await;
    let _worker = world.start(&["--webhooks-loopback", "true"]);
    receiver.answers(&[HANGS]);
    let sent = try_out(&client, &made, "delivered").await;
    assert_eq!((&sent["attempts"], &sent["tried"][0]["status"]), (&json!(2), &json!(204)), "{sent}");
    let hung = &sent["tried"][1];
    assert_eq!((&hung["status"], &hung["error"]), (&Value::Null, &json!("no answer came in time")), "{hung}");
    let took_ms = hung["took_ms"].as_u64().unwrap();
    assert!((20_000..30_000).contains(&took_ms), "20 s are borne: {took_ms}");
    // The job itself was never out of time, nor was its worker taken for dead.
    let job = job_of(&world, "webhook.deliver").await;
    world.reaches(job, State::Completed).await;
    assert_eq!(world.story(job).await, "1:retried 2:completed");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_told_as_many_things_at_once_as_it_wants_to_be() {
    let (world, receiver) = (World::new().await, Receiver::default());
    let (client, stop) = serve(&world).await;
    let body = json!({"url": receiver.listen().await, "event_types": ["none"], "concurrency": 2});
    let (status, made) = client.post("/v1/webhook-endpoints", body).await;
    assert_eq!(status, 201, "{made}");
    let _workers = [(); 2].map(|()| world.start(&["--webhooks-loopback", "true"]));
    receiver.answers(&[WAITS; 2]);
    for _ in 0..5 {
        assert_eq!(client.post(&path_of(&made, "/test"), json!({})).await.0, 202);
    }
    let told = async |count: usize| {
        eventually(&format!("{count} to be told"), SOON, || async {
            (receiver.told().len() == count).then_some(())
        })
        .await;
    };
    told(2).await;
    // Other work goes on beside them, and the rest of theirs waits.
    let beside = world.probe(ProbeWork::default()).await;
    world.reaches(beside, State::Completed).await;
    assert_eq!(receiver.told().len(), 2);
    receiver.opened.cancel();
    told(5).await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_does_not_answer_is_left_alone_for_a_while() {
    let (world, receiver) = (World::new().await, Receiver::default());
    let (client, stop) = serve(&world).await;
    let made = endpoint(&client, &receiver.listen().await, &["none"]).await;
    let fine = endpoint(&client, &receiver.listen().await, &["none"]).await;
    let _worker = world.start(&["--webhooks-loopback", "true"]);
    receiver.answers(&[503; 5]);
    for told in 1..=5 {
        client.post(&path_of(&made, "/test"), json!({})).await;
        eventually("the endpoint to be asked", SOON, || async {
            (receiver.told().len() == told).then_some(())
        })
        .await;
    }
    let away = "select count(*) from job where last_error ->> 'code' = 'endpoint_away' and attempt = 0";
    client.post(&path_of(&made, "/test"), json!({})).await;
    eventually("the next to wait without an attempt", SOON, || async {
        (world.database.number(away).await.unwrap() == 1).then_some(())
    })
    .await;
    assert_eq!(receiver.told().len(), 5);
    try_out(&client, &fine, "delivered").await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_private_addresses_and_endpoints_that_are_gone() {
    let (world, receiver) = (World::new().await, Receiver::default());
    let (client, stop) = serve(&world).await;
    let made = endpoint(&client, &receiver.listen().await, &["none"]).await;
    let other = endpoint(&client, &receiver.listen().await, &["webhook_endpoint.disabled"]).await;
    let _worker = world.start(&["--webhooks-loopback", "true"]);

    receiver.answers(&[302]);
    let redirected = try_out(&client, &made, "delivered").await;
    assert_eq!(redirected["tried"][1]["status"], 302, "{redirected}");
    assert!(receiver.told().iter().all(|told| told.path == "/hook"), "no redirect is followed");

    let id: jobs::WebhookEndpointId = made["id"].as_str().unwrap().parse().unwrap();
    let set = async |what: &str| {
        let sql = format!("update webhook_endpoint set {what} where id = '{}'", id.as_uuid());
        world.database.execute(&sql).await.unwrap();
    };
    let before = client.get(&path_of(&made, "")).await["url"].as_str().unwrap().to_owned();
    set("url = 'https://169.254.169.254/latest/meta-data'").await;
    let refused = try_out(&client, &made, "failed").await;
    assert_eq!(
        (&refused["attempts"], &refused["tried"][0]["status"]),
        (&json!(1), &Value::Null),
        "{refused}"
    );
    assert!(refused["tried"][0]["error"].as_str().unwrap().contains("not a public address"));

    set(&format!("url = '{before}'")).await;
    receiver.answers(&[410]);
    try_out(&client, &made, "failed").await;
    let gone = client.get(&path_of(&made, "")).await;
    assert!(
        gone["state"] == "disabled" && gone["disabled_reason"].as_str().unwrap().contains("410"),
        "{gone}"
    );
    delivery(&client, &other, "delivered").await;
    assert_eq!(receiver.told().last().unwrap().message()["type"], "webhook_endpoint.disabled");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_for_days_is_told_nothing_more_and_later_what_it_missed() {
    let (world, receiver) = (World::new().await, Receiver::default());
    let (client, stop) = serve(&world).await;
    let made = endpoint(&client, &receiver.listen().await, &["none"]).await;
    let id: jobs::WebhookEndpointId = made["id"].as_str().unwrap().parse().unwrap();
    let six_days = format!(
        "update webhook_endpoint set failing_since = now() - interval '6 days' where id = '{}'",
        id.as_uuid()
    );
    world.database.execute(&six_days).await.unwrap();
    let _worker = world.start(&["--webhooks-loopback", "true"]);
    receiver.answers(&[503]);
    // The attempt switches it off, and the next one finds it so.
    let failed = try_out(&client, &made, "failed").await;
    world.reaches(job_of(&world, "webhook.deliver").await, State::Cancelled).await;
    let off = client.get(&path_of(&made, "")).await;
    assert!(
        off["state"] == "disabled" && off["disabled_reason"].as_str().unwrap().contains("5 days"),
        "{off}"
    );

    assert_eq!(client.post(&path_of(&made, "/enable"), json!({})).await.0, 200);
    let (status, recovered) =
        client.post(&path_of(&made, "/recover"), json!({"since": "2020-01-01T00:00:00Z"})).await;
    assert_eq!((status, &recovered["messages"]), (202, &json!(1)));
    let again = delivery(&client, &made, "delivered").await;
    assert_eq!(again["message"], failed["message"], "under the id of before");
    let told = receiver.told();
    assert_eq!(told.first().unwrap().header("webhook-id"), told.last().unwrap().header("webhook-id"));
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_has_sent_again_comes_under_the_id_of_before() {
    let (world, receiver) = (World::new().await, Receiver::default());
    let (client, stop) = serve(&world).await;
    let made = endpoint(&client, &receiver.listen().await, &["none"]).await;
    let _worker = world.start(&["--webhooks-loopback", "true"]);
    let sent = try_out(&client, &made, "delivered").await;
    let resend = path_of(&made, &format!("/deliveries/{}/resend", sent["id"].as_str().unwrap()));
    let resend = client.http.post(format!("{}{resend}", client.url)).bearer_auth(&client.key);
    for count in 2..=3 {
        eventually("the job that told it to have ended", SOON, || async {
            let answer = resend.try_clone()?.send().await.unwrap();
            (answer.status() == 202).then_some(())
        })
        .await;
        eventually("it to be told again", SOON, || async { (receiver.told().len() == count).then_some(()) })
            .await;
    }
    let told = receiver.told();
    for again in &told {
        assert_eq!(again.header("webhook-id"), sent["message"].as_str().unwrap());
        assert!(again.is_believed_by(&made["secret"]) && again.body == told[0].body);
    }
    let again = delivery(&client, &made, "delivered").await;
    assert_eq!((&again["id"], &again["attempts"]), (&sent["id"], &json!(3)), "{again}");
    stop.cancel();
}
