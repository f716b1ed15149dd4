//! People, their sessions, their roles, and the log of what they did.

use std::time::Duration;

use jobs::UserId;
use serde_json::json;
use store::{
    Db, Role, StoreError, Tx,
    audit::{self, Verified},
    fleet,
    sealing::{self, MasterKeys},
    sessions::{self, NewSession},
    users::{self, UserRole},
    views::{self, View},
};

use crate::world::World;

const LASTS: Duration = Duration::from_hours(1);
const SPAN: Duration = Duration::from_mins(15);

async fn ann(world: &World) -> UserId {
    let id = UserId::new();
    assert!(
        world
            .owner
            .transact(None, async |tx| users::add(tx, id, "Ann@acme.test", "Ann", "hash").await)
            .await
            .unwrap()
    );
    id
}

fn session(user: UserId, token: u8, totp_step: i64) -> NewSession<'static> {
    NewSession { user, password_hash: "hash", token_sha256: [token; 32], totp_step, lasts: LASTS, tried: &[] }
}

#[tokio::test]
async fn a_session_knows_what_somebody_may_do_where_they_ask() {
    let world = World::new().await;
    let ann = ann(&world).await;
    assert!(
        !world
            .owner
            .transact(None, async |tx| users::add(tx, UserId::new(), "ann@ACME.test", "x", "x").await)
            .await
            .unwrap(),
        "one address, one person"
    );
    assert_eq!(users::by_email(&world.owner, "ANN@acme.test").await.unwrap(), ann);
    assert!(sessions::begin(&world.api, &session(ann, 1, 0)).await.unwrap());
    let find = async |slug: Option<&'static str>| sessions::find(&world.api, [1; 32], slug).await.unwrap();

    let found = find(Some("acme")).await.unwrap();
    assert_eq!((found.tenant.as_ref().map(|place| place.id), found.role), (Some(world.tenant), None));
    world
        .owner
        .transact(None, async |tx| {
            users::grant(tx, ann, Some(world.tenant), UserRole::TenantOperator, true).await
        })
        .await
        .unwrap();
    let found = find(Some("acme")).await.unwrap();
    assert_eq!((found.role, found.sees_payloads), (Some(UserRole::TenantOperator), true));
    assert_eq!(find(None).await.unwrap().role, None, "a role in a tenant is none in the installation");
    assert!(find(Some("nobodys")).await.unwrap().tenant.is_none());
    assert_eq!(sessions::tenants_of(&world.api, ann).await.unwrap().len(), 1);
    assert!(fleet::workers(&world.api, ann).await.unwrap().is_empty());

    world
        .owner
        .transact(None, async |tx| users::grant(tx, ann, None, UserRole::Admin, false).await)
        .await
        .unwrap();
    world.tenant("other").await;
    assert_eq!(find(Some("other")).await.unwrap().role, Some(UserRole::Admin));
    assert_eq!(sessions::tenants_of(&world.api, ann).await.unwrap().len(), 2);
    let listed = users::list(&world.owner).await.unwrap();
    assert_eq!(listed[0].roles, ["*:admin", "acme:tenant_operator+payloads"]);
    assert!(world.owner.transact(None, async |tx| users::withdraw(tx, ann, None).await).await.unwrap());
    assert!(!world.owner.transact(None, async |tx| users::withdraw(tx, ann, None).await).await.unwrap());

    sessions::end(&world.api, [1; 32]).await.unwrap();
    assert!(find(Some("acme")).await.is_none(), "the session is over");
    let claimant = sessions::claimant(&world.api, "ann@acme.test", Some([1; 32])).await.unwrap().unwrap();
    assert!(claimant.knows_browser, "and its browser is known");
}

#[tokio::test]
async fn whoever_is_taken_out_is_out_at_once() {
    let world = World::new().await;
    let ann = ann(&world).await;
    sessions::begin(&world.api, &session(ann, 1, 0)).await.unwrap();
    world.owner.transact(None, async |tx| users::set_disabled(tx, ann, true).await).await.unwrap();
    assert!(sessions::find(&world.api, [1; 32], None).await.unwrap().is_none());
    assert!(sessions::claimant(&world.api, "ann@acme.test", None).await.unwrap().is_none());
    assert!(!sessions::begin(&world.api, &session(ann, 2, 0)).await.unwrap());
    world.owner.transact(None, async |tx| users::set_disabled(tx, ann, false).await).await.unwrap();
    world.owner.transact(None, async |tx| users::set_password(tx, ann, "other").await).await.unwrap();
    let claimant = sessions::claimant(&world.api, "ann@acme.test", None).await.unwrap().unwrap();
    assert_eq!((claimant.id(), claimant.password_hash.as_str()), (ann, "other"));
    let late = sessions::begin(&world.api, &session(ann, 2, 0)).await.unwrap();
    assert!(!late, "whoever proved the password of before was too late");
}

async fn give_code(owner: &Db, user: UserId) -> Result<(), StoreError> {
    owner.transact(None, async |tx| users::set_totp(owner, tx, user, Some(&[7; 20])).await).await
}

