//! Serving: connections with limits, and an end that lets running requests finish.

use std::{io, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use axum::{body::Body, extract::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tower::ServiceExt;

use crate::{AppState, limits::GRACE, router};

const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// How often histograms are condensed, whether or not anybody scrapes them.
const UPKEEP: Duration = Duration::from_secs(5);
/// Bytes of the head of a request, and so of its longest header.
const HEAD_BYTES_MAX: usize = 64 * 1024;

type Service = axum::Router;

/// Who opened the connection: a client, or a proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Answers on `listener` until `stop` is done, then lets running requests end, for at most ten seconds. Event streams
/// are ended at once: their clients come back to another process with `Last-Event-ID`.
///
/// # Errors
/// None once it runs: what goes wrong with one connection is that connection's end.
pub async fn serve(listener: TcpListener, app: AppState, stop: impl Future<Output = ()>) -> io::Result<()> {
    let address = listener.local_addr()?;
    let service = router(app.clone());
    let mut background = JoinSet::new();
    background.spawn(listen(app.clone()));
    background.spawn(upkeep(app.clone()));
    tracing::info!(%address, "Listening on {address}");

    let places = Arc::new(Semaphore::new(app.settings.connections_max));
    let (mut connections, graceful) = (JoinSet::new(), GracefulShutdown::new());
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            (place, accepted) = accept(&listener, &places) => match accepted {
                Ok(stream) => {
                    let watcher = graceful.watcher();
                    connections.spawn(connection(stream, service.clone(), app.clone(), watcher, place));
                }
                // Out of file descriptors, most likely. It passes; a busy loop would not let it.
                Err(error) => {
                    tracing::warn!(%error, "Could not accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    drop(listener);
    tracing::info!("Stopping: {} connections may finish what they began", connections.len());
    app.stopping.cancel();
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("Cutting off {} connections after {} s", connections.len(), GRACE.as_secs());
    }
    Ok(())
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (Option<OwnedSemaphorePermit>, io::Result<TcpStream>) {
    let place = places.clone().acquire_owned().await.ok();
    (place, listener.accept().await.map(|(stream, _)| stream))
}

async fn listen(app: AppState) {
    app.hub.listen(&app.db, &app.stopping).await;
}

async fn upkeep(app: AppState) {
    let Some(handle) = &app.metrics else { return };
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

async fn connection(
    stream: TcpStream,
    service: Service,
    app: AppState,
    watcher: Watcher,
    place: Option<OwnedSemaphorePermit>,
) {
    // Without it every small answer waits 40 ms for the client's acknowledgement.
    let peer = match stream.set_nodelay(true).and_then(|()| stream.peer_addr()) {
        Ok(peer) => Peer(peer.ip()),
        Err(error) => {
            tracing::debug!(%error, "The client is gone");
            return;
        }
    };
    let service = service.map_request(move |mut request: hyper::Request<Incoming>| -> Request {
        request.extensions_mut().insert(peer);
        request.map(Body::new)
    });
    // HTTP/1 only: telling the versions apart would wait for first bytes that a slow client need never send. What
    // speaks HTTP/2 to browsers is the proxy that also does TLS.
    let mut http = auto::Builder::new(TokioExecutor::new()).http1_only();
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(app.settings.header_read_timeout_ms))
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(true);
    let served = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned();
    if let Err(error) = watcher.watch(served).await {
        tracing::debug!(error, "A connection broke");
    }
    drop(place);
}
