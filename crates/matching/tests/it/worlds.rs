//! Worlds to rank in.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use jobs::PartyId;
use matching::{
    Candidate, DayOverride, Hours, Past, Point, Preferred, Skill, Span, Taken, Terms, Visit, Weights, What,
    Window,
};
use proptest::prelude::*;
use schedule::Zone;

pub(crate) fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn span(from: &str, until: &str) -> Span {
    Span { from: utc(from), until: utc(until) }
}

/// Two hours in Vienna, on a Wednesday morning.
pub(crate) fn visit() -> Visit {
    Visit {
        during: span("2026-12-02T09:00:00Z", "2026-12-02T11:00:00Z"),
        before_minutes: 0,
        after_minutes: 0,
        place: Point::new(48.2, 16.37),
        role: "technician".into(),
        skills: Vec::new(),
        site: None,
    }
}

/// Somebody new who could do it.
pub(crate) fn somebody() -> Candidate {
    Candidate {
        party: PartyId::new(),
        version: 1,
        is_active: true,
        roles: vec!["technician".into()],
        sites: Vec::new(),
        skills: Vec::new(),
        home: Point::new(48.2, 16.37),
        radius_m: 50_000,
        zone: Zone::UTC,
        hours: Hours::default(),
        visits_max: None,
        minutes_max: None,
        preferred: Preferred::No,
        blocked: None,
        taken: Vec::new(),
        visits: Vec::new(),
        past: Past::default(),
        declined: None,
        stale_since: None,
        week_minutes: 0,
        last_offered_at: None,
    }
}

pub(crate) fn skill(name: &str, level: u8) -> Skill {
    Skill { name: name.into(), level, certified_until: None }
}

fn past() -> impl Strategy<Value = Past> {
    (0..40u32, 0..=100u32, 0..=100u32, 0..20u32, 0..=100u32).prop_map(
        |(visits, punctual, missed, ratings, well)| {
            let no_shows = visits * missed / 400;
            let on_time = (visits - no_shows) * punctual / 100;
            Past { visits, on_time, no_shows, ratings, stars: ratings + 4 * ratings * well / 100 }
        },
    )
}

fn home() -> impl Strategy<Value = Option<Point>> {
    // A grid, so that some live at the same place.
    let near = (-6..=6i32, -6..=6i32)
        .prop_map(|(north, east)| Point::new(48.2 + f64::from(north) * 0.08, 16.37 + f64::from(east) * 0.08));
    prop_oneof![8 => near, 1 => Just(None)]
}

fn taken() -> impl Strategy<Value = Vec<Taken>> {
    let one = (0..48i64, 1..6i64, any::<bool>()).prop_map(|(half_hours, long, off)| {
        let from = utc("2026-12-02T00:00:00Z") + TimeDelta::minutes(30 * half_hours);
        let during = Span { from, until: from + TimeDelta::minutes(30 * long) };
        Taken { during, what: if off { What::TimeOff("off".into()) } else { What::Busy(None) } }
    });
    proptest::collection::vec(one, 0..3)
}

fn hours() -> impl Strategy<Value = Hours> {
    let window = (0..20u16, 1..16u16)
        .prop_map(|(from, long)| vec![Window { from: from * 60, until: ((from + long) * 60).min(1_440) }]);
    let week = proptest::option::weighted(0.4, proptest::array::uniform7(window.clone()));
    let date = |day: u32| NaiveDate::from_ymd_opt(2026, 12, day);
    let other = (2..4u32, prop_oneof![2 => window, 1 => Just(Vec::new())])
        .prop_filter_map("a day", move |(day, windows)| Some(DayOverride { date: date(day)?, windows }));
    (week, proptest::option::weighted(0.2, other))
        .prop_map(|(week, other)| Hours { week, overrides: other.into_iter().collect() })
}

fn skills() -> impl Strategy<Value = Vec<Skill>> {
    let photo = (1..=5u8, 0..4u8).prop_map(|(level, ends)| Skill {
        certified_until: (ends == 0).then(|| utc("2026-12-02T10:00:00Z")),
        ..skill("photo", level)
    });
    let twilight = (1..=5u8).prop_map(|level| skill("twilight", level));
    (proptest::option::weighted(0.9, photo), proptest::option::of(twilight))
        .prop_map(|(photo, twilight)| photo.into_iter().chain(twilight).collect())
}