#[tokio::test]
async fn a_code_is_taken_once() {
    let world = World::new().await;
    let ann = ann(&world).await;
    give_code(&world.owner, ann).await.unwrap();
    let claimant = sessions::claimant(&world.api, "ann@acme.test", None).await.unwrap().unwrap();
    assert_eq!(claimant.totp_secret.as_deref(), Some([7; 20].as_slice()));
    assert!(!sessions::begin(&world.api, &session(ann, 1, 0)).await.unwrap(), "now there is a code to give");
    assert!(sessions::begin(&world.api, &session(ann, 1, 100)).await.unwrap());
    assert!(!sessions::begin(&world.api, &session(ann, 2, 100)).await.unwrap());
    assert!(!sessions::begin(&world.api, &session(ann, 2, 99)).await.unwrap());
    assert!(sessions::begin(&world.api, &session(ann, 2, 101)).await.unwrap());
}

#[tokio::test]
async fn a_second_factor_is_sealed_and_changes_its_master_key() {
    const ONE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const TWO: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let world = World::new().await;
    let ann = ann(&world).await;
    let given = |role, present: &str, before: Option<&str>| {
        world.database.db(role).unwrap().with_masters(MasterKeys::parse(present, before).unwrap())
    };
    let read = async |db: &Db| {
        sessions::claimant(db, "ann@acme.test", None).await.map(|found| found.unwrap().totp_secret)
    };
    let plain = "select count(*) from user_account where totp_secret = decode(repeat('07', 20), 'hex')";
    let bare = |role| Db::connect(&world.database.options(role)).unwrap();
    // What lies there from before stays readable, and is sealed when somebody says so.
    give_code(&bare(Role::Owner), ann).await.unwrap();
    assert_eq!(world.database.number(plain).await.unwrap(), 1);
    let (owner, api) = (given(Role::Owner, ONE, None), given(Role::Api, ONE, None));
    assert_eq!(read(&api).await.unwrap().unwrap(), [7; 20]);
    let seal = async |owner: &Db| owner.transact(None, async |tx| users::seal(owner, tx).await).await;
    assert_eq!((seal(&owner).await.unwrap(), seal(&owner).await.unwrap()), (1, 0));
    assert_eq!(world.database.number(plain).await.unwrap(), 0);
    assert_eq!(read(&api).await.unwrap().unwrap(), [7; 20]);
    assert!(matches!(read(&bare(Role::Api)).await, Err(StoreError::NoMasterKey { .. })));
    assert!(matches!(seal(&bare(Role::Owner)).await, Err(StoreError::NoMasterKey { .. })));
    // A new master key; and a secret opens for whom it was sealed only.
    let (owner, api) = (given(Role::Owner, TWO, Some(ONE)), given(Role::Api, TWO, None));
    assert!(matches!(read(&api).await, Err(StoreError::NoMasterKey { .. })));
    assert!(matches!(sealing::check(&api).await, Err(StoreError::NoMasterKey { .. })));
    assert_eq!(seal(&owner).await.unwrap(), 0, "it is sealed already");
    assert_eq!(sealing::reseal(&owner).await.unwrap(), 1);
    assert_eq!(read(&api).await.unwrap().unwrap(), [7; 20]);
    sealing::check(&api).await.unwrap();
    let other = UserId::new();
    owner.transact(None, async |tx| users::add(tx, other, "eve@acme.test", "Eve", "x").await).await.unwrap();
    let theft = "update user_account eve set (totp_secret, totp_master) =
        (select totp_secret, totp_master from user_account where email = 'ann@acme.test') where email = 'eve@acme.test'";
    world.database.execute(theft).await.unwrap();
    let stolen = sessions::claimant(&api, "eve@acme.test", None).await;
    assert!(matches!(stolen, Err(StoreError::Undecipherable { .. })));
}

#[tokio::test]
async fn what_is_not_written_down_is_not_done() {
    let world = World::new().await;
    let ann = ann(&world).await;
    let act = async |tx: &mut Tx| {
        users::set_disabled(tx, ann, true).await?;
        Err::<(), _>(StoreError::NoUser("somebody".to_owned()))
    };
    assert!(world.owner.transact(None, act).await.is_err());
    assert!(sessions::claimant(&world.api, "ann@acme.test", None).await.unwrap().is_some());
}

#[tokio::test]
async fn somebody_keeps_twenty_sessions() {
    let world = World::new().await;
    let ann = ann(&world).await;
    for token in 1..=25 {
        assert!(sessions::begin(&world.api, &session(ann, token, 0)).await.unwrap());
    }
    assert_eq!(world.database.number("select count(*) from user_session").await.unwrap(), 20);
    assert!(sessions::find(&world.api, [25; 32], None).await.unwrap().is_some());
    assert!(sessions::find(&world.api, [5; 32], None).await.unwrap().is_none());
}

