//! Requests to addresses that somebody else chose.
//!
//! A name is resolved here, and only what was looked at is connected to, so no name can mean one thing when it is checked and
//! another when it is called. Redirects are not followed, answers are bounded, and everything has an end.
//!
//! **Invariant:** nothing in this crate connects to an address that is not of the internet at large, unless a test asked for
//! loopback, or an operator configured the address and the caller says so by [`Configured`].

mod configured;
mod error;
mod resolver;
mod target;

use std::{sync::Arc, time::Duration};

use reqwest::{
    Client, ClientBuilder, Method, RequestBuilder, Response, Url,
    header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, LOCATION, RETRY_AFTER},
    redirect::Policy,
};
use tokio::sync::OnceCell;

pub use configured::{Configured, may_be_configured};
pub use error::OutboundError;
pub use target::{BadTarget, URL_BYTES_MAX, check};

use resolver::{Guarded, Names, by_system};

/// How requests are made.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Lets `http` to this very machine through, for tests and development.
    pub loopback: bool,
    /// Longest wait for a connection.
    pub connect: Duration,
    /// Longest wait for everything.
    pub whole: Duration,
}

/// How long a connection is kept that nobody uses.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Such connections to one host.
const IDLE_PER_HOST_MAX: usize = 4;

/// Makes requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    options: Options,
    names: Names,
    /// Made at the first request: whoever makes none needs no certificates of this machine.
    client: Arc<OnceCell<Client>>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// After how many seconds the other side wants to be asked again.
    pub retry_after_s: Option<u64>,
    /// The name of what was asked for, as it is now.
    pub etag: Option<String>,
    /// Where it is instead.
    pub location: Option<String>,
    /// What the body is, as the other side says.
    pub media_type: Option<String>,
    /// The beginning of the body.
    pub body: Vec<u8>,
    /// There was more of it.
    pub is_cut: bool,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a str,
    /// The address.
    pub url: &'a str,
    /// Who asks, and their password.
    pub user: Option<(&'a str, &'a str)>,
    /// Further headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: Vec<u8>,
}

impl Outbound {
    /// Nothing happens before the first request; by then the process has to have a TLS provider.
    pub fn new(options: Options) -> Self {
        Self::told(options, by_system)
    }

    /// One that is told by `names` what a name means.
    fn told(options: Options, names: Names) -> Self {
        Self { options, names, client: Arc::default() }
    }

    fn build(&self) -> Result<Client, OutboundError> {
        bounded(self.options.connect, self.options.whole)
            .dns_resolver(Guarded { loopback: self.options.loopback, names: self.names })
            .user_agent("Crewline/1 (webhooks)")
            .build()
            .map_err(OutboundError::SetUp)
    }

    /// Posts `body` to `url`, and reads up to `bytes_max` of the answer.
    ///
    /// # Errors
    /// When the address may not be spoken to, or does not answer in time.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
        bytes_max: usize,
    ) -> Result<Answer, OutboundError> {
        let request = self.request(Method::POST, url).await?.body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        read(request, bytes_max).await
    }

    /// Gets `url`, and reads up to `bytes_max` of the answer.
    ///
    /// # Errors
    /// When the address may not be spoken to, or does not answer in time.
    pub async fn get(&self, url: &str, bytes_max: usize) -> Result<Answer, OutboundError> {
        read(self.request(Method::GET, url).await?, bytes_max).await
    }

    /// Makes a request that is neither, such as those that calendar servers take, and reads up to `bytes_max` of the answer.
    ///
    /// # Errors
    /// When the address may not be spoken to, or does not answer in time.
    pub async fn send(&self, asked: Asked<'_>, bytes_max: usize) -> Result<Answer, OutboundError> {
        let url = self.check(asked.url)?;
        read(request(self.client().await?, url, asked)?, bytes_max).await
    }

    async fn request(&self, method: Method, url: &str) -> Result<RequestBuilder, OutboundError> {
        let url = self.check(url)?;
        Ok(self.client().await?.request(method, url))
    }

    fn check(&self, url: &str) -> Result<Url, OutboundError> {
        check(url, self.options.loopback).map_err(OutboundError::Target)
    }

    async fn client(&self) -> Result<&Client, OutboundError> {
        self.client.get_or_try_init(async || self.build()).await
    }
}

