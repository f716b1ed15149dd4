//! How long work takes on one slot.
//!
//! Photographs and films were measured, on one core, with the library that the workers use; what waits for somebody
//! else's service was not, and is a guess that errs on the long side. docs/scaling.md tells which is which.

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::work::Work;

/// Seconds to decode, resize and encode eight pictures of one photograph, and how many of a hundred photographs are so:
/// 24 megapixels across, 24 upright, 45.
const PHOTO_S: [(f64, u32); 3] = [(0.92, 65), (1.56, 20), (1.69, 15)];
/// Seconds of one core for one second of film in 4K, three rungs.
const FILM_S_PER_S: f64 = 4.6;
/// Seconds that a film lasts: some more than 100 MB at 27 Mbit/s.
const FILM_LENGTH_S: (f64, f64) = (20.0, 50.0);
/// The same work on the same machine, at different times.
const DRIFT: (f64, f64) = (0.8, 1.3);
/// To fetch an original and to store what was made of it. A guess.
const OBJECTS_S: (f64, f64) = (0.05, 0.25);
/// To read a photograph's original and write it into an archive, at about 100 MB/s. A guess.
const PACKED_S: (f64, f64) = (0.05, 0.20);
/// Of so many photographs one fails the first time.
const ONE_FAILS_OF: u32 = 200;

/// What one job will be like, whoever runs it and whenever.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// How long each attempt takes, in milliseconds.
    pub takes_ms: i64,
    /// How long to wait after the first attempt, in milliseconds, if that fails.
    pub fails_then_waits_ms: Option<i64>,
}

/// The run of the `nth` job of its kind of `shoot`, which has so many photographs. It depends on nothing else, so every
/// simulation of a seed does the same work.
pub fn run(seed: u64, work: Work, shoot: u32, nth: u32, photos: u32) -> Run {
    let mut rng = StdRng::seed_from_u64(mixed(seed, work, shoot, nth));
    let seconds = seconds(work, photos, &mut rng);
    let fails = work == Work::Photo && rng.random_ratio(1, ONE_FAILS_OF);
    Run {
        takes_ms: ((seconds * 1e3) as i64).max(1),
        fails_then_waits_ms: fails.then(|| work.backoff().delay(1, &mut rng).as_millis() as i64),
    }
}

fn seconds(work: Work, photos: u32, rng: &mut StdRng) -> f64 {
    let mut between = |(least, most): (f64, f64)| rng.random_range(least..most);
    match work {
        Work::Photo | Work::Rerender => {
            let (drift, objects) = (between(DRIFT), between(OBJECTS_S));
            picture_s(rng.random_range(0..100)) * drift + objects
        }
        Work::Film => between(FILM_LENGTH_S) * FILM_S_PER_S * between(DRIFT) + between(OBJECTS_S),
        Work::Package => f64::from(photos) * between(PACKED_S),
        Work::Webhook => between((0.01, 0.06)),
        Work::Match => between((0.002, 0.03)),
        Work::Calendar => between((0.2, 0.8)),
        Work::Notice | Work::Digest => between((0.1, 0.5)),
        Work::Reminder => between((0.005, 0.02)),
    }
}

fn picture_s(percentile: u32) -> f64 {
    let mut below = 0;
    for (seconds, percent) in PHOTO_S {
        below += percent;
        if percentile < below {
            return seconds;
        }
    }
    0.0
}

/// One number of four: any of them changes all of it (the finisher of Steele, Lea and Flood's SplitMix, 2014).
fn mixed(seed: u64, work: Work, shoot: u32, nth: u32) -> u64 {
    let parts = [seed, work as u64, u64::from(shoot), u64::from(nth)];
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |so_far, part| {
        let mut z = (so_far ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_costs_the_same_every_time_and_others_cost_something_else() {
        let one = run(1, Work::Photo, 7, 3, 30);
        assert_eq!(one, run(1, Work::Photo, 7, 3, 30));
        assert_ne!(one, run(1, Work::Photo, 7, 4, 30));
        assert_ne!(one, run(2, Work::Photo, 7, 3, 30));
    }

    #[test]
    fn a_photograph_takes_a_second_and_a_third_in_the_mean() {
        let total: i64 = (0..10_000).map(|nth| run(1, Work::Photo, 1, nth, 30).takes_ms).sum();
        assert!((1_300..1_450).contains(&(total / 10_000)), "{}", total / 10_000);
        assert_eq!(PHOTO_S.iter().map(|(_, percent)| percent).sum::<u32>(), 100);
    }

    #[test]
    fn few_photographs_fail() {
        let failed =
            (0..20_000).filter(|nth| run(1, Work::Photo, 1, *nth, 30).fails_then_waits_ms.is_some()).count();
        assert!((60..140).contains(&failed), "{failed}");
    }
}
