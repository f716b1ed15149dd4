//! `media.scan` with a real ClamAV: nothing is served before it has looked, and what it finds is held.

use base64::{Engine, prelude::BASE64_STANDARD};
use jobs::{AssetId, AssetState, JobId, State, failure::Problem, kinds::media_rendition::MediaRendition};
use serde_json::{Value, json};
use store::{cancel, enqueue::NewJob, media};
use testkit::{ClamdServer, VIRUS, VIRUS_NAME, eventually};

use crate::{
    journeys::{Client, serve},
    world::{SOON, World, photo},
};

/// The virus, deflated, in a ZIP in a ZIP.
const NESTED: &str = "\
UEsDBBQAAAAIAAAAIQBShootXgAAAI0AAAAGAAAAaW4uemlwC/BmZhFhYGDgAGJFhq43FpMUgawHQMwKxIl6JRUlxXxFvN8/fim+\
ylvIy3eR91vJ92IeTt6iq6b+xn4lcmxFDAHejEwizLhNgYEGRgaYmQHerGwgDiMQGgNpF7ACAFBLAQIUAxQAAAAIAAAAIQBShoot\
XgAAAI0AAAAGAAAAAAAAAAAAAACAAQAAAABpbi56aXBQSwUGAAAAAAEAAQA0AAAAggAAAAAA";

fn with(virus: &[u8]) -> Vec<u8> {
    [&photo("LadyBird.jpg"), virus].concat()
}

/// Somebody who is to be told.
const ENDPOINT: &str = "insert into webhook_endpoint (id, tenant_id, url, event_types, secret, created_by)
    values (gen_random_uuid(), (select id from tenant), 'https://example.com/', '{none}', '', 'x')";

/// How often it was told that a file is held.
async fn messages(world: &World, asset: AssetId, state: &str) -> i64 {
    let told =
        format!("select count(*) from webhook_message where type = 'asset.{state}' and subject = '{asset}'");
    world.database.number(&told).await.unwrap()
}

async fn state(world: &World, asset: AssetId) -> AssetState {
    media::asset(&world.api, world.tenant, asset).await.unwrap().unwrap().state().unwrap()
}

async fn becomes(world: &World, asset: AssetId, wanted: AssetState) {
    let look = || async { (state(world, asset).await == wanted).then_some(()) };
    eventually(&format!("{asset} to be {wanted}"), SOON, look).await;
}

async fn render(world: &World, asset: AssetId) -> JobId {
    let args = MediaRendition { asset, preset: MediaRendition::default_preset(), branded: false };
    world.enqueue(&[NewJob::of(&args).unwrap()]).await[0]
}

fn code(error: Option<&Value>) -> String {
    serde_json::from_value::<Problem>(error.unwrap().clone()).unwrap().code
}

/// Why the first run of a job ended without an end.
async fn told(world: &World, job: JobId) -> String {
    eventually(&format!("{job} to have looked"), SOON, || async {
        let attempts = store::attempts::of_job(&world.api, world.tenant, job).await.unwrap();
        let error = attempts.first()?.error.as_ref()?;
        Some(code(Some(error)))
    })
    .await
}

