//! Nothing within the bounds breaks a promise.

use std::collections::{HashMap, hash_map::Entry};

use model::{
    bound::Bound,
    check::{Found, exhaust},
    protocol::Protocol,
    state::State,
    variant::Variant,
};
use stateright::Model;

use crate::documents;

const THREADS: usize = 2;

fn holds(name: &str, bound: Bound) -> Found {
    let found = exhaust(bound, THREADS);
    println!(
        "{name}: {} states, {} steps, depth {}, {:?}",
        found.states, found.steps, found.depth, found.took
    );
    assert!(found.broken.is_empty(), "{:#?}", found.broken);
    documents::lists(name, bound, found.states);
    found
}

#[test]
fn three_workers_three_jobs_and_three_faults_break_no_promise() {
    let found = holds("full", Bound::FULL);
    assert!(found.unmet.is_empty(), "a search that never met this proves little: {:?}", found.unmet);
}

#[test]
fn second_lives_snoozes_and_many_cancels_break_no_promise() {
    let found = holds("deep", Bound::DEEP);
    assert!(found.unmet.is_empty(), "a search that never met this proves little: {:?}", found.unmet);
}

#[test]
fn a_job_that_keeps_killing_breaks_no_promise() {
    holds("poison", Bound::POISON);
}

/// The library tells that something never comes about only where a way ends. So every way has to end: no way may lead
/// back to a state that it has been in.
#[test]
fn every_way_ends() {
    let protocol = Protocol { bound: Bound::SMALL, variant: Variant::Sound, renumber: true };
    let start = State::start(&protocol.bound);
    // False while the states that follow are still being looked at.
    let mut is_done: HashMap<State, bool> = HashMap::from([(start.clone(), false)]);
    let mut way = vec![(start.clone(), protocol.next_states(&start))];
    while let Some((state, ahead)) = way.last_mut() {
        let Some(next) = ahead.pop() else {
            is_done.insert(state.clone(), true);
            way.pop();
            continue;
        };
        match is_done.entry(next.clone()) {
            Entry::Occupied(known) => assert!(known.get(), "a way leads back to {next:#?}"),
            Entry::Vacant(new) => {
                new.insert(false);
                let ahead = protocol.next_states(&next);
                way.push((next, ahead));
            }
        }
    }
    assert!(is_done.len() > 50_000, "only {} states", is_done.len());
}

/// Taking alike states for one leaves nothing out: the same promises are tested with every job and worker told apart.
#[test]
fn numbers_do_not_matter() {
    use stateright::{Checker, HasDiscoveries};
    let bound = Bound { faults: 1, ..Bound::SMALL };
    let search = |renumber| {
        let protocol = Protocol { bound, variant: Variant::Sound, renumber };
        let searched = protocol.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let mut met: Vec<_> = searched.discoveries().into_keys().collect();
        met.sort_unstable();
        (searched.unique_state_count(), met)
    };
    let ((few, met), (many, met_too)) = (search(true), search(false));
    assert_eq!(met, met_too);
    assert!(few < many && many <= few * 4, "two jobs and two workers make four of one: {few}, {many}");
}
