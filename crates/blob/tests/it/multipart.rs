use std::time::Duration;

use blob::{BlobError, Key, UploadId};
use bytes::Bytes;
use reqwest::{Client, StatusCode};

use crate::server::{MIB, Server, content};

const SOON: Duration = Duration::from_mins(5);

async fn put_part(server: &Server, key: &Key, upload: &UploadId, number: i32, body: Bytes) -> String {
    let bytes = body.len() as u64;
    let signed = server.blobs.multipart_presign_part(key, upload, number, bytes, SOON).await.unwrap();
    let request = signed
        .headers
        .iter()
        .fold(Client::new().put(&signed.url), |request, (name, value)| request.header(name, value));
    let answer = request.timeout(Duration::from_secs(20)).body(body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.headers()["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn clients_upload_in_parts() {
    let server = Server::start().await;
    let (key, body) = (Key::upload("acme", "film").unwrap(), content(11 * MIB));
    let upload = server.blobs.multipart_create(&key, "video/mp4").await.unwrap();
    let upload = UploadId::parse(upload.as_str()).unwrap();
    let mut parts = Vec::new();
    for (number, start) in [(3, 10 * MIB), (1, 0), (2, 5 * MIB)] {
        let end = (start + 5 * MIB).min(body.len());
        parts.push((number, put_part(&server, &key, &upload, number, body.slice(start..end)).await));
    }
    let head = server.blobs.multipart_complete(&key, &upload, &parts).await.unwrap();
    assert_eq!((head.size, head.content_type.as_deref()), (body.len() as u64, Some("video/mp4")));
    assert_eq!(head.checksum_sha256, None);
    assert!(head.etag.ends_with("-3"), "{}", head.etag);
    assert_eq!(server.blobs.get(&key, head.size).await.unwrap(), body);
    assert!(server.blobs.multipart_complete(&key, &upload, &parts).await.unwrap_err().is_not_found());
    server.stop().await;
}

#[tokio::test]
async fn a_part_has_the_length_that_was_signed() {
    let server = Server::start().await;
    let key = Key::upload("acme", "film").unwrap();
    let upload = server.blobs.multipart_create(&key, "video/mp4").await.unwrap();
    let signed = server.blobs.multipart_presign_part(&key, &upload, 1, 100, SOON).await.unwrap();
    let answer = Client::new().put(&signed.url).body(vec![0; 101]).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    server.stop().await;
}

#[tokio::test]
async fn what_was_begun_is_listed_until_it_is_ended() {
    let server = Server::start().await;
    let key = |of: &str, name: &str| Key::upload(of, name).unwrap();
    let (mine, ended, theirs) = (key("acme", "film"), key("acme", "plan"), key("acme2", "film"));
    let before = chrono::Utc::now() - chrono::TimeDelta::minutes(1);
    let upload = server.blobs.multipart_create(&mine, "video/mp4").await.unwrap();
    let other = server.blobs.multipart_create(&ended, "video/mp4").await.unwrap();
    server.blobs.multipart_create(&theirs, "video/mp4").await.unwrap();
    server.blobs.multipart_abort(&ended, &other).await.unwrap();
    let listed = server.blobs.multipart_list("acme/", 10).await.unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((&listed[0].key, &listed[0].upload_id), (&mine, &upload));
    assert!(listed[0].begun_at.unwrap() > before);
    server.stop().await;
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let server = Server::start().await;
    let key = Key::upload("acme", "film").unwrap();
    let upload = server.blobs.multipart_create(&key, "video/mp4").await.unwrap();
    let part = (1, put_part(&server, &key, &upload, 1, content(100)).await);
    server.blobs.multipart_abort(&key, &upload).await.unwrap();
    server.blobs.multipart_abort(&key, &upload).await.unwrap();
    assert!(server.blobs.multipart_complete(&key, &upload, &[part]).await.unwrap_err().is_not_found());
    assert_eq!(server.blobs.head(&key).await.unwrap(), None);
    server.stop().await;
}

#[tokio::test]
async fn parts_that_make_no_sense_are_refused_before_they_are_sent() {
    let server = Server::start().await;
    let (key, etag) = (Key::upload("acme", "film").unwrap(), "x".to_owned());
    let upload = server.blobs.multipart_create(&key, "video/mp4").await.unwrap();
    for parts in
        [vec![], vec![(0, etag.clone())], vec![(10_001, etag.clone())], vec![(1, etag.clone()), (1, etag)]]
    {
        let refused = server.blobs.multipart_complete(&key, &upload, &parts).await.unwrap_err();
        assert!(matches!(refused, BlobError::Parts { .. }), "{refused:?}");
    }
    assert!(server.blobs.multipart_presign_part(&key, &upload, 0, 1, SOON).await.is_err());
    assert!(UploadId::parse("a b").is_err());
    assert!(UploadId::parse("").is_err());
    server.stop().await;
}

#[tokio::test]
async fn uploads_completed_at_once_do_not_mix() {
    let server = Server::start().await;
    let mut waiting = tokio::task::JoinSet::new();
    for n in 1..=4_usize {
        let key = Key::upload("acme", &n.to_string()).unwrap();
        let upload = server.blobs.multipart_create(&key, "video/mp4").await.unwrap();
        let part = (1, put_part(&server, &key, &upload, 1, content(n * 1_000)).await);
        let blobs = server.blobs.clone();
        waiting.spawn(async move { blobs.multipart_complete(&key, &upload, &[part]).await.unwrap().size });
    }
    let mut sizes = waiting.join_all().await;
    sizes.sort_unstable();
    assert_eq!(sizes, [1_000, 2_000, 3_000, 4_000]);
    let listing = server.blobs.list("", 10).await.unwrap();
    assert_eq!((listing.objects.len(), listing.foreign), (4, 0));
    server.stop().await;
}
