//! Where an address is, and which clock hangs there: what is asked of Mapbox, what its answers mean, and zones by shapes that
//! are built into the program.
//!
//! **Invariant:** no I/O and no clock. Whatever is not surely a place is none: a wrong one sends somebody there.

pub mod mapbox;
mod zones;

pub use zones::zone_at;
