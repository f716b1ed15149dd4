//! Files in S3: put, get, stream, and the signed URLs with which clients do it themselves.
//!
//! Not here: who may read what, which objects exist and how long they stay. Those are rows in Postgres;
//! this crate only moves bytes.
//!
//! **Invariant:** an object's name is a [`Key`], made from checked segments. No string from outside reaches S3
//! as a path. And this is the only crate that names the AWS SDK.

mod client;
#[cfg(feature = "embedded")]
pub mod embedded;
mod error;
mod key;
mod multipart;
mod objects;
mod options;
mod part_writer;
mod presign;
mod transfer;

pub use client::Blobs;
pub use error::{BlobError, Fault};
pub use key::{Key, KeyError};
pub use multipart::{Begun, PART_BYTES_MIN, PART_NUMBER_MAX, UploadId};
pub use objects::{Head, Listed, Listing};
pub use options::Options;
pub use part_writer::PartWriter;
pub use presign::Presigned;
pub use transfer::{Body, Downloaded};
