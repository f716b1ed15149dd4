use std::{net::SocketAddr, path::PathBuf};

use blob::{Blobs, Options, embedded};
use bytes::Bytes;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

pub(crate) const ACCESS_KEY: &str = "test-access";
pub(crate) const SECRET_KEY: &str = "test-secret";
pub(crate) const BUCKET: &str = "crewline";
pub(crate) const SHA: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
pub(crate) const MIB: usize = 1024 * 1024;

pub(crate) struct Server {
    pub(crate) blobs: Blobs,
    pub(crate) address: SocketAddr,
    dir: TempDir,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<(), embedded::EmbeddedError>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        // reqwest is built without a provider; the first test to come installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = TempDir::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let root = dir.path().join("s3");
        let serving = tokio::spawn(async move {
            let stopped = async move { drop(stopped.await) };
            embedded::serve(listener, &root, ACCESS_KEY, SECRET_KEY, stopped).await
        });
        let blobs = Blobs::connect(&options(address)).unwrap();
        blobs.ensure_bucket().await.unwrap();
        Self { blobs, address, dir, stop: Some(stop), serving }
    }

    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        self.serving.await.unwrap().unwrap();
    }
}

pub(crate) fn options(address: SocketAddr) -> Options {
    Options {
        endpoint: Some(format!("http://{address}")),
        region: "eu-central-1".to_owned(),
        bucket: BUCKET.to_owned(),
        access_key: ACCESS_KEY.into(),
        secret_key: SECRET_KEY.into(),
        path_style: true,
        public_endpoint: None,
        connect_timeout_s: 1,
        attempt_timeout_s: 10,
        operation_timeout_s: 20,
        idle_timeout_s: 5,
        attempts_max: 2,
        part_bytes: blob::PART_BYTES_MIN,
    }
}

/// Content of which no two places look alike.
pub(crate) fn content(bytes: usize) -> Bytes {
    (0..bytes).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}
