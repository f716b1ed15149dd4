//! Requests to addresses that an operator configured, such as an issuer where people sign in.
//!
//! Whoever runs this chose them, so they may be of a private network. Nothing that a tenant or a stranger says gets here.
//! Redirects are not followed all the same, answers are bounded, and everything has an end.

use std::{sync::Arc, time::Duration};

use reqwest::Client;
use tokio::sync::OnceCell;

use crate::{
    Answer, Asked, bounded,
    error::OutboundError,
    read, request,
    target::{BadTarget, check_configured},
};

/// Makes requests to what an operator configured. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Configured {
    connect: Duration,
    whole: Duration,
    client: Arc<OnceCell<Client>>,
}

impl Configured {
    /// Nothing happens before the first request; by then the process has to have a TLS provider. `connect` is the longest
    /// wait for a connection, `whole` that for everything.
    pub fn new(connect: Duration, whole: Duration) -> Self {
        Self { connect, whole, client: Arc::default() }
    }

    /// Makes a request, and reads up to `bytes_max` of the answer.
    ///
    /// # Errors
    /// When the address is neither https nor of this very machine, or does not answer in time.
    pub async fn send(&self, asked: Asked<'_>, bytes_max: usize) -> Result<Answer, OutboundError> {
        let url = check_configured(asked.url).map_err(OutboundError::Target)?;
        let build = async || bounded(self.connect, self.whole).build().map_err(OutboundError::SetUp);
        let client = self.client.get_or_try_init(build).await?;
        read(request(client, url, asked)?, bytes_max).await
    }
}

/// Whether an operator may configure this address.
///
/// # Errors
/// Says why not.
pub fn may_be_configured(text: &str) -> Result<(), BadTarget> {
    check_configured(text).map(drop)
}
