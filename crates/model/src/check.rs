//! Looking at every state, and for the shortest way to what is broken.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use stateright::{Checker, HasDiscoveries, Model, Path};

use crate::{bound::Bound, properties::MET, protocol::Protocol, step::Step, variant::Variant};

/// Longer ways are not looked for. Those there are have about ten steps.
const STEPS_MAX: usize = 24;

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// Different states.
    pub states: usize,
    /// Steps that were taken, also to states known already.
    pub steps: usize,
    /// Steps from the start to the furthest state.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// What should have been met and was not.
    pub unmet: Vec<&'static str>,
    /// Promises that do not hold, each with a way to break it.
    pub broken: Vec<(&'static str, Vec<Step>)>,
}

/// Visits every state of the protocol as it is within `bound`.
pub fn exhaust(bound: Bound, threads: usize) -> Found {
    let began = Instant::now();
    let protocol = Protocol { bound, variant: Variant::Sound, renumber: true };
    let search = protocol.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures);
    let searched = search.spawn_bfs().join();
    let (met, broken): (Vec<_>, Vec<_>) =
        searched.discoveries().into_iter().partition(|(name, _)| MET.contains(name));
    let is_met = |name: &str| met.iter().any(|(known, _)| *known == name);
    Found {
        states: searched.unique_state_count(),
        steps: searched.state_count(),
        depth: searched.max_depth() - 1,
        took: began.elapsed(),
        unmet: MET.into_iter().filter(|name| !is_met(name)).collect(),
        broken: broken.into_iter().map(|(name, path)| (name, steps(path))).collect(),
    }
}

/// A shortest way in which `variant` breaks its promise within `bound`; none when it keeps it.
pub fn shortest(variant: Variant, bound: Bound) -> Option<Vec<Step>> {
    let promise = variant.breaks()?;
    let protocol = Protocol { bound, variant, renumber: false };
    // The library keeps the last way it meets rather than the first. So the ways grow by a step until there is one.
    (1..=STEPS_MAX).find_map(|most| {
        let wanted = HasDiscoveries::AnyOf(BTreeSet::from([promise]));
        // It counts states on a way, and does not look at the last.
        let search = protocol.checker().target_max_depth(most + 2).finish_when(wanted);
        search.spawn_bfs().join().discovery(promise).map(steps)
    })
}

fn steps<S>(path: Path<S, Step>) -> Vec<Step> {
    path.into_vec().into_iter().filter_map(|(_, step)| step).collect()
}
