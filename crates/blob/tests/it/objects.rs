use blob::{Head, Key};
use sha2::{Digest, Sha256};

use crate::server::{MIB, SHA, Server, content};

#[tokio::test]
async fn what_is_put_is_what_is_read() {
    let server = Server::start().await;
    let blobs = &server.blobs;
    blobs.check().await.unwrap();
    blobs.ensure_bucket().await.unwrap();
    let (key, body) = (Key::original("acme", SHA).unwrap(), content(MIB));
    assert_eq!(blobs.head(&key).await.unwrap(), None);

    let put = blobs.put(&key, body.clone(), "image/jpeg", "private, max-age=60").await.unwrap();
    let sha256_hex = hex::encode(Sha256::digest(&body));
    assert_eq!(
        put,
        Head {
            size: MIB as u64,
            etag: put.etag.clone(),
            content_type: Some("image/jpeg".to_owned()),
            checksum_sha256: Some(sha256_hex.clone()),
            cache_control: Some("private, max-age=60".to_owned()),
        }
    );
    assert_eq!(blobs.head(&key).await.unwrap().as_ref(), Some(&put));
    assert_eq!(blobs.get(&key, MIB as u64).await.unwrap(), body);
    assert_eq!(blobs.get_prefix(&key, 12).await.unwrap(), body.slice(..12));
    assert_eq!(blobs.get_prefix(&key, 0).await.unwrap().len(), 0);
    assert_eq!(blobs.get_prefix(&key, 3 * MIB as u64).await.unwrap(), body);
    assert_eq!(blobs.sha256(&key, MIB as u64).await.unwrap(), (sha256_hex.clone(), MIB as u64));

    let path = server.scratch("downloaded");
    let downloaded = blobs.download(&key, &path, MIB as u64).await.unwrap();
    assert_eq!((downloaded.size, downloaded.sha256_hex), (MIB as u64, sha256_hex));
    assert_eq!(std::fs::read(&path).unwrap(), body);
    server.stop().await;
}

#[tokio::test]
async fn an_empty_object_is_an_object() {
    let server = Server::start().await;
    let key = Key::upload("acme", "empty").unwrap();
    server.blobs.put(&key, content(0), "text/plain", "no-store").await.unwrap();
    assert_eq!(server.blobs.head(&key).await.unwrap().unwrap().size, 0);
    assert_eq!(server.blobs.get(&key, 0).await.unwrap().len(), 0);
    assert_eq!(server.blobs.get_prefix(&key, 16).await.unwrap().len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn files_go_up_whole_or_in_parts() {
    let server = Server::start().await;
    let tenant = "0198a2f4-5a7c-7000-8000-000000000001";
    let key = Key::rendition(tenant, SHA, "listing_web@12", "1080p", "mp4").unwrap();
    for (size, is_whole) in [(5 * MIB, true), (5 * MIB + 1, false), (12 * MIB + 345, false)] {
        let (path, body) = (server.scratch("source"), content(size));
        std::fs::write(&path, &body).unwrap();
        let put = server.blobs.put_file(&key, &path, "video/mp4", "public, max-age=31536000").await.unwrap();
        assert_eq!(put.size, size as u64);
        assert_eq!(put.content_type.as_deref(), Some("video/mp4"));
        assert_eq!(put.cache_control.as_deref(), Some("public, max-age=31536000"));
        assert_eq!(put.checksum_sha256, Some(hex::encode(Sha256::digest(&body))));
        assert_eq!(put.etag.contains('-'), !is_whole, "{}", put.etag);
        let head = server.blobs.head(&key).await.unwrap().unwrap();
        assert_eq!((head.size, head.etag, head.content_type), (put.size, put.etag, put.content_type));
        assert_eq!(server.blobs.get(&key, size as u64).await.unwrap(), body);
    }
    server.stop().await;
}

#[tokio::test]
async fn copies_keep_what_they_are() {
    let server = Server::start().await;
    let (from, to) = (Key::upload("acme", "1").unwrap(), Key::original("acme", SHA).unwrap());
    let put = server.blobs.put(&from, content(4_000), "image/png", "no-store").await.unwrap();
    server.blobs.copy(&from, &to).await.unwrap();
    server.blobs.copy(&from, &to).await.unwrap();
    let copy = server.blobs.head(&to).await.unwrap().unwrap();
    assert_eq!((copy.size, copy.etag), (put.size, put.etag));
    assert_eq!((copy.content_type, copy.cache_control), (put.content_type, put.cache_control));

    server.blobs.delete(&from).await.unwrap();
    server.blobs.delete(&from).await.unwrap();
    assert_eq!(server.blobs.head(&from).await.unwrap(), None);
    assert!(server.blobs.copy(&from, &to).await.unwrap_err().is_not_found());
    assert_eq!(server.blobs.get(&to, 4_000).await.unwrap(), content(4_000));
    server.stop().await;
}

#[tokio::test]
async fn lists_come_in_pages() {
    let server = Server::start().await;
    for tenant in ["acme", "bolt"] {
        for upload in ["1", "2", "3"] {
            let key = Key::upload(tenant, upload).unwrap();
            server.blobs.put(&key, content(10), "text/plain", "no-store").await.unwrap();
        }
    }
    let page = server.blobs.list("acme/", 2).await.unwrap();
    let names: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!((names, page.has_more, page.foreign), (vec!["acme/u/1", "acme/u/2"], true, 0));
    assert_eq!(page.objects[0].size, 10);
    assert!(page.objects[0].modified_at.is_some());

    let rest = server.blobs.list_after("acme/", page.last_key.as_deref().unwrap(), 2).await.unwrap();
    let names: Vec<&str> = rest.objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!((names, rest.has_more), (vec!["acme/u/3"], false));
    assert!(server.blobs.list("nobody/", 10).await.unwrap().objects.is_empty());
    server.stop().await;
}
