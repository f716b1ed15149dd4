//! The contracts, one file per kind.

pub mod media_probe;
pub mod media_rendition;
pub mod media_scan;
pub mod probe_work;
