//! Tenants and keys, as keys make them: each as far as it may.

use std::collections::BTreeMap;

use jobs::{ApiKeyId, Queue, TenantId, UserId};
use store::{
    administration::{self, Asking, Made},
    audit::{self, Verified},
    keys::{self, NewKey},
    submit::Answer,
    users,
    weights::{self, Share},
};

use crate::world::{World, probe};

fn new_key<'a>(id: ApiKeyId, prefix: &'a str, scopes: &'a [String]) -> NewKey<'a> {
    NewKey { id, prefix, secret_sha256: [7; 32], name: "test", scopes }
}

fn words(scopes: &[&str]) -> Vec<String> {
    scopes.iter().map(|scope| (*scope).to_owned()).collect()
}

impl World {
    /// A key of `tenant`, made where the database is.
    async fn key(&self, tenant: TenantId, prefix: &str, scopes: &[&str]) -> ApiKeyId {
        let (id, scopes) = (ApiKeyId::new(), words(scopes));
        let new = new_key(id, prefix, &scopes);
        let make = self.owner.transact(None, async |tx| keys::create_key(tx, tenant, &new, None).await);
        make.await.unwrap();
        id
    }

    /// What became of the wish of `by`, a key of our tenant's, for a key of `tenant`; there may be five.
    async fn make(&self, by: ApiKeyId, tenant: TenantId, prefix: &str, scopes: &[&str]) -> (ApiKeyId, Made) {
        let (id, scopes) = (ApiKeyId::new(), words(scopes));
        let asking = Asking { tenant: self.tenant, by, once: None };
        let answer = |made: &administration::Key| Answer::of(201, None, &made.prefix);
        let new = new_key(id, prefix, &scopes);
        (id, administration::make_key(&self.api, asking, tenant, &new, 5, answer).await.unwrap())
    }
}

#[tokio::test]
async fn a_key_makes_and_revokes_keys_as_far_as_it_may() {
    let world = World::new().await;
    let (here, there) = (world.tenant, world.tenant("other").await);
    let reader = world.key(here, "reader000000", &["jobs:read"]).await;
    let admin = world.key(here, "admin0000000", &["admin"]).await;
    let root = world.key(here, "root00000000", &["installation"]).await;

    assert_eq!(world.make(reader, here, "x00000000000", &["jobs:read"]).await.1, Made::Refused);
    assert_eq!(world.make(admin, there, "x00000000000", &["jobs:read"]).await.1, Made::Refused);
    assert_eq!(world.make(admin, here, "x00000000000", &["installation"]).await.1, Made::Refused);
    assert_eq!(world.make(root, TenantId::new(), "x00000000000", &["admin"]).await.1, Made::Refused);
    let (laptop, made) = world.make(admin, here, "laptop000000", &["jobs:read"]).await;
    assert_eq!(made, Made::New(Answer::of(201, None, &"laptop000000")));
    assert!(matches!(world.make(root, there, "first0000000", &["admin"]).await.1, Made::New(_)));
    assert!(matches!(world.make(root, here, "second000000", &["installation"]).await.1, Made::New(_)));
    assert_eq!(world.make(admin, here, "x00000000000", &["jobs:read"]).await.1, Made::TooMany);

    let of = async |tenant| administration::keys(&world.api, tenant, None, 10).await.unwrap();
    assert_eq!((of(here).await.len(), of(there).await.len()), (5, 1));
    let newest = administration::keys(&world.api, here, None, 2).await.unwrap();
    let older = administration::keys(&world.api, here, Some(newest[1].id().as_uuid()), 10).await.unwrap();
    assert_eq!((newest.len(), older.len()), (2, 3));

    let revoke =
        async |by, tenant, key| administration::revoke_key(&world.api, by, tenant, key).await.unwrap();
    assert_eq!(revoke(reader, here, laptop).await, None);
    assert_eq!(revoke(admin, here, root).await, None, "it runs the installation, and the other one does not");
    assert_eq!(revoke(admin, there, laptop).await, Some(false), "there is no such key there");
    assert_eq!(revoke(admin, here, laptop).await, Some(true));
    assert_eq!(revoke(admin, here, laptop).await, Some(true), "it stays revoked");
    assert_eq!(revoke(root, here, admin).await, Some(true));
    assert_eq!(revoke(admin, here, reader).await, None, "nobody takes a revoked key");
    let revoked = of(here).await.into_iter().filter(|key| key.revoked_at.is_some()).count();
    assert_eq!(revoked, 2);

    let log = audit::list(&world.api, here, None, 10).await.unwrap();
    let said: Vec<bool> = log.iter().rev().map(|entry| entry.entry.contains("key.create")).collect();
    assert_eq!(said, [true, true, false, false, false], "what was refused did not happen");
    for chain in [here, there] {
        let verified = audit::verify(&world.owner, Some(chain)).await.unwrap();
        assert!(matches!(verified, Verified::Whole { .. }), "{verified:?}");
    }
}