#[tokio::test]
async fn tries_are_counted_by_key_and_forgotten_with_time_or_success() {
    let world = World::new().await;
    let ann = ann(&world).await;
    let keys = [([1; 32], 2), ([2; 32], 3)];
    let count = async |keys: &[([u8; 32], i32)]| sessions::count_try(&world.api, keys, SPAN).await.unwrap();
    assert!(count(&keys).await && count(&keys).await);
    assert!(!count(&keys).await, "the first key had too many");
    assert!(!count(&[([2; 32], 3)]).await, "and so had the second");
    assert!(count(&[([3; 32], 1)]).await, "another is free");
    let new = NewSession { tried: &[[1; 32]], ..session(ann, 1, 0) };
    assert!(sessions::begin(&world.api, &new).await.unwrap());
    assert!(count(&[([1; 32], 1)]).await, "who got in begins anew");
    world.database.execute("update sign_in_try set began_at = began_at - interval '16 min'").await.unwrap();
    assert!(count(&[([2; 32], 1)]).await);
}

#[tokio::test]
async fn the_log_is_a_chain_and_every_tampering_shows() {
    let world = World::new().await;
    let whole = async || audit::verify(&world.owner, Some(world.tenant)).await.unwrap();
    assert_eq!(whole().await, Verified::Whole { entries: 0, hash: Vec::new() });
    for n in 1..=5 {
        let said = json!({ "by": "ann", "action": "pause", "n": n });
        assert_eq!(audit::append(&world.api, Some(world.tenant), &said).await.unwrap(), n);
    }
    assert_eq!(
        audit::append(&world.api, None, &json!({ "action": "sign_in" })).await.unwrap(),
        1,
        "a chain of its own"
    );
    let Verified::Whole { entries: 5, hash } = whole().await else { panic!("five were written") };
    assert_eq!(hash.len(), 32);
    let newest = audit::list(&world.api, world.tenant, None, 2).await.unwrap();
    assert_eq!(newest.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [5, 4]);
    assert_eq!(audit::list(&world.api, world.tenant, Some(4), 10).await.unwrap().len(), 3);
    let other = world.tenant("other").await;
    assert!(audit::list(&world.api, other, None, 10).await.unwrap().is_empty());

    for tampering in [
        "update audit_entry set entry = replace(entry, '\"n\": 3', '\"n\": 4') where seq = 3",
        "delete from audit_entry where seq = 2 and tenant_id is not null",
        "delete from audit_entry where seq = 5",
        "update audit_entry set hash = sha256('x') where seq = 1 and tenant_id is not null",
        "update audit_head set seq = 4",
        "update audit_entry set seq = seq + 10 where seq = 5",
    ] {
        let all = "create table kept as select * from audit_entry; create table kept_head as select * from audit_head";
        world.database.execute(all).await.unwrap();
        world.database.execute(tampering).await.unwrap();
        assert!(matches!(whole().await, Verified::Broken { .. }), "{tampering}");
        let back = "delete from audit_entry; insert into audit_entry select * from kept; drop table kept;
            delete from audit_head; insert into audit_head select * from kept_head; drop table kept_head";
        world.database.execute(back).await.unwrap();
    }
    assert_eq!(whole().await, Verified::Whole { entries: 5, hash });
}

#[tokio::test]
async fn only_those_who_operate_all_of_it_read_what_was_done_to_it() {
    let world = World::new().await;
    let ann = ann(&world).await;
    audit::append(&world.api, None, &json!({ "action": "sign_in" })).await.unwrap();
    let read = async || audit::list_of_installation(&world.api, ann, None, 10).await.unwrap().len();
    world
        .owner
        .transact(None, async |tx| users::grant(tx, ann, None, UserRole::Viewer, false).await)
        .await
        .unwrap();
    assert_eq!(read().await, 0);
    world
        .owner
        .transact(None, async |tx| users::grant(tx, ann, None, UserRole::Operator, false).await)
        .await
        .unwrap();
    assert_eq!(read().await, 1);
}

#[tokio::test]
async fn views_are_kept_for_one_person_in_one_tenant() {
    let world = World::new().await;
    let (ann, other) = (ann(&world).await, world.tenant("other").await);
    let eve = UserId::new();
    world
        .owner
        .transact(None, async |tx| users::add(tx, eve, "eve@acme.test", "Eve", "x").await)
        .await
        .unwrap();
    let view = |name: &str, query: &str| View { name: name.into(), query: query.into() };
    let save = async |kept: View| views::save(&world.api, world.tenant, ann, &kept, 2).await.unwrap();
    assert!(save(view("late", "state=available")).await && save(view("dead", "state=discarded")).await);
    assert!(!save(view("one more", "")).await, "there are two others");
    assert!(save(view("late", "queue=media")).await, "in place of the one of this name");
    let of = async |tenant, user| views::list(&world.api, tenant, user).await.unwrap();
    assert_eq!(of(world.tenant, ann).await, [view("dead", "state=discarded"), view("late", "queue=media")]);
    assert!(of(world.tenant, eve).await.is_empty() && of(other, ann).await.is_empty());
    assert!(!views::remove(&world.api, world.tenant, eve, "late").await.unwrap());
    assert!(views::remove(&world.api, world.tenant, ann, "late").await.unwrap());
    assert_eq!(of(world.tenant, ann).await.len(), 1);
}
