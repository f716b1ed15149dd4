//! Streams of events that outlive their connections.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, StreamExt, stream, stream::BoxStream};
use reqwest::Response;
use serde_json::Value;

use crate::{
    Client, Error,
    ask::Ask,
    client::pause,
    events::{Parser, Raw},
};

/// The server gives a sign of life more often than that.
const SILENCE_MAX: Duration = Duration::from_mins(1);
/// How often in a row a stream may break off without having told anything.
const BREAKS_MAX: u32 = 10;
/// The last event of a stream that ends by itself.
const END: &str = "end";

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What: `state`, `progress`, `log`, `end`, `attempt`.
    pub name: String,
    /// What is said of it.
    pub data: Value,
}

/// Events as they happen. When the connection breaks, the stream goes on where it was; it ends with an event `end`.
pub struct Events(BoxStream<'static, Result<Event, Error>>);

impl Stream for Events {
    type Item = Result<Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl Events {
    pub(crate) fn new(client: Client, ask: Ask) -> Self {
        let following =
            Following { client, ask, open: None, ready: VecDeque::new(), breaks: 0, is_over: false };
        Self(
            stream::try_unfold(following, |mut following: Following| async move {
                Ok(following.next().await?.map(|event| (event, following)))
            })
            .boxed(),
        )
    }
}

struct Following {
    client: Client,
    ask: Ask,
    open: Option<(Response, Parser)>,
    ready: VecDeque<Raw>,
    /// Connections in a row that told nothing.
    breaks: u32,
    is_over: bool,
}

impl Following {
    async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(raw) = self.ready.pop_front() {
                return self.told(raw).map(Some);
            }
            if self.is_over {
                return Ok(None);
            }
            let (mut response, mut parser) = match self.open.take() {
                Some(open) => open,
                None => (self.client.send(&self.ask, false).await?, Parser::default()),
            };
            match tokio::time::timeout(SILENCE_MAX, response.chunk()).await {
                Ok(Ok(Some(piece))) => {
                    let events = parser.push(&piece);
                    let events = events.map_err(|_| Error::TooMuch(self.client.options.url.clone()))?;
                    self.ready.extend(events);
                    self.open = Some((response, parser));
                }
                // It is over for now, it broke, or nobody is there any more: the next connection tells.
                Ok(Ok(None) | Err(_)) | Err(_) => self.broke().await?,
            }
        }
    }

    fn told(&mut self, raw: Raw) -> Result<Event, Error> {
        self.breaks = 0;
        self.is_over = raw.name == END;
        if raw.id.is_some() {
            self.ask.last_event_id = raw.id;
        }
        let data = serde_json::from_str(&raw.data)
            .map_err(|source| Error::Unexpected { asked: self.ask.path.clone(), source })?;
        Ok(Event { name: raw.name, data })
    }

    async fn broke(&mut self) -> Result<(), Error> {
        self.breaks += 1;
        if self.breaks > BREAKS_MAX {
            return Err(Error::Broken(self.breaks));
        }
        tokio::time::sleep(pause(None, self.breaks)).await;
        Ok(())
    }
}