/// What the API answers about the original itself.
async fn original(client: &Client, asset: AssetId) -> (u16, Value) {
    client.get_with_status(&format!("/v1/assets/{asset}/original")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_served_before_the_scanner_has_looked() {
    let mut world = World::scanned().await;
    let (client, _stop) = serve(&world).await;
    world.clamd.as_mut().unwrap().kill();
    let (asset, scan) = world.uploaded(photo("LadyBird.jpg")).await;
    let rendition = render(&world, asset).await;
    let _worker = world.start(&[]);
    assert_eq!(told(&world, scan).await, "scanner_away");
    assert_eq!(told(&world, rendition).await, "asset_quarantined");
    assert_eq!(state(&world, asset).await, AssetState::Quarantined);
    let (status, problem) = original(&client, asset).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("asset_quarantined")));
    let shown = client.get(&format!("/v1/assets/{asset}")).await;
    assert_eq!((shown["state"].as_str(), &shown["url"]), (Some("quarantined"), &Value::Null), "{shown}");

    world.clamd.as_mut().unwrap().begin().unwrap();
    world.reaches(scan, State::Completed).await;
    world.reaches(rendition, State::Completed).await;
    let (status, _) = original(&client, asset).await;
    assert_eq!(status, 200, "the redirect leads to the file");
    let shown = client.get(&format!("/v1/assets/{asset}")).await;
    assert_eq!((shown["state"].as_str(), shown["finding"].as_str()), (Some("clean"), None));
    assert!(shown["scanner"].as_str().unwrap().starts_with("ClamAV ") && shown["url"].is_string());
    // However long the scanner was away, no attempt was used up for it.
    assert_eq!((world.job(scan).await.attempt, world.job(rendition).await.attempt), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_infected_file_is_held_until_an_operator_lets_it_go() {
    let world = World::scanned().await;
    let (client, _stop) = serve(&world).await;
    world.database.execute(ENDPOINT).await.unwrap();
    let _worker = world.start(&[]);
    let (asset, scan) = world.uploaded(with(VIRUS)).await;
    let scanned = world.reaches(scan, State::Completed).await.result.unwrap().0;
    assert_eq!(scanned.inline().unwrap()["verdict"], "infected");
    assert_eq!(state(&world, asset).await, AssetState::Infected);

    let rendition = world.reaches(render(&world, asset).await, State::Discarded).await;
    assert_eq!(code(rendition.error.as_deref()), "asset_held");
    let (status, problem) = original(&client, asset).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("asset_held")));
    let shown = client.get(&format!("/v1/assets/{asset}")).await;
    assert_eq!((shown["finding"].as_str(), &shown["url"]), (Some(VIRUS_NAME), &Value::Null));

    let release = format!("/v1/assets/{asset}/release");
    assert_eq!(client.post(&release, json!({"reason": " "})).await.0, 422);
    let (status, shown) = client.post(&release, json!({"reason": "our own test"})).await;
    assert_eq!((status, shown["state"].as_str()), (200, Some("clean")), "{shown}");
    assert_eq!(shown["released"]["reason"], "our own test");
    world.reaches(render(&world, asset).await, State::Completed).await;
    // The same finding is not news.
    let again = NewJob::of(&jobs::kinds::media_scan::MediaScan { asset }).unwrap();
    let again = world.enqueue(&[again]).await[0];
    let scanned = world.reaches(again, State::Completed).await.result.unwrap().0;
    assert_eq!(scanned.inline().unwrap()["verdict"], "infected");
    assert_eq!(state(&world, asset).await, AssetState::Clean);
    assert_eq!(messages(&world, asset, "infected").await, 1, "when it was held, and not again");
}

#[tokio::test]
async fn what_waits_in_quarantine_without_a_scan_gets_one() {
    let world = World::scanned().await;
    let [(old, first), (young, second)] =
        [world.uploaded(photo("LadyBird.jpg")).await, world.uploaded(photo("Garden.jpg")).await];
    for scan in [first, second] {
        let enough = Problem::new("cancelled", "enough");
        cancel::cancel(&world.api, world.tenant, scan, &enough).await.unwrap();
    }
    let aged = "update asset set created_at = created_at - interval '2 hours' where id";
    world.database.execute(&format!("{aged} = '{}'", old.as_uuid())).await.unwrap();
    // A worker looks when it starts.
    let _worker = world.start(&[]);
    becomes(&world, old, AssetState::Clean).await;
    assert_eq!(state(&world, young).await, AssetState::Quarantined);
}

#[tokio::test]
async fn a_virus_is_found_in_an_archive_in_an_archive_behind_a_photograph() {
    let world = World::scanned().await;
    let _worker = world.start(&[]);
    let nested = BASE64_STANDARD.decode(NESTED).unwrap();
    assert!(!nested.windows(VIRUS.len()).any(|window| window == VIRUS));
    let (asset, _) = world.uploaded(with(&nested)).await;
    becomes(&world, asset, AssetState::Infected).await;
}

