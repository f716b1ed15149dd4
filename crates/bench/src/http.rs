//! A client that costs little, so that what is measured is the server: one keep-alive connection a value, one request at
//! a time, written and read in as few calls as there can be. It speaks as much HTTP as our API does.

use std::net::SocketAddr;

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Headers that an answer may have.
const HEADERS_MAX: usize = 64;
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A connection to a server.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What goes with every request.
    common: String,
    read: BytesMut,
}

/// Status of an answer, and its body.
pub(crate) type Answered = (u16, Bytes);

impl Connection {
    /// Connects; `key` goes with every request.
    pub(crate) async fn open(address: SocketAddr, key: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let common = format!("Host: {address}\r\nAuthorization: Bearer {key}\r\n");
        Ok(Self { stream, common, read: BytesMut::new() })
    }

    /// Connects as somebody who signs in at the dashboard; what is asked for afterwards is asked for by them.
    pub(crate) async fn sign_in(address: SocketAddr, email: &str, password: &str) -> anyhow::Result<Self> {
        let mut this = Self::open(address, "").await?;
        this.common = format!("Host: {address}\r\n");
        let form = format!("email={email}&password={password}");
        let request = format!(
            "POST /ops/sign-in HTTP/1.1\r\n{}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            this.common,
            form.len()
        );
        let (_, head, answer) = this.exchange(request.as_bytes()).await?;
        let head = std::str::from_utf8(&answer[..head])?;
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next());
        let cookie = cookie.with_context(|| format!("{email} could not sign in: {head}"))?;
        this.common = format!("{}Cookie: {cookie}\r\n", this.common);
        Ok(this)
    }

    /// Submits under `idempotency_key`.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        idempotency_key: &str,
        body: &[u8],
    ) -> anyhow::Result<Answered> {
        self.post_with(path, &format!("Idempotency-Key: {idempotency_key}"), body).await
    }

    /// Submits with this header.
    pub(crate) async fn post_with(
        &mut self,
        path: &str,
        header: &str,
        body: &[u8],
    ) -> anyhow::Result<Answered> {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\n{}Content-Type: application/json\r\n{header}\r\nContent-Length: {}\r\n\r\n",
            self.common,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.send(&request).await
    }

    /// The same for JSON that has to be accepted.
    pub(crate) async fn submit(&mut self, path: &str, key: &str, body: &[u8]) -> anyhow::Result<Value> {
        let (status, answer) = self.post(path, key, body).await?;
        anyhow::ensure!(
            is_success(status),
            "POST {path} answered {status}: {}",
            String::from_utf8_lossy(&answer[..answer.len().min(600)])
        );
        serde_json::from_slice(&answer).with_context(|| format!("POST {path} did not answer JSON"))
    }

    /// Reads.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Answered> {
        let request = format!("GET {path} HTTP/1.1\r\n{}\r\n", self.common);
        self.send(request.as_bytes()).await
    }

    async fn send(&mut self, request: &[u8]) -> anyhow::Result<Answered> {
        let (status, head, answer) = self.exchange(request).await?;
        Ok((status, answer.slice(head..)))
    }

    /// The status of the answer, the length of its head, and all of it.
    async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<(u16, usize, Bytes)> {
        self.stream.write_all(request).await?;
        let (status, head, length) = loop {
            if let Some(head) = head_of(&self.read)? {
                break head;
            }
            self.fill().await?;
        };
        while self.read.len() < head + length {
            self.fill().await?;
        }
        Ok((status, head, self.read.split_to(head + length).freeze()))
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(self.read.len() < ANSWER_BYTES_MAX, "the answer does not end");
        self.read.reserve(16 * 1024);
        anyhow::ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the server hung up");
        Ok(())
    }
}

/// Whether `status` is one of those that say yes.
pub(crate) const fn is_success(status: u16) -> bool {
    matches!(status, 200..300)
}

/// Status, length of the head, and length of the body, once the whole head is there.
fn head_of(read: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = answer.parse(read)? else { return Ok(None) };
    let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("the answer does not say how long it is")?;
    let length = std::str::from_utf8(length.value)?.parse()?;
    Ok(Some((answer.code.context("the answer has no status")?, head, length)))
}
