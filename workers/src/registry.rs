//! From a kind's name to the code that does it.

use std::{future::Future, pin::Pin};

use jobs::{Failure, Job, Outcome, catalogue::upcast, failure::Classify, for_each_kind};
use serde_json::Value;

use crate::cx::Cx;

/// Does one kind of work.
pub trait Handle: Job {
    /// Works once. Assume it already ran to the last line once: everything it does must bear being done again.
    fn run(self, cx: &Cx<'_>) -> impl Future<Output = Outcome<Self::Output>> + Send;
}

/// A handler under way, its types forgotten.
pub type Running<'a> = Pin<Box<dyn Future<Output = Outcome<Value>> + Send + 'a>>;

/// Starts a handler on arguments of a version that it knows.
pub type Start = for<'a> fn(u16, Value, &'a Cx<'a>) -> Running<'a>;

fn start<'a, K: Handle>(version: u16, args: Value, cx: &'a Cx<'a>) -> Running<'a> {
    Box::pin(async move {
        let args = upcast::<K>(version, args).ok_or_else(|| {
            Failure::retry("undecodable_args", format!("these are no arguments of version {version}"))
        })?;
        // Retried, not discarded: a newer worker next door may be able to read what this one cannot.
        let job: K = serde_json::from_value(args).retry("undecodable_args")?;
        let result = job.run(cx).await?;
        serde_json::to_value(result)
            .map_err(|error| Failure::discard("unserialisable_result", error.to_string()))
    })
}

macro_rules! find_handler {
    ($($kind:ty),+ $(,)?) => {
        /// How to start jobs called `kind`; none when this version has no such kind.
        pub fn find(kind: &str) -> Option<Start> {
            match kind {
                $(<$kind as Job>::KIND => Some(start::<$kind> as Start),)+
                _ => None,
            }
        }
    };
}

for_each_kind!(find_handler);
