//! An S3 server in this process, on a directory. **For development and tests only**: nothing is synced to disk,
//! and its bookkeeping lies in hidden files beside the buckets.
//!
//! It speaks real HTTP, so signatures, streaming and browsers behave as against S3. What it stores under a key it
//! checks as strictly as [`Key`](crate::Key) does.

mod store;

use std::{convert::Infallible, io, path::Path, pin::pin, time::Duration};

use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue,
    },
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
};
use s3s::{
    Body,
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use store::Store;

const STOP_TIMEOUT: Duration = Duration::from_secs(5);
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Why the embedded server did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The directory cannot be made.
    #[error("could not create the directory for the embedded S3")]
    Directory(#[source] io::Error),
    /// The directory cannot be used as a store.
    #[error("could not open the directory for the embedded S3: {reason}")]
    Open {
        /// What was wrong with it.
        reason: String,
    },
}

/// Serves buckets from `dir` until `stop` is done, then lets running requests end, for at most five seconds.
pub async fn serve(
    listener: TcpListener,
    dir: &Path,
    access_key: &str,
    secret_key: &str,
    stop: impl Future<Output = ()>,
) -> Result<(), EmbeddedError> {
    tokio::fs::create_dir_all(dir).await.map_err(EmbeddedError::Directory)?;
    let store = Store::open(dir).map_err(|error| EmbeddedError::Open { reason: format!("{error:?}") })?;
    let mut builder = S3ServiceBuilder::new(store);
    builder.set_auth(SimpleAuth::from_single(access_key, secret_key));
    let s3 = builder.build();

    let (mut connections, graceful) = (JoinSet::new(), GracefulShutdown::new());
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, s3.clone(), graceful.watcher()));
                }
                // Out of file descriptors, most likely. It passes; a busy loop would not let it.
                Err(error) => {
                    tracing::warn!(%error, "The embedded S3 could not accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(STOP_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("The embedded S3 cuts off {} connections", connections.len());
    }
    Ok(())
}

async fn connection(stream: TcpStream, s3: S3Service, watcher: hyper_util::server::graceful::Watcher) {
    // Without it every small answer waits 40 ms for the client's acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "The client of the embedded S3 is gone");
        return;
    }
    let service = service_fn(move |request| {
        let s3 = s3.clone();
        async move { Ok::<_, Infallible>(answer(&s3, request).await) }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error, "A connection to the embedded S3 broke");
    }
}

async fn answer(s3: &S3Service, request: Request<Incoming>) -> Response<Body> {
    let requested = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = if request.method() == Method::OPTIONS {
        with_status(StatusCode::NO_CONTENT)
    } else {
        s3.call(request.map(Body::from)).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "The embedded S3 could not answer");
            with_status(StatusCode::INTERNAL_SERVER_ERROR)
        })
    };
    // Any page may use it: what protects an object is the signature.
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, PUT, POST, DELETE"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, requested.unwrap_or(HeaderValue::from_static("*")));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("etag, content-length, content-range, content-type, x-amz-request-id"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

fn with_status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
