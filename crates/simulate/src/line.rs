//! Who waits, by when they were allowed to run.

use std::collections::BTreeMap;

/// The jobs of a queue that may run and do not.
#[derive(Debug, Default)]
pub struct Line {
    /// How many since when, in milliseconds.
    since: BTreeMap<i64, usize>,
    jobs: usize,
}

impl Line {
    /// One more has been waiting since `since_ms`.
    pub fn join(&mut self, since_ms: i64) {
        *self.since.entry(since_ms).or_default() += 1;
        self.jobs += 1;
    }

    /// One that has been waiting since `since_ms` does so no more; false when nobody has.
    pub fn leave(&mut self, since_ms: i64) -> bool {
        let Some(count) = self.since.get_mut(&since_ms) else { return false };
        *count -= 1;
        if *count == 0 {
            self.since.remove(&since_ms);
        }
        self.jobs -= 1;
        true
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.jobs
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.jobs == 0
    }

    /// How long the first has been waiting at `now_ms`; 0 when nobody does.
    pub fn age_ms(&self, now_ms: i64) -> i64 {
        self.since.first_key_value().map_or(0, |(since_ms, _)| (now_ms - since_ms).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_that_of_the_oldest_who_is_still_there() {
        let mut line = Line::default();
        assert_eq!(line.age_ms(5), 0);
        for since_ms in [3, 1, 1] {
            line.join(since_ms);
        }
        assert_eq!((line.len(), line.age_ms(11)), (3, 10));
        assert!(line.leave(1) && line.leave(1) && !line.leave(1));
        assert_eq!((line.len(), line.age_ms(11)), (1, 8));
        assert!(line.leave(3) && line.is_empty());
    }
}
