//! Who asks for what, and when: the day of a business that photographs houses.

use rand::{Rng, SeedableRng, distr::weighted::WeightedIndex, prelude::Distribution, rngs::StdRng};

use crate::{
    day::{Backfill, Setup},
    work::Work,
};

/// Shoots of a day, for scale 1.
pub const SHOOTS: f64 = 5_000.0;
/// Customers of the platform. The `n`-th largest has `1/n` of what the largest has (G. K. Zipf).
pub const TENANTS: usize = 200;
/// Photographs of a shoot: as likely few as many.
pub const PHOTOS: (u32, u32) = (10, 50);
/// Of so many shoots one has a film.
pub const ONE_FILM_OF: u32 = 20;
/// Pictures that one tenant has made again from noon on, for scale 1.
pub const RERENDERS: f64 = 10_000.0;
/// Mails of the morning, for scale 1.
pub const DIGESTS: f64 = 10_000.0;

/// Photographs that an uploader sends off together.
const TOGETHER: u32 = 7;
/// How long it takes to upload a shoot, in seconds.
const UPLOAD_S: (f64, f64) = (120.0, 600.0);
/// Which tenant has its archive rendered again: one of middling size.
const RERENDERING_TENANT: u16 = 9;
const NOON_H: i64 = 12;
const DIGESTS_H: i64 = 7;

/// How much of a day's shoots is uploaded in each hour. Work is done by daylight, and uploaded when it is done.
const UPLOADS_BY_HOUR: [f64; 24] = [
    0.1, 0.05, 0.05, 0.05, 0.05, 0.1, 0.3, 0.8, 1.5, 3.0, 5.0, 6.5, 7.0, 7.0, 7.5, 8.5, 10.0, 11.0, 9.5, 7.0,
    5.0, 3.0, 1.5, 0.6,
];
/// How much of a day's shoots is booked in each hour: in the office.
const BOOKINGS_BY_HOUR: [f64; 24] = [
    0.2, 0.1, 0.1, 0.1, 0.1, 0.3, 1.0, 3.0, 7.0, 10.0, 10.0, 9.0, 7.0, 8.0, 9.0, 9.0, 8.0, 6.0, 4.0, 3.0,
    2.0, 1.5, 1.0, 0.5,
];

/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 3_600_000;

/// Jobs that one tenant submits in one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When, in milliseconds since midnight.
    pub at_ms: i64,
    /// Whose, by size: 0 is the largest.
    pub tenant: u16,
    /// For which shoot.
    pub shoot: u32,
    /// What.
    pub parcel: Parcel,
}

/// What is submitted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parcel {
    /// A shoot was booked.
    Booked,
    /// So many photographs of a shoot that has so many, from the first on.
    Photos {
        /// The number of the first.
        first: u32,
        /// How many.
        count: u32,
        /// Of how many.
        of: u32,
    },
    /// A film.
    Film,
    /// Mails of the morning.
    Digests(u32),
    /// Pictures to be made again.
    Rerenders(u32),
}

/// The day of `setup`, by time.
pub fn arrivals(setup: &Setup) -> Vec<Arrival> {
    let mut rng = StdRng::seed_from_u64(setup.seed);
    let shoots = (SHOOTS * setup.scale).round() as u32;
    let shares: Vec<f64> = (1..=TENANTS).map(|rank| 1.0 / rank as f64).collect();
    let mut all = Vec::with_capacity(shoots as usize * 7);
    // The weights are positive numbers, so they can always be drawn from.
    if let (Ok(of_tenant), Ok(uploads), Ok(bookings)) = (
        WeightedIndex::new(&shares),
        WeightedIndex::new(UPLOADS_BY_HOUR),
        WeightedIndex::new(BOOKINGS_BY_HOUR),
    ) {
        for shoot in 0..shoots {
            let tenant = of_tenant.sample(&mut rng) as u16;
            let booked_ms = moment(&bookings, &mut rng);
            all.push(Arrival { at_ms: booked_ms, tenant, shoot, parcel: Parcel::Booked });
            let first_ms = moment(&uploads, &mut rng);
            upload(&mut all, tenant, shoot, first_ms, &mut rng);
        }
    }
    all.extend(at_once(setup, shoots, &shares));
    all.retain(|arrival| (setup.from_h * HOUR_MS..setup.to_h * HOUR_MS).contains(&arrival.at_ms));
    all.sort_by_key(|arrival| arrival.at_ms);
    all
}

fn moment(hours: &WeightedIndex<f64>, rng: &mut StdRng) -> i64 {
    hours.sample(rng) as i64 * HOUR_MS + rng.random_range(0..HOUR_MS)
}

