//! From a message that somebody signed to the jobs that its source's rules name.

use std::collections::HashSet;

use futures::{StreamExt, future::join_all, stream};
use jobs::State;
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};
use testkit::eventually;
use webhooks::{SigningKey, sign};

use crate::{
    journeys::{Client, serve},
    world::{SOON, World, photo},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn send(client: &Client, source: &Value, id: &str, body: &Value) -> Value {
    send_to(client, source["url"].as_str().unwrap(), id, body).await
}

async fn send_to(client: &Client, url: &str, id: &str, body: &Value) -> Value {
    let (key, body) = (SigningKey::parse(SECRET).unwrap(), body.to_string());
    let headers = sign(id, chrono::Utc::now().timestamp(), body.as_bytes(), &[key]).unwrap();
    let request = client.http.post(url).body(body);
    let request = request.header("webhook-id", headers.id).header("webhook-timestamp", headers.timestamp);
    let answer = request.header("webhook-signature", headers.signature).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.json().await.unwrap()
}

fn path_of(source: &Value, rest: &str) -> String {
    format!("/v1/webhook-sources/{}{rest}", source["id"].as_str().unwrap())
}

/// The event once it is in `state`.
async fn event(client: &Client, source: &Value, event: &Value, state: &str) -> Value {
    let path = path_of(source, &format!("/events/{}", event.as_str().unwrap()));
    eventually(&format!("the event to be {state}"), SOON, || async {
        let event = client.get(&path).await;
        (event["state"] == state).then_some(event)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn events_become_the_jobs_their_rules_name_once_however_often_they_come() {
    const EVENTS: usize = 200;
    const COPIES: usize = 4;
    const SEED: u64 = 46;
    let world = World::new().await;
    let (client, stop) = serve(&world).await;
    let (beside, stop_beside) = serve(&world).await;
    let body = json!({
        "name": "mail", "scheme": {"type": "standard_webhooks"}, "secret": SECRET, "order_pointer": "/data/id",
    });
    let (status, source) = client.post("/v1/webhook-sources", body).await;
    assert_eq!(status, 201, "{source}");
    let rule = json!({
        "event_type": "mail.*", "matches": [{"pointer": "/data/good", "equals": true}], "kind": "probe.work",
        "args": {"echo": {"pointer": "/data/name"}, "work_ms": {"constant": 1}},
    });
    let (status, _) = client.post(&path_of(&source, "/rules"), rule).await;
    assert_eq!(status, 201);
    let _worker = world.start(&[]);

    // Every other event comes all times at the same moment, the others at any; each by two servers.
    let at_once = (0..EVENTS).step_by(2).map(|event| vec![event; COPIES]);
    let alone = (1..EVENTS).step_by(2).flat_map(|event| vec![vec![event]; COPIES]);
    let mut order: Vec<Vec<usize>> = at_once.chain(alone).collect();
    order.shuffle(&mut StdRng::seed_from_u64(SEED));
    let elsewhere = source["url"].as_str().unwrap().replace(&client.url, &beside.url);
    let urls = [source["url"].as_str().unwrap(), elsewhere.as_str()];
    let answers: Vec<Value> = stream::iter(order.into_iter().enumerate())
        .map(|(turn, group)| {
            let (client, urls) = (&client, &urls);
            join_all(group.into_iter().enumerate().map(move |(nth, number)| async move {
                let data = json!({"good": true, "name": format!("n{number}"), "id": number % 20});
                let body = json!({"type": "mail.bounced", "data": data});
                send_to(client, urls[(turn + nth) % 2], &format!("msg_{number}"), &body).await
            }))
        })
        .buffer_unordered(4)
        .concat()
        .await;
    assert_eq!(answers.len(), EVENTS * COPIES);
    let events: HashSet<&str> = answers.iter().map(|answer| answer["event"].as_str().unwrap()).collect();
    assert_eq!(events.len(), EVENTS);
    for id in &events {
        let event = event(&client, &source, &json!(id), "processed").await;
        let job = event["jobs"][0]["job"].as_str().unwrap();
        let done = world.reaches(job.parse().unwrap(), State::Completed).await;
        let metadata = done.metadata.unwrap().0;
        assert_eq!((&metadata["webhook"]["event"], &metadata["webhook"]["replay"]), (&json!(id), &json!(0)));
    }
    world.all_done(2 * EVENTS as i64, SOON).await;
    let made = "select count(*) from attempt where kind = 'probe.work'";
    assert_eq!(world.database.number(made).await.unwrap(), EVENTS as i64, "one job of the rule per event");
    stop.cancel();
    stop_beside.cancel();
}

/// Pairs of runs that came of events, of which each says which thing it is about, and those of rules which event it was.
const PAIRS: &str = "with run as (
         select row_number() over () as number, key, started_at, finished_at, metadata -> 'webhook' ->> 'event' as event
         from attempt where key like 'hook/%' and started_at is not null)
     select count(*) from run a join run b on a.number < b.number and ";

#[tokio::test(flavor = "multi_thread")]
async fn everything_about_one_thing_is_done_in_turn_and_other_things_beside_it() {
    const THINGS: usize = 6;
    // Paid before it was created: the sender's own order is no better.
    const TOLD: [&str; 4] = ["order.paid", "order.created", "order.shipped", "order.returned"];
    let world = World::new().await;
    let (client, stop) = serve(&world).await;
    let body = json!({
        "name": "shop", "scheme": {"type": "standard_webhooks"}, "secret": SECRET, "order_pointer": "/data/order",
    });
    let (status, source) = client.post("/v1/webhook-sources", body).await;
    assert_eq!(status, 201, "{source}");
    let args = json!({"echo": {"pointer": "/data/order"}, "work_ms": {"constant": 100}});
    let rule = json!({"event_type": "order.*", "kind": "probe.work", "args": args});
    assert_eq!(client.post(&path_of(&source, "/rules"), rule).await.0, 201);
    let _workers = [world.start(&[]), world.start(&[])];
    let things = (0..THINGS).map(|thing| {
        let (client, source) = (&client, &source);
        async move {
            for (number, told) in TOLD.into_iter().enumerate() {
                let body = json!({"type": told, "data": {"order": format!("o-{thing}")}});
                send(client, source, &format!("msg_{thing}_{number}"), &body).await;
            }
        }
    });
    futures::future::join_all(things).await;
    world.all_done(2 * (THINGS * TOLD.len()) as i64, SOON).await;

    let number = async |which: &str| world.database.number(&format!("{PAIRS}{which}")).await.unwrap();
    let at_once = "a.started_at < b.finished_at and b.started_at < a.finished_at";
    assert_eq!(number(&format!("a.key = b.key and {at_once}")).await, 0, "one at a time");
    assert!(number(&format!("a.key <> b.key and {at_once}")).await > 0, "others beside it");
    let turned = "a.key = b.key and (a.event < b.event) <> (a.started_at < b.started_at)";
    assert_eq!(number(turned).await, 0, "in the order in which they came");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_something_newer_of_its_thing_was_done_starts_nothing_and_is_shown() {
    let world = World::new().await;
    let (client, stop) = serve(&world).await;
    let body = json!({
        "name": "shop", "scheme": {"type": "standard_webhooks"}, "secret": SECRET,
        "order_pointer": "/data/order", "sequence_pointer": "/at",
    });
    let (status, source) = client.post("/v1/webhook-sources", body).await;
    assert_eq!((status, &source["sequence_pointer"]), (201, &json!("/at")), "{source}");
    let rule =
        json!({"event_type": "order.*", "kind": "probe.work", "args": {"echo": {"pointer": "/data/order"}}});
    assert_eq!(client.post(&path_of(&source, "/rules"), rule).await.0, 201);
    let _worker = world.start(&[]);
    let mut sent: Vec<Value> = Vec::new();
    for (number, (told, order, at, state)) in [
        ("order.paid", "o-1", json!("2023-11-14T22:13:20Z"), "processed"),
        // A second before, and a quarter of one.
        ("order.created", "o-1", json!(1_699_999_999), "superseded"),
        ("order.created", "o-1", json!("1699999999.75"), "superseded"),
        ("order.noted", "o-1", json!(1_700_000_000), "processed"),
        ("order.created", "o-2", json!(1_699_999_999), "processed"),
        ("order.noted", "o-1", Value::Null, "processed"),
        // It became nothing, so nothing of what is older is undone by it.
        ("odd", "o-1", json!(1_800_000_000), "parked"),
        ("order.shipped", "o-1", json!(1_700_000_001), "processed"),
        ("order.noted", "o-1", json!(1_700_000_000), "superseded"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"type": told, "at": at, "data": {"order": order}});
        let kept = send(&client, &source, &format!("msg_{number}"), &body).await;
        sent.push(event(&client, &source, &kept["event"], state).await);
    }
    let late = &sent[1];
    assert!(late["reason"].as_str().unwrap().starts_with(sent[0]["id"].as_str().unwrap()), "{late}");
    assert_eq!((&late["jobs"], &late["sequence"]), (&json!([]), &json!("1699999999")));
    let last = &sent[8];
    assert!(last["reason"].as_str().unwrap().starts_with(sent[7]["id"].as_str().unwrap()), "{last}");

    // All of a range is done again but for those, which somebody has to name.
    let replay = path_of(&source, "/events/replay");
    let (_, again) = client.post(&replay, json!({"event_type": "order.created"})).await;
    assert_eq!(again["events"], json!([sent[4]["id"]]));
    let one = path_of(&source, &format!("/events/{}/replay", late["id"].as_str().unwrap()));
    assert_eq!(client.post(&one, json!({})).await.0, 202);
    let done = event(&client, &source, &late["id"], "processed").await;
    assert_eq!((&done["jobs"][0]["replay"], &done["reason"]), (&json!(1), &Value::Null));
    let (_, rest) = client.post(&replay, json!({"state": "superseded"})).await;
    assert_eq!(rest["events"], json!([sent[2]["id"], last["id"]]));
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_elsewhere_becomes_pictures_by_a_rule_alone() {
    let world = World::new().await;
    let (client, stop) = serve(&world).await;
    let scheme = json!({"type": "generic", "header": "X-Old", "algorithm": "sha256", "encoding": "hex", "prefix": "sha256=",
        "id_header": "X-Old-Id", "type_pointer": "/what"});
    let (_, source) =
        client.post("/v1/webhook-sources", json!({"name": "old", "scheme": scheme, "secret": "s3"})).await;
    let rule = json!({
        "event_type": "upload.created", "matches": [{"pointer": "/file/sort", "equals": "photo"}], "kind": "media.rendition",
        "args": {"asset": {"pointer": "/file/asset"}, "preset": {"constant": "print@1"}},
    });
    let (status, rule) = client.post(&path_of(&source, "/rules"), rule).await;
    assert_eq!(status, 201, "{rule}");
    let _worker = world.start(&[]);
    let asset = world.asset(photo("LadyBird.jpg")).await;
    let body =
        json!({"what": "upload.created", "file": {"sort": "photo", "asset": asset, "by": "Ada"}}).to_string();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"s3");
    let signature = hex::encode(ring::hmac::sign(&key, body.as_bytes()));
    let request = client.http.post(source["url"].as_str().unwrap()).header("X-Old-Id", "17").body(body);
    let answer = request.header("X-Old", format!("sha256={signature}")).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let kept: Value = answer.json().await.unwrap();
    let event = event(&client, &source, &kept["event"], "processed").await;
    assert_eq!((&event["event_id"], &event["jobs"][0]["rule"]), (&json!("17"), &rule["id"]));
    let job = event["jobs"][0]["job"].as_str().unwrap().parse().unwrap();
    let done = world.reaches(job, State::Completed).await.result.unwrap();
    let made = done.0.inline().unwrap();
    assert_eq!((&made["asset"], made["renditions"].as_array().unwrap().len()), (&json!(asset), 1));
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_rule_fits_is_parked_until_one_does() {
    let world = World::new().await;
    let (client, stop) = serve(&world).await;
    let body = json!({"name": "mail", "scheme": {"type": "standard_webhooks"}, "secret": SECRET});
    let (_, source) = client.post("/v1/webhook-sources", body).await;
    let _worker = world.start(&[]);
    let sent = send(&client, &source, "msg_1", &json!({"type": "odd", "n": "x"})).await;
    let parked = event(&client, &source, &sent["event"], "parked").await;
    assert!(parked["reason"].as_str().unwrap().contains("no rule"), "{parked}");

    // It fits, and what it names cannot be an argument.
    let rule = json!({"event_type": "odd", "kind": "probe.work", "args": {"work_ms": {"pointer": "/n"}}});
    let (status, rule) = client.post(&path_of(&source, "/rules"), rule).await;
    assert_eq!(status, 201, "{rule}");
    let replay = path_of(&source, "/events/replay");
    assert_eq!(client.post(&replay, json!({"state": "parked"})).await.0, 202);
    let path = path_of(&source, &format!("/events/{}", sent["event"].as_str().unwrap()));
    eventually("the event to be parked for another reason", SOON, || async {
        let event = client.get(&path).await;
        event["reason"].as_str()?.contains("/args/work_ms").then_some(())
    })
    .await;

    let removed = client.http.delete(format!(
        "{}{}/{}",
        client.url,
        path_of(&source, "/rules"),
        rule["id"].as_str().unwrap()
    ));
    assert!(removed.bearer_auth(&client.key).send().await.unwrap().status().is_success());
    let rule = json!({"event_type": "o*", "kind": "probe.work", "args": {"echo": {"pointer": "/n"}}});
    assert_eq!(client.post(&path_of(&source, "/rules"), rule).await.0, 201);
    assert_eq!(client.post(&replay, json!({"state": "parked"})).await.0, 202);
    let event = event(&client, &source, &sent["event"], "processed").await;
    assert_eq!((&event["replays"], &event["jobs"][0]["replay"]), (&json!(2), &json!(2)));
    let job =
        world.reaches(event["jobs"][0]["job"].as_str().unwrap().parse().unwrap(), State::Completed).await;
    assert_eq!(job.tags.unwrap(), ["replay"]);
    stop.cancel();
}