/// Anybody.
pub(crate) fn candidate() -> impl Strategy<Value = Candidate> {
    let who =
        (proptest::bool::weighted(0.9), proptest::bool::weighted(0.1), proptest::bool::weighted(0.1), 0..3u8);
    let most = (proptest::option::of(1..4u16), proptest::option::weighted(0.3, 60..600u16));
    let when = (taken(), hours(), 0..3usize, most, proptest::bool::weighted(0.2));
    let work = (0..4u32, proptest::option::of(0..3i64), 1..60u32, prop_oneof![9 => Just(0), 1 => 1..3usize]);
    (who, when, work, past(), home(), skills()).prop_map(|(who, when, work, past, home, skills)| {
        let (is_active, blocked, declined, preferred) = who;
        let (taken, hours, zone, (visits_max, minutes_max), is_stale) = when;
        let (week, last, radius, site) = work;
        Candidate {
            is_active,
            blocked: blocked.then(|| "client".to_owned()),
            declined: declined.then(|| "offer".to_owned()),
            preferred: [Preferred::No, Preferred::ByCompany, Preferred::ByClient][usize::from(preferred)],
            taken,
            hours,
            zone: ["UTC", "Europe/Vienna", "Pacific/Auckland"][zone].parse().unwrap(),
            visits: vec![span("2026-12-02T06:00:00Z", "2026-12-02T07:00:00Z"); usize::from(is_active) * 2],
            visits_max,
            minutes_max,
            stale_since: is_stale.then(|| utc("2026-12-01T00:00:00Z")),
            week_minutes: week * 60,
            last_offered_at: last.map(|days| utc("2026-11-25T00:00:00Z") + TimeDelta::days(days)),
            radius_m: radius * 1_000,
            past,
            home,
            skills,
            sites: [&[] as &[&str], &["lyon"], &["lyon", "nice"]][site]
                .iter()
                .map(|name| (*name).into())
                .collect(),
            ..somebody()
        }
    })
}

/// Any rules.
pub(crate) fn any_terms() -> impl Strategy<Value = Terms> {
    let weights = (0..=100u8, 0..=100u8, 0..=100u8, 0..=100u8).prop_map(|cuts| {
        let mut cuts = [cuts.0, cuts.1, cuts.2, cuts.3];
        cuts.sort_unstable();
        Weights {
            availability: cuts[0],
            preferred: cuts[1] - cuts[0],
            reliability: cuts[2] - cuts[1],
            distance: cuts[3] - cuts[2],
            skill: 100 - cuts[3],
        }
    });
    let weights = prop_oneof![Just(Weights::VREM), weights];
    (weights, prop_oneof![Just(0), 1..=4_000u16], any::<bool>()).prop_map(
        |(weights, fairness_band, strict_calendars)| Terms { weights, fairness_band, strict_calendars },
    )
}

/// Any visit of that day.
pub(crate) fn any_visit() -> impl Strategy<Value = Visit> {
    (0..44i64, 1..8i64, 0..4u16, 0..4u8).prop_map(|(half_hours, long, buffer, skills)| {
        let from = utc("2026-12-02T00:00:00Z") + TimeDelta::minutes(30 * half_hours);
        let skills: &[&str] =
            [&[] as &[&str], &["photo"], &["photo", "twilight"], &["twilight"]][usize::from(skills)];
        Visit {
            during: Span { from, until: from + TimeDelta::minutes(30 * long) },
            before_minutes: 15 * buffer,
            after_minutes: 10 * buffer,
            place: (buffer != 3).then(|| Point::new(48.2, 16.37)).flatten(),
            skills: skills.iter().map(|name| (*name).to_owned()).collect(),
            site: [None, Some("lyon"), Some("nice"), Some("graz")][usize::from(buffer)].map(str::to_owned),
            ..visit()
        }
    })
}
