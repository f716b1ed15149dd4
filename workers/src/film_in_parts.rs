//! Long films: asking for their parts, waiting for them, and fetching what was made.
//!
//! The parts are the jobs of a workflow, so the ledger counts them. The job of the film does not hold a slot meanwhile: it
//! snoozes, the last part wakes it, and then it joins them itself. So whoever asked for the film has one job to look at,
//! from the beginning to the end.

use std::{path::PathBuf, time::Duration};

use jobs::{Classify, Failure, Job, Outcome, WorkflowId, failure::Problem, kinds::video_chunk::VideoChunk};
use store::{
    film_parts::{self, FilmParts},
    media::Asset,
    workflows::{NewStep, NewWorkflow, Spec},
};
use video::Part;

use crate::{cx::Cx, film_child::LIMITS, originals::stored};

/// How often to look after parts, although the last of them wakes their film: one that was given up does not.
const LOOK_AGAIN: Duration = Duration::from_secs(20);
/// Files of one part at most.
const PART_FILES_MAX: u32 = 100;

/// What the parts of a film are.
pub(crate) enum Standing {
    /// None were asked for.
    None,
    /// All are made.
    Made(FilmParts),
}

/// How the parts of this film stand.
///
/// # Errors
/// Snoozes while parts are being made, and ends the job when one was given up.
pub(crate) async fn standing(cx: &Cx<'_>) -> Outcome<Standing> {
    let Some(parts) = film_parts::of_job(&cx.deps.db, cx.tenant(), cx.job.id).await? else {
        return Ok(Standing::None);
    };
    if parts.made > 0 && parts.made >= parts.parts {
        return Ok(Standing::Made(parts));
    }
    if parts.lost == 0 && !parts.cancelled {
        return Err(not_yet(parts.made, parts.parts));
    }
    let why = film_parts::why_lost(&cx.deps.db, cx.tenant(), parts.workflow()).await?;
    Err(why.map_or_else(
        || Failure::cancel("the parts of the film were cancelled"),
        |problem| Failure::Discard { problem },
    ))
}

fn not_yet(made: i32, parts: i32) -> Failure {
    let problem = Problem::new("making_parts", format!("{made} of {parts} parts of the film are made"));
    Failure::Snooze { wait: LOOK_AGAIN, problem }
}

/// Asks for the parts of a film, and snoozes.
pub(crate) async fn ask(cx: &Cx<'_>, asset: &Asset, preset: &str, parts: &[Part]) -> Outcome<Failure> {
    let workflow = WorkflowId::new();
    // The last one first: it has the sound to make besides, so it takes longest.
    let args = parts.iter().enumerate().rev().map(|(index, part)| {
        serde_json::to_value(VideoChunk {
            asset: asset.id(),
            preset: preset.to_owned(),
            film: cx.job.id,
            parts: workflow,
            index: index as u32,
            from_group: part.from_group,
            until_group: part.until_group,
        })
    });
    let policy = VideoChunk::POLICY;
    let step = NewStep {
        name: "parts".to_owned(),
        after: Vec::new(),
        continues: false,
        tolerate: 0,
        spec: Spec {
            kind: VideoChunk::KIND.to_owned(),
            version: VideoChunk::VERSION,
            queue: VideoChunk::QUEUE,
            priority: policy.priority,
            max_attempts: policy.max_attempts,
            concurrency_key: None,
            promise_s: None,
            tags: Vec::new(),
            args: args.collect::<Result<_, _>>()?,
        },
    };
    let new = NewWorkflow {
        id: workflow,
        name: format!("parts of {}", cx.job.id),
        metadata: None,
        traceparent: cx.job.traceparent.clone(),
        steps: vec![step],
    };
    film_parts::begin(&cx.deps.db, cx.tenant(), cx.job.id, new).await?;
    cx.log(
        store::logs::Level::Info,
        format!("making {} parts of the film; their workflow is {workflow}", parts.len()),
    );
    Ok(not_yet(0, parts.len() as i32))
}

/// Fetches all parts, each into a folder of its own below `room`.
pub(crate) async fn fetch_all(cx: &Cx<'_>, parts: &FilmParts, room: PathBuf) -> Outcome<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for index in 0..parts.parts {
        let folder = room.join(index.to_string());
        tokio::fs::create_dir_all(&folder).await.retry("scratch")?;
        let prefix = format!("{}/f/{}/{index}/", cx.tenant(), parts.workflow());
        let found = cx.deps.blobs.list(&prefix, PART_FILES_MAX).await.map_err(stored)?;
        for object in found.objects {
            let Some(name) = object.key.as_str().strip_prefix(&prefix) else { continue };
            let path = folder.join(name);
            cx.deps.blobs.download(&object.key, &path, LIMITS.bytes_max).await.map_err(stored)?;
        }
        folders.push(folder);
    }
    Ok(folders)
}
