//! `bench media`: ladders of pictures and streams of films, ours and those of others in turn.
//!
//! Ours are made by the children of a worker, the very programs, spoken to as a worker speaks to them. Who makes
//! pictures beside us is a process that lives as long and is spoken to in the same words.

mod child;
mod film;
mod hand;
mod judge;
mod makers;
mod parts;
mod quality;
mod room;
mod single;
mod steady;
mod studio;
mod task;
mod turns;

use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;

use crate::{
    config::{MediaArgs, MediaPart},
    figure::Figure,
    report::{self, Report},
    table,
};
use studio::Studio;

/// Measures what was asked for.
pub(crate) async fn run(args: &MediaArgs) -> anyhow::Result<ExitCode> {
    let parts = if args.only.is_empty() { MediaPart::value_variants() } else { &args.only };
    let studio = Studio::set(args)?;
    let mut report = Report::begin(&args.run, table::MEDIA);
    for part in parts {
        report.add(measure(&studio, *part).await.with_context(|| format!("{part:?}"))?)?;
    }
    let what = format!("{} photographs of 24 megapixels", studio.photographs.len());
    report.close(&report::when(&args.run, &what, args.only.is_empty()))
}

async fn measure(studio: &Studio, part: MediaPart) -> anyhow::Result<Vec<Figure>> {
    match part {
        MediaPart::Single => single::measure(studio).await,
        MediaPart::Throughput => steady::measure(studio).await,
        MediaPart::Memory => room::measure(studio).await,
        MediaPart::Quality => quality::measure(studio).await,
        MediaPart::Film => film::measure(studio).await,
        MediaPart::Parts => parts::measure(studio).await,
    }
}
