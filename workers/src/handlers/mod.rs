//! The handlers, one file per kind.

mod media_rendition;
mod probe_work;
