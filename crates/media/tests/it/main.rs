//! What a ladder must look like, whatever the source: one binary, one module per subject.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a fixture that fails is a test that fails; Clippy knows the tests but not their fixtures"
)]

mod brands;
mod color;
mod crops;
mod damage;
mod fixtures;
mod formats;
mod inspection;
mod limits;
mod metadata;
mod orientation;
mod quality;
mod sizes;
