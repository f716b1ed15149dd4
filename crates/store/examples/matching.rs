//! How long matching takes, for `./dev bench match`: one line of JSON with every figure, and the scores of the assignment in
//! the file that is named, so that others may be measured over the same.
//!
//! Ranking and assignment are measured by themselves; a visit among a hundred thousand technicians is measured with the
//! database that knows them, from its index to the last place of the ranking.

use std::{env, fs, hint::black_box, io::Write, time::Instant};

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use jobs::{PartyId, TenantId};
use matching::{
    Candidate, Hours, Past, Point, Preferred, Reach, Scores, Skill, Span, Taken, Terms, Visit, What, Window,
    assign, rank,
};
use serde_json::json;
use store::{
    Db, Role, keys,
    people::{CANDIDATES_MAX, Needs, pool},
    testing::TestDatabase,
};

const ROUNDS: usize = 21;
const TECHNICIANS: usize = 10_000;
const JOBS: usize = 500;
const FREE: usize = 2_000;
/// Technicians in the index, all over a continent.
const INDEXED: u32 = 100_000;

/// Numbers that look like chance and are the same every time.
struct Noise(u64);

impl Noise {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(end)) as u32
    }
}

fn visit(begins: DateTime<Utc>) -> Visit {
    Visit {
        during: Span { from: begins, until: begins + TimeDelta::hours(2) },
        before_minutes: 15,
        after_minutes: 15,
        place: Point::new(48.2, 16.37),
        role: "technician".to_owned(),
        skills: vec!["photo".to_owned()],
        site: None,
    }
}

/// Somebody with office hours, two visits on the day, and a history.
fn technician(noise: &mut Noise, begins: DateTime<Utc>) -> Candidate {
    let degrees = |noise: &mut Noise| f64::from(noise.below(8_000)) / 10_000.0 - 0.4;
    let office: Vec<Window> = vec![Window { from: 7 * 60, until: 20 * 60 }];
    let taken = |hours: u32| {
        let from = begins + TimeDelta::hours(i64::from(hours)) - TimeDelta::hours(6);
        Taken { during: Span { from, until: from + TimeDelta::hours(2) }, what: What::Busy(None) }
    };
    let visits = 1 + noise.below(50);
    Candidate {
        party: PartyId::new(),
        version: 1,
        is_active: true,
        roles: vec!["technician".to_owned()],
        sites: Vec::new(),
        skills: vec![Skill {
            name: "photo".to_owned(),
            level: 1 + noise.below(5) as u8,
            certified_until: None,
        }],
        home: Point::new(48.2 + degrees(noise), 16.37 + degrees(noise)),
        radius_m: 50_000,
        zone: "Europe/Vienna".parse().unwrap_or(schedule::Zone::UTC),
        hours: Hours { week: Some(std::array::from_fn(|_| office.clone())), overrides: Vec::new() },
        visits_max: Some(6),
        minutes_max: None,
        preferred: [Preferred::No, Preferred::ByCompany, Preferred::ByClient][noise.below(3) as usize],
        blocked: None,
        taken: vec![taken(noise.below(4)), taken(9 + noise.below(4))],
        visits: Vec::new(),
        past: Past {
            visits,
            on_time: noise.below(visits + 1),
            no_shows: 0,
            ratings: visits,
            stars: visits * 4,
        },
        declined: None,
        stale_since: None,
        week_minutes: noise.below(2_000),
        last_offered_at: None,
    }
}

/// The middle of what `work` took, in milliseconds.
fn median_ms<T>(mut work: impl FnMut() -> T) -> f64 {
    let mut took: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let since = Instant::now();
            black_box(work());
            since.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    took.sort_by(f64::total_cmp);
    took[ROUNDS / 2]
}