/// What makes requests that follow nothing and end in time.
fn bounded(connect: Duration, whole: Duration) -> ClientBuilder {
    Client::builder()
        .redirect(Policy::none())
        // A proxy would resolve names by itself.
        .no_proxy()
        .referer(false)
        .user_agent("Crewline/1")
        .connect_timeout(connect)
        .timeout(whole)
        .pool_idle_timeout(IDLE_MAX)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
}

/// `asked` of `url`, which was looked at.
fn request(client: &Client, url: Url, asked: Asked<'_>) -> Result<RequestBuilder, OutboundError> {
    let method =
        Method::from_bytes(asked.method.as_bytes()).map_err(|_| OutboundError::Target(BadTarget::NoUrl))?;
    let mut request = client.request(method, url);
    if let Some((user, password)) = asked.user {
        request = request.basic_auth(user, Some(password));
    }
    let request = asked.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    Ok(request.body(asked.body))
}

async fn read(request: RequestBuilder, bytes_max: usize) -> Result<Answer, OutboundError> {
    answer(request.send().await.map_err(OutboundError::of)?, bytes_max).await
}

async fn answer(mut response: Response, bytes_max: usize) -> Result<Answer, OutboundError> {
    let (status, retry_after_s) = (response.status().as_u16(), retry_after_s(response.headers()));
    let text = |name: HeaderName| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    let (etag, location, media_type) = (text(ETAG), text(LOCATION), text(CONTENT_TYPE));
    let (mut body, mut is_cut) = (Vec::new(), false);
    // Bounded by the time that the whole request may take.
    while let Some(chunk) = response.chunk().await.map_err(OutboundError::of)? {
        let room = bytes_max - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            is_cut = true;
            break;
        }
    }
    Ok(Answer { status, retry_after_s, etag, location, media_type, body, is_cut })
}

/// Only seconds: whoever sends a date is asked again when it suits us.
fn retry_after_s(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr, SocketAddr},
        sync::atomic::{AtomicUsize, Ordering},
    };

    use reqwest::dns::{Addrs, Name, Resolving};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::error::NotPublic;

    const PRIVATE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    static ASKED: AtomicUsize = AtomicUsize::new(0);

    /// A name that may be called when it is asked for first, and means our own network from then on.
    fn rebound(_: Name) -> Resolving {
        let is_first = ASKED.fetch_add(1, Ordering::SeqCst) == 0;
        let address = if is_first { Ipv4Addr::LOCALHOST.into() } else { PRIVATE };
        Box::pin(async move { Ok(Box::new(std::iter::once(SocketAddr::new(address, 0))) as Addrs) })
    }

    #[tokio::test]
    async fn a_name_is_asked_for_once_and_called_where_it_was_looked_at() {
        // Another test of this binary may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://rebound.example:{}/", listener.local_addr().unwrap().port());
        let patience = Duration::from_secs(30);
        let outbound =
            Outbound::told(Options { loopback: true, connect: patience, whole: patience }, rebound);
        // What was looked at is what is connected to. Nobody speaks TLS there.
        let line = async { tokio::time::timeout(patience, listener.accept()).await.map(drop) };
        let (asked, line) = tokio::join!(outbound.get(&url, 1), line);
        assert!(line.is_ok() && matches!(asked, Err(OutboundError::Unreachable(_))), "{asked:?}");
        assert_eq!(ASKED.load(Ordering::SeqCst), 1, "once");
        let again = outbound.get(&url, 1).await;
        assert!(
            matches!(again, Err(OutboundError::NotPublic(NotPublic(address))) if address == PRIVATE),
            "{again:?}"
        );
        assert_eq!(ASKED.load(Ordering::SeqCst), 2);
    }

    /// Takes every connection, says `words` once it is asked for something, and then nothing more.
    async fn silent_after(words: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
                stream.write_all(words.as_bytes()).await.unwrap();
                held.push(stream);
            }
        });
        url
    }

    #[tokio::test]
    async fn who_stops_answering_is_given_up_in_time() {
        // Another test of this binary may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (connect, whole) = (Duration::from_mins(1), Duration::from_millis(200));
        let outbound = Outbound::new(Options { loopback: true, connect, whole });
        for words in ["", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhal"] {
            let given_up = outbound.post(&silent_after(words).await, &[], Vec::new(), 100).await;
            assert!(matches!(given_up, Err(OutboundError::Slow(_))), "{given_up:?}");
        }
    }
}
