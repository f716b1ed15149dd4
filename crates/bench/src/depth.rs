//! A deep backlog: what a waiting job weighs, and what a million of them cost those who work, submit and look.
//!
//! Two installations take turns on the same servers, one with the backlog behind its jobs and one without.

use std::time::{Duration, Instant};

use crate::{
    crewline::{BATCH, Crewline, PROCESSES, job_of},
    figure::{Figure, count_in_words, median, median_ratio, percentile},
    goals,
    http::is_success,
    intake,
    stage::Stage,
};

/// Longest that a round may take.
const ROUND_MAX: Duration = Duration::from_mins(5);
/// Reads of each kind.
const READS: usize = 40;
/// How long a backlog may stand before the worst of it is read: autovacuum and the lanes' tidying come in between.
const REST: Duration = Duration::from_secs(1);

/// Fills, weighs, reads and works.
pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let waiting = stage.pace.waiting;
    let redis = stage.servers.redis_bytes()?;
    let (deep, empty) = (Crewline::open(stage).await?, Crewline::open(stage).await?);
    let mut figures = weigh(stage, &deep).await?;
    figures.extend(read(stage, &deep).await?);
    figures.extend(intake::onto(stage, &deep, &count_in_words(waiting)).await?);
    let (mut over, mut without) = (Vec::new(), Vec::new());
    for number in 1..=stage.pace.rounds {
        let jobs = stage.pace.jobs;
        let one = work(stage, &deep, jobs).await?;
        empty.fill(jobs, 0).await?;
        let other = work(stage, &empty, jobs).await?;
        stage.say(&format!("depth, round {number}: {one:.0} jobs/s over the backlog, {other:.0} without"));
        over.push(one);
        without.push(other);
    }
    // After workers were there: before, nobody has rung.
    let redis = (stage.servers.redis_bytes()? - redis).max(0.0);
    figures.push(
        Figure::of("a waiting job in Redis", redis / waiting as f64, "bytes").towards(goals::BYTES_REDIS),
    );
    figures.push(
        Figure::of(
            format!("no-op jobs with {} more waiting", count_in_words(waiting)),
            median(&over),
            "jobs/s",
        )
        .beside("ourselves with none waiting", median(&without), median_ratio(&over, &without))
        .towards(goals::DEPTH_THROUGHPUT),
    );
    deep.close().await?;
    empty.close().await?;
    Ok(figures)
}

/// Fills the backlog by batches, and says what it weighs and whether submitting became slower on the way. On top come
/// the jobs that the rounds take away, and a quarter more for those that are done before the workers are stopped, so that the
/// backlog never falls below what is stated.
async fn weigh(stage: &Stage, deep: &Crewline<'_>) -> anyhow::Result<Vec<Figure>> {
    let jobs = stage.pace.waiting + u64::from(stage.pace.rounds) * stage.pace.jobs * 5 / 4;
    let tenth = (jobs / 10).next_multiple_of(BATCH);
    let before = sizes(deep).await?;
    let (mut rates, mut filled) = (Vec::new(), 0);
    while filled < jobs {
        let began = Instant::now();
        deep.fill(tenth, 0).await?;
        rates.push(tenth as f64 / began.elapsed().as_secs_f64());
        filled += tenth;
        stage.say(&format!(
            "depth: {} waiting, {:.0} jobs/s",
            count_in_words(filled),
            rates[rates.len() - 1]
        ));
    }
    tokio::time::sleep(REST).await;
    let after = sizes(deep).await?;
    let each = |index: usize| (after[index] - before[index]) / filled as f64;
    let (first, last) =
        (median(&rates[..3.min(rates.len())]), median(&rates[rates.len().saturating_sub(3)..]));
    deep.settle().await?;
    Ok(vec![
        Figure::of("a waiting job in Postgres, with indexes", each(0), "bytes")
            .towards(goals::BYTES_POSTGRES),
        Figure::of("answers kept for Idempotency-Keys of batches", each(1), "bytes/job"),
        Figure::of("batches over HTTP at the end of filling", last, "jobs/s").beside(
            "ourselves while filling began",
            first,
            last / first,
        ),
    ])
}

/// The ledger without kept answers, and those, in bytes.
async fn sizes(deep: &Crewline<'_>) -> anyhow::Result<Vec<f64>> {
    let tables =
        "select coalesce(sum(pg_total_relation_size(oid)) filter (where relname <> 'idempotency'), 0),
                         coalesce(sum(pg_total_relation_size(oid)) filter (where relname = 'idempotency'), 0)
                  from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace";
    deep.sql.numbers(tables).await
}

/// The questions that people and dashboards ask while much is waiting.
async fn read(stage: &Stage, deep: &Crewline<'_>) -> anyhow::Result<Vec<Figure>> {
    let mut client = deep.connect().await?;
    let answer = client.submit("/v1/jobs", "asked-about", job_of(0).to_string().as_bytes()).await?;
    let id = answer["id"].as_str().unwrap_or_default().to_owned();
    let questions = [
        ("GET /v1/jobs", "/v1/jobs?limit=50".to_owned()),
        ("GET /v1/jobs by state", "/v1/jobs?limit=50&state=available".to_owned()),
        ("GET /v1/jobs by kind", "/v1/jobs?limit=50&kind=probe.work".to_owned()),
        ("GET /v1/jobs/{id}/why of the last in line", format!("/v1/jobs/{id}/why")),
    ];
    let mut figures = Vec::new();
    for (what, path) in questions {
        let mut took_ms = Vec::new();
        for _ in 0..READS {
            let asked = Instant::now();
            let (status, answer) = client.get(&path).await?;
            anyhow::ensure!(is_success(status), "GET {path}: {status} {}", String::from_utf8_lossy(&answer));
            took_ms.push(asked.elapsed().as_secs_f64() * 1e3);
        }
        let p95 = percentile(&took_ms, 0.95);
        stage.say(&format!("depth: {what} p95 {p95:.1} ms"));
        let what = format!("{what} over {} waiting, p95", count_in_words(stage.pace.waiting));
        figures.push(Figure::of(what, p95, "ms").towards(goals::DEPTH_READS_MS));
    }
    Ok(figures)
}

/// Works `jobs` of whatever waits; jobs a second between the first and the last of them.
async fn work(stage: &Stage, crewline: &Crewline<'_>, jobs: u64) -> anyhow::Result<f64> {
    crewline.sql.run("analyze").await?;
    stage.servers.settle().await?;
    let before = crewline.sql.text("select clock_timestamp()").await?;
    let workers = crewline.start_workers(PROCESSES, "warn")?;
    crewline.ended(&workers, jobs, ROUND_MAX).await?;
    // Asked, so that what they had in hand waits again at once.
    for worker in workers {
        worker.process.end().await?;
    }
    let seen = crewline
        .sql
        .numbers(&format!(
            "select count(*), extract(epoch from max(finished_at) - min(finished_at)) from attempt
             where finished_at > '{before}' and final_state = 'completed'"
        ))
        .await?;
    Ok(seen[0] / seen[1])
}
