//! `model check`, `model break`, `model replay`.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use model::{
    bound::Bound,
    check,
    config::{Command, Config},
    variant::Variant,
};

fn main() -> anyhow::Result<ExitCode> {
    let holds = match Config::parse().command {
        Command::Check { threads, bound: Some(bound) } => check_one("asked for", bound.into(), threads)?,
        Command::Check { threads, bound: None } => {
            let mut holds = true;
            for (name, bound) in Bound::NAMED {
                holds &= check_one(name, bound, threads)?;
            }
            holds
        }
        Command::Break { variant: Some(variant) } => break_one(variant)?,
        Command::Break { variant: None } => {
            let mut holds = true;
            for variant in Variant::broken() {
                holds &= break_one(variant)?;
            }
            holds
        }
        Command::Replay { file } => {
            let trace = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
            let replayed = model::replay(&trace)?;
            say(&format!("{replayed:?}"))?;
            true
        }
    };
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check_one(name: &str, bound: Bound, threads: usize) -> anyhow::Result<bool> {
    say(&format!("{name}: {bound:?}"))?;
    let found = check::exhaust(bound, threads);
    let took = found.took.as_secs_f64();
    say(&format!(
        "  {} states, {} steps, depth {}, {took:.1} s, {} promises broken",
        found.states,
        found.steps,
        found.depth,
        found.broken.len()
    ))?;
    for (promise, way) in &found.broken {
        tell(promise, way)?;
    }
    if !found.unmet.is_empty() {
        say(&format!("  too small to meet: {}", found.unmet.join("; ")))?;
    }
    Ok(found.broken.is_empty())
}

fn break_one(variant: Variant) -> anyhow::Result<bool> {
    let Some(promise) = variant.breaks() else { return Ok(true) };
    say(&variant.name())?;
    match check::shortest(variant, Bound::SMALL) {
        Some(way) => tell(promise, &way).map(|()| true),
        None => say(&format!("  keeps its promise: {promise}")).map(|()| false),
    }
}

fn tell(promise: &str, way: &[model::step::Step]) -> anyhow::Result<()> {
    say(&format!("  not so after {} steps: {promise}", way.len()))?;
    for step in way {
        say(&format!("    {step:?}"))?;
    }
    Ok(())
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{line}").context("write to stdout")
}