#[tokio::test]
async fn tenants_are_for_keys_that_run_the_installation() {
    let world = World::new().await;
    let admin = world.key(world.tenant, "admin0000000", &["admin"]).await;
    let root = world.key(world.tenant, "root00000000", &["installation"]).await;
    let put = async |by, name: &str, weights: &[(Queue, f32)]| {
        let weights = weights.iter().copied().collect::<BTreeMap<_, _>>();
        administration::put_tenant(&world.api, by, "homes", name, &weights).await.unwrap()
    };
    assert_eq!(put(admin, "Homes", &[]).await, None);
    assert_eq!(put(root, "Homes", &[(Queue::Media, 2.5)]).await, Some(true));
    assert_eq!(put(root, "Better homes", &[]).await, Some(false));
    let homes = administration::tenant(&world.api, root, "homes").await.unwrap().unwrap();
    assert_eq!(homes.name, "Better homes");
    assert_eq!(homes.weights.0, BTreeMap::from([("media".to_owned(), 2.5)]), "it keeps what it had");
    assert!(administration::tenant(&world.api, root, "nobody").await.unwrap().is_none());
    assert!(administration::tenant(&world.api, admin, "homes").await.unwrap().is_none());

    let all = administration::tenants(&world.api, root, None, 10).await.unwrap();
    assert_eq!(all.iter().map(|tenant| tenant.slug.as_str()).collect::<Vec<_>>(), ["homes", "acme"]);
    let older = administration::tenants(&world.api, root, Some(homes.id().as_uuid()), 10).await.unwrap();
    assert_eq!(older.len(), 1);
    assert!(administration::tenants(&world.api, admin, None, 10).await.unwrap().is_empty());
    let log = audit::verify(&world.owner, None).await.unwrap();
    assert!(matches!(log, Verified::Whole { entries: 2, .. }), "{log:?}");
}

#[tokio::test]
async fn what_a_key_makes_is_the_same_persons() {
    let world = World::new().await;
    let (tenant, ann, admin) = (world.tenant, UserId::new(), words(&["admin"]));
    let add = world.owner.transact(None, async |tx| users::add(tx, ann, "ann@acme.test", "Ann", "x").await);
    assert!(add.await.unwrap());
    let hers = ApiKeyId::new();
    let new = new_key(hers, "hers00000000", &admin);
    let make = world.owner.transact(None, async |tx| keys::create_key(tx, tenant, &new, Some(ann)).await);
    make.await.unwrap();
    let nobodys = world.key(tenant, "nobodys00000", &["admin"]).await;
    for (by, prefix) in [(hers, "hers11111111"), (nobodys, "nobodys11111")] {
        assert!(matches!(world.make(by, tenant, prefix, &["queue:operate"]).await.1, Made::New(_)));
    }
    let person = async |prefix| keys::find(&world.api, prefix).await.unwrap().unwrap().person;
    assert_eq!((person("hers11111111").await, person("nobodys11111").await), (Some(ann), None));
    let listed = administration::keys(&world.api, tenant, None, 10).await.unwrap();
    assert_eq!(listed.iter().filter(|key| key.person() == Some(ann)).count(), 2);
    world.owner.transact(None, async |tx| users::set_disabled(tx, ann, true).await).await.unwrap();
    assert_eq!(person("hers11111111").await, None, "who was taken out is nobody");
}

#[tokio::test]
async fn a_key_weighs_shares_when_it_runs_the_installation() {
    let world = World::new().await;
    let admin = world.key(world.tenant, "admin0000000", &["admin"]).await;
    let root = world.key(world.tenant, "root00000000", &["installation"]).await;
    world.enqueue(probe()).await;
    let share = |by, queue| Share { by, slug: "acme", queue };
    let (hers, mine) = (share(admin, Queue::Default), share(root, Queue::Default));
    assert!(
        hers.weigh(&world.api, 3.0, 60).await.unwrap().is_none(),
        "of its tenant it may do everything else"
    );
    assert!(share(root, Queue::Media).weigh(&world.api, 3.0, 60).await.unwrap().is_none());
    assert!(!mine.weigh_as_usual(&world.api).await.unwrap(), "it is weighed as usual");
    let weighed = mine.weigh(&world.api, 3.0, 60).await.unwrap().unwrap();
    assert_eq!((weighed.slug.as_str(), weighed.weight, weighed.usual_weight), ("acme", 3.0, 1.0));
    assert_eq!(weights::list_for_key(&world.api, root).await.unwrap(), [weighed]);
    assert!(weights::list_for_key(&world.api, admin).await.unwrap().is_empty());
    for weight in [0.01, 100.0] {
        let weighed = mine.weigh(&world.api, weight, 60).await.unwrap().unwrap();
        assert_eq!(
            (weighed.slug.as_str(), weighed.weight),
            ("acme", weight),
            "the least and the most are taken"
        );
    }
    assert!(!hers.weigh_as_usual(&world.api).await.unwrap());
    assert!(mine.weigh_as_usual(&world.api).await.unwrap());
    assert!(weights::list_for_key(&world.api, root).await.unwrap().is_empty());
    let log = audit::verify(&world.owner, None).await.unwrap();
    assert!(matches!(log, Verified::Whole { entries: 4, .. }), "what was refused changed nothing: {log:?}");
}
