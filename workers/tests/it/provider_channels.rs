//! Google, Microsoft and Cronofy are asked to say when a calendar changes, and asked anew before they stop.

use axum::{
    Json,
    extract::{Path, State as Shared},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{TimeDelta, Utc};
use jobs::CalendarChannelId;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::calendars;
use testkit::eventually;

use crate::{
    calendars::reads,
    matching::technician,
    providers::{LetIn, Provider, hours, link, serve, start},
    world::{SOON, World},
};

/// Where a provider is to call, and what it is to repeat.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    address: String,
    secret: Option<String>,
}

impl Provider {
    /// Keeps a channel; answers what it is called here.
    fn opens(&self, address: &Value, secret: &Value) -> String {
        let mut kept = self.kept();
        let secret = secret.as_str().map(str::to_owned);
        kept.channels.push(Channel { address: address.as_str().unwrap().to_owned(), secret });
        format!("remote-{}", kept.channels.len())
    }
}

pub(crate) async fn watch(LetIn(provider): LetIn, Json(asked): Json<Value>) -> Response {
    assert_eq!(asked["type"], "web_hook");
    let remote = provider.opens(&asked["address"], &asked["token"]);
    let until = (Utc::now() + TimeDelta::days(7)).timestamp_millis().to_string();
    Json(json!({"kind": "api#channel", "id": asked["id"], "resourceId": remote, "expiration": until}))
        .into_response()
}

pub(crate) async fn stop(Shared(provider): Shared<Provider>, Json(asked): Json<Value>) -> StatusCode {
    assert!(asked["id"].as_str().unwrap().starts_with("cch_"));
    provider.kept().ended.push(asked["resourceId"].as_str().unwrap().to_owned());
    StatusCode::NO_CONTENT
}

pub(crate) async fn subscribe(LetIn(provider): LetIn, Json(asked): Json<Value>) -> Response {
    assert_eq!(asked["resource"], "me/events");
    let remote = provider.opens(&asked["notificationUrl"], &asked["clientState"]);
    let said = json!({"id": remote, "expirationDateTime": asked["expirationDateTime"]});
    (StatusCode::CREATED, Json(said)).into_response()
}

pub(crate) async fn open(LetIn(provider): LetIn, Json(asked): Json<Value>) -> Response {
    let remote = provider.opens(&asked["callback_url"], &Value::Null);
    Json(json!({"channel": {"channel_id": remote, "callback_url": asked["callback_url"]}})).into_response()
}

pub(crate) async fn end(Shared(provider): Shared<Provider>, Path(remote): Path<String>) -> StatusCode {
    provider.kept().ended.push(remote);
    StatusCode::ACCEPTED
}

#[tokio::test]
async fn providers_say_that_a_calendar_changed_and_are_asked_anew() {
    for name in ["google", "microsoft", "cronofy"] {
        let (world, provider) = (World::new().await, serve().await);
        let _worker = start(&world, &provider);
        let party = technician(&world, 0.0).await;
        provider.notes("a", Some(30));
        let id = link(&world, party, name).await;
        reads(&world, id, "it to be read", async || hours(&world, party).await == [30]).await;
        let opened = async || provider.kept().channels.first().cloned();
        let channel = eventually("it to be asked", SOON, opened).await;
        let at = channel.address.strip_prefix("https://api.acme.test/v1/hooks/calendars/").unwrap();
        let at: CalendarChannelId = at.parse().unwrap();
        let told = calendars::told(&world.api, at).await.unwrap().unwrap();
        assert_eq!((told.link, told.provider.as_str()), (id, name));
        let is_hash = |secret: &String| Sha256::digest(secret)[..] == told.secret_sha256;
        assert!(
            channel.secret.as_ref().map_or(name == "cronofy", is_hash),
            "{name} repeats what it was given"
        );

        provider.notes("b", Some(40));
        // As if it had not been read a moment ago.
        let before = "update calendar_link set read_at = read_at - interval '1 minute'";
        world.database.execute(before).await.unwrap();
        calendars::changed(&world.api, told.tenant, told.link).await.unwrap();
        let is_read = async || (hours(&world, party).await == [30, 40]).then_some(());
        eventually("what it told of to be read", SOON, is_read).await;

        let named = "select count(*) from calendar_channel where remote = 'remote-1' and expires_at > now() + interval '2 days'";
        let is_named = async || (world.database.number(named).await.unwrap() == 1).then_some(());
        eventually("its name to be kept", SOON, is_named).await;
        world.database.execute("update calendar_link set renew_at = clock_timestamp()").await.unwrap();
        let is_ended = async || (provider.kept().ended == ["remote-1"]).then_some(());
        eventually("the former channel to be ended", SOON, is_ended).await;
        assert_eq!(provider.kept().channels.len(), 2);
        assert!(calendars::told(&world.api, at).await.unwrap().is_none(), "nobody hears of it any more");
        let next = "select count(*) from calendar_link where renew_at > now() + interval '2 days'";
        let is_asked = async || (world.database.number(next).await.unwrap() == 1).then_some(());
        eventually("it to be asked again before that ends", SOON, is_asked).await;

        // Who is removed here is told of no more, with the token that was good then.
        assert!(calendars::remove(&world.api, world.tenant, id).await.unwrap());
        let is_over = async || (provider.kept().ended == ["remote-1", "remote-2"]).then_some(());
        eventually("the last channel to be ended", SOON, is_over).await;
        let left = "select count(*) from calendar_farewell";
        let is_forgotten = async || (world.database.number(left).await.unwrap() == 0).then_some(());
        eventually("what was left to be forgotten", SOON, is_forgotten).await;
    }
}
