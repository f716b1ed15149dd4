use std::time::{Duration, Instant};

use blob::{Blobs, Key};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use crate::server::options;

/// Announces 100 bytes, sends 50, and then either hangs up or says nothing more.
async fn half_a_body(hangs_up: bool) -> (Blobs, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = options(listener.local_addr().unwrap());
    options.idle_timeout_s = 1;
    let serving = tokio::spawn(async move {
        let mut silent = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await.unwrap();
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\netag: \"x\"\r\n\r\n";
            stream.write_all(head).await.unwrap();
            stream.write_all(&[7; 50]).await.unwrap();
            if !hangs_up {
                silent.push(stream);
            }
        }
    });
    (Blobs::connect(&options).unwrap(), serving)
}

#[tokio::test]
async fn half_a_body_is_an_error_and_leaves_no_file() {
    let dir = tempfile::TempDir::new().unwrap();
    let (key, path) = (Key::upload("acme", "1").unwrap(), dir.path().join("half"));
    for hangs_up in [true, false] {
        let (blobs, serving) = half_a_body(hangs_up).await;
        let asked = Instant::now();
        let error = blobs.download(&key, &path, 1_000).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert!(!path.exists());
        let error = blobs.get(&key, 1_000).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
        serving.abort();
    }
}
