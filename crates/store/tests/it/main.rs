//! The ledger against a real Postgres, a database for each test.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod bookings;
mod bulk;
mod bulk_asking;
mod bulk_racing;
mod calendar_channels;
mod calendar_mending;
mod calendar_tokens;
mod calendars;
mod cancelling;
mod enqueueing;
mod graves;
mod history;
mod invitations;
mod limiting;
mod matching;
mod messages;
mod observing;
mod parking;
mod people;
mod releasing;
mod rescuing;
mod retention;
mod schedules;
mod schedules_racing;
mod sealing;
mod settling;
mod tenancy;
mod users;
mod virtual_time;
mod walking;
mod webhooks;
mod workflows;
mod workflows_at_random;
mod world;
