//! Does `video.transcode`: fetch, let a child make everything, put each file as soon as it is there, and store the rows
//! with the result.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU8, Ordering},
};

use blob::Key;
use jobs::{
    Classify, Failure, Outcome,
    kinds::video_transcode::{Film, FilmFile, FilmRung, VideoTranscode},
    video_preset::{self, VideoPreset},
};
use store::{
    films::{self, NewFilm, NewFilmFile},
    logs::Level,
    media::{self, Asset},
    verdict::Write,
};
use tokio::sync::mpsc;
use video::{FileMade, Made, Order};

use crate::{
    cx::Cx,
    faults::Point,
    film_child::{FilmRequest, LIMITS},
    media_pool::{FilmWord, MediaFailure},
    originals::{IMMUTABLE, fetch, need_clean, stored},
    registry::Handle,
};

/// Part of the work that is done when the film is fetched.
const FETCHED_PERCENT: u8 = 3;

impl Handle for VideoTranscode {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Film> {
        let preset = video_preset::find(&self.preset).ok_or_else(|| {
            Failure::discard("unknown_preset", format!("there is no preset {}", self.preset))
        })?;
        let asset = media::asset(&cx.deps.db, cx.tenant(), self.asset)
            .await?
            .ok_or_else(|| Failure::discard("asset_not_found", "the film was deleted or never existed"))?;
        need_clean(&asset)?;
        let made = films::made_before(&cx.deps.db, cx.tenant(), &asset.sha256, &self.preset).await?;
        if let Some((film, files)) = made {
            return reuse(cx, &asset, &self.preset, film, files);
        }
        let room = cx.deps.scratch.room().retry("scratch")?;
        let (source, folder) = (room.path().join("source"), room.path().join("film"));
        tokio::fs::create_dir(&folder).await.retry("scratch")?;
        cx.progress(1, "fetching the film");
        fetch(cx, &asset, &source, LIMITS.bytes_max).await?;
        cx.progress(FETCHED_PERCENT, "looking at the film");
        let request = FilmRequest { source, folder, order: order(preset) };
        let place = Place { sha256: &asset.sha256, preset: &self.preset, folder: request.folder.clone() };
        let (made, keys) = make_and_put(cx, request, &place).await?;
        finish(cx, &asset, &self.preset, made, keys)
    }
}

fn order(preset: &VideoPreset) -> Order {
    Order {
        short_sides_px: preset.short_sides_px.to_vec(),
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        loudness_lufs: preset.loudness_lufs,
        span: None,
    }
}

/// Where files are, and where they go.
struct Place<'a> {
    sha256: &'a str,
    preset: &'a str,
    folder: PathBuf,
}

/// Files are put while others are still made, in the order in which they became ready: so what a playlist names is there
/// before it. Answers the files and their keys.
async fn make_and_put(
    cx: &Cx<'_>,
    request: FilmRequest,
    place: &Place<'_>,
) -> Outcome<(Made, Vec<(FileMade, Key)>)> {
    // Bounded by what one film has: some files for each of a few rungs.
    let (ready, mut to_put) = mpsc::unbounded_channel();
    let reached = AtomicU8::new(FETCHED_PERCENT);
    let make = async {
        let made = cx.deps.films.transcode(request, |word| match word {
            FilmWord::Progress(percent, message) => {
                let percent = percent.max(FETCHED_PERCENT);
                reached.store(percent, Ordering::Relaxed);
                cx.progress(percent, message);
            }
            // The one who puts goes last.
            other => drop(ready.send(other)),
        });
        let made = made.await.map_err(MediaFailure::into_failure);
        drop(ready);
        made
    };
    let put = async {
        let mut keys = Vec::new();
        while let Some(word) = to_put.recv().await {
            match word {
                FilmWord::Ready(files) => {
                    for file in files {
                        let key = put(cx, place, &file).await?;
                        keys.push((file, key));
                    }
                }
                FilmWord::Playable(playlist, rung) => {
                    let key = key(cx, place, &playlist)?;
                    cx.progress(
                        reached.load(Ordering::Relaxed),
                        format!("playable at {rung}, making the rest"),
                    );
                    cx.log(Level::Info, format!("playable at {rung}: {key}"));
                }
                FilmWord::Progress(..) => {}
            }
        }
        Ok::<_, Failure>(keys)
    };
    tokio::try_join!(make, put)
}

