//! Bulk operations: one action on every job of a tenant that fits a filter, however many there are.
//!
//! An operation is a row. Whoever comes by takes it for the length of one batch, which changes its jobs and moves the row's
//! cursor and counts in one transaction. A process that dies leaves a row that says how far it came.
//!
//! **Invariant:** the walk goes by the ids of jobs and meets each at most once, so nothing is done twice.

mod asking;
mod batch;
mod changing;
mod four_eyes;
mod record;
mod undoing;
mod walk;

pub use asking::{Begun, COUNT_MAX, Expected, Steered, begin, cancel, get, list, pause, preview, resume};
pub use batch::{Stepped, step};
pub use four_eyes::{Confirmation, FourEyes, confirm, want, want_no_more, wanted};
pub use record::{Action, By, Filter, Operation, OperationState, Wanted};
pub use undoing::{UNDO_DAYS_MAX, forget};
pub use walk::{Counted, Preview};
