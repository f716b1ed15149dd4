//! Encryption at rest: what rows and objects hold of a tenant's payloads is sealed under a data key of the tenant, which
//! is wrapped by a master key that only processes know. Off unless the tenant has a data key. Secrets are sealed always.
//!
//! Everybody above this crate sees plain values. docs/decisions/0012-payloads-sealed-by-the-store.md has the reasons.

mod cipher;
mod data_keys;
mod keyring;
mod master;
mod resealing;
mod secrets;
mod tenants;

use jobs::{JobId, WebhookEventId, WorkflowId};

use crate::payload::Field;

pub(crate) use data_keys::Ring;
pub(crate) use keyring::Keyring;
pub use keyring::check;
pub use master::{BadMasterKey, MasterKeys};
pub use resealing::{Encrypted, Page, Stale, encrypted, replace, stale};
pub use secrets::reseal;
pub use tenants::{Rewrapped, encrypt, rotate};

/// Where something sealed belongs. Sealed for one place, it opens at no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// A payload of a job.
    pub fn of_job(job: JobId, field: Field) -> Self {
        Self(format!("{job}/{}", field.name()))
    }

    /// What is kept for an idempotency key.
    pub(crate) fn of_answer(route: &str, key: &str) -> Self {
        Self(format!("answer/{route}/{key}"))
    }

    /// The jobs of a step that are still to be made.
    pub(crate) fn of_step(workflow: WorkflowId, ordinal: i16) -> Self {
        Self(format!("{workflow}/{ordinal}"))
    }

    /// The secrets of whoever sends us webhooks, or gets them from us.
    pub(crate) fn of_secret(owner: &str) -> Self {
        Self(format!("{owner}/secret"))
    }

    /// The body of a webhook that came in.
    pub(crate) fn of_webhook(event: WebhookEventId) -> Self {
        Self(format!("{event}/body"))
    }

    fn name(&self) -> &str {
        &self.0
    }
}
