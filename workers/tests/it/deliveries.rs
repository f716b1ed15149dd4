//! From photographs to a page that anybody with the link can open, and archives that any program can unpack.

use std::process::Command;

use blob::Key;
use jobs::{
    AssetId, DeliveryId, State, Variant,
    kinds::{delivery_publish::DeliveryPublish, delivery_zip::DeliveryZip},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use store::enqueue::NewJob;
use testkit::eventually;
use workers::archive::{self, ArchiveError, Entry};

use crate::{
    journeys::{Client, serve},
    world::{SOON, Worker, World, photo},
};

pub(crate) async fn deliver(client: &Client, body: &Value) -> Value {
    let (status, made) = client.post("/v1/deliveries", body.clone()).await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/v1/deliveries/{}", made["id"].as_str().unwrap());
    let packed = body["archives"].as_array().map_or(2, Vec::len);
    eventually("the delivery to be open and packed", SOON, || async {
        let delivery = client.get(&path).await;
        (delivery["archives"].as_array().unwrap().len() == packed && delivery["state"] == "open")
            .then_some(delivery)
    })
    .await
}

/// What `program` answers about `archive`, once it finds nothing wrong with it.
pub(crate) fn told(program: &str, arguments: &[&str], archive: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive.zip");
    std::fs::write(&path, archive).unwrap();
    let told = Command::new(program).args(arguments).arg(&path).output().expect("./dev test installs it");
    assert!(told.status.success(), "{told:?}");
    String::from_utf8(told.stdout).unwrap()
}

/// Names, sizes and checksums by Python's own reader, which checks each file on the way.
const LIST: &str = "import sys, zipfile, json\n\
    z = zipfile.ZipFile(sys.argv[1])\n\
    assert z.testzip() is None\n\
    print(json.dumps([[i.filename, i.file_size, i.compress_type] for i in z.infolist()]))";

#[tokio::test(flavor = "multi_thread")]
async fn photographs_become_a_page_and_archives() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let (client, stop) = serve(&world).await;
    let (kitchen, bath) =
        (world.asset(photo("LadyBird.jpg")).await, world.asset(photo("TwoWings.jpg")).await);
    let files = json!([
        {"asset": kitchen, "name": "Küche.jpg"}, {"asset": bath, "name": "浴室.jpg"}, {"asset": kitchen, "name": "küche.JPG"},
    ]);
    let delivery = deliver(&client, &json!({"title": "12 Elm Street", "files": files})).await;

    let link = delivery["link"].as_str().unwrap();
    let page = client.http.get(link).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let csp = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(csp.starts_with("default-src 'none';") && !csp.contains("unsafe"), "{csp}");
    let page = page.text().await.unwrap();
    assert!(page.contains("12 Elm Street") && page.contains("浴室.jpg"), "{page}");
    let shown = client.http.get(format!("{link}/files/2/screen")).send().await.unwrap();
    assert_eq!(
        (shown.status(), shown.headers()["content-type"].to_str().unwrap()),
        (StatusCode::OK, "image/webp")
    );
    let colours =
        client.http.get(format!("{link}/placeholders.css")).send().await.unwrap().text().await.unwrap();
    assert_eq!(colours.matches("linear-gradient").count(), 3, "{colours}");

    for archive in delivery["archives"].as_array().unwrap() {
        let variant = archive["variant"].as_str().unwrap();
        let url = format!("{link}/archive/{variant}");
        // Who leaves half-way may come again.
        let mut left = client.http.get(&url).send().await.unwrap();
        assert!(left.chunk().await.unwrap().is_some());
        drop(left);
        let bytes = client.http.get(url).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes.len() as i64, archive["bytes"].as_i64().unwrap());
        told("unzip", &["-tqq"], &bytes);
        let listed: Value = serde_json::from_str(&told("python3", &["-c", LIST], &bytes)).unwrap();
        let names: Vec<_> = listed.as_array().unwrap().iter().map(|file| file[0].as_str().unwrap()).collect();
        let twice = if variant == "mls" { "küche (2).jpg" } else { "küche (2).JPG" };
        assert_eq!(names, ["Küche.jpg", "浴室.jpg", twice]);
        assert!(listed.as_array().unwrap().iter().all(|file| file[2] == 0), "stored, not deflated: {listed}");
    }
    let again = world.enqueue(&[zip(delivery["id"].as_str().unwrap().parse().unwrap())]).await[0];
    let again = world.reaches(again, State::Completed).await.result.unwrap();
    assert_eq!(again.0.inline().unwrap()["reused"], true, "an archive is not packed twice");
    stop.cancel();
}

