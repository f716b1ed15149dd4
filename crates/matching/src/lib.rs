//! Who should do a visit: nine gates, five factors, one order, and a receipt that says why.
//!
//! Candidates in, a ranking out; slots that somebody could take; many visits given out at once. Not here: where the
//! candidates come from and what is done with the answer; that is `store` and `workers`.
//!
//! **Invariant:** no I/O and no clock, and integers from the factors on: every process gives the same answer, whatever
//! order the candidates come in.

mod assign;
mod candidate;
mod factors;
mod gates;
mod hours;
mod point;
mod rank;
mod slots;
mod span;
mod visit;
mod weights;

pub use assign::{ASSIGN_CELLS_MAX, Assigned, Scores, assign, greedy};
pub use candidate::{Candidate, Past, Preferred, Skill, Taken, What};
pub use factors::Factors;
pub use gates::{Excluded, Flag, Reason};
pub use hours::{DayOverride, Hours, Window};
pub use point::{Point, Reach};
pub use rank::{Ranked, Ranking, rank, reorder};
pub use slots::{Search, Slot, Slots, slots};
pub use span::{Span, joined};
pub use visit::{Terms, Visit};
pub use weights::{Weights, WeightsError};
