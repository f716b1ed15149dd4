//! Channels at which providers say that a calendar changed.

use chrono::{TimeDelta, Utc};
use jobs::{CalendarChannelId, CalendarLinkId, TenantId};
use store::calendars::{self, ToWatch, Told, Took};

use crate::{
    calendars::{link, reading, take},
    people::technician,
    world::World,
};

async fn watch(
    world: &World,
    tenant: TenantId,
    id: CalendarLinkId,
    channel: CalendarChannelId,
) -> Option<ToWatch> {
    calendars::watch(&world.worker, tenant, id, (channel, [7; 32])).await.unwrap()
}

async fn told(world: &World, channel: CalendarChannelId) -> Option<Told> {
    calendars::told(&world.api, channel).await.unwrap()
}

#[tokio::test]
async fn a_channel_is_there_before_its_provider_hears_of_it_and_until_another_is() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    let [lost, first, second] = [(); 3].map(|()| CalendarChannelId::new());
    let other = world.tenant("other").await;
    assert!(watch(&world, other, id, lost).await.is_none() && told(&world, lost).await.is_none());
    let to_watch = watch(&world, world.tenant, id, lost).await.unwrap();
    assert!(to_watch.former.is_empty() && to_watch.access.contains("rosebud"));
    let expected =
        Told { tenant: world.tenant, link: id, provider: "caldav".into(), secret_sha256: vec![7; 32] };
    assert_eq!(told(&world, lost).await, Some(expected));
    assert!(watch(&world, world.tenant, id, first).await.unwrap().former.is_empty());
    assert!(told(&world, lost).await.is_none(), "of that one nobody ever heard");
    let named = async |channel, name| {
        let times = (Utc::now() + TimeDelta::days(7), Utc::now() + TimeDelta::days(5));
        calendars::watched(&world.worker, world.tenant, id, (channel, name), times).await.unwrap();
    };
    named(first, "one").await;
    let to_watch = watch(&world, world.tenant, id, second).await.unwrap();
    let [former] = &to_watch.former[..] else { panic!("{to_watch:?}") };
    assert_eq!((former.id(), former.remote.as_str()), (first, "one"));
    assert!(told(&world, first).await.is_some() && told(&world, second).await.is_some());
    named(second, "two").await;
    assert!(told(&world, first).await.is_none() && told(&world, second).await.is_some());
    assert!(calendars::remove(&world.api, world.tenant, id).await.unwrap());
    assert!(told(&world, second).await.is_none());
}

#[tokio::test]
async fn what_changed_is_read_within_moments_and_not_again_and_again() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    let asked = async || calendars::ask(&world.worker).await.unwrap();
    let changes = async || calendars::changed(&world.api, world.tenant, id).await.unwrap();
    assert_eq!((asked().await, asked().await), (1, 0));
    changes().await;
    assert_eq!((asked().await, asked().await), (1, 0));
    let read = reading(&world, id, &[]).await;
    assert_eq!(take(&world, id, &read).await, Took::Taken);
    changes().await;
    assert_eq!(asked().await, 0, "it was read a moment ago");
    world
        .database
        .execute("update calendar_link set read_at = read_at - interval '11 seconds'")
        .await
        .unwrap();
    changes().await;
    assert_eq!(asked().await, 1);
    calendars::failed(&world.worker, world.tenant, id, "no", true).await.unwrap();
    changes().await;
    assert_eq!(asked().await, 0, "whoever refuses us is left alone");
}

#[tokio::test]
async fn whoever_can_say_that_a_calendar_changed_is_asked_to() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    link(&world, party).await;
    calendars::ask(&world.worker).await.unwrap();
    world.database.execute("update calendar_link set renew_at = clock_timestamp()").await.unwrap();
    assert_eq!(calendars::ask(&world.worker).await.unwrap(), 1);
    assert_eq!(calendars::ask(&world.worker).await.unwrap(), 0);
    let kinds = world.database.json("select jsonb_agg(kind order by kind) from job").await.unwrap();
    assert_eq!(kinds, serde_json::json!(["calendar.pull", "calendar.renew"]));
}

#[tokio::test]
async fn a_provider_of_a_calendar_that_was_removed_is_told_to_stop_and_not_for_ever() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let (quiet, told_of) = (link(&world, party).await, link(&world, party).await);
    world.database.execute("update calendar_link set provider = 'google'").await.unwrap();
    let channel = CalendarChannelId::new();
    watch(&world, world.tenant, told_of, channel).await.unwrap();
    let until = Utc::now() + TimeDelta::days(7);
    calendars::watched(&world.worker, world.tenant, told_of, (channel, "one"), (until, until)).await.unwrap();
    for id in [quiet, told_of] {
        assert!(calendars::remove(&world.api, world.tenant, id).await.unwrap());
    }
    let left = async |id| calendars::farewell(&world.worker, world.tenant, id).await.unwrap();
    assert!(left(quiet).await.is_none(), "nobody tells of it");
    let farewell = left(told_of).await.unwrap();
    assert!(farewell.provider == "google" && farewell.access.contains("rosebud"), "{farewell:?}");
    assert_eq!((farewell.channels[0].id(), farewell.channels[0].remote.as_str()), (channel, "one"));
    let plain = "select count(*) from calendar_farewell where position('rosebud'::bytea in access) > 0";
    assert_eq!(world.database.number(plain).await.unwrap(), 0, "what opens it is sealed");
    calendars::keep_farewell(&world.worker, world.tenant, told_of, "{\"another\": 1}").await.unwrap();
    assert!(left(told_of).await.unwrap().access.contains("another"));
    let mut asked = 0;
    while left(told_of).await.is_some() && asked < 20 {
        world.database.execute("update calendar_farewell set next_at = clock_timestamp()").await.unwrap();
        asked += calendars::ask(&world.worker).await.unwrap();
        assert_eq!(calendars::ask(&world.worker).await.unwrap(), 0, "not again at once");
    }
    assert_eq!(asked, 8);
}

#[tokio::test]
async fn what_is_left_of_a_calendar_is_kept_also_when_its_party_goes_and_forgotten_once_it_ended() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    world.database.execute("update calendar_link set provider = 'cronofy'").await.unwrap();
    let channel = CalendarChannelId::new();
    watch(&world, world.tenant, id, channel).await.unwrap();
    let until = Utc::now() + TimeDelta::days(7);
    calendars::watched(&world.worker, world.tenant, id, (channel, "one"), (until, until)).await.unwrap();
    let gone = format!("delete from membership where party_id = '{}'", party.as_uuid());
    world.database.execute(&gone).await.unwrap();
    let left = async || calendars::farewell(&world.worker, world.tenant, id).await.unwrap();
    assert_eq!(left().await.unwrap().provider, "cronofy");
    calendars::parted(&world.worker, world.tenant, id).await.unwrap();
    assert!(left().await.is_none());
}
