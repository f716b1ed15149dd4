//! Films: one recording in, a ladder of streams out.
//!
//! Pure and synchronous: a file comes in, files come out, a stop flag is looked at for every packet and frame. There
//! is no runtime, no network and no environment in here; threads live no longer than the call that started them.
//!
//! A transcode is one straight line, and [`transcode()`] reads like it:
//!
//! 1. [`probe()`] reads the header and refuses what is too long, too large or of a kind that nobody films in.
//! 2. [`Plan::of`] decides, by arithmetic alone, what will be made: which rungs, turned how, with which filters.
//! 3. The source is decoded **once**. One thread reads, decodes, filters; every rung has a thread that encodes and
//!    writes its file; the sound has one of its own.
//! 4. Playlists are written from what was measured: where each fragment lies, how long it plays, how large it is.
//! 5. The progressive file is the best ordinary rung, put into another box without encoding it again.
//!
//! A long film can be made by many: [`Part::cut`] says where, [`make_part`] makes the pictures of one part, and with the
//! last one the sound, and [`join`] makes of all parts what [`transcode()`] would have made, picture for picture and tick
//! for tick.
//!
//! Every rung is one fragmented MP4, and the playlists name byte ranges in it: a film is a handful of objects, not
//! thousands, and each of them can be addressed with a single signed URL. Metadata does not survive, on purpose:
//! no position, no device, no date.

mod audio;
mod boxes;
mod error;
mod ffi;
mod fragments;
mod frames;
mod gather;
mod graph;
mod halt;
mod join;
mod keys;
mod limits;
mod loudness;
mod made;
mod open;
mod part;
mod picture;
mod piece;
mod plan;
mod playlist;
mod poster;
mod probe;
mod progressive;
mod recorded;
mod rung;
mod still;
mod storyboard;
mod timeline;
mod transcode;
mod turn;

pub use error::VideoError;
pub use join::join;
pub use limits::Limits;
pub use loudness::Loudness;
pub use made::{AudioMade, FileKind, FileMade, Made, RungMade};
pub use part::Part;
pub use piece::{PartMade, make_part};
pub use plan::{Order, Plan, Rung, Span};
pub use probe::{AudioProbe, Inspected, Probe, Transfer, inspect, probe};
pub use recorded::{Position, Recorded};
pub use transcode::{Event, transcode};
pub use turn::Turn;
