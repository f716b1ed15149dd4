//! Ranking, slots and assignment beside oracles that are as plain as they come.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod assigning;
mod clocks;
mod gates;
mod oracle;
mod ranking;
mod worlds;
