//! What a run has to show: its figures on the screen, in a file and in a page.

use std::process::ExitCode;

use testkit::line;

use crate::{
    config::RunArgs,
    figure::{Figure, Verdict},
    table::{self, Section, When},
};

/// What the program ends with when a figure is below its floor: another number than when measuring breaks off.
const BELOW_FLOOR: u8 = 5;

/// The figures of a run, as they come.
pub(crate) struct Report<'a> {
    asked: &'a RunArgs,
    section: Section,
    figures: Vec<Figure>,
}

impl<'a> Report<'a> {
    /// Without a figure yet.
    pub(crate) fn begin(asked: &'a RunArgs, section: Section) -> Self {
        Self { asked, section, figures: Vec::new() }
    }

    /// Takes figures. The file is written as it grows, so that a run that is broken off has told what it saw.
    pub(crate) fn add(&mut self, figures: Vec<Figure>) -> anyhow::Result<()> {
        self.figures.extend(figures);
        match &self.asked.json {
            Some(path) => table::write_json(path, &self.figures),
            None => Ok(()),
        }
    }

    /// Shows everything; answers what the program ends with. A quick run proves little, so it does not judge.
    pub(crate) fn close(self, when: &When) -> anyhow::Result<ExitCode> {
        table::print(&self.figures);
        if let Some(path) = &self.asked.page {
            self.section.write(path, &self.figures, when)?;
        }
        let missed = self.figures.iter().filter(|figure| figure.verdict == Verdict::Missed).count();
        line(&format!("\n{} figures, {missed} below their floor. {}", self.figures.len(), when.told));
        Ok(if missed == 0 || self.asked.quick { ExitCode::SUCCESS } else { ExitCode::from(BELOW_FLOOR) })
    }
}

/// When, where, beside `what`, and how thoroughly, in one line; `is_whole` when everything was measured.
pub(crate) fn when(asked: &RunArgs, what: &str, is_whole: bool) -> When {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let now = chrono::Utc::now();
    let told = format!(
        "Measured {}, {cores} cores, {what}, the middle of {} rounds{}{}.",
        now.format("%Y-%m-%d %H:%M UTC"),
        asked.rounds(),
        if asked.quick { " (quick)" } else { "" },
        if cfg!(debug_assertions) { ", by a debug build" } else { "" },
    );
    When { told, day: now.format("%Y-%m-%d").to_string(), is_whole }
}