/// The photographs of a shoot, some at a time, and then the film.
fn upload(all: &mut Vec<Arrival>, tenant: u16, shoot: u32, first_ms: i64, rng: &mut StdRng) {
    let of = rng.random_range(PHOTOS.0..=PHOTOS.1);
    let lasts_ms = (rng.random_range(UPLOAD_S.0..UPLOAD_S.1) * 1e3) as i64;
    let mut first = 0;
    while first < of {
        let count = TOGETHER.min(of - first);
        let at_ms = first_ms + lasts_ms * i64::from(first + count) / i64::from(of);
        all.push(Arrival { at_ms, tenant, shoot, parcel: Parcel::Photos { first, count, of } });
        first += count;
    }
    if rng.random_ratio(1, ONE_FILM_OF) {
        all.push(Arrival { at_ms: first_ms + lasts_ms, tenant, shoot, parcel: Parcel::Film });
    }
}

/// What comes all at once: the mails of the morning, and at noon an archive to be rendered again.
fn at_once(setup: &Setup, shoots: u32, shares: &[f64]) -> Vec<Arrival> {
    let whole: f64 = shares.iter().sum();
    let digests = shares.iter().enumerate().map(|(tenant, share)| Arrival {
        at_ms: DIGESTS_H * HOUR_MS,
        tenant: tenant as u16,
        shoot: shoots + tenant as u32,
        parcel: Parcel::Digests((DIGESTS * setup.scale * share / whole).round() as u32),
    });
    let rerenders = Arrival {
        at_ms: NOON_H * HOUR_MS,
        tenant: RERENDERING_TENANT,
        shoot: shoots + TENANTS as u32,
        parcel: Parcel::Rerenders((RERENDERS * setup.scale).round() as u32),
    };
    digests.chain((setup.backfill != Backfill::None).then_some(rerenders)).collect()
}

/// One job of an arrival or of what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// What it is.
    pub work: Work,
    /// Which of its kind of its shoot.
    pub nth: u32,
    /// How many photographs its shoot has, where that matters.
    pub photos: u32,
    /// How long after it was asked for it may begin, in milliseconds.
    pub after_ms: i64,
}

impl Wanted {
    const fn now(work: Work, nth: u32) -> Self {
        Self { work, nth, photos: 0, after_ms: 0 }
    }
}

/// When a booked shoot is called to mind.
const REMIND_AFTER_MS: i64 = 2 * HOUR_MS;

impl Parcel {
    /// The jobs of it.
    pub fn jobs(self) -> Vec<Wanted> {
        match self {
            Self::Booked => vec![
                Wanted::now(Work::Webhook, 0),
                Wanted::now(Work::Match, 0),
                Wanted::now(Work::Calendar, 0),
                Wanted::now(Work::Calendar, 1),
                Wanted::now(Work::Notice, 0),
                Wanted::now(Work::Notice, 1),
                Wanted { after_ms: REMIND_AFTER_MS, ..Wanted::now(Work::Reminder, 0) },
            ],
            Self::Photos { first, count, of } => (first..first + count)
                .map(|nth| Wanted { photos: of, ..Wanted::now(Work::Photo, nth) })
                .collect(),
            Self::Film => vec![Wanted::now(Work::Film, 0)],
            Self::Digests(count) => (0..count).map(|nth| Wanted::now(Work::Digest, nth)).collect(),
            Self::Rerenders(count) => (0..count).map(|nth| Wanted::now(Work::Rerender, nth)).collect(),
        }
    }
}

/// What follows when the last of a shoot's photographs is done: the package, and that people are told.
pub fn delivered(photos: u32) -> [Wanted; 4] {
    [
        Wanted { photos, ..Wanted::now(Work::Package, 0) },
        Wanted::now(Work::Notice, 2),
        Wanted::now(Work::Notice, 3),
        Wanted::now(Work::Notice, 4),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day() -> Vec<Arrival> {
        arrivals(&Setup { scale: 1.0, ..Setup::default() })
    }

    #[test]
    fn a_day_has_thirty_photographs_a_shoot() {
        let photos: u32 = day()
            .iter()
            .map(|arrival| match arrival.parcel {
                Parcel::Photos { count, .. } => count,
                _ => 0,
            })
            .sum();
        assert!((147_000..153_000).contains(&photos), "{photos}");
    }

    #[test]
    fn the_same_seed_is_the_same_day_and_another_is_not() {
        assert_eq!(day(), day());
        assert_ne!(day(), arrivals(&Setup { scale: 1.0, seed: 2, ..Setup::default() }));
    }

    #[test]
    fn every_photograph_of_a_shoot_comes_once() {
        for of in 1..60 {
            let mut all = Vec::new();
            upload(&mut all, 0, 0, 0, &mut StdRng::seed_from_u64(of));
            let nths: Vec<u32> = all
                .iter()
                .flat_map(|arrival| arrival.parcel.jobs())
                .filter(|wanted| wanted.work == Work::Photo)
                .map(|wanted| wanted.nth)
                .collect();
            assert_eq!(nths, (0..nths.len() as u32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_part_of_the_day_is_a_part_of_it() {
        let noon = arrivals(&Setup { scale: 1.0, from_h: 12, to_h: 13, ..Setup::default() });
        assert!(noon.iter().all(|arrival| arrival.at_ms / HOUR_MS == 12) && !noon.is_empty());
    }
}
