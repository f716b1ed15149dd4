//! A web server that misbehaves: a proxy that understands requests, so that it can refuse, delay and truncate them.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited, combinators::BoxBody};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use rand::Rng;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

type Body = BoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// How requests are served.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Service {
    /// This share of requests is answered with 503. 0.0 to 1.0.
    pub refused: f64,
    /// Every request waits so long first.
    pub delay: Duration,
    /// This share of uploads breaks off half-way.
    pub truncated: f64,
    /// This share of downloads breaks off half-way.
    pub cut: f64,
}

/// A proxy on a free port of the loopback. Accepts nothing more when the value ends.
pub struct HttpProxy {
    address: SocketAddr,
    service: watch::Sender<Service>,
    accepting: JoinHandle<()>,
}

impl HttpProxy {
    /// A proxy for `server`, which serves everything.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub async fn before(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (service, now) = watch::channel(Service::default());
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let now = now.clone();
                tokio::spawn(async move {
                    let serve = service_fn(|request| {
                        let service = *now.borrow();
                        answer(request, server, service)
                    });
                    // A connection that ends badly was meant to, or its client went away.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), serve)
                        .await;
                });
            }
        });
        Ok(Self { address, service, accepting })
    }

    /// Where clients should go.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes how requests are served from now on.
    pub fn set(&self, service: Service) {
        self.service.send_replace(service);
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(
    request: Request<Incoming>,
    server: SocketAddr,
    service: Service,
) -> anyhow::Result<Response<Body>> {
    tokio::time::sleep(service.delay).await;
    let happens = |share: f64| rand::rng().random_bool(share.clamp(0.0, 1.0));
    if happens(service.refused) {
        let body = Full::new(Bytes::from_static(b"<Error><Code>SlowDown</Code></Error>"));
        return Ok(Response::builder()
            .status(StatusCode::SERVICE_UNAVAILABLE)
            .body(body.map_err(|never: Infallible| match never {}).boxed())?);
    }
    let truncated = request.method() == Method::PUT && happens(service.truncated);
    let cut = request.method() == Method::GET && happens(service.cut);
    forward(request, server, truncated, cut).await
}

/// One connection to the server per request: what breaks one of them leaves the others alone.
async fn forward(
    request: Request<Incoming>,
    server: SocketAddr,
    truncated: bool,
    cut: bool,
) -> anyhow::Result<Response<Body>> {
    let stream = TcpStream::connect(server).await.context("the server is not there")?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = Arc::new(tokio::spawn(connection));
    let (head, body) = request.into_parts();
    let body = passed(body, &head.headers, truncated);
    let answer = sender.send_request(Request::from_parts(head, body)).await;
    if answer.is_err() {
        connection.abort();
    }
    let (head, body) = answer.context("the server did not answer")?.into_parts();
    let body = passed(body, &head.headers, cut);
    Ok(Response::from_parts(head, body))
}

/// All of a body, or at most half of it when it `breaks` off.
fn passed(body: Incoming, headers: &HeaderMap, breaks: bool) -> Body {
    let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    match length {
        Some(bytes) if breaks => Limited::new(body, bytes / 2).boxed(),
        _ => body.map_err(Into::into).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Answers 200 with the length of what was put.
    async fn counts() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serve = service_fn(|request: Request<Incoming>| async {
                    let bytes = request.into_body().collect().await?.to_bytes();
                    Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from(bytes.len().to_string()))))
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve),
                );
            }
        });
        address
    }

    /// The whole answer to a PUT of `bytes` bytes; empty when the connection broke.
    async fn put(proxy: &HttpProxy, bytes: usize) -> String {
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let head =
            format!("PUT /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // The other end may hang up in the middle.
        let _ = stream.write_all(&vec![b'x'; bytes]).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn what_is_not_hindered_passes() {
        let proxy = HttpProxy::before(counts().await).await.unwrap();
        assert!(put(&proxy, 100_000).await.ends_with("100000"));
    }

    #[tokio::test]
    async fn refusals_and_truncations_reach_the_client() {
        let proxy = HttpProxy::before(counts().await).await.unwrap();
        proxy.set(Service { refused: 1.0, ..Service::default() });
        assert!(put(&proxy, 10).await.starts_with("HTTP/1.1 503"));
        proxy.set(Service { truncated: 1.0, ..Service::default() });
        assert!(!put(&proxy, 100_000).await.contains(" 200 "));
    }
}
