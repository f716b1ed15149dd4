//! The endpoints, by what they are about.

pub(crate) mod asset_list;
pub(crate) mod asset_terms;
pub(crate) mod assets;
pub(crate) mod attempts;
pub(crate) mod batch;
pub(crate) mod bulk;
pub(crate) mod deliveries;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod job_events;
pub(crate) mod jobs;
pub(crate) mod kinds;
pub(crate) mod limits;
pub(crate) mod pages;
pub(crate) mod pauses;
pub(crate) mod promises;
pub(crate) mod retention;
pub(crate) mod schedule_steer;
pub(crate) mod schedules;
pub(crate) mod steer;
pub(crate) mod submit;
pub(crate) mod uploads;
pub(crate) mod why;
pub(crate) mod workflows;
