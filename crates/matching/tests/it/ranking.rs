//! What a ranking has to be, whoever is in it.

use matching::{Candidate, Past, Point, Preferred, Ranked, Terms, Visit, Weights, rank, reorder};
use proptest::prelude::*;

use crate::worlds::{any_visit, candidate, skill, somebody, utc, visit};

/// Degrees of latitude that are so many kilometres.
fn north_of(place: Point, km: f64) -> Option<Point> {
    Point::new(place.latitude + (km / 6_371.008_8).to_degrees(), place.longitude)
}

#[test]
fn the_worked_example_comes_out_to_the_digit() {
    let visit = Visit { skills: vec!["photo".into(), "twilight".into()], ..visit() };
    let candidate = Candidate {
        preferred: Preferred::ByClient,
        home: north_of(visit.place.unwrap(), 12.5),
        past: Past { visits: 20, on_time: 19, no_shows: 0, ratings: 10, stars: 46 },
        skills: vec![skill("photo", 4), skill("twilight", 2)],
        ..somebody()
    };
    let ranking = rank(&visit, &[candidate], &Terms::VREM);
    let [row] = &ranking.ranked[..] else { panic!("{:?}", ranking.excluded) };
    let factors = row.factors;
    let values =
        [factors.availability, factors.preferred, factors.reliability, factors.distance, factors.skill];
    assert_eq!(values, [10_000, 10_000, 9_183, 7_500, 6_000]);
    assert_eq!((row.metres, row.score), (Some(12_500), 9_062));
}

#[test]
fn who_is_new_is_neither_the_best_nor_the_last() {
    let past = |visits, on_time, no_shows, stars| Past { visits, on_time, no_shows, ratings: visits, stars };
    let reliability = |past| {
        let ranking = rank(&visit(), &[Candidate { past, ..somebody() }], &Terms::VREM);
        ranking.ranked[0].factors.reliability
    };
    let new = reliability(Past::default());
    assert!(reliability(past(20, 20, 0, 100)) > new && reliability(past(20, 5, 6, 40)) < new, "{new}");
}

#[test]
fn ties_are_broken_by_every_key_in_turn() {
    let order = |one: Candidate, other: Candidate| {
        let (first, second) = (one.party, other.party);
        let ranked = rank(&visit(), &[other, one], &Terms::VREM).ranked;
        assert_eq!([ranked[0].party, ranked[1].party], [first, second]);
        assert_eq!(ranked[0].score, ranked[1].score);
    };
    let nowhere = || Candidate { home: None, radius_m: 1, ..somebody() };
    let idle = somebody();
    order(idle.clone(), Candidate { week_minutes: 1, ..somebody() });
    order(idle.clone(), Candidate { last_offered_at: Some(utc("2026-01-01T00:00:00Z")), ..somebody() });
    let asked = |at: &str| Candidate { last_offered_at: Some(utc(at)), ..somebody() };
    order(asked("2026-01-01T00:00:00Z"), asked("2026-01-02T00:00:00Z"));
    order(idle, somebody());
    // Both come to nothing for distance: whose way is known comes before whose is not.
    let far = Candidate { home: north_of(visit().place.unwrap(), 0.05), radius_m: 50, ..nowhere() };
    let far = Candidate { radius_m: visit().place.unwrap().metres_to(&far.home.unwrap()), ..far };
    order(far, Candidate { week_minutes: 0, ..nowhere() });
}

/// Makes somebody worse by one key of the order, the first before others. Nothing but the weights keeps the score out of it.
const WORSE: [fn(&mut Candidate); 5] = [
    |one| one.preferred = Preferred::No,
    |one| one.past = Past { visits: 10, on_time: 0, no_shows: 10, ratings: 0, stars: 0 },
    |one| one.home = north_of(visit().place.unwrap(), 1.0),
    |one| one.week_minutes = 60,
    |one| one.last_offered_at = Some(utc("2026-11-30T00:00:00Z")),
];

#[test]
fn whoever_is_ahead_by_one_key_may_be_behind_by_all_that_follow() {
    let weights = Weights { availability: 100, preferred: 0, reliability: 0, distance: 0, skill: 0 };
    let terms = Terms { weights, ..Terms::VREM };
    let alike = || Candidate { preferred: Preferred::ByClient, ..somebody() };
    for (key, worsen) in WORSE.iter().enumerate() {
        // Whoever comes second was there first, so that the id speaks for them too.
        let (mut second, mut first) = (alike(), alike());
        worsen(&mut second);
        for later in &WORSE[key + 1..] {
            later(&mut first);
        }
        assert!(second.party < first.party);
        let ranked = rank(&visit(), &[second.clone(), first.clone()], &terms).ranked;
        assert_eq!((ranked[0].score, ranked[1].score), (10_000, 10_000), "a tie");
        assert_eq!([ranked[0].party, ranked[1].party], [first.party, second.party], "key {key}");
    }
}

