//! Pixels: one photograph in, a ladder of renditions out.
//!
//! Pure and synchronous. Bytes come in, bytes go out, and a stop flag is looked at between stages; there is no
//! runtime, no network, no file and no environment in here. Decoding and resizing take one thread, and little time;
//! files are encoded on several.
//!
//! A render is one straight line, and [`render()`] reads like it:
//!
//! 1. [`probe()`] reads the header and refuses what is too large, before anything large is allocated.
//! 2. The source is decoded **once**, for a JPEG at the smallest of 1/1, 1/2, 1/4 and 1/8 that still covers the
//!    largest rung. An ordinary photograph stays in its own YCbCr planes from here to the encoders.
//! 3. The first resize brings it to the largest rung; orientation and colour profile are applied there, where
//!    there are few pixels left.
//!    A mark that somebody wants on the pictures is laid over this one.
//! 4. Every further rung is made from the rung above it, its size derived from the *original* picture. Where the rung above
//!    has a colour for each of its pixels, it keeps its light when encoders take three of four colours away.
//!
//! Metadata does not survive, on purpose: no GPS position, no serial number, no thumbnail of the uncropped
//! picture. The one exception is the photographer's own mark (copyright notice and credit), which is written
//! back as a minimal EXIF block into JPEG and WebP.

mod brand;
mod color;
mod crop;
mod encode;
mod error;
mod exif;
mod fine;
mod frame;
mod heif;
mod jpeg;
mod ladder;
mod limits;
mod orient;
mod placeholder;
mod plane;
mod probe;
mod raster;
mod render;
mod resize;
mod rights;
mod sheet;
mod shot;
mod source_kind;
mod webp;

pub use brand::{Brand, Corner};
pub use crop::{Crop, FocalPoint};
pub use error::MediaError;
pub use ladder::{Format, Ladder, Rung};
pub use limits::Limits;
pub use placeholder::colours;
pub use probe::{Inspected, Probe, inspect, probe};
pub use render::{Output, Rendered, render};
pub use sheet::{Cell, Layout, sheet};
pub use shot::{Position, Shot};
pub use source_kind::SourceKind;
