//! The schemes, one file each.

pub(crate) mod cronofy;
pub(crate) mod generic;
pub(crate) mod github;
pub(crate) mod sns;
pub(crate) mod standard;
pub(crate) mod stripe;
pub(crate) mod twilio;
