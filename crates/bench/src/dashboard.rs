//! `bench dashboard`: its pages over a large ledger, as somebody gets them who is signed in.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{
    config::DashboardArgs,
    crewline::Crewline,
    figure::{Figure, count_in_words, median, percentile},
    goals::{self, Goal},
    http::Connection,
    ledger,
    peers::Peers,
    report::{self, Report},
    servers::Servers,
    sql::Sql,
    stage::{Pace, Stage},
    table,
};

/// How often each page is asked for in a round: fewer than one person may ask for in a minute, with all pages together.
const READS: usize = 30;
/// What a page with jobs has, and one without has not.
const A_JOB: &[u8] = b"/jobs/job_";

/// A page.
struct Question {
    what: &'static str,
    path: String,
    goal: Goal,
    /// Whether jobs have to be on it, where that is known.
    shows_jobs: Option<bool>,
}

/// Measures every page.
pub(crate) async fn run(args: &DashboardArgs) -> anyhow::Result<ExitCode> {
    let jobs = args.jobs.unwrap_or(if args.run.quick { 200_000 } else { 10_000_000 });
    let pace = Pace {
        rounds: args.run.rounds(),
        jobs,
        jobs_of_slow: 0,
        intake: Duration::ZERO,
        probes: 0,
        waiting: jobs,
        slots: 1,
    };
    let (programs, logs) = (args.run.programs(&["api"])?, args.run.logs()?);
    let stage = Stage::set(pace, programs, logs, Servers::start(&[])?, Peers::none());
    let mut report = Report::begin(&args.run, table::DASHBOARD);
    report.add(measure(&stage).await?)?;
    let postgres = stage.servers.postgres_version().await?;
    report.close(&report::when(&args.run, &format!("Postgres {postgres}"), true))
}

async fn measure(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let crewline = Crewline::open(stage).await?;
    for slug in ["second", "third"] {
        crewline.administer(&["tenant", "create", slug]).await?;
    }
    ledger::fill(stage, &crewline.sql, stage.pace.jobs).await?;
    crewline.settle().await?;
    let questions = questions(&crewline.sql).await?;
    let mut p50s = vec![Vec::new(); questions.len()];
    let mut p95s = p50s.clone();
    for round in 1..=stage.pace.rounds {
        // Somebody else each time: pages of one person are counted.
        let mut person = visitor(&crewline, round).await?;
        let mut took_ms = vec![Vec::with_capacity(READS); questions.len()];
        for _ in 0..READS {
            for (question, took_ms) in questions.iter().zip(&mut took_ms) {
                took_ms.push(ask(&mut person, question).await?);
            }
        }
        for (place, took_ms) in took_ms.iter().enumerate() {
            p50s[place].push(percentile(took_ms, 0.50));
            p95s[place].push(percentile(took_ms, 0.95));
        }
        stage.say(&format!("dashboard: round {round} is over"));
    }
    crewline.close().await?;
    let over = count_in_words(stage.pace.jobs);
    let figures = questions.iter().zip(p50s.iter().zip(&p95s)).flat_map(|(question, (p50s, p95s))| {
        let named = |share: &str| format!("{} over {over} jobs, {share}", question.what);
        [
            Figure::of(named("p50"), median(p50s), "ms"),
            Figure::of(named("p95"), median(p95s), "ms").towards(question.goal),
        ]
    });
    Ok(figures.collect())
}

/// Somebody who operates the installation, signed in.
async fn visitor(crewline: &Crewline<'_>, round: u32) -> anyhow::Result<Connection> {
    let email = format!("visitor-{round}@crewline.test");
    let password = crewline.administer(&["user", "add", &email, "--name", "Visitor"]).await?;
    crewline
        .administer(&["user", "grant", &email, "--everywhere", "--role", "operator", "--payloads"])
        .await?;
    Connection::sign_in(crewline.address, &email, password.trim()).await
}

/// Asks once; milliseconds.
async fn ask(person: &mut Connection, question: &Question) -> anyhow::Result<f64> {
    let asked = Instant::now();
    let (status, page) = person.get(&question.path).await?;
    let took_ms = asked.elapsed().as_secs_f64() * 1e3;
    anyhow::ensure!(status == 200, "GET {}: {status}", question.path);
    let has_jobs = page.windows(A_JOB.len()).any(|at| at == A_JOB);
    let is_right = question.shows_jobs.is_none_or(|wanted| wanted == has_jobs);
    anyhow::ensure!(is_right, "GET {} shows {} jobs", question.path, if has_jobs { "some" } else { "no" });
    Ok(took_ms)
}

async fn questions(sql: &Sql) -> anyhow::Result<Vec<Question>> {
    let id = async |of: &str| -> anyhow::Result<String> {
        let one = format!("select 'job_' || replace(id::text, '-', '') from ({of} limit 1) one (id)");
        sql.text(&one).await.with_context(|| of.to_owned())
    };
    let job = id("select id from job where workflow_id is not null order by id desc").await?;
    let ended = id("select job_id from attempt where final_state = 'discarded'
        and tenant_id = (select id from tenant where slug = 'bench') order by job_id desc")
    .await?;
    let halfway = id("select id from job order by id desc offset (select count(*) / 2 from job)").await?;
    let list = |what, query: &str, shows_jobs: bool| Question {
        what,
        path: format!("/ops/t/bench/jobs{query}"),
        goal: goals::LISTS_MS,
        shows_jobs: Some(shows_jobs),
    };
    let page = |what, path: &str, goal| Question {
        what,
        path: format!("/ops/t/bench{path}"),
        goal,
        shows_jobs: None,
    };
    Ok(vec![
        page("home", "", goals::HOME_MS),
        page("queues", "/queues", goals::LISTS_MS),
        page("errors", "/errors", goals::LISTS_MS),
        page("a job that waits", &format!("/jobs/{job}"), goals::LISTS_MS),
        page("a job that ended", &format!("/jobs/{ended}"), goals::LISTS_MS),
        list("jobs", "", true),
        list("jobs, half way down", &format!("?before={halfway}"), true),
        list("jobs that run", "?state=running", true),
        list("jobs that wait", "?state=available", true),
        list("jobs that are not due", "?state=scheduled", true),
        list("jobs to be tried again", "?state=retryable", true),
        list("jobs that completed", "?state=completed", true),
        list("jobs that were given up", "?state=discarded", true),
        list("jobs that were cancelled", "?state=cancelled", true),
        list("jobs of a queue", "?queue=media", true),
        list("jobs of a queue that nobody used", "?queue=media_bulk", false),
        list("jobs of a kind", "?kind=webhook.deliver", true),
        // Looked for on the first page, where it is not to be found.
        page("jobs of a kind that few have, the oldest", "/jobs?kind=delivery.zip", goals::LISTS_MS),
        list("jobs of a kind that nobody has", "?kind=video.transcode", false),
        list("jobs with a tag", "?tag=listing", true),
        list("jobs with a tag that few have, the oldest", "?tag=vip", true),
        list("jobs with a tag that nobody has", "?tag=nobody", false),
        list("jobs by words of many errors", "?words=timed+out", true),
        list("jobs by words of few errors, the oldest", "?words=unreadable", true),
        list("jobs by words that nobody said", "?words=zanzibar", false),
        page("looking before a bulk operation", "/bulk/new?action=cancel&states=available", goals::LISTS_MS),
    ])
}
