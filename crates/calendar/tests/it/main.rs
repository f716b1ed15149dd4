//! What calendars say, in the shapes that are found in the wild, and beside somebody else who reads them.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod corpus;
mod edges;
mod hostile;
mod invitations;
mod keeping;
mod oracle;
mod provided;
mod rarities;
mod said;
mod tongues;
mod writing;
