//! Worker processes against a real Postgres, Redis and S3: what they do, and what happens when they are killed at it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod backfill;
mod brands;
mod browser;
mod bulk;
mod carriers;
mod clamd;
mod crashes;
mod deleting;
mod deliveries;
mod documents;
mod encryption;
mod endings;
mod every_kind;
mod film_parts;
mod films;
mod housekeeping;
mod journeys;
mod notifying;
mod notifying_crashes;
mod outages;
mod outbound;
mod pages;
mod payloads;
mod probing;
mod renditions;
mod scanning;
mod schedules;
mod settling;
mod sheets;
mod steering;
mod versions;
mod webhooks_in;
mod webhooks_out;
mod workflows;
mod world;
