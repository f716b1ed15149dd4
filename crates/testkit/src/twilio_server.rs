//! A carrier of text messages of a test's own, which answers as Twilio's REST API is documented.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// Where messages are sent to, and listed.
const PATH: &str = "/2010-04-01/Accounts/AC1/Messages.json";
/// Begins where one is looked at.
const ONE: &str = "/2010-04-01/Accounts/AC1/Messages/SM";
/// `AC1:token`, as HTTP writes it.
const AUTHORIZATION: &str = "Basic QUMxOnRva2Vu";
/// Messages on a page: unless it is said, and at most.
const PAGE: usize = 50;
const PAGE_MAX: usize = 1_000;
/// Begins the token of a page.
const TOKEN: &str = "PASM";

/// A private carrier on a free port of the loopback, for the account `AC1` with the token `token`. Ends with the value.
///
/// It takes texts to every number but those that end in 503 (it is busy), 000 (nobody has it, 21211) and 610 (who answered
/// STOP, 21610), and lists those to numbers that end in 777 with words of its own added, as carriers do.
/// Each cost 0.0075 USD.
pub struct TwilioServer {
    address: SocketAddr,
    kept: Kept,
    accepting: JoinHandle<()>,
}

type Kept = Arc<Mutex<Vec<Text>>>;

/// A text message that was taken.
#[derive(Debug, Clone)]
pub struct Text {
    /// To which number.
    pub to: String,
    /// From which.
    pub from: String,
    /// What it says.
    pub body: String,
    /// Who is to be told what becomes of it.
    pub status_callback: Option<String>,
    /// When it was taken.
    pub created: DateTime<Utc>,
}

impl TwilioServer {
    /// Starts one.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, kept) = (listener.local_addr()?, Kept::default());
        let taken = kept.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = taken.clone();
                tokio::spawn(async move {
                    let serve = service_fn(|request| answer(request, &kept));
                    // Whoever is killed in the middle of a call breaks the connection.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), serve).await;
                });
            }
        });
        Ok(Self { address, kept, accepting })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The texts it took, in order.
    pub fn texts(&self) -> Vec<Text> {
        locked(&self.kept).clone()
    }

    /// Has so many texts to `to` that others of the account sent at `created`.
    pub fn has(&self, count: usize, to: &str, created: DateTime<Utc>) {
        let other = |number| Text {
            to: to.to_owned(),
            from: "+15005550009".to_owned(),
            body: format!("Another text, number {number}"),
            status_callback: None,
            created,
        };
        locked(&self.kept).extend((0..count).map(other));
    }
}

impl Drop for TwilioServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn locked(kept: &Kept) -> MutexGuard<'_, Vec<Text>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(request: Request<Incoming>, kept: &Kept) -> anyhow::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let is_let_in = head.headers.get("authorization").is_some_and(|said| said == AUTHORIZATION);
    let (status, said) = match (is_let_in, head.uri.path(), &head.method) {
        (false, ..) => refused(StatusCode::UNAUTHORIZED, 20_003, "Authenticate"),
        (true, PATH, &Method::POST) => take(kept, &fields(&body)),
        (true, PATH, &Method::GET) => {
            let asked = fields(head.uri.query().unwrap_or_default().as_bytes());
            (StatusCode::OK, page(&locked(kept), &asked))
        }
        (true, path, &Method::GET) => {
            one(&locked(kept), path).map_or_else(missing, |text| (StatusCode::OK, text))
        }
        _ => missing(),
    };
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(said.to_string())))?)
}

fn fields(form: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(form).into_owned().collect()
}

fn refused(status: StatusCode, code: u32, message: &str) -> (StatusCode, Value) {
    (status, json!({ "code": code, "message": message, "status": status.as_u16() }))
}

fn missing() -> (StatusCode, Value) {
    refused(StatusCode::NOT_FOUND, 20_404, "The requested resource was not found")
}

fn take(kept: &Kept, fields: &HashMap<String, String>) -> (StatusCode, Value) {
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let to = field("To");
    let refusal = match to.get(to.len().saturating_sub(3)..) {
        Some("503") => Some((StatusCode::SERVICE_UNAVAILABLE, 20_503, "Service unavailable")),
        Some("000") => Some((StatusCode::BAD_REQUEST, 21_211, "Invalid 'To' Phone Number")),
        Some("610") => Some((StatusCode::BAD_REQUEST, 21_610, "Attempt to send to unsubscribed recipient")),
        _ => None,
    };
    if let Some((status, code, message)) = refusal {
        return refused(status, code, message);
    }
    let mut kept = locked(kept);
    let status_callback = fields.get("StatusCallback").cloned();
    kept.push(Text { to, from: field("From"), body: field("Body"), status_callback, created: Utc::now() });
    (StatusCode::CREATED, json!({ "sid": format!("SM{}", kept.len()), "status": "queued" }))
}

/// Newest first. A page goes on behind the message that its token names, whatever came since.
fn page(kept: &[Text], asked: &HashMap<String, String>) -> Value {
    let size = asked.get("PageSize").and_then(|size| size.parse().ok()).unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let number = asked.get("Page").and_then(|page| page.parse::<usize>().ok()).unwrap_or(0);
    let before = asked.get("PageToken").and_then(|token| token.strip_prefix(TOKEN)?.parse().ok());
    let fits = |text: &Text| asked.get("To").is_none_or(|to| *to == text.to);
    let older = |nth: usize| before.is_none_or(|end: usize| nth < end);
    let numbered = kept.iter().enumerate().map(|(index, text)| (index + 1, text));
    let mut fitting = numbered.rev().filter(|(nth, text)| fits(text) && older(*nth));
    let shown: Vec<(usize, &Text)> = fitting.by_ref().take(size).collect();
    let next = fitting.next().and(shown.last()).map(|(last, _)| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(asked.get("To").map(|to| ("To", to)));
        query.append_pair("PageSize", &size.to_string()).append_pair("Page", &(number + 1).to_string());
        format!("{PATH}?{}", query.append_pair("PageToken", &format!("{TOKEN}{last}")).finish())
    });
    let entries: Vec<Value> = shown.into_iter().map(|(nth, text)| entry(nth, text)).collect();
    json!({ "messages": entries, "page": number, "page_size": size, "next_page_uri": next })
}

fn one(kept: &[Text], path: &str) -> Option<Value> {
    let nth: usize = path.strip_prefix(ONE)?.strip_suffix(".json")?.parse().ok()?;
    Some(entry(nth, kept.get(nth.checked_sub(1)?)?))
}

fn entry(nth: usize, text: &Text) -> Value {
    let added = if text.to.ends_with("777") { " Reply STOP" } else { "" };
    json!({
        "sid": format!("SM{nth}"), "to": text.to, "from": text.from, "body": format!("{}{added}", text.body),
        "date_created": text.created.to_rfc2822(), "status": "sent",
        "price": "-0.00750", "price_unit": "USD",
    })
}