/// A tenant for whom a hundred thousand people work: one at each crossing of a grid over a continent.
async fn workforce(database: &TestDatabase) -> Result<(TenantId, Db)> {
    let tenant = keys::create_tenant(&database.db(Role::Owner)?, "acme", "Acme").await?;
    let id = tenant.as_uuid();
    let reach = Reach::of(Point { latitude: 50.0, longitude: 10.0 }, 50_000);
    let (high, wide) = (reach.north - 50.0, reach.east - 10.0);
    for sql in [
        format!(
            "create temporary table somebody as select gen_random_uuid() as id, 40 + 20 * (n / 400) / 250.0 as latitude,
                 -10 + 40 * (n % 400) / 400.0 as longitude from generate_series(0, {INDEXED} - 1) as n;
             insert into party (id, tenant_id, name, locale) select id, '{id}', 'x', 'en' from somebody;
             insert into membership (tenant_id, party_id, account_id, is_active, roles, skills, timezone, hours, latitude,
                 longitude, reach, radius_m, is_preferred)
             select '{id}', id, gen_random_uuid(), true, '{{technician}}', '[{{\"name\": \"photo\", \"level\": 4}}]',
                 'Europe/Vienna', '{{\"week\": null, \"overrides\": []}}', latitude, longitude,
                 box(point(longitude - {wide}, latitude - {high}), point(longitude + {wide}, latitude + {high})), 50000, false
             from somebody;
             insert into evidence (id, tenant_id, party_id, kind, on_time)
             select gen_random_uuid(), '{id}', s.id, 'visit', true from somebody s, generate_series(1, 10);"
        ),
        "analyze".to_owned(),
    ] {
        database.execute(&sql).await?;
    }
    Ok((tenant, database.db(Role::Worker)?))
}

/// Milliseconds from the index to the ranking, and how many were in reach.
async fn indexed(begins: DateTime<Utc>) -> Result<(f64, usize)> {
    let database = TestDatabase::create().await;
    let (tenant, db) = workforce(&database).await?;
    let visit = Visit { place: Point::new(50.0, 10.0), ..visit(begins) };
    let needs = Needs {
        during: visit.during,
        place: visit.place,
        client: None,
        company: None,
        request: None,
        role: "technician".to_owned(),
        most: CANDIDATES_MAX,
    };
    let (mut took, mut reached) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        let since = Instant::now();
        let found = pool(&db, tenant, &needs).await?;
        reached = black_box(rank(&visit, &found.candidates, &Terms::VREM)).ranked.len();
        took.push(since.elapsed().as_secs_f64() * 1_000.0);
    }
    took.sort_by(f64::total_cmp);
    Ok((took[ROUNDS / 2], reached))
}

#[tokio::main]
async fn main() -> Result<()> {
    let begins: DateTime<Utc> = "2026-12-02T09:00:00Z".parse().context("read a date")?;
    let mut noise = Noise(7);
    let technicians: Vec<Candidate> = (0..TECHNICIANS).map(|_| technician(&mut noise, begins)).collect();
    let visit = visit(begins);
    let rank_ms = median_ms(|| rank(&visit, &technicians, &Terms::VREM));

    let mut scores = Scores::new(JOBS, FREE);
    let mut rows = vec![vec![0; FREE]; JOBS];
    for (job, row) in rows.iter_mut().enumerate() {
        for (candidate, score) in row.iter_mut().enumerate() {
            *score = noise.below(10_001) as u16;
            scores.set(job, candidate, *score);
        }
    }
    let assign_ms = median_ms(|| assign(&scores));
    let candidates = assign(&scores).candidates;
    let sum: u64 = rows.iter().zip(candidates).filter_map(|(row, at)| Some(u64::from(row[at?]))).sum();
    let (indexed_ms, in_reach) = indexed(begins).await?;
    let told = json!({"rank_ms": rank_ms, "indexed_ms": indexed_ms, "in_reach": in_reach, "assign_ms": assign_ms,
        "assign_sum": sum});
    if let Some(path) = env::args().nth(1) {
        fs::write(path, json!(rows).to_string())?;
    }
    Ok(writeln!(std::io::stdout(), "{told}")?)
}
