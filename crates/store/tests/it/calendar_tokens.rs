//! Tokens of calendars that run out: one process at a time renews one.

use jobs::CalendarLinkId;
use store::calendars::{self, Renewal};

use crate::{calendars::link, people::technician, world::World};

async fn renew(world: &World, id: CalendarLinkId) -> Renewal {
    calendars::renew(&world.worker, world.tenant, id).await.unwrap()
}

async fn access(world: &World, id: CalendarLinkId) -> String {
    calendars::open(&world.worker, world.tenant, id).await.unwrap().unwrap().access
}

#[tokio::test]
async fn of_many_who_would_renew_a_token_one_does() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    let asked = futures::future::join_all((0..10).map(|_| renew(&world, id))).await;
    let mine: Vec<&Renewal> = asked.iter().filter(|renewal| **renewal != Renewal::Others).collect();
    assert!(matches!(mine[..], [Renewal::Yours(access)] if access.contains("rosebud")), "{asked:?}");

    calendars::renewed(&world.worker, world.tenant, id, Some("another")).await.unwrap();
    let plain = "select count(*) from calendar_link where position('another'::bytea in access) > 0";
    assert_eq!(world.database.number(plain).await.unwrap(), 0, "it is sealed");
    assert_eq!(renew(&world, id).await, Renewal::Yours("another".into()), "and it is for the next to renew");
    calendars::renewed(&world.worker, world.tenant, id, None).await.unwrap();
    assert_eq!(access(&world, id).await, "another", "it stays as it was");
}

#[tokio::test]
async fn whoever_dies_at_it_holds_it_for_a_while_and_a_link_that_is_gone_needs_none() {
    let world = World::new().await;
    let party = technician(&world, world.tenant).await;
    let id = link(&world, party).await;
    assert!(matches!(renew(&world, id).await, Renewal::Yours(_)));
    assert_eq!(renew(&world, id).await, Renewal::Others);
    let later = "update calendar_link set renewing_until = clock_timestamp() - interval '1 second'";
    world.database.execute(later).await.unwrap();
    assert!(matches!(renew(&world, id).await, Renewal::Yours(_)));
    let other = world.tenant("other").await;
    assert_eq!(calendars::renew(&world.worker, other, id).await.unwrap(), Renewal::Gone, "not theirs");
    assert!(calendars::remove(&world.api, world.tenant, id).await.unwrap());
    assert_eq!(renew(&world, id).await, Renewal::Gone);
}
