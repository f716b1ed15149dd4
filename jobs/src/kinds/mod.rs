//! The contracts, one file per kind.

pub mod media_rendition;
pub mod probe_work;
