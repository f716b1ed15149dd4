//! The endpoints, by what they are about.

pub(crate) mod attempts;
pub(crate) mod batch;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod kinds;
pub(crate) mod steer;
pub(crate) mod submit;
