//! JPEG in and out, through TurboJPEG, without passing through RGB where the source allows it.

mod decode;
mod encode;
mod header;

pub(crate) use decode::decode;
pub(crate) use encode::encode;
pub(crate) use header::{Header, has_end};
