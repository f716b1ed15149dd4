//! Which job is called first. Jobs are alike and so are workers, so of all ways to number them one is looked at.

use crate::{lease::Lease, state::State};

/// Every order of one, two and three jobs. Of more than three only one order is tried: more states, none left out.
const ONE: &[&[u8]] = &[&[0]];
const TWO: &[&[u8]] = &[&[0, 1], &[1, 0]];
const THREE: &[&[u8]] = &[&[0, 1, 2], &[0, 2, 1], &[1, 0, 2], &[1, 2, 0], &[2, 0, 1], &[2, 1, 0]];

/// The same state under the numbers that sort first.
pub(crate) fn renumber(state: &mut State) {
    let orders = match state.jobs.len() {
        1 => ONE,
        2 => TWO,
        3 => THREE,
        _ => return number_workers(&mut state.leases),
    };
    let job = |at: &u8| &state.jobs[usize::from(*at)];
    let best = orders
        .iter()
        .filter(|order| order.windows(2).all(|pair| job(&pair[0]) <= job(&pair[1])))
        .map(|order| (under(&state.leases, order), order))
        .min();
    if let Some((leases, order)) = best {
        let jobs = order.iter().map(|at| job(at).clone()).collect();
        (state.jobs, state.leases) = (jobs, leases);
    }
}

/// The leases as they are when the job that stands at `order[n]` is called `n`.
fn under(leases: &[Lease], order: &[u8]) -> Vec<Lease> {
    let mut leases = leases.to_vec();
    for lease in &mut leases {
        for held in &mut lease.held {
            held.job = (0..).zip(order).find(|(_, old)| **old == held.job).map_or(held.job, |(new, _)| new);
        }
        lease.held.sort_unstable();
    }
    number_workers(&mut leases);
    leases
}

/// Sorts leases by what they are, and calls workers by the first lease they hold.
fn number_workers(leases: &mut [Lease]) {
    leases.sort_unstable();
    leases.sort_by(|a, b| (a.row, &a.held).cmp(&(b.row, &b.held)));
    let mut met: Vec<u8> = Vec::new();
    for lease in leases {
        if let Some(worker) = lease.worker {
            let number = met.iter().position(|known| *known == worker).unwrap_or_else(|| {
                met.push(worker);
                met.len() - 1
            });
            lease.worker = Some(number as u8);
        }
    }
}
