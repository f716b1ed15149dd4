//! Films from the command line in, everything that comes out held against ffprobe and another parser of playlists.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a fixture that fails is a test that fails; Clippy knows the tests but not their fixtures"
)]

mod clips;
mod endings;
mod hostile;
mod kinds;
mod looks;
mod output;
mod parts;
mod sound;
mod streams;
