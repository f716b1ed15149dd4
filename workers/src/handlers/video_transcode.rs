//! Does `video.transcode`: fetch, let a child make everything, put each file as soon as it is there, and store the rows
//! with the result.

use std::{
    path::Path,
    sync::atomic::{AtomicU8, Ordering},
};

use blob::Key;
use jobs::{
    Classify, Failure, Outcome,
    kinds::video_transcode::{Film, FilmFile, FilmRung, VideoTranscode},
};
use store::{
    film_parts,
    films::{self, NewFilm, NewFilmFile},
    logs::Level,
    media::{self, Asset},
    verdict::Write,
};
use tokio::sync::mpsc;
use video::{FileMade, Made, VideoError};

use crate::{
    cx::Cx,
    faults::Point,
    film_child::{FilmRequest, JoinRequest, LIMITS},
    film_in_parts::{self, Standing},
    film_orders,
    media_child::Request,
    media_pool::{FilmWord, MediaFailure},
    originals::{IMMUTABLE, fetch, need_clean, stored},
    registry::Handle,
};

/// Part of the work that is done when the film is fetched.
const FETCHED_PERCENT: u8 = 3;
/// The same for a film whose parts are made.
const PARTS_MADE_PERCENT: u8 = 92;

impl Handle for VideoTranscode {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Film> {
        let made = make(self, cx).await;
        let begins_anew = match &made {
            Err(Failure::Retry { problem, .. }) => problem.code == VideoError::UNJOINABLE,
            Err(Failure::Discard { .. } | Failure::Cancel { .. }) => true,
            _ => false,
        };
        if begins_anew {
            // Whoever tries this film again has other parts made.
            film_parts::abandon(&cx.deps.db, cx.tenant(), cx.job.id).await?;
        }
        made
    }
}

async fn make(asked: VideoTranscode, cx: &Cx<'_>) -> Outcome<Film> {
    let order = film_orders::order(&asked.preset)?;
    let asset = media::asset(&cx.deps.db, cx.tenant(), asked.asset)
        .await?
        .ok_or_else(|| Failure::discard("asset_not_found", "the film was deleted or never existed"))?;
    need_clean(&asset)?;
    let made = films::made_before(&cx.deps.db, cx.tenant(), &asset.sha256, &asked.preset).await?;
    if let Some((film, files)) = made {
        return reuse(cx, &asset, &asked.preset, film, files);
    }
    let standing = film_in_parts::standing(cx).await?;
    let room = cx.deps.scratch.room().retry("scratch")?;
    let folder = room.path().join("film");
    tokio::fs::create_dir(&folder).await.retry("scratch")?;
    let (request, fetched_percent) = match &standing {
        Standing::None => {
            cx.progress(1, "fetching the film");
            let source = room.path().join("source");
            fetch(cx, &asset, &source, LIMITS.bytes_max).await?;
            cx.progress(FETCHED_PERCENT, "looking at the film");
            let inspected = cx.deps.films.inspect_film(source.clone()).await;
            let cut = cx.deps.cut.parts(&inspected.map_err(MediaFailure::into_failure)?.probe);
            if cut.len() > 1 {
                return Err(film_in_parts::ask(cx, &asset, &asked.preset, &cut).await?);
            }
            (Request::Film(FilmRequest { source, folder: folder.clone(), order }), FETCHED_PERCENT)
        }
        Standing::Made(parts) => {
            cx.progress(PARTS_MADE_PERCENT - 2, "fetching the parts of the film");
            let parts = film_in_parts::fetch_all(cx, parts, room.path().join("parts")).await?;
            (Request::Join(JoinRequest { parts, folder: folder.clone() }), PARTS_MADE_PERCENT)
        }
    };
    let place = Place { sha256: &asset.sha256, preset: &asked.preset, folder: &folder, fetched_percent };
    let (made, keys) = make_and_put(cx, &request, &place).await?;
    finish(cx, &asset, &asked.preset, made, keys)
}

/// Where files are, and where they go.
struct Place<'a> {
    sha256: &'a str,
    preset: &'a str,
    folder: &'a Path,
    /// Part of the work that was done before.
    fetched_percent: u8,
}

impl Place<'_> {
    /// How much of all the work is done, when the child says how much of its own is.
    fn of_all(&self, percent: u8) -> u8 {
        let left = 100 - u16::from(self.fetched_percent);
        self.fetched_percent + (left * u16::from(percent.min(100)) / 100) as u8
    }
}

/// Files are put while others are still made, in the order in which they became ready: so what a playlist names is there
/// before it. Answers the files and their keys.
async fn make_and_put(
    cx: &Cx<'_>,
    request: &Request,
    place: &Place<'_>,
) -> Outcome<(Made, Vec<(FileMade, Key)>)> {
    // Bounded by what one film has: some files for each of a few rungs.
    let (ready, mut to_put) = mpsc::unbounded_channel();
    let reached = AtomicU8::new(place.fetched_percent);
    let make = async {
        let made = cx.deps.films.make_film(request, |word| match word {
            FilmWord::Progress(percent, message) => {
                let percent = place.of_all(percent);
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