fn zip(delivery: DeliveryId) -> NewJob {
    NewJob::of(&DeliveryZip { delivery, variant: Variant::Mls, manifest_sha256: None }).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_shows_nothing_once_it_is_taken_back_or_altered() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let (client, stop) = serve(&world).await;
    let asset = world.asset(photo("LadyBird.jpg")).await;
    let body = json!({"title": "x", "files": [{"asset": asset}], "archives": ["mls"]});
    let delivery = deliver(&client, &body).await;
    assert_eq!(delivery["publishing"], Value::Null);
    let link = delivery["link"].as_str().unwrap();
    let shown = client.http.get(link).send().await.unwrap().text().await.unwrap();
    assert!(shown.contains("/files/1/mls") && !shown.contains("original"), "{shown}");
    let status = async |link: &str| client.http.get(link).send().await.unwrap().status();
    let (page, name) = link.split_at(link.find("dlv_").unwrap());
    let longer = format!("{page}{}", name.replacen(".1", ".2", 1));
    for altered in [&link[..link.len() - 1], &longer, &format!("{link}.1"), &link.replace("dlv_0", "dlv_1")] {
        assert_eq!(status(altered).await, StatusCode::NOT_FOUND, "{altered}");
    }
    for under in ["/files/1/grid", "/files/1/mls", "/archive/mls", "/placeholders.css", ""] {
        assert_eq!(status(&format!("{link}{under}")).await, StatusCode::OK, "{under}");
    }
    let nothings = ["/files/0/grid", "/files/2/grid", "/files/1/huge", "/archive/all"];
    let not_asked_for =
        ["/files/1/original", "/files/1/print", "/archive/original", "/archive/print_branded"];
    for nothing in nothings.into_iter().chain(not_asked_for) {
        assert_eq!(status(&format!("{link}{nothing}")).await, StatusCode::NOT_FOUND, "{nothing}");
    }
    let ends = async |end: &str| {
        let sql = format!("update delivery set expires_at = now() + interval '{end}'");
        world.database.execute(&sql).await.unwrap();
    };
    ends("-1 s").await;
    for under in ["", "/files/1/grid", "/files/1/mls", "/archive/mls", "/placeholders.css"] {
        assert_eq!(status(&format!("{link}{under}")).await, StatusCode::GONE, "{under}");
    }
    for (under, form) in [("approve", ""), ("files/1/notes", "text=darker&x=1&y=1")] {
        let saying = client.http.post(format!("{link}/{under}")).body(form);
        let said = saying.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        assert_eq!(said.status(), StatusCode::GONE, "{under}");
    }
    let told = client.get(&format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap())).await;
    assert_eq!((&told["state"], &told["approved_at"]), (&json!("expired"), &Value::Null));
    ends("1 day").await;
    assert_eq!(status(link).await, StatusCode::OK);
    let path = format!("/v1/deliveries/{}/revoke", delivery["id"].as_str().unwrap());
    let revoked = client.http.post(format!("{}{path}", client.url)).bearer_auth(&client.key);
    assert_eq!(revoked.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    for under in ["", "/files/1/grid", "/archive/mls", "/placeholders.css"] {
        assert_eq!(status(&format!("{link}{under}")).await, StatusCode::GONE, "{under}");
    }
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_or_is_held_since_is_not_served_any_more() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let (client, stop) = serve(&world).await;
    let (removed, held) = (world.asset(photo("LadyBird.jpg")).await, world.asset(photo("Garden.jpg")).await);
    let files = json!([{"asset": removed}, {"asset": held}, {"asset": held}]);
    let body = json!({"title": "x", "files": files, "archives": ["mls", "original"]});
    let delivery = deliver(&client, &body).await;
    let (id, link) = (delivery["id"].as_str().unwrap(), delivery["link"].as_str().unwrap());
    let archives = async || client.get(&format!("/v1/deliveries/{id}")).await["archives"].clone();
    let state = async |state: &str| {
        let sql = format!("update asset set state = '{state}' where id = '{}'", held.as_uuid());
        world.database.execute(&sql).await.unwrap();
    };
    state("infected").await;
    assert_eq!(archives().await, json!([]), "one of the files in them is held");
    state("clean").await;
    assert_eq!(archives().await.as_array().unwrap().len(), 2);
    let status = async |under: &str| client.http.get(format!("{link}{under}")).send().await.unwrap().status();
    let path = format!("{}/v1/assets/{removed}", client.url);
    let deleted = client.http.delete(path).bearer_auth(&client.key).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    for under in ["/files/1/original", "/files/1/grid", "/files/1/mls", "/archive/mls"] {
        assert_eq!(status(under).await, StatusCode::GONE, "{under}");
    }
    assert_eq!(archives().await, json!([]), "one of the files in them is deleted");
    let job = world.enqueue(&[zip(id.parse().unwrap())]).await[0];
    let refused = world.reaches(job, State::Discarded).await;
    assert_eq!(refused.error.unwrap().0["code"], "file_held");
    assert_eq!(status("/files/2/original").await, StatusCode::OK);
    let page = client.http.get(link).send().await.unwrap().text().await.unwrap();
    assert_eq!(page.matches("Taken back").count(), 1, "{page}");
    assert!(!page.contains("/files/1/") && !page.contains("/archive/") && page.contains("/files/2/grid"));
    state("infected").await;
    for under in ["/files/2/original", "/files/3/screen"] {
        assert_eq!(status(under).await, StatusCode::GONE, "{under}");
    }
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_again_before_it_is_packed_is_packed_as_it_is_now() {
    let world = World::new().await;
    // Nobody packs.
    let worker = world.start(&["--queues", "default,media"]);
    let (client, stop) = serve(&world).await;
    let asset = world.asset(photo("LadyBird.jpg")).await;
    let body = json!({"title": "x", "files": [{"asset": asset}], "archives": ["original"]});
    let (_, made) = client.post("/v1/deliveries", body).await;
    let delivery: DeliveryId = made["id"].as_str().unwrap().parse().unwrap();
    let packers = async |count: i64| {
        eventually("the archive to be asked for", SOON, || async {
            let packers = world.database.number("select count(*) from job where kind = 'delivery.zip'").await;
            (packers.unwrap() == count).then_some(())
        })
        .await;
    };
    packers(1).await;
    let named =
        format!("update delivery_item set name = 'b.jpg' where delivery_id = '{}'", delivery.as_uuid());
    world.database.execute(&named).await.unwrap();
    let again = DeliveryPublish { delivery, archives: vec![Variant::Original] };
    world.enqueue(&[NewJob::of(&again).unwrap()]).await;
    packers(2).await;
    drop(worker);
    let _worker = world.start(&[]);
    let packed = eventually("the archive to be packed", SOON, || async {
        let delivery = client.get(&format!("/v1/deliveries/{delivery}")).await;
        delivery["archives"].as_array().unwrap().first().cloned()
    })
    .await;
    let archive = client.http.get(packed["url"].as_str().unwrap()).send().await.unwrap();
    let listed = told("python3", &["-c", LIST], &archive.bytes().await.unwrap());
    assert!(listed.contains("b.jpg"), "{listed}");
    packers(0).await;
    let stale = "select count(*) from attempt where kind = 'delivery.zip' and final_state = 'cancelled'
        and error ->> 'code' = 'published_again'";
    assert_eq!(world.database.number(stale).await.unwrap(), 1);
    stop.cancel();
}

/// Object keys of the archives that lie in S3.
async fn archives(world: &World) -> Vec<String> {
    let listed = world.blobs.list(&format!("{}/d/", world.tenant), 1_000).await.unwrap();
    listed.objects.into_iter().map(|object| object.key.to_string()).collect()
}

/// Lets a worker look as if hours had passed, until `count` archives are left.
async fn buried(world: &World, worker: Worker, count: usize) -> Worker {
    drop(worker);
    let past = "update archive_grave set due_at = due_at - interval '4 hours'";
    world.database.execute(past).await.unwrap();
    // A worker looks when it starts.
    let worker = world.start(&[]);
    eventually("archives to be removed", SOON, || async {
        (archives(world).await.len() == count).then_some(())
    })
    .await;
    worker
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_go_when_nobody_may_have_them() {
    let world = World::new().await;
    let worker = world.start(&[]);
    let (client, stop) = serve(&world).await;
    let (kept, gone) = (world.asset(photo("LadyBird.jpg")).await, world.asset(photo("Garden.jpg")).await);
    let body = |asset: AssetId| json!({"title": "x", "files": [{"asset": asset}], "archives": ["original"]});
    let published = deliver(&client, &body(kept)).await;
    let delivery: DeliveryId = published["id"].as_str().unwrap().parse().unwrap();
    let first = archives(&world).await;

    let named =
        format!("update delivery_item set name = 'b.jpg' where delivery_id = '{}'", delivery.as_uuid());
    world.database.execute(&named).await.unwrap();
    let again = DeliveryPublish { delivery, archives: vec![Variant::Original] };
    world.enqueue(&[NewJob::of(&again).unwrap()]).await;
    eventually("both archives to be there", SOON, || async {
        let shown = client.get(&format!("/v1/deliveries/{delivery}")).await["archives"].clone();
        (archives(&world).await.len() == 2 && shown.as_array().unwrap().len() == 1).then_some(())
    })
    .await;
    let worker = buried(&world, worker, 1).await;
    assert_ne!(archives(&world).await, first, "what was published last is there");

    deliver(&client, &body(gone)).await;
    assert_eq!(archives(&world).await.len(), 2);
    let request = async |method: reqwest::Method, path: String| {
        let request = client.http.request(method, format!("{}{path}", client.url)).bearer_auth(&client.key);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT, "{path}");
    };
    request(reqwest::Method::DELETE, format!("/v1/assets/{gone}")).await;
    let worker = buried(&world, worker, 1).await;

    let ended = deliver(&client, &body(kept)).await["id"].as_str().unwrap().parse::<DeliveryId>().unwrap();
    let sql = "update delivery set expires_at = now() - interval '1 s'";
    world.database.execute(&format!("{sql} where id = '{}'", ended.as_uuid())).await.unwrap();
    world.database.execute("update archive_grave g set due_at = now() + interval '3 hours'").await.unwrap();
    let worker = buried(&world, worker, 1).await;
    assert_eq!(world.database.number("select count(*) from delivery_archive").await.unwrap(), 1);

    request(reqwest::Method::DELETE, format!("/v1/deliveries/{delivery}")).await;
    let _worker = buried(&world, worker, 0).await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_waits_for_its_pictures() {
    let world = World::new().await;
    // Nobody makes pictures.
    let _worker = world.start(&["--queues", "default"]);
    let (client, stop) = serve(&world).await;
    let asset = world.asset(photo("LadyBird.jpg")).await;
    let (_, made) = client.post("/v1/deliveries", json!({"title": "x", "files": [{"asset": asset}]})).await;
    let waits = "select count(*) from job where kind = 'delivery.publish' and last_error ->> 'code' = 'waiting_for_media'";
    eventually("the delivery to wait", SOON, || async {
        (world.database.number(waits).await.unwrap() == 1).then_some(())
    })
    .await;
    let page = client.http.get(made["link"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_says_why_it_cannot_be_published() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let (client, stop) = serve(&world).await;
    let whole = photo("LadyBird.jpg");
    let (good, broken) =
        (world.asset(whole.clone()).await, world.asset(whole[..whole.len() / 2].to_vec()).await);
    let files = json!([{"asset": good}, {"asset": broken, "name": "Bath.jpg"}]);
    let (_, made) = client.post("/v1/deliveries", json!({"title": "x", "files": files})).await;
    let path = format!("/v1/deliveries/{}", made["id"].as_str().unwrap());
    let told = eventually("the publishing to be given up", SOON, || async {
        let delivery = client.get(&path).await;
        (delivery["publishing"]["state"] == "discarded").then_some(delivery)
    })
    .await;
    let error = &told["publishing"]["error"];
    assert_eq!((&told["state"], &error["code"]), (&json!("preparing"), &json!("media_not_made")));
    assert!(error["message"].as_str().unwrap().contains("Bath.jpg"), "{error}");
    stop.cancel();
}

#[tokio::test]
async fn a_missing_file_leaves_no_archive_behind() {
    let world = World::new().await;
    let tenant = world.tenant.to_string();
    let (there, gone) = (Key::upload(&tenant, "there").unwrap(), Key::upload(&tenant, "gone").unwrap());
    let content = bytes::Bytes::from(vec![7; 20_000_000]);
    world.blobs.put(&there, content.clone(), "image/jpeg", "no-store").await.unwrap();
    let target = Key::archive(&tenant, "dlv_1", &"0".repeat(64), "mls").unwrap();
    let entry = |key: &Key, bytes| Entry { name: "a.jpg", extension: None, key: key.clone(), bytes };
    let pack = async |entries: &[Entry<'_>]| archive::write(&world.blobs, entries, &target, |_| {}).await;

    let missing = pack(&[entry(&there, 20_000_000), entry(&gone, 1)]).await.unwrap_err();
    assert!(matches!(missing, ArchiveError::Missing { .. }), "{missing:?}");
    let changed = pack(&[entry(&there, 19_999_999)]).await.unwrap_err();
    assert!(matches!(changed, ArchiveError::Changed { bytes: 20_000_000, .. }), "{changed:?}");
    assert_eq!(world.blobs.head(&target).await.unwrap(), None);
    eventually("what was begun to be taken back", SOON, || async {
        world.blobs.multipart_list(target.as_str(), 10).await.unwrap().is_empty().then_some(())
    })
    .await;

    let made = pack(&[entry(&there, 20_000_000), entry(&there, 20_000_000)]).await.unwrap();
    let again = pack(&[entry(&there, 20_000_000), entry(&there, 20_000_000)]).await.unwrap();
    assert_eq!(made.checksum_sha256, again.checksum_sha256, "the same files make the same archive");
    told("unzip", &["-tqq"], &world.blobs.get(&target, 50_000_000).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_what_was_never_published_is_refused() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let job = world.enqueue(&[zip(DeliveryId::new())]).await[0];
    let discarded = world.reaches(job, State::Discarded).await;
    assert_eq!(discarded.error.unwrap().0["code"], "delivery_not_found");
}
