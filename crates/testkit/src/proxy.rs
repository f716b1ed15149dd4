//! A network that misbehaves: a proxy in front of a server, whose weather a test decides.

use std::{net::SocketAddr, time::Duration};

use rand::Rng;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinHandle,
    time::Instant,
};

/// Bytes read at once; each such piece has its own fate.
const PIECE_BYTES: usize = 16 * 1024;
/// Pieces on their way in one direction of a connection.
const PIECES_MAX: usize = 256;
/// What a lost packet costs at least: the sender's first retransmission.
const RETRANSMIT: Duration = Duration::from_millis(200);

/// How the network is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Weather {
    /// Every piece arrives so much later, in both directions.
    pub latency: Duration,
    /// This share of pieces is lost and sent again, each time after twice the wait, as TCP does. 0.0 to 1.0.
    pub loss: f64,
    /// What clients send does not arrive until this is over.
    pub holds_requests: bool,
    /// What the server answers does not arrive until this is over.
    pub holds_answers: bool,
    /// Connections are reset, and new ones too.
    pub down: bool,
    /// A connection is reset when its client has sent so many bytes.
    pub cut_after_bytes: Option<u64>,
}

/// A proxy on a free port of the loopback. Ends, with its connections, when the value does.
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    server: watch::Sender<SocketAddr>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A proxy for `server`, in fair weather.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub async fn before(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (weather, fair) = watch::channel(Weather::default());
        let (server, whom) = watch::channel(server);
        let accepting = tokio::spawn(accept(listener, fair, whom));
        Ok(Self { address, weather, server, accepting })
    }

    /// Where clients should go.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the weather change, also for connections that stand.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Sends new connections to another server.
    pub fn lead_to(&self, server: SocketAddr) {
        self.server.send_replace(server);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.weather.send_replace(Weather { down: true, ..Weather::default() });
    }
}

async fn accept(
    listener: TcpListener,
    weather: watch::Receiver<Weather>,
    server: watch::Receiver<SocketAddr>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let (weather, server) = (weather.clone(), *server.borrow());
        tokio::spawn(async move {
            let down = async |mut weather: watch::Receiver<Weather>| {
                // An error means that the proxy is gone.
                let _ = weather.wait_for(|now| now.down).await;
            };
            if weather.borrow().down {
                return reset(&client);
            }
            let Ok(upstream) = TcpStream::connect(server).await else { return reset(&client) };
            // Small messages must not wait for one another here: that would be weather nobody asked for.
            let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = upstream.into_split();
            let requests = pump(from_client, to_server, weather.clone(), true);
            let answers = pump(from_server, to_client, weather.clone(), false);
            tokio::select! {
                () = down(weather) => {}
                () = async { tokio::join!(requests, answers); } => {}
            }
        });
    }
}

/// Closes so that the other end sees a reset, and not an end.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

/// Carries one direction of a connection.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    weather: watch::Receiver<Weather>,
    is_request: bool,
) {
    let (sender, mut pieces) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_MAX);
    let mut held = weather.clone();
    // Moved into the reader: when it ends, so does what waits.
    let reading = async move {
        let (mut sent, mut buffer) = (0, vec![0; PIECE_BYTES]);
        loop {
            let Ok(read) = from.read(&mut buffer).await else { return };
            if read == 0 {
                return;
            }
            sent += read as u64;
            let now = *weather.borrow();
            if is_request && now.cut_after_bytes.is_some_and(|most| sent > most) {
                return;
            }
            let arrives = Instant::now() + now.latency + lost(now.loss);
            if sender.send((arrives, buffer[..read].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let writing = async {
        while let Some((arrives, piece)) = pieces.recv().await {
            tokio::time::sleep_until(arrives).await;
            let passes = |now: &Weather| if is_request { !now.holds_requests } else { !now.holds_answers };
            if held.wait_for(passes).await.is_err() || to.write_all(&piece).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}

/// How much later a piece arrives because it, or its copy, was lost.
fn lost(share: f64) -> Duration {
    let (mut wait, mut late) = (RETRANSMIT, Duration::ZERO);
    while late < RETRANSMIT * 15 && rand::rng().random_bool(share.clamp(0.0, 1.0)) {
        late += wait;
        wait *= 2;
    }
    late
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that says back what it hears.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        address
    }

    async fn says(stream: &mut TcpStream, words: &[u8]) -> std::io::Result<Vec<u8>> {
        stream.write_all(words).await?;
        let mut heard = vec![0; words.len()];
        stream.read_exact(&mut heard).await?;
        Ok(heard)
    }

    #[tokio::test]
    async fn fair_weather_changes_nothing() {
        let proxy = Proxy::before(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let words = vec![7; 300_000];
        let (mut from, mut to) = stream.split();
        let mut heard = vec![0; words.len()];
        let (sent, read) = tokio::join!(to.write_all(&words), from.read_exact(&mut heard));
        assert!(sent.is_ok() && read.is_ok() && heard == words);
    }

    #[tokio::test]
    async fn a_slow_network_delays_both_ways_and_keeps_the_order() {
        let proxy = Proxy::before(echo().await).await.unwrap();
        proxy.set(Weather { latency: Duration::from_millis(50), loss: 0.3, ..Weather::default() });
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let began = Instant::now();
        for words in [b"one", b"two", b"six"] {
            assert_eq!(says(&mut stream, words).await.unwrap(), words);
        }
        assert!(began.elapsed() >= Duration::from_millis(300));
    }

    #[tokio::test]
    async fn what_a_partition_holds_arrives_when_it_is_over() {
        let proxy = Proxy::before(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(says(&mut stream, b"before").await.unwrap(), b"before");
        for held in [
            Weather { holds_requests: true, ..Weather::default() },
            Weather { holds_answers: true, ..Weather::default() },
        ] {
            proxy.set(held);
            let mut saying = std::pin::pin!(says(&mut stream, b"during"));
            assert!(tokio::time::timeout(Duration::from_millis(100), &mut saying).await.is_err());
            proxy.set(Weather::default());
            assert_eq!(saying.await.unwrap(), b"during");
        }
    }

    #[tokio::test]
    async fn what_is_down_is_down_until_it_is_up() {
        let proxy = Proxy::before(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(says(&mut stream, b"up").await.is_ok());
        proxy.set(Weather { down: true, ..Weather::default() });
        assert!(says(&mut stream, b"down").await.is_err());
        let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(says(&mut refused, b"down").await.is_err());
        proxy.set(Weather::default());
        let mut again = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(says(&mut again, b"up").await.is_ok());
    }

    #[tokio::test]
    async fn a_connection_is_cut_where_it_was_said() {
        let proxy = Proxy::before(echo().await).await.unwrap();
        proxy.set(Weather { cut_after_bytes: Some(10), ..Weather::default() });
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(says(&mut stream, b"0123456789").await.is_ok());
        assert!(says(&mut stream, b"x").await.is_err());
    }
}
