//! A clock that is set by hand: the ledger's own statements live in its time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{Queue, kinds::probe_work::ProbeWork};
use store::{
    Role,
    claim::{self, Pick},
    enqueue::{self, NewJob},
    keys, release, rescue, settle,
    testing::TestDatabase,
    verdict::{Settle, Verdict},
};

#[tokio::test]
async fn hours_pass_when_they_are_told_to() {
    let database = TestDatabase::create().await;
    let tenant = keys::create_tenant(&database.db(Role::Owner).unwrap(), "acme", "Acme").await.unwrap();
    let noon: DateTime<Utc> = "2031-05-06T12:00:00Z".parse().unwrap();
    let clock = database.stop_time(noon).await.unwrap();
    let db = database.db(Role::Worker).unwrap();

    let later = noon + TimeDelta::hours(3);
    let new = NewJob {
        created_at: noon,
        scheduled_at: later,
        ..NewJob::of(&ProbeWork { work_ms: 0, ..Default::default() }).unwrap()
    };
    let mut tx = db.begin().await.unwrap();
    enqueue::insert(&db, &mut tx, tenant, &[new]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(release::promote_due(&db).await.unwrap(), 0);
    assert_eq!(release::next_due(&db).await.unwrap(), Some(Duration::from_hours(3)));

    clock.set(later).await.unwrap();
    assert_eq!(release::promote_due(&db).await.unwrap(), 1);
    let ttl = Duration::from_hours(1);
    let claimed = claim::claim(&db, Queue::Default, Pick::Regular, 9, "w", ttl).await.unwrap();
    assert_eq!(claimed.len(), 1);

    // The lease was given at three, for an hour.
    clock.set(later + TimeDelta::minutes(59)).await.unwrap();
    assert_eq!(rescue::rescue(&db, rescue::From::Anyone).await.unwrap().len(), 0);
    let verdict = Verdict::Completed { result: serde_json::Value::Null.into() };
    settle::settle(&db, &[Settle::of(&claimed[0], verdict)], &[claimed[0].lease]).await.unwrap();
    let lasted = "select extract(epoch from finished_at - started_at)::bigint from attempt";
    assert_eq!(database.number(lasted).await.unwrap(), 59 * 60);
}

/// How much a tenant had lately fades with time, and must not fade into a number that cannot be told.
#[tokio::test]
async fn a_queue_that_stood_still_for_days_is_claimed_from() {
    let database = TestDatabase::create().await;
    let tenant = keys::create_tenant(&database.db(Role::Owner).unwrap(), "acme", "Acme").await.unwrap();
    let friday: DateTime<Utc> = "2031-05-02T18:00:00Z".parse().unwrap();
    let clock = database.stop_time(friday).await.unwrap();
    let db = database.db(Role::Worker).unwrap();
    for now in [friday, friday + TimeDelta::hours(13), friday + TimeDelta::days(400)] {
        clock.set(now).await.unwrap();
        let new = NewJob {
            created_at: now,
            scheduled_at: now,
            ..NewJob::of(&ProbeWork { work_ms: 0, ..Default::default() }).unwrap()
        };
        let mut tx = db.begin().await.unwrap();
        enqueue::insert(&db, &mut tx, tenant, &[new]).await.unwrap();
        tx.commit().await.unwrap();
        let ttl = Duration::from_hours(1);
        let claimed = claim::claim(&db, Queue::Default, Pick::Regular, 9, "w", ttl).await.unwrap();
        assert_eq!(claimed.len(), 1);
    }
}
