//! Does `media.backfill`: a piece of the library, then the job for the next piece.

use std::time::Duration;

use jobs::{
    AssetId, Failure, Outcome, Priority, Queue,
    failure::Problem,
    kinds::{
        media_backfill::{Backfilled, MediaBackfill},
        media_rendition::MediaRendition,
        video_transcode::VideoTranscode,
    },
    video_preset,
};
use store::{
    backfill::{self, Piece, Wanted},
    enqueue::NewJob,
};

use crate::{cx::Cx, registry::Handle};

/// Originals one run looks at.
const SEEN_MAX: i64 = 5_000;
/// Jobs one run submits.
const SUBMITTED_MAX: usize = 90;
/// With so many waiting in the queue, the next run waits too: what can be cancelled with one job stays small.
const WAITING_MAX: i64 = 300;
/// For how long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Handle for MediaBackfill {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Backfilled> {
        let (db, tenant) = (&cx.deps.db, cx.tenant());
        let waiting = backfill::waiting(db, tenant, Queue::MediaBulk, WAITING_MAX).await?;
        if waiting == WAITING_MAX {
            cx.progress(
                0,
                format!("{} submitted so far; waiting until they are done", self.submitted_before),
            );
            let problem =
                Problem::new("enough_waits", format!("{waiting} jobs wait in {}", Queue::MediaBulk));
            return Err(Failure::Snooze { wait: LOOK_AGAIN, problem });
        }
        let is_film = video_preset::find(&self.preset).is_some();
        let wanted = Wanted {
            preset: &self.preset,
            family: if is_film { "video/" } else { "image/" },
            media_types: &self.media_types,
            since: self.since,
            until: self.until,
            after: self.after,
        };
        let Piece { assets, next } = backfill::piece(db, tenant, &wanted, SEEN_MAX, SUBMITTED_MAX).await?;
        for asset in &assets {
            cx.then_new(low(made_of(*asset, &self.preset, is_film)?))?;
        }
        let submitted_in_all = self.submitted_before + assets.len() as u64;
        if next.is_some() {
            cx.then(&Self { after: next, submitted_before: submitted_in_all, ..self })?;
        }
        Ok(Backfilled { submitted: assets.len() as u32, submitted_in_all, next })
    }
}

fn made_of(asset: AssetId, preset: &str, is_film: bool) -> Outcome<NewJob> {
    let preset = preset.to_owned();
    if is_film {
        return Ok(NewJob::of(&VideoTranscode { asset, preset })?);
    }
    Ok(NewJob::of(&MediaRendition { asset, preset, branded: false })?)
}

/// Where it delays nobody.
fn low(job: NewJob) -> NewJob {
    NewJob { queue: Queue::MediaBulk, priority: Priority::LOW, ..job }
}
