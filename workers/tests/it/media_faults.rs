//! Films, contact sheets and archives while S3 fails, while memory is short, and when they are stopped.

use std::time::Duration;

use blob::{Blobs, Key};
use jobs::{
    JobId, State, Variant,
    failure::Problem,
    kinds::{
        delivery_zip::DeliveryZip,
        media_contact_sheet::{ContactSheet, MediaContactSheet},
        video_transcode::{Film, VideoTranscode},
    },
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::{attempts, cancel, enqueue::NewJob};
use testkit::{HttpProxy, Service, eventually};
use workers::archive::{self, ArchiveError, Entry};

use crate::{
    deliveries::{deliver, told},
    journeys::serve,
    world::{GONE_WITHIN, SOON, World, film, film_of, photo},
};

/// A world whose workers reach S3 by a proxy, and nobody else does.
pub(crate) async fn behind_a_proxy() -> (World, HttpProxy) {
    let mut world = World::new().await;
    let server = world.s3.endpoint.take().unwrap();
    let proxy = HttpProxy::before(server.trim_start_matches("http://").parse().unwrap()).await.unwrap();
    world.s3.endpoint = Some(format!("http://{}", proxy.address()));
    (world, proxy)
}

async fn transcode(world: &World, bytes: Vec<u8>) -> NewJob {
    let asset = world.asset(bytes).await;
    NewJob::of(&VideoTranscode { asset, preset: VideoTranscode::default_preset() }).unwrap()
}

async fn result<T: DeserializeOwned>(world: &World, job: JobId) -> T {
    let done = world.reaches(job, State::Completed).await;
    serde_json::from_value(done.result.unwrap().0.inline().unwrap().clone()).unwrap()
}

/// What lies at `key` has so many bytes, and they are those that were sent.
async fn is_whole(world: &World, key: &str, bytes: u64) {
    let key = key.parse().unwrap();
    let head = world.blobs.head(&key).await.unwrap().expect("what is done is there");
    let (sha256, read) = world.blobs.sha256(&key, u64::MAX).await.unwrap();
    assert_eq!((head.size, read), (bytes, bytes), "{key}");
    assert!(head.checksum_sha256.is_none_or(|checksum| checksum == sha256), "{key}");
}

async fn number(world: &World, sql: &str) -> i64 {
    world.database.number(sql).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_that_s3_does_not_have() {
    let (world, proxy) = behind_a_proxy().await;
    let _worker = world.start(&[]);
    let (client, stop) = serve(&world).await;
    let photos = [world.asset(photo("LadyBird.jpg")).await, world.asset(photo("TwoWings.jpg")).await];
    let faults = [
        ("down", Service { refused: 1.0, ..Service::default() }),
        ("refusing", Service { refused: 0.6, ..Service::default() }),
        ("breaking off", Service { truncated: 0.8, ..Service::default() }),
        ("slow", Service { delay: Duration::from_millis(400), ..Service::default() }),
    ];
    for (seconds, (name, service)) in (1..).zip(faults) {
        proxy.set(service);
        let sheet = MediaContactSheet { assets: photos.to_vec(), title: name.to_owned(), columns: 2 };
        let new = [transcode(&world, film("64x36", seconds)).await, NewJob::of(&sheet).unwrap()];
        let [film, sheet]: [JobId; 2] = world.enqueue(&new).await.try_into().unwrap();
        let files = json!([{"asset": photos[0], "name": "a.jpg"}, {"asset": photos[1], "name": "b.jpg"}]);
        let (status, delivery) = client.post("/v1/deliveries", json!({"title": name, "files": files})).await;
        assert_eq!(status, 201, "{delivery}");
        let tried = format!(
            "select count(distinct job_id) from attempt where job_id in ('{}', '{}')",
            film.as_uuid(),
            sheet.as_uuid()
        );
        eventually("both to be tried", SOON, || async { (number(&world, &tried).await == 2).then_some(()) })
            .await;
        if name == "down" {
            assert_eq!(number(&world, "select count(*) from film").await, 0);
            assert_eq!(number(&world, "select count(*) from delivery_archive").await, 0);
        }
        proxy.set(Service::default());
        for file in result::<Film>(&world, film).await.files {
            is_whole(&world, &file.key, file.bytes).await;
        }
        for page in result::<ContactSheet>(&world, sheet).await.pages {
            is_whole(&world, &page.key, page.bytes).await;
        }
        let path = format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap());
        let packed = eventually("the delivery to be packed", SOON, || async {
            let delivery = client.get(&path).await;
            (delivery["archives"].as_array().unwrap().len() == 2).then_some(delivery)
        })
        .await;
        for archive in packed["archives"].as_array().unwrap() {
            let variant = archive["variant"].as_str().unwrap();
            let url = format!("{}/archive/{variant}", packed["link"].as_str().unwrap());
            told("unzip", &["-tqq"], &client.http.get(url).send().await.unwrap().bytes().await.unwrap());
        }
    }
    stop.cancel();
}

#[tokio::test]
async fn a_film_that_needs_more_memory_than_it_may_use_is_given_up_and_nobody_else_minds() {
    let world = World::new().await;
    let worker = world.start(&["--video-memory-mib", "768"]);
    let large = NewJob { max_attempts: 1, ..transcode(&world, film("3840x2160", 1)).await };
    let small = transcode(&world, film("64x36", 1)).await;
    let [large, small]: [JobId; 2] = world.enqueue(&[large, small]).await.try_into().unwrap();
    let given_up = world.reaches(large, State::Discarded).await;
    let problem: Problem = serde_json::from_value(given_up.error.unwrap().0).unwrap();
    assert!(["out_of_budget", "decoder_crashed"].contains(&problem.code.as_str()), "{problem:?}");
    result::<Film>(&world, small).await;
    assert!(!worker.is_dead());
    worker.ready().await;
}

/// Of so many seconds, a few KiB: what is made of it has sound of eight times the bits.
fn film_with_poor_sound(seconds: u32) -> Vec<u8> {
    film_of(&format!(
        "-f lavfi -i color=s=64x36:r=5:d={seconds} -f lavfi -i anoisesrc=d={seconds} -pix_fmt yuv420p -c:v libx264 \
         -c:a aac -b:a 16k -ac 1 -ar 16000"
    ))
}

#[tokio::test]
async fn a_film_without_room_on_the_disk_is_tried_again_where_there_is_room() {
    let world = World::new().await;
    let (large, small) = (film("640x360", 5), film_with_poor_sound(30));
    // One that does not fit itself, and one of which what is made does not.
    for (room, bytes) in [(large.len() / 2, large), (small.len() + 16 * 1_024, small)] {
        let full = world.start_with_room(room as u64, &[]);
        let job = transcode(&world, bytes).await;
        let job = world.enqueue(&[job]).await[0];
        let tried = eventually("the film to be tried", SOON, || async {
            let attempts = attempts::of_job(&world.api, world.tenant, job).await.unwrap();
            attempts.into_iter().find(|attempt| attempt.outcome != "running")
        })
        .await;
        let problem: Problem = serde_json::from_value(tried.error.unwrap().0).unwrap();
        assert_eq!((tried.outcome.as_str(), problem.code.as_str()), ("retried", "scratch"), "{problem:?}");
        eventually("no child and no file", SOON, || async {
            let files = std::fs::read_dir(world.scratch()).unwrap().count();
            (full.children().is_empty() && files == 0).then_some(())
        })
        .await;
        assert!(!full.is_dead());
        drop(full);
        let _other = world.start(&[]);
        for file in result::<Film>(&world, job).await.files {
            is_whole(&world, &file.key, file.bytes).await;
        }
    }
    let otherwise =
        "select count(*) from attempt where outcome <> 'completed' and error ->> 'code' <> 'scratch'";
    assert_eq!(number(&world, otherwise).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_cancelled_leaves_nothing_behind() {
    let (world, proxy) = behind_a_proxy().await;
    let _worker = world.start(&[]);
    let (client, stop) = serve(&world).await;
    let asset = world.asset(photo("LadyBird.jpg")).await;
    let files: Vec<Value> =
        (0..12).map(|nth| json!({"asset": asset, "name": format!("{nth}.jpg")})).collect();
    let body = json!({"title": "12 Elm Street", "files": files, "archives": ["mls"]});
    let delivery = deliver(&client, &body).await["id"].as_str().unwrap().parse().unwrap();
    // File after file, long enough to be met at work.
    proxy.set(Service { delay: Duration::from_millis(250), ..Service::default() });
    let zip = DeliveryZip { delivery, variant: Variant::Original, manifest_sha256: None };
    let zip = world.enqueue(&[NewJob::of(&zip).unwrap()]).await[0];
    let begun = || async { world.blobs.multipart_list("", 10).await.unwrap().len() };
    eventually("the archive to be begun", SOON, || async { (begun().await == 1).then_some(()) }).await;
    cancel::cancel(&world.api, world.tenant, zip, &Problem::new("cancelled", "enough")).await.unwrap();
    eventually("the work to stop, and what was begun to be taken back", GONE_WITHIN, || async {
        let has_stopped = world.state(zip).await == State::Cancelled;
        (has_stopped && begun().await == 0).then_some(())
    })
    .await;
    let objects = world.blobs.list("", 1_000).await.unwrap().objects;
    let archives =
        objects.iter().filter(|object| object.key.as_str().rsplit('.').next() == Some("zip")).count();
    assert_eq!(archives, 1, "that of before");
    stop.cancel();
}

/// More than twice a part of an upload: by the time half of it has come, some of the archive lies in S3.
const LARGE_BYTES: usize = 40_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_which_a_part_breaks_off_is_no_archive() {
    let (world, proxy) = behind_a_proxy().await;
    let (blobs, tenant) = (Blobs::connect(&world.s3).unwrap(), world.tenant.to_string());
    let source = Key::upload(&tenant, "there").unwrap();
    world.blobs.put(&source, vec![7; LARGE_BYTES].into(), "image/jpeg", "no-store").await.unwrap();
    let target = Key::archive(&tenant, "dlv_1", &"0".repeat(64), "mls").unwrap();
    let entry = Entry { name: "a.jpg", extension: None, key: source, bytes: LARGE_BYTES as u64 };
    let entries = [entry.clone(), entry];
    let reading = Service { cut: 1.0, ..Service::default() };
    let writing = Service { truncated: 1.0, ..Service::default() };
    for service in [reading, writing] {
        proxy.set(service);
        let error = archive::write(&blobs, &entries, &target, |_| {}).await.unwrap_err();
        assert!(matches!(error, ArchiveError::Blob(_)), "{error:?}");
        proxy.set(Service::default());
        assert_eq!(world.blobs.head(&target).await.unwrap(), None, "{service:?}");
        eventually("what was begun to be taken back", SOON, || async {
            world.blobs.multipart_list(target.as_str(), 10).await.unwrap().is_empty().then_some(())
        })
        .await;
    }
    archive::write(&blobs, &entries, &target, |_| {}).await.unwrap();
    told("unzip", &["-tqq"], &world.blobs.get(&target, 3 * LARGE_BYTES as u64).await.unwrap());
}
