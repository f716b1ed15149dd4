//! The outside, as handlers see it. Built once in `main`, by hand.

use blob::Blobs;
use outbound::Outbound;
use store::Db;

use crate::{
    breakers::Breakers, calendars::CalendarArgs, clamd::Clamd, film_orders::Cut, geocoder::Geocoder,
    media_pool::MediaPool, scratch::Scratch, senders::Senders,
};

/// Everything a handler may reach.
pub struct Deps {
    /// Postgres, as a worker sees it.
    pub db: Db,
    /// S3.
    pub blobs: Blobs,
    /// Child processes that decode pictures.
    pub media: MediaPool,
    /// The virus scanner.
    pub clamd: Clamd,
    /// Child processes that decode films: one for each, with more memory.
    pub films: MediaPool,
    /// Which films are made in parts.
    pub cut: Cut,
    /// Addresses that tenants chose.
    pub outbound: Outbound,
    /// Those who carry messages.
    pub senders: Senders,
    /// As whom we come to providers of calendars.
    pub calendars: CalendarArgs,
    /// Who knows where addresses are.
    pub geocoder: Box<dyn Geocoder>,
    /// Who of those who are called is left alone for a while.
    pub(crate) breakers: Breakers,
    /// Room for files, gone when the attempt is.
    pub scratch: Scratch,
}
