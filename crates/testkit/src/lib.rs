//! For tests only: real servers of their own, and waiting without sleeping.
//!
//! **Invariant:** nothing that ships depends on this crate.

mod eventually;
mod redis_server;

pub use eventually::eventually;
pub use redis_server::RedisServer;
