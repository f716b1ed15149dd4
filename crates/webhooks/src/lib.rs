//! Webhooks to the byte: whether a message that came in is from whom it says, how one that goes out is signed, what a
//! message is to become, and which addresses may be spoken to.
//!
//! Bytes in, an answer out. Not here: where messages are kept (`store`), who takes them in (`api`), who sends them
//! (`workers`).
//!
//! **Invariant:** no I/O, no runtime and no clock. Every comparison with a secret takes the same time whatever the message.

pub mod address;
mod body;
mod envelope;
mod identity;
mod incoming;
mod mac;
mod refusal;
mod rules;
mod scheme;
mod schemes;
mod secrets;
mod sequence;
mod signing;
mod verify;

pub use body::read_body;
pub use envelope::Event;
pub use identity::{EVENT_ID_BYTES_MAX, EVENT_TYPE_BYTES_MAX, Identity};
pub use incoming::Incoming;
pub use refusal::Refusal;
pub use rules::{BadRule, Glob, Match, Rule, Source};
pub use scheme::{Algorithm, Encoding, Generic, Scheme};
pub use schemes::sns::certificate_url;
pub use secrets::{BadSecret, Secret};
pub use sequence::sequence;
pub use signing::{BadKey, Headers, SigningKey, sign};
pub use verify::{FUTURE_S_MAX, Trust, verify};