#[tokio::test]
async fn what_the_scanner_cannot_look_at_is_held() {
    let limits = [("StreamMaxLength", "100K")];
    let world = World::scanned_by(ClamdServer::start_with(&limits).unwrap()).await;
    world.database.execute(ENDPOINT).await.unwrap();
    let _worker = world.start(&[]);
    let (asset, _) = world.uploaded(photo("LadyBird.jpg")).await;
    becomes(&world, asset, AssetState::Unscannable).await;
    let held = media::asset(&world.api, world.tenant, asset).await.unwrap().unwrap();
    assert!(held.finding.unwrap().contains("size limit"));
    assert_eq!(messages(&world, asset, "unscannable").await, 1, "as when something is found");
    let rendition = world.reaches(render(&world, asset).await, State::Discarded).await;
    assert_eq!(code(rendition.error.as_deref()), "asset_held");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_signatures_find_what_old_ones_did_not() {
    let mut world = World::scanned().await;
    let (client, _stop) = serve(&world).await;
    let _worker = world.start(&[]);
    let (asset, scan) = world.uploaded(with(b"not known to be harmful yet")).await;
    world.reaches(scan, State::Completed).await;
    world.reaches(render(&world, asset).await, State::Completed).await;
    let path = format!("/v1/assets/{asset}");
    let shown = client.get(&path).await;
    assert_eq!((shown["state"].as_str(), shown["renditions"].as_array().unwrap().len()), (Some("clean"), 8));

    let clamd = world.clamd.as_mut().unwrap();
    clamd.kill();
    clamd.learn("Of.Today", b"not known to be harmful yet").unwrap();
    clamd.begin().unwrap();
    let (status, job) =
        client.post("/v1/jobs", json!({"kind": "media.scan", "args": {"asset": asset}})).await;
    assert_eq!((status, job["result"]["verdict"].as_str()), (200, Some("infected")), "{job}");
    let shown = client.get(&path).await;
    assert_eq!(
        (shown["state"].as_str(), shown["finding"].as_str()),
        (Some("infected"), Some("Of.Today.UNOFFICIAL"))
    );
    assert_eq!((&shown["url"], &shown["renditions"]), (&Value::Null, &json!([])), "nor what was made of it");
}

#[tokio::test]
async fn what_was_scanned_long_ago_is_scanned_again_when_the_scanner_knows_more() {
    let world = World::scanned().await;
    let _worker = world.start(&[]);
    let (seen, scan) = world.uploaded(photo("Garden.jpg")).await;
    world.reaches(scan, State::Completed).await;
    let virus = |more: &[u8]| [&with(VIRUS), more].concat();
    let young = world.asset(virus(b"1")).await;
    let (same, old) = (world.asset(virus(b"2")).await, world.asset(virus(b"3")).await);
    let scanner = format!("(select scanner from asset where id = '{}')", seen.as_uuid());
    for (asset, scanner) in [(same, scanner.as_str()), (old, "'ClamAV of last year'")] {
        let aged = "update asset set scanned_at = now() - interval '8 days', scanner";
        let aged = format!("{aged} = {scanner} where id = '{}'", asset.as_uuid());
        world.database.execute(&aged).await.unwrap();
    }
    // A worker looks when it starts.
    let _other = world.start(&[]);
    becomes(&world, old, AssetState::Infected).await;
    let apart =
        "select count(*) from attempt where kind = 'media.scan' and queue = 'media_bulk' and priority = 4";
    assert_eq!(world.database.number(apart).await.unwrap(), 1);
    assert_eq!(state(&world, young).await, AssetState::Clean, "it was seen today");
    assert_eq!(state(&world, same).await, AssetState::Clean, "the scanner knows no more than it did");
}

/// What is scanned is what was verified, or nothing.
#[tokio::test]
async fn other_bytes_than_those_verified_stay_in_quarantine() {
    let world = World::scanned().await;
    let (asset, scan) = world.uploaded(photo("LadyBird.jpg")).await;
    let key = media::asset(&world.api, world.tenant, asset).await.unwrap().unwrap().object_key;
    let other = photo("Garden.jpg").into();
    world.blobs.put(&key.parse().unwrap(), other, "image/jpeg", "no-store").await.unwrap();
    let _worker = world.start(&[]);
    let discarded = world.reaches(scan, State::Discarded).await;
    assert_eq!(code(discarded.error.as_deref()), "original_changed");
    assert_eq!(state(&world, asset).await, AssetState::Quarantined);
}
