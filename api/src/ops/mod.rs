//! The dashboard, under `/ops`: for people who sign in.
//!
//! Pages are made on the server and work without script, which adds live updates and nothing else. What they do goes through
//! the very functions that answer the API.
//!
//! **Invariant:** every route but those for signing in stands in [`routes::table`], with the right that it takes, and is
//! reached through the guard only.

mod access;
mod alerts;
mod audit;
mod bulk;
mod charts;
mod cloning;
mod course;
mod dead_letters;
mod deliveries;
mod errors;
mod fallen;
mod go;
mod guard;
mod home;
mod issuer;
mod job;
mod jobs;
mod kinds;
mod languages;
mod layout;
mod live;
mod map;
mod messages;
mod oidc;
mod origin;
mod passwords;
mod preview;
mod queues;
mod quotas;
mod redacted;
mod relatives;
mod routes;
mod schedules;
mod session;
mod sign_in;
mod subject;
mod tenants;
mod timeline;
mod traces;
mod verbs;
mod views;
mod wanted;
mod webhooks;
mod weights;
mod words;
mod workers;
mod zones;

pub use self::{
    access::Right,
    issuer::OidcSettings,
    passwords::{
        hash_password, is_email, is_password, new_password, new_totp_secret, totp_address, totp_code,
    },
    routes::{Listed, list},
    traces::{NoTraceUrl, TraceUrl},
};
pub(crate) use self::{issuer::Issuer, routes::router, subject::Subject};

/// How the whole installation stands.
const ROOT: &str = "/ops";
/// Where people sign in.
const SIGN_IN: &str = "/ops/sign-in";
/// Where they leave for an issuer, and come back to.
const OIDC: &str = "/ops/sign-in/oidc";
/// Where they give a code after that.
const OIDC_CODE: &str = "/ops/sign-in/oidc/code";
/// The tenants that somebody may look at.
const TENANTS_OF_MINE: &str = "/ops/mine";
