//! Alerts: rules that say what is wrong, and when it was.
//!
//! What rules look at is measured by workers every few seconds. Nobody is told before it has been wrong for as long as the rule
//! says, and nobody is told that it is over before it has been over for as long: what goes up and down is told once.

mod judging;
mod looking;
mod record;
mod rules;

pub use self::{
    looking::{Round, look},
    record::{Alert, RuleState, alert, list as alerts, prune},
    rules::{NewRule, Put, Rule, list, put, remove},
};
