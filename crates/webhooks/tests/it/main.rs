//! Schemes against what their senders publish, and against messages that were changed on their way.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what a test stands on has to hold, in its helpers too"
)]

mod beside_vendors;
mod senders;
mod signed;
mod sns;
mod tampering;
mod told;
mod vendors;
