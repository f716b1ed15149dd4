//! Words about an address hold for whoever has it, and outlive them; no tenant hears of another's.

use jobs::{Channel, ContactPointId, PartyId, TenantId};
use store::parties::{self, Added, Answered, NewContactPoint, Word};

use crate::{messages::somebody_of, world::World};

const NUMBER: &str = "+4366012345";

/// Somebody of `tenant` with this address.
async fn reached(
    world: &World,
    tenant: TenantId,
    channel: Channel,
    address: &str,
) -> (PartyId, ContactPointId) {
    let (party, _) = somebody_of(world, tenant).await;
    let id = ContactPointId::new();
    let address = address.to_owned();
    let new = NewContactPoint { id, party, channel, address, is_verified: true, link_secret: [9; 32] };
    assert_eq!(parties::add(&world.api, tenant, &new).await.unwrap(), Added::New);
    (party, id)
}

/// Why nothing goes there.
async fn why(world: &World, tenant: TenantId, party: PartyId) -> Option<String> {
    let contacts = parties::contacts(&world.api, tenant, party).await.unwrap();
    assert_eq!(contacts[0].suppression, None, "nothing was said about the inbox");
    contacts[1].suppression.clone()
}

async fn say(world: &World, contact: ContactPointId, said: Word) {
    assert!(parties::say(&world.api, world.tenant, contact, said, "a test").await.unwrap());
}

#[tokio::test]
async fn a_bounce_holds_for_everybody_with_the_address_until_it_is_released() {
    let world = World::new().await;
    let (tenant, other) = (world.tenant, world.tenant("other").await);
    let (ada, at) = reached(&world, tenant, Channel::Email, "ada@example.test").await;
    let (bob, his) = reached(&world, tenant, Channel::Email, "Ada@Example.test").await;
    let (stranger, _) = reached(&world, other, Channel::Email, "ada@example.test").await;
    say(&world, at, Word::Suppressed("hard_bounce")).await;
    say(&world, his, Word::Suppressed("complaint")).await;
    assert_eq!(why(&world, tenant, ada).await.as_deref(), Some("hard_bounce"));
    assert_eq!(why(&world, tenant, bob).await.as_deref(), Some("hard_bounce"), "a complaint is weaker");
    assert_eq!(why(&world, other, stranger).await, None);
    assert!(parties::remove_contact(&world.api, tenant, at).await.unwrap());
    assert!(parties::remove(&world.api, tenant, bob).await.unwrap());
    let (again, at) = reached(&world, tenant, Channel::Email, "ada@example.test").await;
    assert_eq!(why(&world, tenant, again).await.as_deref(), Some("hard_bounce"));
    say(&world, at, Word::Released).await;
    assert_eq!(why(&world, tenant, again).await, None);
    let said = async |tenant, before| parties::said(&world.api, tenant, at, before, 10).await.unwrap();
    let all = said(tenant, None).await;
    assert_eq!((all.len(), all[0].word.as_str(), all[0].category.as_deref()), (1, "released", None));
    assert!(said(tenant, Some(all[0].number)).await.is_empty() && said(other, None).await.is_empty());
    // It may come back all the same.
    let mut tx = world.worker.tenant(tenant).await.unwrap();
    parties::suppress_once(&mut tx, tenant, at, "hard_bounce", "a test").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(why(&world, tenant, again).await.as_deref(), Some("hard_bounce"));
}

#[tokio::test]
async fn whoever_answered_stop_is_left_alone_until_they_answer_start() {
    let world = World::new().await;
    let tenant = world.tenant;
    let (party, at) = reached(&world, tenant, Channel::Sms, NUMBER).await;
    let answer = async |stops| {
        let answered = Answered { address: NUMBER.to_owned(), stops, source: "a test".to_owned() };
        let mut tx = world.worker.tenant(tenant).await.unwrap();
        parties::note_answer(&mut tx, tenant, &answered).await.unwrap();
        tx.commit().await.unwrap();
    };
    answer(true).await;
    assert_eq!(why(&world, tenant, party).await.as_deref(), Some("stop"));
    assert!(parties::remove_contact(&world.api, tenant, at).await.unwrap());
    let knows = async || parties::has_address(&world.api, tenant, Channel::Sms, NUMBER).await.unwrap();
    assert!(knows().await, "the number is known by what was said");
    answer(false).await;
    assert!(!knows().await);
    let (party, at) = reached(&world, tenant, Channel::Sms, NUMBER).await;
    assert_eq!(why(&world, tenant, party).await, None);
    say(&world, at, Word::Suppressed("hard_bounce")).await;
    answer(false).await;
    assert_eq!(
        why(&world, tenant, party).await.as_deref(),
        Some("hard_bounce"),
        "START takes back STOP only"
    );
}
