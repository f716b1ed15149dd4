//! The same by the book: fractions in place of integers, minute by minute in place of spans, best of the rest in place of
//! a sort.

use std::cmp::Ordering;

use chrono::{Datelike, TimeDelta, Timelike};
use matching::{Candidate, Hours, Preferred, Ranked, Reason, Terms, Visit, Weights, What, rank};
use proptest::prelude::*;

use crate::worlds::{any_terms, any_visit, candidate};

fn works(hours: &Hours, visit: &Visit, zone: schedule::Zone) -> bool {
    let mut at = visit.during.from;
    while at < visit.during.until {
        let wall = zone.wall(at);
        let minute = (wall.hour() * 60 + wall.minute()) as u16;
        let other =
            hours.overrides.iter().find(|other| other.date == wall.date()).map(|other| &other.windows);
        let usual = hours.week.as_ref().map(|week| &week[wall.weekday().num_days_from_monday() as usize]);
        let day = other.or(usual);
        if day.is_some_and(|windows| {
            !windows.iter().any(|window| (window.from..window.until).contains(&minute))
        }) {
            return false;
        }
        at += TimeDelta::minutes(1);
    }
    true
}

fn kilometres(visit: &Visit, candidate: &Candidate) -> Option<f64> {
    let (one, two) = (visit.place?, candidate.home?);
    let [a, b, c, d] = [one.latitude, one.longitude, two.latitude, two.longitude].map(f64::to_radians);
    // The angle between two arrows from the middle of the Earth.
    let arrow = |north: f64, east: f64| [north.cos() * east.cos(), north.cos() * east.sin(), north.sin()];
    let (from, to) = (arrow(a, b), arrow(c, d));
    let cross = [
        from[1] * to[2] - from[2] * to[1],
        from[2] * to[0] - from[0] * to[2],
        from[0] * to[1] - from[1] * to[0],
    ];
    let dot: f64 = from.iter().zip(to).map(|(x, y)| x * y).sum();
    Some(cross.iter().map(|x| x * x).sum::<f64>().sqrt().atan2(dot) * 6_371.008_8)
}

fn refusal(visit: &Visit, candidate: &Candidate, terms: Terms) -> Option<Reason> {
    let km = kilometres(visit, candidate);
    let metres = km.map_or(0.0, |km| (km * 1_000.0).round());
    let travel = (metres * 1.3 / 667.0).ceil().min(240.0) as i64;
    let minutes = |buffer: u16| TimeDelta::minutes(i64::from(buffer) + travel);
    let (from, until) = (
        visit.during.from - minutes(visit.before_minutes),
        visit.during.until + minutes(visit.after_minutes),
    );
    let taken = |off: bool, from, until| {
        candidate.taken.iter().any(|taken| {
            matches!(taken.what, What::TimeOff(_)) == off
                && !(taken.during.until <= from || taken.during.from >= until)
        })
    };
    let lacks = visit.skills.iter().any(|wanted| {
        let fits = |skill: &matching::Skill| {
            skill.name == *wanted && skill.certified_until.is_none_or(|end| end >= visit.during.until)
        };
        !candidate.skills.iter().any(fits)
    });
    let today = candidate.zone.wall(visit.during.from).date();
    let minutes_of = |span: &matching::Span| (span.until - span.from).num_minutes();
    let same: Vec<i64> = candidate
        .visits
        .iter()
        .filter(|other| candidate.zone.wall(other.from).date() == today)
        .map(minutes_of)
        .collect();
    let worked = same.iter().sum::<i64>() + minutes_of(&visit.during);
    let elsewhere = match (&visit.site, candidate.sites.len()) {
        (_, 0) => false,
        (site, _) => !candidate.sites.iter().any(|own| Some(own) == site.as_ref()),
    };
    let gates = [
        (Reason::Inactive, !candidate.is_active || !candidate.roles.contains(&visit.role) || elsewhere),
        (Reason::Blocked, candidate.blocked.is_some()),
        (Reason::Busy, taken(false, from, until)),
        (
            Reason::OutsideHours,
            taken(true, visit.during.from, visit.during.until)
                || !works(&candidate.hours, visit, candidate.zone),
        ),
        (Reason::SkillMissing, lacks),
        (Reason::OutsideRadius, km.is_some() && metres > f64::from(candidate.radius_m)),
        (
            Reason::DayFull,
            candidate.visits_max.is_some_and(|most| same.len() + 1 > usize::from(most))
                || candidate.minutes_max.is_some_and(|most| worked > i64::from(most)),
        ),
        (Reason::CalendarStale, terms.strict_calendars && candidate.stale_since.is_some()),
        (Reason::AlreadyDeclined, candidate.declined.is_some()),
    ];
    gates.into_iter().find(|(_, shut)| *shut).map(|(reason, _)| reason)
}