#[test]
fn a_band_lets_those_who_had_less_work_go_first() {
    let busy = Candidate { preferred: Preferred::ByCompany, week_minutes: 600, ..somebody() };
    let idle = Candidate { week_minutes: 60, ..somebody() };
    let first = |terms: Terms| rank(&visit(), &[busy.clone(), idle.clone()], &terms).ranked[0].party;
    assert_eq!(first(Terms::VREM), busy.party);
    assert_eq!(first(Terms { fairness_band: 5_000, ..Terms::VREM }), idle.party);
}

#[test]
fn weights_come_to_a_hundred() {
    assert!(Weights::VREM.check().is_ok());
    assert!(
        Weights { skill: 0, availability: 40, ..Weights::VREM }.check().is_ok(),
        "a weight may be nothing"
    );
    let wrong = Weights { skill: 11, ..Weights::VREM }.check().unwrap_err();
    assert_eq!(wrong.to_string(), "the weights come to 101, and have to come to 100");
    let most = Weights { availability: 255, preferred: 255, reliability: 255, distance: 255, skill: 255 };
    assert!(most.check().is_err(), "no overflow comes to a hundred");
}

fn place(ranked: &[Ranked], candidate: &Candidate) -> usize {
    ranked.iter().position(|row| row.party == candidate.party).unwrap()
}

fn terms() -> impl Strategy<Value = Terms> {
    prop_oneof![Just(0u16), Just(200), Just(1_000)]
        .prop_map(|fairness_band| Terms { fairness_band, ..Terms::VREM })
}

/// The same in every way but one, in which they are better.
fn better(candidate: &Candidate, way: usize) -> Candidate {
    let mut better = candidate.clone();
    match way {
        0 => better.preferred = Preferred::ByClient,
        1 => better.past.on_time = better.past.visits - better.past.no_shows,
        2 => better.past.no_shows = 0,
        3 => better.past.stars = better.past.ratings * 5,
        4 => better.home = better.home.and(visit().place),
        _ => better.skills.iter_mut().for_each(|skill| skill.level = 5),
    }
    better
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn being_better_in_one_way_never_costs_a_place(
        visit in any_visit(), mut candidates in proptest::collection::vec(candidate(), 1..10), way in 0..6usize, terms in terms(),
        which in 0..9usize,
    ) {
        let before = rank(&visit, &candidates, &terms).ranked;
        let Some(row) = before.get(which % before.len().max(1)) else { return Ok(()) };
        let at = candidates.iter().position(|candidate| candidate.party == row.party).unwrap();
        let changed = candidates[at].clone();
        candidates[at] = better(&changed, way);
        let after = rank(&visit, &candidates, &terms).ranked;
        prop_assert!(place(&after, &changed) <= place(&before, &changed));
    }

    #[test]
    fn neither_losers_nor_the_order_of_arrival_move_anybody(
        visit in any_visit(), mut candidates in proptest::collection::vec(candidate(), 2..10), by in 0..9usize, terms in terms(),
    ) {
        let all = rank(&visit, &candidates, &terms);
        let turn = by % candidates.len();
        candidates.rotate_left(turn);
        candidates.reverse();
        prop_assert_eq!(&rank(&visit, &candidates, &terms), &all);
        if let Some(loser) = all.ranked.get(1 + by % all.ranked.len().max(1)) {
            candidates.retain(|candidate| candidate.party != loser.party);
            let left = rank(&visit, &candidates, &terms).ranked;
            let expected: Vec<Ranked> = all.ranked.iter().filter(|row| row.party != loser.party).cloned().collect();
            prop_assert_eq!(left, expected);
        }
    }

    #[test]
    fn a_receipt_is_enough_to_rank_by_other_weights(
        visit in any_visit(), mut candidates in proptest::collection::vec(candidate(), 0..10), terms in terms(),
        strict in proptest::bool::ANY,
    ) {
        for stale in candidates.iter_mut().step_by(2) {
            stale.stale_since = Some(visit.during.from);
        }
        let weights = Weights { availability: 0, preferred: 5, reliability: 45, distance: 30, skill: 20 };
        let strict_calendars = terms.strict_calendars || strict;
        let other = Terms { weights, strict_calendars, ..terms };
        let receipt = serde_json::to_string(&rank(&visit, &candidates, &terms)).unwrap();
        let kept: matching::Ranking = serde_json::from_str(&receipt).unwrap();
        prop_assert_eq!(reorder(&kept.ranked, &other), rank(&visit, &candidates, &other).ranked);
    }
}
