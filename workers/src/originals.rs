//! Originals on their way to whatever is made of them: only those that the virus scanner has called clean, and only the
//! bytes that were verified.

use std::{path::Path, time::Duration};

use blob::{BlobError, Key};
use chrono::Utc;
use jobs::{AssetState, Classify, Failure, Outcome, failure::Problem};
use store::media::Asset;

use crate::cx::Cx;

/// What is made is named by its content: what is at a key never changes.
pub(crate) const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Shortest and longest pause before a job looks again whether its original has been scanned.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(250);
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(30);
/// The longer an original has been waiting, the longer a job waits before it looks again: this part of its age.
const LOOK_AGAIN_SHARE: u32 = 4;

/// Lets the job of a clean original go on.
pub(crate) fn need_clean(asset: &Asset) -> Outcome<()> {
    let state: AssetState = asset.state()?;
    match state {
        AssetState::Clean => Ok(()),
        AssetState::Quarantined => {
            let age = (Utc::now() - asset.created_at).to_std().unwrap_or_default();
            let wait = (age / LOOK_AGAIN_SHARE).clamp(LOOK_AGAIN_MIN, LOOK_AGAIN_MAX);
            let problem =
                Problem::new("asset_quarantined", "the virus scanner has not looked at the file yet");
            Err(Failure::Snooze { wait, problem })
        }
        AssetState::Infected | AssetState::Unscannable => {
            Err(Failure::discard("asset_held", format!("the file is {state}, and nothing is made of it")))
        }
    }
}

/// Puts the original into a file, and holds it against what was verified. A larger one than `bytes_max` is refused.
pub(crate) async fn fetch(cx: &Cx<'_>, asset: &Asset, path: &Path, bytes_max: u64) -> Outcome<()> {
    let key = Key::parse(&asset.object_key).discard("bad_key")?;
    let fetched = cx.deps.blobs.download(&key, path, bytes_max).await.map_err(stored)?;
    if fetched.sha256_hex != asset.sha256 {
        return Err(changed());
    }
    Ok(())
}

/// S3 holds something else under the name of what was verified.
pub(crate) fn changed() -> Failure {
    Failure::discard("original_changed", "the stored original is not the file that was verified")
}

/// A full disk is told apart from S3: another machine may have room.
pub(crate) fn stored(error: BlobError) -> Failure {
    match error {
        BlobError::File { .. } => Failure::Retry { problem: Problem::of("scratch", &error), after: None },
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::{io, path::PathBuf};

    use super::*;

    #[test]
    fn a_full_disk_has_a_word_of_its_own() {
        let full = BlobError::File {
            path: PathBuf::from("source"),
            step: "write",
            source: io::Error::from(io::ErrorKind::StorageFull),
        };
        let code = |error| match stored(error) {
            Failure::Retry { problem, .. } => problem.code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code(full), "scratch");
        assert_eq!(code(BlobError::UploadId), "error");
    }
}
