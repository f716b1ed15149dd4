//! F12: workers whose clocks are wrong. Only the database's clock decides about leases and due times.

use std::{path::Path, process::Command, time::Duration};

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde_json::json;

use super::Ended;
use crate::{
    client::Client,
    figure::Figure,
    load::{self, Load, working},
    slots,
    stage::Stage,
    worker::How,
    world::World,
};

const LIBRARY: &str = "libfaketime.so.1";
const SLOTS: [&str; 4] = ["--queues", "default", "--concurrency", "default=16"];
/// Jobs that are due in a while, so that a clock that is ahead could begin them early.
const DUE_LATER: usize = 20;

const FORWARD: &str = "2026-03-28T23:30:00Z";
const BACK: &str = "2026-10-24T23:30:00Z";
/// An expression, where to begin, and what has to come.
const CHANGES: [(&str, &str, &[&str]); 6] = [
    ("30 2 * * *", FORWARD, &["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]),
    ("0,30 2 * * *", FORWARD, &["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"]),
    ("5 * * * *", FORWARD, &["2026-03-29T01:05:00+01:00", "2026-03-29T03:05:00+02:00"]),
    ("30 2 * * *", BACK, &["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]),
    (
        "5 * * * *",
        BACK,
        &["2026-10-25T02:05:00+02:00", "2026-10-25T02:05:00+01:00", "2026-10-25T03:05:00+01:00"],
    ),
    ("0 0-23/2 * * *", BACK, &["2026-10-25T02:00:00+02:00", "2026-10-25T04:00:00+01:00"]),
];

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let Some(library) = library() else {
        return Ok(Ended::NotHere(format!(
            "{LIBRARY} is not installed; ./dev faults installs it (package faketime)"
        )));
    };
    let world = World::open(stage).await?;
    let client = world.tenant("acme").await?;
    let clock = world.scratch().with_file_name("clock");
    std::fs::write(&clock, "+0\n")?;
    let (mut workers, mut wrong_by) = (Vec::new(), Vec::new());
    for shift in ["+600", "-600", "file", "none"] {
        let file = clock.display().to_string();
        let wrong = [
            ("LD_PRELOAD", library.as_str()),
            // Elapsed time is another clock, and it is right.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("FAKETIME_NO_CACHE", "1"),
            if shift == "file" { ("FAKETIME_TIMESTAMP_FILE", file.as_str()) } else { ("FAKETIME", shift) },
        ];
        let environment = if shift == "none" { &[][..] } else { &wrong[..] };
        wrong_by.push(wrong_by_s(environment)?);
        let worker = world.worker_as(&How { environment, arguments: &SLOTS, ..How::default() })?;
        worker.ready().await?;
        workers.push(worker);
    }
    let pulse = slots::schedule(&client, "pulse", &json!({ "cron": "* * * * * *" })).await?;
    let load = Load { per_s: 50.0, body: |_| working(200) }.begin(&client);
    let lasts = stage.pace.seconds(4, 40, 600);
    let due = Utc::now() + TimeDelta::from_std(lasts / 2)?;
    for _ in 0..DUE_LATER {
        let mut job = working(0);
        job["scheduled_at"] = json!(due);
        load::submit(&client, &load.book, job).await;
    }
    // Each of these outlives a lease, so it has to be renewed by a worker whose clock is wrong.
    let long = working(u32::try_from((world.lease() * 2).as_millis())?);
    for _ in 0..workers.len() * 4 {
        load::submit(&client, &load.book, long.clone()).await;
    }
    for jump in ["-3600", "+3600", "+1", "+0"] {
        stage.say(&format!("one clock jumps to {jump} s; two are 10 minutes off"));
        std::fs::write(&clock, format!("{jump}\n"))?;
        tokio::time::sleep(lasts / 4).await;
    }
    slots::pause(&client, &pulse).await?;
    let book = load.end().await;
    let mut figures = world.audit(&book, world.lease() * 3 + Duration::from_mins(1)).await?;
    let by = |name: &str| {
        format!("select count(*) from attempt where worker = '{name}' and outcome = 'completed'")
    };
    for (worker, clock) in workers.iter().zip(["10 min ahead", "10 min behind", "jumping", "right"]) {
        let done = world.number(&by(&worker.process.name)).await?;
        figures.push(Figure::at_least(format!("done by the clock {clock}"), done, 1));
    }
    let taken = "select count(*) from attempt where outcome = 'crashed'";
    let early = "select count(*) from attempt where started_at < scheduled_at";
    figures.extend([
        Figure::none("leases lost or taken", world.number(taken).await?),
        Figure::none("begun before they were due", world.number(early).await?),
        Figure::none("refused", book.refused()),
        Figure::be("clocks 10 minutes off", wrong_by.iter().filter(|by| by.abs() >= 599).count(), 2),
    ]);
    let cron = slots::figures(&world, "pulse").await?;
    figures.extend(cron.into_iter().map(|figure| figure.of("cron")));
    figures.push(Figure::none(
        "days of changed clocks that came otherwise than documented",
        days_wrong(&client).await?,
    ));
    Ok(Ended::Seen(figures))
}

/// Where Debian keeps it.
fn library() -> Option<String> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let found = folders.map(|folder| folder.join("faketime").join(LIBRARY)).find(|path| Path::exists(path));
    found.map(|path| path.display().to_string())
}

/// What a program that is started like this believes, in seconds beside the truth.
fn wrong_by_s(environment: &[(&str, &str)]) -> anyhow::Result<i64> {
    let told = Command::new("date").arg("+%s").envs(environment.iter().copied()).output()?;
    Ok(String::from_utf8_lossy(&told.stdout).trim().parse::<i64>()? - Utc::now().timestamp())
}

/// Nights on which Berlin changes its clocks, as docs/schedules.md has them: how many come otherwise.
async fn days_wrong(client: &Client) -> anyhow::Result<usize> {
    let mut wrong = 0;
    for (cron, after, first) in CHANGES {
        let asked = json!({ "cron": cron, "timezone": "Europe/Berlin", "after": after });
        let answer = client.change(Method::POST, "/v1/schedules/preview", &asked).await?;
        let fires = answer["next_fires"].as_array().into_iter().flatten();
        let local: Vec<&str> = fires.filter_map(|fire| fire["local"].as_str()).take(first.len()).collect();
        wrong += usize::from(local != *first);
    }
    Ok(wrong)
}
