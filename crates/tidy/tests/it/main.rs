//! The rules of this repository. A rule that is not a test is a remark, and remarks do not accumulate.
//!
//! Each file is one subject. A failing rule says which file breaks it and what would be right.

mod catalogue;
mod compose;
mod documents;
mod environment;
mod example;
mod layers;
mod limits;
mod links;
mod migrations;
mod packaging;
mod sources;
mod workspace;
