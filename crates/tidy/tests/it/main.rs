//! The rules of this repository. A rule that is not a test is a remark, and remarks do not accumulate.
//!
//! Each file is one subject. A failing rule says which file breaks it and what would be right.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a rule that cannot be checked has failed"
)]

mod catalogue;
mod compose;
mod counts;
mod deploy;
mod descriptions;
mod documents;
mod environment;
mod example;
mod layers;
mod limits;
mod links;
mod migrations;
mod packaging;
mod sources;
mod translations;
mod workspace;
