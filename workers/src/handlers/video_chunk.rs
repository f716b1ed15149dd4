//! Does `video.chunk`: fetch the film, let a child make the pictures of one part, put them where the job that joins the
//! parts looks for them.

use std::{pin::pin, time::Duration};

use blob::Key;
use jobs::{
    Classify, Failure, Outcome,
    kinds::video_chunk::{Chunk, VideoChunk},
};
use store::{
    film_parts, media,
    verdict::{FilmPart, Write},
};
use tokio::time::timeout;
use video::{Part, PartMade};

use crate::{
    cx::Cx,
    faults::Point,
    film_child::{LIMITS, PartRequest},
    film_orders,
    media_pool::{FilmWord, MediaFailure},
    originals::{fetch, need_clean, stored},
    registry::Handle,
};

/// Part of the work that is done when the film is fetched.
const FETCHED_PERCENT: u8 = 5;
/// How often the film is told how far its parts are.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// What parts are: nobody looks at them but us.
const PART_TYPE: &str = "application/octet-stream";
/// They are gone soon.
const NOT_KEPT: &str = "no-store";

impl Handle for VideoChunk {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Chunk> {
        if !film_parts::are_needed(&cx.deps.db, cx.tenant(), self.parts).await? {
            return Err(Failure::cancel("no film waits for this part"));
        }
        let asset = media::asset(&cx.deps.db, cx.tenant(), self.asset)
            .await?
            .ok_or_else(|| Failure::discard("asset_not_found", "the film was deleted or never existed"))?;
        need_clean(&asset)?;
        let room = cx.deps.scratch.room().retry("scratch")?;
        let (source, folder) = (room.path().join("source"), room.path().join("part"));
        tokio::fs::create_dir(&folder).await.retry("scratch")?;
        cx.progress(1, "fetching the film");
        fetch(cx, &asset, &source, LIMITS.bytes_max).await?;
        let request = PartRequest {
            source,
            folder: folder.clone(),
            order: film_orders::order(&self.preset)?,
            part: Part { from_group: self.from_group, until_group: self.until_group },
        };
        let part = FilmPart { film: self.film, workflow: self.parts };
        let made = make(cx, request, part).await?;
        // The last of them says what the others are: where it is, everything is.
        for name in &made.files {
            cx.reach(Point::BeforePut);
            let (tenant, workflow) = (cx.tenant().to_string(), self.parts.to_string());
            let key = Key::film_part(&tenant, &workflow, &self.index.to_string(), name).discard("bad_key")?;
            cx.deps.blobs.put_file(&key, &folder.join(name), PART_TYPE, NOT_KEPT).await.map_err(stored)?;
            cx.reach(Point::AfterPut);
        }
        cx.write(Write::FilmPart(part));
        Ok(Chunk { asset: self.asset, index: self.index, frames: made.frames })
    }
}

/// Has the part made, and tells the film about it now and then.
async fn make(cx: &Cx<'_>, request: PartRequest, part: FilmPart) -> Outcome<PartMade> {
    let mut making = pin!(cx.deps.films.make_part(request, |word| {
        if let FilmWord::Progress(percent, message) = word {
            cx.progress(percent.max(FETCHED_PERCENT), message);
        }
    }));
    loop {
        if let Ok(made) = timeout(TELL_EVERY, making.as_mut()).await {
            return made.map_err(MediaFailure::into_failure);
        }
        // What it is not told now it is told in two seconds.
        let _ = film_parts::tell_on_the_way(&cx.deps.db, cx.tenant(), part).await;
    }
}
