//! For tests, and for the programs that play on a whole Crewline: real servers of their own, networks that misbehave,
//! waiting without sleeping, and what such programs say and how they end.
//!
//! **Invariant:** nothing that ships depends on this crate.

mod clamd_server;
mod dav_server;
mod eventually;
mod http_proxy;
mod imap_server;
mod page;
mod ports;
mod postgres_server;
mod proxy;
mod redis_server;
mod smtp_server;
mod stopping;
mod twilio_server;
mod words;

pub use clamd_server::{ClamdServer, VIRUS, VIRUS_NAME};
pub use dav_server::{Dav, DavServer};
pub use eventually::{eventually, until};
pub use http_proxy::{HttpProxy, Service};
pub use imap_server::ImapServer;
pub use page::Page;
pub use ports::{free_address, free_port};
pub use postgres_server::PostgresServer;
pub use proxy::{Proxy, Weather};
pub use redis_server::RedisServer;
pub use smtp_server::{Door, Kept, SmtpServer};
pub use stopping::unless_told_to_stop;
pub use twilio_server::{Text, TwilioServer};
pub use words::{line, number};
