//! For tests only: real servers of their own, and waiting without sleeping.
//!
//! **Invariant:** nothing that ships depends on this crate.

mod eventually;
mod postgres_server;
mod redis_server;

pub use eventually::eventually;
pub use postgres_server::PostgresServer;
pub use redis_server::RedisServer;
