//! An endpoint that answers 500 for days, or says when to come again: when it is asked again, and when nobody asks it any more.
//! The days are let pass in the ledger, by its own clock; the workers and the endpoint are real.

use serde_json::{Value, json};
use testkit::eventually;

use crate::{
    journeys::{Client, serve},
    webhooks_out::{Receiver, endpoint, path_of},
    world::{SOON, Worker, World},
};

/// How long after each attempt the next one comes, as docs/webhooks.md says, in seconds.
const WAITS_S: [i64; 9] =
    [5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 14 * 3_600, 20 * 3_600, 24 * 3_600];
const DAY_S: i64 = 86_400;
/// A worker leaves an endpoint alone that fails five times within a minute: another one takes over before that.
const ATTEMPTS_OF_A_WORKER: usize = 4;
/// Between an attempt's end and its verdict, in milliseconds.
const SLACK_MS: i64 = 100;

fn work(world: &World) -> Worker {
    world.start(&["--webhooks-loopback", "true"])
}

/// Lets so many seconds go by for everything that waits, and for whoever counts since when nothing gets through.
async fn pass(world: &World, seconds: i64) {
    for sql in [
        format!("update webhook_endpoint set failing_since = failing_since - interval '{seconds} s'"),
        format!("update job set scheduled_at = scheduled_at - interval '{seconds} s' where pos is null"),
    ] {
        world.database.execute(&sql).await.unwrap();
    }
}

/// In how many milliseconds the next attempt is, once `attempt` has failed.
async fn next_in_ms(world: &World, attempt: usize) -> i64 {
    let wait = format!(
        "select (extract(epoch from j.scheduled_at - a.finished_at) * 1000)::bigint from job j
         join attempt a on a.job_id = j.id and a.attempt = j.attempt
         where j.kind = 'webhook.deliver' and j.pos is null and j.attempt = {attempt}"
    );
    eventually(&format!("attempt {attempt} to fail"), SOON, || async {
        world.database.number(&wait).await.ok()
    })
    .await
}

async fn test(client: &Client, endpoint: &Value) -> String {
    let (status, sent) = client.post(&path_of(endpoint, "/test"), json!({})).await;
    assert_eq!(status, 202, "{sent}");
    path_of(endpoint, &format!("/deliveries/{}", sent["delivery"].as_str().unwrap()))
}

async fn becomes(client: &Client, path: &str, state: &str) -> Value {
    eventually(&format!("{path} to be {state}"), SOON, || async {
        let found = client.get(path).await;
        (found["state"] == state).then_some(found)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_asked_again_as_documented_and_switched_off_after_five_days() {
    let (world, receiver) = (World::new().await, Receiver::default());
    let (client, stop) = serve(&world).await;
    let made = endpoint(&client, &receiver.listen().await, &["none"]).await;
    receiver.answers(&[500; 20]);
    let mut worker = work(&world);
    let delivery = test(&client, &made).await;
    for (index, seconds) in WAITS_S.into_iter().enumerate() {
        let attempt = index + 1;
        let next_ms = next_in_ms(&world, attempt).await;
        let (least, most) = (seconds * 900 - SLACK_MS, seconds * 1_100 + SLACK_MS);
        assert!((least..=most).contains(&next_ms), "after attempt {attempt}: {next_ms} ms, not {seconds} s");
        if attempt % ATTEMPTS_OF_A_WORKER == 0 {
            worker.kill();
            worker = work(&world);
        }
        // No more than the wait: nobody comes early.
        assert_eq!(receiver.told().len(), attempt);
        pass(&world, next_ms / 1_000 + 1).await;
    }
    let given_up = becomes(&client, &delivery, "failed").await;
    assert_eq!((&given_up["attempts"], receiver.told().len()), (&json!(10), 10), "{given_up}");
    assert!(given_up["tried"].as_array().unwrap().iter().all(|tried| tried["status"] == 500), "{given_up}");
    let path = path_of(&made, "");
    assert_eq!(client.get(&path).await["state"], "enabled", "three days are borne");

    worker.kill();
    let _worker = work(&world);
    let since = "select extract(epoch from clock_timestamp() - failing_since)::bigint from webhook_endpoint";
    let failing_s = world.database.number(since).await.unwrap();
    pass(&world, 5 * DAY_S - 3_600 - failing_s).await;
    let next = test(&client, &made).await;
    next_in_ms(&world, 1).await;
    assert_eq!(client.get(&path).await["state"], "enabled", "an hour before five days");
    pass(&world, 2 * 3_600).await;
    let off = becomes(&client, &path, "disabled").await;
    assert!(off["disabled_reason"].as_str().unwrap().contains("5 days"), "{off}");
    next_in_ms(&world, 2).await;
    pass(&world, DAY_S).await;
    becomes(&client, &next, "failed").await;
    assert_eq!(receiver.told().len(), 12, "it is told nothing more");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_when_to_come_again_is_asked_then_and_never_sooner_than_usual() {
    let (world, receiver) = (World::new().await, Receiver::default());
    let (client, stop) = serve(&world).await;
    let made = endpoint(&client, &receiver.listen().await, &["none"]).await;
    receiver.answers(&[429, 502, 504]);
    let _worker = work(&world);
    let mut delivery = String::new();
    for (attempt, wants_s, least_s, most_s) in
        [(1, 7_200, 7_200, 7_200), (2, 10, 270, 330), (3, 86_400, 86_400, 86_400)]
    {
        receiver.wants_to_be_asked_after(wants_s);
        if attempt == 1 {
            delivery = test(&client, &made).await;
        } else {
            pass(&world, DAY_S).await;
        }
        let next_ms = next_in_ms(&world, attempt).await;
        let (least_ms, most_ms) = (least_s * 1_000 - SLACK_MS, most_s * 1_000 + SLACK_MS);
        assert!((least_ms..=most_ms).contains(&next_ms), "after attempt {attempt}: {next_ms} ms");
    }
    pass(&world, DAY_S).await;
    let told = becomes(&client, &delivery, "delivered").await;
    let statuses: Vec<&Value> =
        told["tried"].as_array().unwrap().iter().map(|tried| &tried["status"]).collect();
    assert_eq!(statuses, [204, 504, 502, 429], "{told}");
    stop.cancel();
}
