//! The model against its promises, against what breaks them, and against records of real runs.

mod bounds;
mod broken;
mod documents;
mod recorded;
mod tampered;
