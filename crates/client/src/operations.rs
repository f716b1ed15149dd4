//! What can be asked of the API, written from its description.
#![allow(missing_docs, clippy::all, clippy::pedantic, reason = "written from the description of the API")]

include!(concat!(env!("OUT_DIR"), "/operations.rs"));
