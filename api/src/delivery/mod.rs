//! The page of a delivery: for people who have its link and nothing else.

pub(crate) mod film;
mod link;
mod page;
mod placeholder;
mod remarks;
mod review;
mod routes;

pub(crate) use self::{link::address, routes::router};
