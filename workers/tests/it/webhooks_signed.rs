//! What is told, signed: by a key of another sort, and by keys that change.

use jobs::WebhookEndpointId;
use serde_json::json;

use crate::{
    journeys::serve,
    webhooks_out::{Receiver, Told, endpoint, path_of, try_out},
    world::World,
};

/// The signatures that a message carries, by their versions.
fn versions(told: &Told) -> Vec<String> {
    let signatures = told.header("webhook-signature").split(' ');
    signatures.map(|signature| signature.split_once(',').unwrap().0.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wants_signatures_it_cannot_make_is_told_under_them_and_under_no_others() {
    let (world, receiver) = (World::new().await, Receiver::default());
    let (client, stop) = serve(&world).await;
    let body = json!({"url": receiver.listen().await, "event_types": ["none"], "signing": "v1a"});
    let (status, made) = client.post("/v1/webhook-endpoints", body).await;
    assert_eq!(status, 201, "{made}");
    let other = endpoint(&client, &receiver.listen().await, &["none"]).await;
    let _worker = world.start(&["--webhooks-loopback", "true"]);
    try_out(&client, &made, "delivered").await;
    let (status, rotated) = client.post(&path_of(&made, "/secret"), json!({})).await;
    assert_eq!(status, 200, "{rotated}");
    try_out(&client, &made, "delivered").await;
    let (_, rotated_again) = client.post(&path_of(&made, "/secret"), json!({"overlap_s": 0})).await;
    try_out(&client, &made, "delivered").await;
    let told = receiver.told();
    let versions: Vec<_> = told.iter().map(versions).collect();
    assert_eq!(versions, [vec!["v1a"], vec!["v1a", "v1a"], vec!["v1a"]]);
    for (secret, is_believed) in [
        (&made["secret"], [true, true, false]),
        (&rotated["secret"], [false, true, false]),
        (&rotated_again["secret"], [false, false, true]),
        (&other["secret"], [false; 3]),
    ] {
        assert!(secret.is_string());
        assert_eq!([0, 1, 2].map(|nth| told[nth].is_believed_by(secret)), is_believed, "{secret}");
    }
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_changes_both_sign_what_is_told_and_afterwards_the_new_one_alone() {
    let (world, receiver) = (World::new().await, Receiver::default());
    let (client, stop) = serve(&world).await;
    let made = endpoint(&client, &receiver.listen().await, &["none"]).await;
    let _worker = world.start(&["--webhooks-loopback", "true"]);
    try_out(&client, &made, "delivered").await;
    let (status, rotated) = client.post(&path_of(&made, "/secret"), json!({})).await;
    assert_eq!(status, 200, "{rotated}");
    try_out(&client, &made, "delivered").await;
    // The day goes by.
    let id: WebhookEndpointId = made["id"].as_str().unwrap().parse().unwrap();
    let over = format!(
        "update webhook_endpoint set previous_until = previous_until - interval '1 day' where id = '{}'",
        id.as_uuid()
    );
    world.database.execute(&over).await.unwrap();
    try_out(&client, &made, "delivered").await;
    let told = receiver.told();
    assert_eq!(told.iter().map(|told| versions(told).len()).collect::<Vec<_>>(), [1, 2, 1]);
    for (secret, is_believed) in
        [(&made["secret"], [true, true, false]), (&rotated["secret"], [false, true, true])]
    {
        assert_eq!([0, 1, 2].map(|nth| told[nth].is_believed_by(secret)), is_believed);
    }
    stop.cancel();
}
