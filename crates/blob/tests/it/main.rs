//! All operations, against the embedded server over a real socket.

mod multipart;
mod objects;
mod presigned;
mod refusals;
mod server;
