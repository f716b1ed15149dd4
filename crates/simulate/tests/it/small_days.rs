//! An hour around noon of a small business, with few cores and with more.

use simulate::{
    day::{Backfill, Setup, simulate},
    outcome::Outcome,
};
use store::testing::TestDatabase;

/// What the clock moves at once; ages are known no better than that.
const STEP_S: f64 = 5.0;

fn an_hour(cores: usize, backfill: Backfill) -> Setup {
    Setup {
        scale: 0.1,
        cores,
        default_slots: 2,
        backfill,
        from_h: 12,
        to_h: 13,
        step_ms: (STEP_S * 1e3) as i64,
        ..Setup::default()
    }
}

async fn live(setup: &Setup) -> Outcome {
    let database = TestDatabase::create().await;
    let outcome = simulate(&database, setup).await.unwrap();
    assert_eq!(outcome.left, 0, "everything ends");
    assert_eq!(database.number("select count(*) from job").await.unwrap(), 0);
    assert_eq!(database.number("select count(*) from lease").await.unwrap(), 0);
    let completed = "select count(*) from attempt where final_state = 'completed'";
    assert_eq!(database.number(completed).await.unwrap(), outcome.jobs as i64);
    outcome
}

#[tokio::test]
async fn the_same_seed_gives_the_same_hour() {
    let setup = an_hour(1, Backfill::Bulk);
    let first = live(&setup).await;
    assert_eq!(first, live(&setup).await);
    assert_ne!(first.photos, live(&Setup { seed: 2, ..setup }).await.photos);
}

#[tokio::test]
async fn more_cores_never_make_anybody_wait_longer() {
    let one = live(&an_hour(1, Backfill::Bulk)).await;
    let two = live(&an_hour(2, Backfill::Bulk)).await;
    let four = live(&an_hour(4, Backfill::Bulk)).await;
    for (fewer, more) in [(&one, &two), (&two, &four)] {
        assert!(more.photos.p50_s <= fewer.photos.p50_s + STEP_S);
        assert!(more.photos.p95_s <= fewer.photos.p95_s + STEP_S);
        assert!(more.photos.max_s <= fewer.photos.max_s + STEP_S);
        assert!(more.media.used < fewer.media.used);
    }
}

#[tokio::test]
async fn an_archive_in_its_own_queue_delays_no_new_photograph() {
    let (none, bulk) = (live(&an_hour(2, Backfill::None)).await, live(&an_hour(2, Backfill::Bulk)).await);
    assert_eq!(none.photos, bulk.photos);
    assert!(bulk.rerendered_h.is_some() && none.rerendered_h.is_none());
}

#[tokio::test]
async fn an_archive_among_new_photographs_starves_nobody() {
    let bulk = live(&an_hour(2, Backfill::Bulk)).await;
    let media = live(&an_hour(2, Backfill::Media)).await;
    assert!(media.photos.max_s >= bulk.photos.max_s);
    assert!(media.rerendered_h.is_some());
}
