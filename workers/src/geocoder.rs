//! Who knows where addresses are: Mapbox, whoever answers as it does, or nobody.

use std::time::Duration;

use clap::Args;
use futures::future::BoxFuture;
use jobs::{Failure, failure::Problem, kinds::geo_geocode::GeoGeocode};
use outbound::{Answer, Asked, Outbound, OutboundError};
use places::mapbox::{self, ANSWER_BYTES_MAX, Found, NoAnswer};
use secrecy::{ExposeSecret, SecretString};

/// Who is asked where addresses are.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Places")]
pub struct GeocodingArgs {
    /// Token for Mapbox, which is asked where addresses are; without, only coordinates are understood
    #[arg(long, env = "CREWLINE_MAPBOX_TOKEN", hide_env_values = true)]
    pub mapbox_token: Option<SecretString>,
    /// Who is asked in Mapbox's way
    #[arg(long, env = "CREWLINE_MAPBOX_URL", default_value = "https://api.mapbox.com")]
    pub mapbox_url: String,
}

impl GeocodingArgs {
    /// Whoever these settings name.
    pub fn open(&self, outbound: Outbound) -> Box<dyn Geocoder> {
        match &self.mapbox_token {
            Some(token) => Box::new(Mapbox { outbound, url: self.mapbox_url.clone(), token: token.clone() }),
            None => Box::new(Nobody),
        }
    }
}

/// An address could not be found, or not asked for.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// There is nobody to ask.
    #[error("nobody is set up who knows addresses: give coordinates, or set CREWLINE_MAPBOX_TOKEN")]
    Nobody,
    /// They could not be reached.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// They do not let us in.
    #[error("they do not let us in: they answered {0}")]
    Refused(u16),
    /// They want to be left alone.
    #[error("they want to be left alone: they answered {0}")]
    Busy(u16, Option<Duration>),
    /// They do not take this address.
    #[error("they do not take this address: they answered {0}")]
    NotTaken(u16),
    /// They answered something else.
    #[error("they answered {0}")]
    Answered(u16),
    /// What they answered cannot be used.
    #[error(transparent)]
    Unusable(#[from] NoAnswer),
}

impl Lost {
    /// Whether the other side answered at all.
    pub(crate) fn is_answer(&self) -> bool {
        match self {
            Self::Outbound(error) => error.is_ours(),
            Self::Busy(..) => false,
            Self::Answered(status) => *status < 500,
            Self::Nobody | Self::Refused(_) | Self::NotTaken(_) | Self::Unusable(_) => true,
        }
    }

    /// What becomes of the job.
    pub(crate) fn into_failure(self) -> Failure {
        let after = if let Self::Busy(_, after) = self { after } else { None };
        match self {
            Self::Nobody => Failure::Discard { problem: Problem::of("no_geocoder", &self) },
            Self::NotTaken(_) => Failure::Discard { problem: Problem::of("address_refused", &self) },
            lost => Failure::Retry { problem: Problem::of("geocoder", &lost), after },
        }
    }
}

/// Somebody who knows where addresses are.
pub trait Geocoder: Send + Sync {
    /// What they are called.
    fn name(&self) -> &'static str;

    /// Where the address in `asked` is; none when they do not know it.
    fn find<'a>(&'a self, asked: &'a GeoGeocode) -> BoxFuture<'a, Result<Option<Found>, Lost>>;
}

/// Nobody: whoever has no network, and no account.
struct Nobody;

impl Geocoder for Nobody {
    fn name(&self) -> &'static str {
        "nobody"
    }

    fn find<'a>(&'a self, _: &'a GeoGeocode) -> BoxFuture<'a, Result<Option<Found>, Lost>> {
        Box::pin(async { Err(Lost::Nobody) })
    }
}

/// Mapbox, or whoever answers as it does.
struct Mapbox {
    outbound: Outbound,
    url: String,
    token: SecretString,
}

impl Geocoder for Mapbox {
    fn name(&self) -> &'static str {
        "mapbox"
    }

    fn find<'a>(&'a self, asked: &'a GeoGeocode) -> BoxFuture<'a, Result<Option<Found>, Lost>> {
        Box::pin(async move {
            let Some(url) = mapbox::question(&self.url, self.token.expose_secret(), asked) else {
                return Err(Lost::Nobody);
            };
            let get = Asked { method: "GET", url: url.as_str(), user: None, headers: &[], body: Vec::new() };
            understood(&self.outbound.send(get, ANSWER_BYTES_MAX).await?)
        })
    }
}

fn understood(answer: &Answer) -> Result<Option<Found>, Lost> {
    match answer.status {
        200 => Ok(mapbox::read(&answer.body)?),
        status @ (401 | 403) => Err(Lost::Refused(status)),
        status @ (429 | 503) => Err(Lost::Busy(status, answer.retry_after_s.map(Duration::from_secs))),
        status @ (400 | 404 | 422) => Err(Lost::NotTaken(status)),
        status => Err(Lost::Answered(status)),
    }
}
