//! The slots of a queue, each with the moment from which on it is free.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::demand::HOUR_MS;

/// Slots, and how much they have been used.
///
/// The clock moves in steps, slots do not: a job that is claimed at the end of a step begins when its slot became free. What
/// came within the step may begin up to a step early. So no slot stands idle because of the steps, whoever goes first, and
/// waits shorter than a step are seen as none.
#[derive(Debug)]
pub struct Slots {
    free_from_ms: BinaryHeap<Reverse<i64>>,
    /// Milliseconds of work in each hour.
    busy_ms: Vec<i64>,
}

impl Slots {
    /// So many slots, free from the beginning.
    pub fn new(count: usize) -> Self {
        Self { free_from_ms: (0..count).map(|_| Reverse(0)).collect(), busy_ms: Vec::new() }
    }

    /// How many are free at `now_ms`.
    pub fn free(&self, now_ms: i64) -> usize {
        self.free_from_ms.iter().filter(|free| free.0 <= now_ms).count()
    }

    /// Puts a job that could begin at `from_ms` into the slot that has been free longest; answers when it begins. None when
    /// there is no slot at all.
    pub fn take(&mut self, from_ms: i64, takes_ms: i64) -> Option<i64> {
        let Reverse(free_ms) = self.free_from_ms.pop()?;
        let begins_ms = free_ms.max(from_ms);
        self.free_from_ms.push(Reverse(begins_ms + takes_ms));
        self.note(begins_ms, takes_ms);
        Some(begins_ms)
    }

    fn note(&mut self, begins_ms: i64, takes_ms: i64) {
        let (mut from_ms, to_ms) = (begins_ms, begins_ms + takes_ms);
        while from_ms < to_ms {
            let hour = (from_ms / HOUR_MS) as usize;
            let until_ms = to_ms.min((hour as i64 + 1) * HOUR_MS);
            if self.busy_ms.len() <= hour {
                self.busy_ms.resize(hour + 1, 0);
            }
            self.busy_ms[hour] += until_ms - from_ms;
            from_ms = until_ms;
        }
    }

    /// The share of the slots' time that was worked, over the hours of the day and in the busiest of them.
    pub fn used(&self, from_h: i64, to_h: i64) -> (f64, f64) {
        let of_hour = |hour: i64| self.busy_ms.get(hour as usize).copied().unwrap_or_default() as f64;
        let an_hour = self.free_from_ms.len() as f64 * HOUR_MS as f64;
        let mean = (from_h..to_h).map(of_hour).sum::<f64>() / an_hour / (to_h - from_h).max(1) as f64;
        let most = (from_h..to_h).map(of_hour).fold(0.0, f64::max) / an_hour;
        (mean, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_begins_when_its_slot_is_free_and_not_before_it_came() {
        let mut slots = Slots::new(1);
        assert_eq!(slots.take(5, 10), Some(5));
        assert_eq!(slots.free(14), 0);
        assert_eq!(slots.free(15), 1);
        assert_eq!(slots.take(7, 10), Some(15));
        assert_eq!(Slots::new(0).take(1, 1), None);
    }

    #[test]
    fn work_over_the_end_of_an_hour_counts_in_both() {
        let mut slots = Slots::new(2);
        slots.take(HOUR_MS / 2, HOUR_MS);
        let (mean, most) = slots.used(0, 2);
        assert!((mean - 0.25).abs() < 1e-9 && (most - 0.25).abs() < 1e-9);
    }
}
