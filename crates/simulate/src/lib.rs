//! A busy day in virtual time: the ledger's own code decides what goes next, only the clock and the work are made up.
//!
//! What comes in is in [`demand`], what it costs in [`costs`], and [`day`] is the loop: it moves the clock, puts in what
//! has arrived, settles what has ended and claims for every slot that is free, all by the verbs of `store`.
//!
//! **Invariant:** equal settings give an equal day. Nothing asks the real clock for anything but how long it all took.

pub mod config;
pub mod costs;
pub mod day;
pub mod demand;
pub mod ledger;
pub mod line;
pub mod outcome;
pub mod page;
pub mod plot;
pub mod slots;
pub mod study;
pub mod waits;
pub mod work;