fn rounded(value: f64) -> f64 {
    (value + 1e-9 + 0.5).floor()
}

fn factors(visit: &Visit, candidate: &Candidate) -> [f64; 5] {
    let past = candidate.past;
    let [visits, on_time, no_shows, ratings, stars] =
        [past.visits, past.on_time, past.no_shows, past.ratings, past.stars].map(f64::from);
    let on_time = rounded(10_000.0 * (on_time + 8.0) / (visits + 10.0));
    let comes = 10_000.0 - rounded(10_000.0 * (no_shows + 0.5) / (visits + 10.0));
    let rating = rounded(10_000.0 * ((stars + 5.0 * 4.2) / (ratings + 5.0) - 1.0) / 4.0);
    let metres = kilometres(visit, candidate).map(|km| (km * 1_000.0).round());
    let near = metres.map_or(0.0, |metres| (1.0 - metres / f64::from(candidate.radius_m)).max(0.0));
    let level = |wanted: &String| {
        candidate
            .skills
            .iter()
            .find(|skill| skill.name == *wanted)
            .map_or(0.0, |skill| f64::from(skill.level) / 5.0)
    };
    let known: f64 = visit.skills.iter().map(level).sum();
    [
        10_000.0,
        match candidate.preferred {
            Preferred::ByClient => 10_000.0,
            Preferred::ByCompany => 6_000.0,
            Preferred::No => 0.0,
        },
        rounded(0.5 * on_time + 0.3 * comes + 0.2 * rating),
        rounded(10_000.0 * near),
        if visit.skills.is_empty() {
            10_000.0
        } else {
            rounded(10_000.0 * known / visit.skills.len() as f64)
        },
    ]
}

fn score(factors: &[f64; 5], terms: Terms) -> f64 {
    let Weights { availability, preferred, reliability, distance, skill } = terms.weights;
    let weights = [availability, preferred, reliability, distance, skill].map(f64::from);
    rounded(factors.iter().zip(weights).map(|(factor, weight)| factor * weight).sum::<f64>() / 100.0)
}

/// Whether `one` stands before `other`.
fn before(visit: &Visit, one: &Candidate, other: &Candidate, terms: Terms) -> bool {
    let (mine, theirs) = (factors(visit, one), factors(visit, other));
    let far = |candidate| kilometres(visit, candidate).map_or(f64::INFINITY, |km| (km * 1_000.0).round());
    let band = f64::from(terms.fairness_band.max(1));
    let banded = |factors| (score(factors, terms) / band).floor();
    let merit =
        [theirs[1].total_cmp(&mine[1]), theirs[2].total_cmp(&mine[2]), far(one).total_cmp(&far(other))];
    let work = [one.week_minutes.cmp(&other.week_minutes), one.last_offered_at.cmp(&other.last_offered_at)];
    let (first, second): (&[Ordering], &[Ordering]) =
        if terms.fairness_band == 0 { (&merit, &work) } else { (&work, &merit) };
    let ends = [banded(&theirs).total_cmp(&banded(&mine)), one.party.cmp(&other.party)];
    let keys = ends[..1].iter().chain(first).chain(second).chain(&ends[1..]);
    keys.copied().find(|key| *key != Ordering::Equal) == Some(Ordering::Less)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_ranking_is_what_the_book_says(
        visit in any_visit(), terms in any_terms(), candidates in proptest::collection::vec(candidate(), 0..14),
    ) {
        let ranking = rank(&visit, &candidates, &terms);
        let mut left: Vec<&Candidate> =
            candidates.iter().filter(|candidate| refusal(&visit, candidate, terms).is_none()).collect();
        for Ranked { party, score: scored, .. } in &ranking.ranked {
            let best = left.iter().position(|one| left.iter().all(|other| one.party == other.party || before(&visit, one, other, terms)));
            let best = left.remove(best.expect("the order is total"));
            prop_assert_eq!((best.party, score(&factors(&visit, best), terms) as u16), (*party, *scored));
        }
        prop_assert!(left.is_empty());
        for excluded in &ranking.excluded {
            let candidate = candidates.iter().find(|candidate| candidate.party == excluded.party).unwrap();
            prop_assert_eq!(refusal(&visit, candidate, terms), Some(excluded.reason));
        }
        prop_assert_eq!(ranking.ranked.len() + ranking.excluded.len(), candidates.len());
    }
}
