//! How work gets in and is watched: a thin HTTP intake over the ledger.
//!
//! A request becomes rows and nothing else. Not here: doing the work (`workers`), and telling workers that there is some
//! (a notice of the database does).
//!
//! **Invariant:** this crate does not know `queue`. A job that was answered with 202 is in Postgres, and there is no
//! second place it would have had to be written to.

mod acts;
mod auth;
mod bulk;
mod certificates;
mod cloning;
mod code;
mod completion;
mod delivery;
mod extract;
mod follow;
mod hub;
mod idempotency;
mod intake;
mod large;
mod limits;
mod numbers;
mod openapi;
pub mod ops;
mod plan;
mod prefer;
mod problem;
mod rate;
mod request;
mod resource;
mod routes;
mod search;
mod seeing;
mod server;
mod state;
mod static_files;
mod submission;
mod timetable;
mod unsubscribe;
mod waiting;

pub use auth::{Minted, Scope, mint};
pub use limits::Settings;
pub use openapi::{document, router};
pub use problem::{Code, FieldError};
pub use routes::tenants::is_slug;
pub use server::serve;
pub use state::{App, AppState};
pub use store::users::UserRole;
