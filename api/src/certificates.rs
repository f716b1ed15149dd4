//! Certificates that Amazon SNS signs with, fetched from Amazon once in a while.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use outbound::{Options, Outbound};
use tokio::sync::Mutex;

use crate::problem::{Code, Problem};

/// Bytes of a certificate.
const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;
/// How long one is believed.
const KNOWN_FOR: Duration = Duration::from_hours(6);
/// How soon one that could not be fetched is tried for again.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Certificates remembered: there is one for each region at a time.
const KNOWN_MAX: usize = 200;
/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Longest wait for a certificate.
const FETCH_MAX: Duration = Duration::from_secs(4);

/// The certificates fetched so far.
pub(crate) struct Certificates {
    outbound: Outbound,
    known: Mutex<HashMap<String, Known>>,
}

/// A certificate, or none that could be fetched, and since when.
type Known = (Option<Vec<u8>>, Instant);

impl Default for Certificates {
    fn default() -> Self {
        let options = Options { loopback: false, connect: CONNECT_MAX, whole: FETCH_MAX };
        Self { outbound: Outbound::new(options), known: Mutex::default() }
    }
}

impl Certificates {
    /// The certificate at `url`, whose host was found to be Amazon's. One is fetched at a time.
    pub(crate) async fn get(&self, url: &str) -> Result<Vec<u8>, Problem> {
        let mut known = self.known.lock().await;
        let fresh = known
            .get(url)
            .filter(|(found, since)| since.elapsed() < if found.is_some() { KNOWN_FOR } else { TRY_AGAIN });
        if let Some((found, _)) = fresh {
            return found.clone().ok_or_else(|| out_of_reach("it could not be fetched a moment ago"));
        }
        let fetched = match self.outbound.get(url, CERTIFICATE_BYTES_MAX).await {
            Ok(answer) if answer.status == 200 && !answer.is_cut => Ok(answer.body),
            Ok(answer) => Err(format!("it was answered {}", answer.status)),
            Err(error) => Err(error.to_string()),
        };
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(url.to_owned(), (fetched.as_ref().ok().cloned(), Instant::now()));
        fetched.map_err(|reason| out_of_reach(&reason))
    }
}

fn out_of_reach(reason: &str) -> Problem {
    let detail = format!("the certificate that signed this could not be fetched: {reason}");
    Problem::new(Code::Unavailable, detail).retry_after(TRY_AGAIN.as_secs())
}
