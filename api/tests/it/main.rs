//! The API over real sockets, with a real Postgres and a real S3. There are no workers here: tests play them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what a test stands on has to hold, in its helpers too"
)]

mod acts;
mod administration;
mod alerts;
mod app;
mod assets;
mod audit;
mod auth;
mod bookings;
mod bulk;
mod calendar_pings;
mod calendars;
mod clones;
mod commands;
mod contract;
mod curls;
mod dead_letters;
mod deliveries;
mod encryption;
mod events;
mod four_eyes;
mod hostile;
mod idempotency;
mod inbox_events;
mod intake;
mod matching;
mod notifications;
mod oidc;
mod ops;
mod ops_bounds;
mod ops_errors;
mod ops_german;
mod ops_home;
mod ops_job;
mod ops_jobs;
mod ops_lockout;
mod ops_previews;
mod ops_roles;
mod ops_steering;
mod ops_webhooks;
mod pages;
mod payloads;
mod private_fields;
mod problems;
mod queues;
mod reads;
mod retention;
mod schedules;
mod sight;
mod uploads;
mod versions;
mod webhooks_in;
mod webhooks_out;
mod webhooks_refused;
mod webhooks_schemes;
mod workflows;
