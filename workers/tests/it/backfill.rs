//! `media.backfill`: what is there already gets a new ladder, and nothing new waits for it.

use jobs::{
    JobId, State,
    failure::Problem,
    kinds::{
        media_backfill::{Backfilled, MediaBackfill},
        media_rendition::MediaRendition,
        video_transcode::VideoTranscode,
    },
};
use store::{backfill, cancel, enqueue::NewJob, media};
use testkit::eventually;

use crate::world::{SOON, World, film, photo};

fn print() -> MediaBackfill {
    MediaBackfill {
        preset: "print@1".to_owned(),
        since: None,
        until: None,
        media_types: Vec::new(),
        after: None,
        submitted_before: 0,
    }
}

async fn run(world: &World, args: &MediaBackfill) -> (JobId, Backfilled) {
    let job = world.enqueue(&[NewJob::of(args).unwrap()]).await[0];
    let result = world.reaches(job, State::Completed).await.result.unwrap();
    (job, serde_json::from_value(result.0.inline().unwrap().clone()).unwrap())
}

#[tokio::test]
async fn every_photograph_that_lacks_a_ladder_gets_it() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let mut photos = Vec::new();
    for name in ["LadyBird.jpg", "Garden.jpg"] {
        photos.push(world.asset(photo(name)).await);
    }
    world.asset(film("64x36", 1)).await;
    let first = MediaRendition { asset: photos[0], preset: "print@1".to_owned(), branded: false };
    let first = world.enqueue(&[NewJob::of(&first).unwrap()]).await[0];
    world.reaches(first, State::Completed).await;

    let (_, done) = run(&world, &print()).await;
    assert_eq!((done.submitted, done.submitted_in_all, done.next), (1, 1, None));
    eventually("the other photograph to have its picture", SOON, || async {
        let made = media::renditions(&world.api, world.tenant, photos[1]).await.unwrap();
        (!made.is_empty()).then_some(())
    })
    .await;
    let apart = "select count(*) from attempt where kind = 'media.rendition' and queue = 'media_bulk' and priority = 4";
    assert_eq!(world.database.number(apart).await.unwrap(), 1, "it goes where nothing new waits for it");
    let (_, again) = run(&world, &print()).await;
    assert_eq!(again.submitted, 0, "what is there is not asked for again");
}

#[tokio::test]
async fn a_film_of_today_goes_before_those_of_the_library() {
    let world = World::new().await;
    for seconds in [1, 2] {
        world.asset(film("64x36", seconds)).await;
    }
    let searcher = world.start(&["--queues", "default"]);
    let preset = VideoTranscode::default_preset();
    let (_, done) = run(&world, &MediaBackfill { preset: preset.clone(), ..print() }).await;
    assert_eq!((done.submitted, done.next), (2, None));
    drop(searcher);
    let asset = world.asset(film("64x36", 3)).await;
    let today = world.enqueue(&[NewJob::of(&VideoTranscode { asset, preset }).unwrap()]).await[0];
    let _worker = world.start(&["--concurrency", "media_bulk=1"]);
    let ended = "select count(*) from attempt where kind = 'video.transcode' and final_state = 'completed'";
    eventually("all films to be made", SOON, || async {
        (world.database.number(ended).await.unwrap() == 3).then_some(())
    })
    .await;
    let later = format!(
        "{ended} and priority = 4 and queue = 'media_bulk'
         and started_at > (select started_at from attempt where job_id = '{}')",
        today.as_uuid()
    );
    assert_eq!(world.database.number(&later).await.unwrap(), 2, "those of the library begin after it");
}

/// More than as many jobs as may wait, and no whole number of pages.
const LIBRARY: i64 = 400;
/// Jobs of a backfill that may begin while a photograph of today waits: of a hundred times as many, those of a moment.
const BEGUN_BEFORE_MAX: i64 = 20;