fn key(cx: &Cx<'_>, place: &Place<'_>, name: &str) -> Outcome<Key> {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
    Key::rendition(&cx.tenant().to_string(), place.sha256, place.preset, stem, extension).discard("bad_key")
}

async fn put(cx: &Cx<'_>, place: &Place<'_>, file: &FileMade) -> Outcome<Key> {
    cx.reach(Point::BeforePut);
    let key = key(cx, place, &file.name)?;
    let path = place.folder.join(&file.name);
    cx.deps.blobs.put_file(&key, &path, file.kind.mime(), IMMUTABLE).await.map_err(stored)?;
    cx.reach(Point::AfterPut);
    Ok(key)
}

fn finish(cx: &Cx<'_>, asset: &Asset, preset: &str, made: Made, keys: Vec<(FileMade, Key)>) -> Outcome<Film> {
    let Made { probe, duration_ms, rungs, audio, degraded, .. } = made;
    if let Some(degraded) = &degraded {
        cx.log(Level::Warn, format!("the film is damaged: {degraded}"));
    }
    let mut files: Vec<FilmFile> = keys.into_iter().map(|(file, key)| film_file(file, &key)).collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let film = Film {
        asset: asset.id(),
        preset: preset.to_owned(),
        width: probe.width,
        height: probe.height,
        duration_ms,
        degraded,
        reused: false,
        rungs: rungs
            .into_iter()
            .map(|rung| FilmRung {
                name: rung.name,
                width: rung.width,
                height: rung.height,
                codec: rung.codec,
                bandwidth: rung.bandwidth,
                average_bandwidth: rung.average_bandwidth,
            })
            .collect(),
        files,
    };
    cx.log(Level::Info, format!("made {} streams of {duration_ms} ms", film.rungs.len()));
    keep(cx, asset, &film, serde_json::json!({ "probe": probe, "audio": audio }))?;
    Ok(film)
}

fn film_file(file: FileMade, key: &Key) -> FilmFile {
    FilmFile {
        name: file.name,
        kind: file.kind.name().to_owned(),
        rung: file.rung,
        media_type: file.kind.mime().to_owned(),
        bytes: file.bytes,
        width: file.width,
        height: file.height,
        key: key.to_string(),
    }
}

/// Has the rows written together with the verdict.
fn keep(cx: &Cx<'_>, asset: &Asset, film: &Film, details: serde_json::Value) -> Outcome<()> {
    let row = |file: &FilmFile| NewFilmFile {
        name: file.name.clone(),
        kind: file.kind.clone(),
        rung: file.rung.clone(),
        media_type: file.media_type.clone(),
        bytes: file.bytes,
        width: file.width,
        height: file.height,
        object_key: file.key.clone(),
    };
    cx.write(Write::Film(Box::new(NewFilm {
        asset: asset.id(),
        source_sha256: asset.sha256.clone(),
        preset: film.preset.clone(),
        width: film.width,
        height: film.height,
        duration_ms: film.duration_ms,
        rungs: serde_json::to_value(&film.rungs)?,
        details,
        degraded: film.degraded.clone(),
        files: film.files.iter().map(row).collect(),
    })));
    Ok(())
}

/// Everything is there, made for this asset or for another with the same bytes: only rows may be missing.
fn reuse(
    cx: &Cx<'_>,
    asset: &Asset,
    preset: &str,
    made: films::Film,
    files: Vec<films::FilmFile>,
) -> Outcome<Film> {
    let remade = |file: films::FilmFile| FilmFile {
        name: file.name,
        kind: file.kind,
        rung: file.rung,
        media_type: file.media_type,
        bytes: file.bytes.unsigned_abs(),
        width: file.width.map(i32::unsigned_abs),
        height: file.height.map(i32::unsigned_abs),
        key: file.object_key,
    };
    let film = Film {
        asset: asset.id(),
        preset: preset.to_owned(),
        width: made.width.unsigned_abs(),
        height: made.height.unsigned_abs(),
        duration_ms: made.duration_ms.unsigned_abs(),
        degraded: made.degraded.clone(),
        reused: true,
        rungs: serde_json::from_value(made.rungs.0.clone()).retry("unreadable_rungs")?,
        files: files.into_iter().map(remade).collect(),
    };
    if made.asset() != asset.id() {
        keep(cx, asset, &film, made.details.0)?;
    }
    cx.log(Level::Info, "this film was made before; nothing was encoded");
    Ok(film)
}
