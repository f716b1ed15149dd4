//! Webhooks that come in: who sends them, what was said, what it became, and what was not believed.
//!
//! An event is there once, however often it is sent: its row has the source and the sender's id for its key, and is written
//! with the job that will look at it in one transaction.

mod events;
mod feeding;
mod processing;
mod refusals;
mod replaying;
mod rules;
mod sources;
mod taking;

pub use events::{Event, EventJob, Filter, event, events, jobs_of, prune};
pub use feeding::{Feeding, feedback_source};
pub(crate) use processing::note;
pub use processing::{Became, Made, Processed, Work, work};
pub use refusals::{NewRefusal, Refused, refusals, refuse};
pub use replaying::{Replayed, replay};
pub use rules::{AddedRule, StoredRule, add_rule, remove_rule, rules};
pub use sources::{
    Created, NewSource, Source, create, enable, get, list, remove, rotate, secrets, source_of,
};
pub use taking::{BODY_BYTES_MAX, NewEvent, Received, take};

/// Starts the concurrency key of everything that an event of `source` about `object` becomes.
fn concurrency_key(source: jobs::WebhookSourceId, object: &str) -> String {
    format!("hook/{source}/{object}")
}
