use std::time::{Duration, Instant};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    error::ProvideErrorMetadata,
    primitives::ByteStream,
};
use blob::{BlobError, Blobs, Key};

use crate::server::{ACCESS_KEY, BUCKET, SECRET_KEY, Server, content, options};

// A client that checks nothing, as anybody with the keys could write it.
fn raw_client(server: &Server) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"))
        .endpoint_url(format!("http://{}", server.address))
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

#[tokio::test]
async fn keys_that_climb_are_refused_by_the_server() {
    let server = Server::start().await;
    let raw = raw_client(&server);
    raw.create_bucket().bucket("other").send().await.unwrap();
    let inside = Key::upload("acme", "1").unwrap();
    server.blobs.put(&inside, content(10), "text/plain", "no-store").await.unwrap();

    for key in
        ["../other/stolen", "../../stolen", "a/../../other/stolen", "a//b", "./a", ".multipart", "a\\b"]
    {
        let body = ByteStream::from_static(b"stolen");
        let put = raw.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap_err();
        assert_eq!(put.into_service_error().code(), Some("InvalidArgument"), "put {key:?}");
        let get = raw.get_object().bucket("other").key(key).send().await.unwrap_err();
        assert_eq!(get.into_service_error().code(), Some("InvalidArgument"), "get {key:?}");
        let head = raw.head_object().bucket(BUCKET).key(key).send().await.unwrap_err();
        assert_eq!(head.raw_response().unwrap().status().as_u16(), 400, "head {key:?}");
        let delete = raw.delete_object().bucket("other").key(key).send().await.unwrap_err();
        assert_eq!(delete.into_service_error().code(), Some("InvalidArgument"), "delete {key:?}");
        let create = raw.create_multipart_upload().bucket(BUCKET).key(key).send().await.unwrap_err();
        assert_eq!(create.into_service_error().code(), Some("InvalidArgument"), "create {key:?}");
    }
    for source in ["crewline/../crewline/acme/u/1", "../crewline/acme/u/1", "crewline/a/../acme/u/1"] {
        let copy = raw.copy_object().bucket("other").key("copy").copy_source(source).send().await;
        assert!(copy.is_err(), "copy {source:?}");
    }
    assert!(raw.list_objects_v2().bucket("other").prefix("../crewline/").send().await.is_err());
    assert_eq!(raw.list_objects_v2().bucket("other").send().await.unwrap().key_count(), Some(0));
    assert_eq!(server.blobs.list("", 10).await.unwrap().objects.len(), 1);
    assert!(!server.scratch("stolen").exists());
    server.stop().await;
}

#[tokio::test]
async fn a_key_too_long_for_the_embedded_server_is_an_answer_and_not_an_accident() {
    let server = Server::start().await;
    let key = Key::parse(&["a"; 100].join("/")).unwrap();
    let error = server.blobs.put(&key, content(1), "text/plain", "no-store").await.unwrap_err();
    assert!(!error.is_transient(), "{error:?}");
    server.stop().await;
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let server = Server::start().await;
    let key = Key::upload("acme", "1").unwrap();
    server.blobs.put(&key, content(1_001), "text/plain", "no-store").await.unwrap();
    let path = server.scratch("too-large");
    for refused in [
        server.blobs.get(&key, 1_000).await.unwrap_err(),
        server.blobs.download(&key, &path, 1_000).await.unwrap_err(),
        server.blobs.sha256(&key, 1_000).await.unwrap_err(),
    ] {
        assert!(matches!(refused, BlobError::TooLarge { bytes: 1_001, bytes_max: 1_000, .. }), "{refused:?}");
        assert!(!refused.is_transient() && !refused.is_not_found());
    }
    assert!(!path.exists());
    server.stop().await;
}

#[tokio::test]
async fn what_is_missing_is_said_to_be_missing() {
    let server = Server::start().await;
    let key = Key::upload("acme", "nothing").unwrap();
    let path = server.scratch("nothing");
    for error in [
        server.blobs.get(&key, 10).await.unwrap_err(),
        server.blobs.get_prefix(&key, 10).await.unwrap_err(),
        server.blobs.download(&key, &path, 10).await.unwrap_err(),
        server.blobs.sha256(&key, 10).await.unwrap_err(),
    ] {
        assert!(error.is_not_found() && !error.is_transient(), "{error:?}");
    }
    assert!(!path.exists());
    let mut elsewhere = options(server.address);
    elsewhere.bucket = "elsewhere".to_owned();
    assert!(Blobs::connect(&elsewhere).unwrap().check().await.unwrap_err().is_not_found());
    server.stop().await;
}

#[tokio::test]
async fn wrong_keys_do_not_become_right_by_waiting() {
    let server = Server::start().await;
    let mut stranger = options(server.address);
    stranger.secret_key = "guessed".into();
    let error = Blobs::connect(&stranger).unwrap().check().await.unwrap_err();
    assert!(!error.is_transient() && !error.is_not_found(), "{error:?}");
    assert!(!format!("{stranger:?}").contains("guessed"));
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_transient_and_takes_no_longer_than_allowed() {
    let server = Server::start().await;
    let key = Key::upload("acme", "1").unwrap();
    let blobs = server.blobs.clone();
    blobs.put(&key, content(10), "text/plain", "no-store").await.unwrap();
    server.stop().await;
    let asked = Instant::now();
    assert!(blobs.check().await.unwrap_err().is_transient());
    assert!(blobs.get(&key, 10).await.unwrap_err().is_transient());
    assert!(asked.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_transient_and_takes_no_longer_than_allowed() {
    // The system accepts for it; nobody ever reads.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut silent = options(listener.local_addr().unwrap());
    (silent.attempt_timeout_s, silent.operation_timeout_s, silent.attempts_max) = (1, 2, 5);
    let asked = Instant::now();
    let error = Blobs::connect(&silent).unwrap().check().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
}

#[test]
fn options_that_cannot_work_are_refused() {
    let good = options("127.0.0.1:9".parse().unwrap());
    let refused = |change: fn(&mut blob::Options)| {
        let mut options = good.clone();
        change(&mut options);
        matches!(Blobs::connect(&options), Err(BlobError::Configure { .. }))
    };
    assert!(Blobs::connect(&good).is_ok());
    assert!(refused(|options| options.endpoint = Some("localhost:9000".to_owned())));
    assert!(refused(|options| options.bucket.clear()));
    assert!(refused(|options| options.attempts_max = 0));
    assert!(refused(|options| options.part_bytes = 1));
    assert!(refused(|options| options.idle_timeout_s = 0));
    assert!(refused(|options| options.attempt_timeout_s = 1_000));
}
