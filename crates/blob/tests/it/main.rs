//! All operations, against the embedded server over a real socket.

#![expect(clippy::unwrap_used, reason = "what a test stands on has to hold, in its helpers too")]

mod broken;
mod multipart;
mod objects;
mod presigned;
mod refusals;
mod server;