#[tokio::test]
async fn a_large_library_is_done_page_by_page_and_goes_on_after_it_was_stopped() {
    let world = World::new().await;
    let number = async |sql: &str| world.database.number(sql).await.unwrap();
    let worker = world.start(&[]);
    let one = world.asset(photo("FreshFlower.jpg")).await;
    let made = MediaRendition { asset: one, preset: "print@1".to_owned(), branded: false };
    let made = world.enqueue(&[NewJob::of(&made).unwrap()]).await[0];
    world.reaches(made, State::Completed).await;
    drop(worker);
    // The same photograph, often: nobody has to make it again.
    let copies = format!(
        "insert into asset select (jsonb_populate_record(asset, jsonb_build_object('id', gen_random_uuid()))).*
         from asset, generate_series(1, {LIBRARY})"
    );
    world.database.execute(&copies).await.unwrap();

    let searcher = world.start(&["--queues", "default"]);
    let (_, first) = run(&world, &print()).await;
    assert!(first.next.is_some() && i64::from(first.submitted) < LIBRARY, "{first:?}");
    let waits = "from job where kind = 'media.backfill' and last_error ->> 'code' = 'enough_waits'";
    eventually("the backfill to wait", SOON, || async {
        (number(&format!("select count(*) {waits}")).await == 1).then_some(())
    })
    .await;
    let waiting = world.database.json(&format!("select to_jsonb(id) {waits}")).await.unwrap();
    let waiting = JobId::from_uuid(serde_json::from_value(waiting).unwrap());
    let args = world.job(waiting).await.args.0.inline().unwrap().clone();
    let rest: MediaBackfill = serde_json::from_value(args).unwrap();
    cancel::cancel(&world.api, world.tenant, waiting, &Problem::new("cancelled", "enough")).await.unwrap();
    world.reaches(waiting, State::Cancelled).await;
    drop(searcher);
    let submitted = "select count(*) from job where kind = 'media.rendition'";
    assert_eq!(number(submitted).await as u64, rest.submitted_before);

    let _worker = world.start(&["--concurrency", "media_bulk=1"]);
    let begun = "select count(*) from attempt where queue = 'media_bulk'";
    eventually("the library to be at work", SOON, || async { (number(begun).await > 0).then_some(()) }).await;
    let asset = world.asset(photo("Garden.jpg")).await;
    let today = MediaRendition { asset, preset: MediaRendition::default_preset(), branded: false };
    let today = world.enqueue(&[NewJob::of(&today).unwrap()]).await[0];
    let today = world.reaches(today, State::Completed).await;
    let (asked, came) = (today.created_at.to_rfc3339(), today.attempted_at.unwrap().to_rfc3339());
    let meanwhile = number(&format!("{begun} and started_at between '{asked}' and '{came}'")).await;
    assert!(meanwhile <= BEGUN_BEFORE_MAX, "a photograph of today waited for {meanwhile} of the library");

    let (_, last) = run(&world, &rest).await;
    // The photograph of today came after the search had begun, and may be found too.
    let of_library = "select count(distinct asset_id) from rendition where preset = 'print@1'";
    eventually("every photograph of the library to have its picture", SOON, || async {
        (number(of_library).await > LIBRARY).then_some(())
    })
    .await;
    assert!(last.submitted_in_all >= LIBRARY as u64, "{last:?}");
    let later = number(&format!("{begun} and started_at > '{came}'")).await;
    assert!(later > 0, "the library was still at work when it came");
    let ended = "from attempt where queue = 'media_bulk' and final_state is not null";
    let twice = format!("select count(*) from (select {ended} group by args having count(*) > 1) twice");
    assert_eq!(number(&twice).await, 0, "nothing is submitted twice");
}

#[tokio::test]
async fn a_cursor_goes_on_where_it_stopped() {
    let world = World::new().await;
    let mut photos = Vec::new();
    for _ in 0..5 {
        photos.push(world.asset(photo("FreshFlower.jpg")).await);
    }
    photos.sort();
    let all = backfill::Wanted {
        preset: "print@1",
        family: "image/",
        media_types: &[],
        since: None,
        until: None,
        after: None,
    };
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let wanted = backfill::Wanted { after, ..all.clone() };
        let piece = backfill::piece(&world.api, world.tenant, &wanted, 3, 2).await.unwrap();
        assert!(piece.assets.len() <= 2);
        found.extend(piece.assets);
        after = piece.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, photos);
    let heic = ["image/heic".to_owned()];
    let an_hour_ago = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    for none in [
        backfill::Wanted { family: "video/", ..all.clone() },
        backfill::Wanted { media_types: &heic, ..all.clone() },
        backfill::Wanted { until: Some(an_hour_ago), ..all.clone() },
    ] {
        let piece = backfill::piece(&world.api, world.tenant, &none, 100, 100).await.unwrap();
        assert_eq!((piece.assets.len(), piece.next), (0, None), "{none:?}");
    }
}
