//! The handlers, one file per kind.

mod media_probe;
mod media_rendition;
mod media_scan;
mod probe_work;
