//! For tests only: real servers of their own, networks that misbehave, and waiting without sleeping.
//!
//! **Invariant:** nothing that ships depends on this crate.

mod eventually;
mod http_proxy;
mod postgres_server;
mod proxy;
mod redis_server;

pub use eventually::eventually;
pub use http_proxy::{HttpProxy, Service};
pub use postgres_server::PostgresServer;
pub use proxy::{Proxy, Weather};
pub use redis_server::RedisServer;
