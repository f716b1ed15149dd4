//! The stage on which a row plays: how long it may take, where its things are, and how it says what happens.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use crate::pace::Pace;

/// What every row is given.
pub(crate) struct Stage {
    /// Which row.
    pub(crate) row: &'static str,
    /// How thorough.
    pub(crate) pace: Pace,
    /// Where the programs lie.
    pub(crate) programs: PathBuf,
    logs: PathBuf,
    began: Instant,
    worlds: AtomicU32,
}

impl Stage {
    /// The stage of one row. What an earlier run of the row logged is removed.
    pub(crate) fn set(row: &'static str, pace: Pace, programs: &Path, logs: &Path) -> anyhow::Result<Self> {
        let logs = logs.join(row);
        if logs.exists() {
            std::fs::remove_dir_all(&logs)?;
        }
        std::fs::create_dir_all(&logs)?;
        Ok(Self {
            row,
            pace,
            programs: programs.to_path_buf(),
            logs,
            began: Instant::now(),
            worlds: AtomicU32::new(0),
        })
    }

    /// A folder for the logs of one more world: names come again in each.
    pub(crate) fn logs_of_a_world(&self) -> anyhow::Result<PathBuf> {
        let folder = self.logs.join((self.worlds.fetch_add(1, Ordering::Relaxed) + 1).to_string());
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Says what is happening.
    pub(crate) fn say(&self, what: &str) {
        let elapsed = self.began.elapsed().as_secs();
        testkit::line(&format!("  {:<4} {:02}:{:02}  {what}", self.row, elapsed / 60, elapsed % 60));
    }

    /// How long it has been going on.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// How often is looked whether something happened.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Asks `look` until it answers.
pub(crate) async fn until<T, Fut>(what: &str, bound: Duration, look: impl FnMut() -> Fut) -> anyhow::Result<T>
where
    Fut: Future<Output = Option<T>>,
{
    testkit::until(what, bound, LOOK_EVERY, look).await
}
