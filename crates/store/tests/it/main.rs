//! The ledger against a real Postgres, a database for each test.

mod cancelling;
mod enqueueing;
mod history;
mod rescuing;
mod settling;
mod tenancy;
mod world;
