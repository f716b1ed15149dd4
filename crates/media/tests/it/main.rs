//! What a ladder must look like, whatever the source: one binary, one module per subject.

mod color;
mod damage;
mod fixtures;
mod formats;
mod limits;
mod metadata;
mod orientation;
mod quality;
mod sizes;
