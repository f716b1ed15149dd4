//! Certificates that Amazon SNS signs with, fetched from Amazon once in a while.
//!
//! Whoever sends a message names the certificate before anybody knows whether the message is Amazon's. So one that is slow or
//! made up holds nobody up who needs another, and takes the place of none that was found.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use outbound::{Options, Outbound};
use tokio::{
    sync::{OnceCell, Semaphore},
    time::timeout,
};

use crate::problem::{Code, Problem};

/// Bytes of a certificate.
const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;
/// How long one is believed.
const KNOWN_FOR: Duration = Duration::from_hours(6);
/// How soon one that could not be fetched is tried for again.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Certificates remembered: there is one for each region at a time.
const KNOWN_MAX: usize = 200;
/// Certificates fetched at once.
const FETCHES_MAX: usize = 8;
/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Longest wait for a certificate, and for one's turn to fetch it.
const FETCH_MAX: Duration = Duration::from_secs(4);

/// The certificates fetched so far.
pub(crate) struct Certificates {
    outbound: Outbound,
    fetches: Semaphore,
    known: Mutex<HashMap<String, Known>>,
}

/// A certificate, or why it could not be fetched; nothing while it is being fetched.
type Fetched = Arc<OnceCell<Result<Vec<u8>, String>>>;

/// What is known of an address, and since when it is asked for.
struct Known {
    fetched: Fetched,
    since: Instant,
}

impl Known {
    fn is_good(&self) -> bool {
        matches!(self.fetched.get(), Some(Ok(_)))
    }

    fn is_fresh(&self) -> bool {
        match self.fetched.get() {
            Some(Ok(_)) => self.since.elapsed() < KNOWN_FOR,
            Some(Err(_)) => self.since.elapsed() < TRY_AGAIN,
            None => true,
        }
    }
}

impl Default for Certificates {
    fn default() -> Self {
        let options = Options { loopback: false, connect: CONNECT_MAX, whole: FETCH_MAX };
        Self {
            outbound: Outbound::new(options),
            fetches: Semaphore::new(FETCHES_MAX),
            known: Mutex::default(),
        }
    }
}

impl Certificates {
    /// The certificate at `url`, whose host was found to be Amazon's.
    pub(crate) async fn get(&self, url: &str) -> Result<Vec<u8>, Problem> {
        self.get_by(url, fetch(&self.outbound, url)).await
    }

    /// Takes `pem` for what is at `url`, unless that is known.
    pub(crate) fn know(&self, url: &str, pem: Vec<u8>) {
        drop(self.fetched(url).set(Ok(pem)));
    }

    /// The same as [`Certificates::get`] by `fetch`, which is not begun when it is known, or when somebody else has begun.
    async fn get_by(
        &self,
        url: &str,
        fetch: impl Future<Output = Result<Vec<u8>, String>>,
    ) -> Result<Vec<u8>, Problem> {
        let in_turn = || async move {
            let turn = timeout(FETCH_MAX, self.fetches.acquire()).await;
            let Ok(Ok(_turn)) = turn else { return Err(out_of_reach("too many others are fetched")) };
            Ok(fetch.await)
        };
        let fetched = self.fetched(url);
        let found = fetched.get_or_try_init(in_turn).await?;
        found.clone().map_err(|reason| out_of_reach(&reason))
    }

    /// Where the certificate is put once it was fetched. What failed, or is not there yet, goes first where there are too many.
    fn fetched(&self, url: &str) -> Fetched {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(url).filter(|known| known.is_fresh()) {
            return Arc::clone(&known.fetched);
        }
        known.remove(url);
        if known.len() >= KNOWN_MAX {
            let worst = known.iter().min_by_key(|(_, known)| (known.is_good(), known.since));
            if let Some(worst) = worst.map(|(url, _)| url.clone()) {
                known.remove(&worst);
            }
        }
        let fetched = Fetched::default();
        let new = Known { fetched: Arc::clone(&fetched), since: Instant::now() };
        known.insert(url.to_owned(), new);
        fetched
    }
}

async fn fetch(outbound: &Outbound, url: &str) -> Result<Vec<u8>, String> {
    match outbound.get(url, CERTIFICATE_BYTES_MAX).await {
        Ok(answer) if answer.status == 200 && !answer.is_cut => Ok(answer.body),
        Ok(answer) => Err(format!("it was answered {}", answer.status)),
        Err(error) => Err(error.to_string()),
    }
}

fn out_of_reach(reason: &str) -> Problem {
    let detail = format!("the certificate that signed this could not be fetched: {reason}");
    Problem::new(Code::Unavailable, detail).retry_after(TRY_AGAIN.as_secs())
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn good() -> impl Future<Output = Result<Vec<u8>, String>> {
        ready(Ok(b"certificate".to_vec()))
    }

    fn bad() -> impl Future<Output = Result<Vec<u8>, String>> {
        ready(Err("it was answered 404".to_owned()))
    }

    #[tokio::test]
    async fn one_that_does_not_come_holds_up_nobody_who_needs_another() {
        let certificates = Certificates::default();
        tokio::select! {
            biased;
            _ = certificates.get_by("slow", pending()) => unreachable!("it never comes"),
            found = certificates.get_by("good", good()) => assert!(found.is_ok()),
        }
        // Whoever waited has gone: the next one fetches it.
        assert!(certificates.get_by("slow", good()).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_known_is_not_fetched_again() {
        let certificates = Certificates::default();
        assert!(certificates.get_by("good", good()).await.is_ok());
        assert!(certificates.get_by("good", bad()).await.is_ok());
        assert!(certificates.get_by("bad", bad()).await.is_err());
        assert!(certificates.get_by("bad", good()).await.is_err(), "it is not tried for again at once");
    }

    #[tokio::test]
    async fn made_up_ones_take_the_place_of_none_that_was_found() {
        let certificates = Certificates::default();
        assert!(certificates.get_by("good", good()).await.is_ok());
        for number in 0..2 * KNOWN_MAX {
            assert!(certificates.get_by(&format!("bad-{number}"), bad()).await.is_err());
        }
        assert!(certificates.get_by("good", bad()).await.is_ok(), "it is still known");
        assert!(certificates.known.lock().unwrap().len() <= KNOWN_MAX);
    }

    #[tokio::test]
    async fn whoever_does_not_get_a_turn_is_told_to_come_again() {
        let certificates = Certificates::default();
        certificates.fetches.close();
        assert!(certificates.get_by("good", good()).await.is_err());
        let known = certificates.known.lock().unwrap();
        assert!(known["good"].fetched.get().is_none(), "that is not remembered");
    }
}
