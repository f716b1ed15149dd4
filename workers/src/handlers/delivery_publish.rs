//! Does `delivery.publish`: writes down what a delivery holds, once everything in it is made.

use std::{collections::HashSet, time::Duration};

use jobs::{
    AssetId, AssetState, Classify, Failure, Job, Outcome, Variant,
    failure::Problem,
    kinds::{
        delivery_publish::{DeliveryPublish, Published},
        delivery_zip::DeliveryZip,
        media_rendition::MediaRendition,
        video_transcode::VideoTranscode,
    },
};
use store::{
    brands::{self, Brand},
    deliveries::{self, Candidate, File, Maker, Manifest, Part, Playable, Stored},
    films::{Film, FilmFile},
    media::Rendition,
    verdict::Write,
};

use crate::{cx::Cx, registry::Handle};

/// How soon it is looked again whether everything is made.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// How long pictures and films may take to be made. Those that are not there by then will not come by themselves.
const PATIENCE: chrono::TimeDelta = chrono::TimeDelta::hours(6);
/// The preset and the rungs that the page of a delivery shows.
const PAGE_PRESET: &str = "listing@1";
const SCREEN_RUNG: &str = "screen_1600";
const GRID_RUNG: &str = "grid_640";

impl Handle for DeliveryPublish {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Published> {
        let (db, tenant) = (&cx.deps.db, cx.tenant());
        deliveries::note_publisher(db, tenant, self.delivery, cx.job.id).await?;
        // Asked before what is made is read: a job that ends in between has made its files.
        let items = deliveries::items(db, tenant, self.delivery).await?;
        let makers: Vec<_> = items.iter().flat_map(|item| makers(item.asset(), &self.archives)).collect();
        let making = deliveries::being_made(db, tenant, &makers).await?;
        let film_preset = VideoTranscode::default_preset();
        let candidates = deliveries::candidates(db, tenant, self.delivery, &film_preset).await?;
        if candidates.is_empty() {
            return Err(Failure::discard(
                "delivery_not_found",
                "the delivery was removed, or all its files were",
            ));
        }
        wait_for_scans(cx, &candidates)?;
        let brand = brands::brand(db, tenant).await?;
        if brand.is_none() && self.archives.iter().any(|variant| variant.is_branded()) {
            let message = "an archive with the tenant's mark was asked for, and there is none: PUT /v1/brand";
            return Err(Failure::discard("no_brand", message));
        }
        let files = candidates.iter().map(|candidate| file(candidate, brand.as_ref())).collect();
        let mut variants = vec![Variant::Mls];
        variants.extend(self.archives.iter().filter(|variant| **variant != Variant::Mls));
        let manifest = Manifest { files, variants };
        wait_for_what_is_made(cx, &manifest, &making)?;
        let manifest_sha256 = manifest.sha256().discard("unserialisable_manifest")?;
        for variant in &self.archives {
            let manifest_sha256 = Some(manifest_sha256.clone());
            cx.then(&DeliveryZip { delivery: self.delivery, variant: *variant, manifest_sha256 })?;
        }
        let files = manifest.files.len() as u32;
        cx.write(Write::Publication(self.delivery, Box::new(manifest), manifest_sha256.clone()));
        Ok(Published { delivery: self.delivery, manifest_sha256, files })
    }
}

/// The jobs that make of `asset` what the page and `archives` show: each asset's kinds and unique keys.
fn makers(asset: AssetId, archives: &[Variant]) -> impl Iterator<Item = Maker> {
    let film = VideoTranscode { asset, preset: VideoTranscode::default_preset() };
    let film =
        film.unique().map(|unique| Maker { asset, kind: VideoTranscode::KIND, unique_key: unique.key });
    let variants = [Variant::Mls].into_iter().chain(archives.iter().copied());
    let pictures = variants.filter_map(move |variant| {
        let (preset, _) = variant.rung()?;
        let ladder = MediaRendition { asset, preset: preset.to_owned(), branded: variant.is_branded() };
        Some(Maker { asset, kind: MediaRendition::KIND, unique_key: ladder.unique()?.key })
    });
    film.into_iter().chain(pictures)
}

/// Nothing is shown of a file that the virus scanner has not let go.
fn wait_for_scans(cx: &Cx<'_>, candidates: &[Candidate]) -> Outcome<()> {
    for candidate in candidates {
        let (name, state) = (&candidate.name, candidate.asset.state()?);
        match state {
            AssetState::Clean => {}
            AssetState::Quarantined => {
                return Err(later(
                    cx,
                    "waiting_for_scan",
                    format!("{name} has not been scanned for viruses yet"),
                ));
            }
            AssetState::Infected | AssetState::Unscannable => {
                let message = format!("{name} is {state}; leave it out, or release it after looking at it");
                return Err(Failure::discard("file_held", message));
            }
        }
    }
    Ok(())
}

/// Not yet, or never when it has been waited for too long.
fn later(cx: &Cx<'_>, code: &str, said: String) -> Failure {
    if chrono::Utc::now() - cx.job.created_at > PATIENCE {
        return Failure::discard(code, format!("{said}; see why those jobs ended, then publish again"));
    }
    Failure::Snooze { problem: Problem::new(code, said), wait: LOOK_AGAIN }
}

/// Waits while jobs make what is missing. What no job makes will not come.
fn wait_for_what_is_made(cx: &Cx<'_>, manifest: &Manifest, making: &HashSet<AssetId>) -> Outcome<()> {
    let lacks = |file: &&File| manifest.variants.iter().any(|variant| file.lacks(*variant));
    let lacking = manifest.files.iter().filter(lacks).count();
    let Some(first) = manifest.files.iter().find(lacks) else { return Ok(()) };
    if let Some(hopeless) = manifest.files.iter().filter(lacks).find(|file| !making.contains(&file.asset)) {
        let message = format!(
            "not everything of {} was made, and no job is making it: its jobs have ended without, or there were none; \
             make it with media.rendition or video.transcode, or leave it out, then publish again",
            hopeless.name
        );
        return Err(Failure::discard("media_not_made", message));
    }
    let said = format!(
        "of {lacking} of {} files not everything is made yet, the first of them {}",
        manifest.files.len(),
        first.name
    );
    Err(later(cx, "waiting_for_media", said))
}

fn file(candidate: &Candidate, brand: Option<&Brand>) -> File {
    let asset = &candidate.asset;
    let made = |preset: &str, rung: &str, format: &str| {
        let found = |made: &&Rendition| made.preset == preset && made.rung == rung && made.format == format;
        candidate.renditions.iter().find(found).map(stored)
    };
    let in_variant = |variant: Variant| {
        let (preset, rung) = variant.rung()?;
        if variant.is_branded() {
            return made(&brand?.on(preset), rung, "jpeg");
        }
        made(preset, rung, "jpeg")
    };
    File {
        asset: asset.id(),
        name: candidate.name.clone(),
        media_type: asset.media_type.clone(),
        original: Stored {
            key: asset.object_key.clone(),
            bytes: asset.bytes as u64,
            width: asset.width.map(|width| width as u32),
            height: asset.height.map(|height| height as u32),
        },
        mls: in_variant(Variant::Mls),
        print: in_variant(Variant::Print),
        mls_branded: in_variant(Variant::MlsBranded),
        print_branded: in_variant(Variant::PrintBranded),
        screen: made(PAGE_PRESET, SCREEN_RUNG, "webp"),
        grid: made(PAGE_PRESET, GRID_RUNG, "webp").or_else(|| still(candidate)),
        film: candidate.film.as_ref().and_then(|(film, files)| playable(film, files)),
        colours: asset.thumbhash.as_deref().and_then(::media::colours),
        is_withheld: false,
    }
}

fn stored(made: &Rendition) -> Stored {
    Stored {
        key: made.object_key.clone(),
        bytes: made.bytes as u64,
        width: Some(made.width as u32),
        height: Some(made.height as u32),
    }
}

fn still(candidate: &Candidate) -> Option<Stored> {
    let (_, files) = candidate.film.as_ref()?;
    files.iter().find(|file| file.kind == "poster").map(part_stored)
}

fn playable(film: &Film, files: &[FilmFile]) -> Option<Playable> {
    let progressive = files.iter().find(|file| file.kind == "progressive")?;
    let part = |file: &FilmFile| Part {
        name: file.name.clone(),
        kind: file.kind.clone(),
        media_type: file.media_type.clone(),
        key: file.object_key.clone(),
    };
    Some(Playable {
        duration_ms: film.duration_ms as u64,
        progressive: part_stored(progressive),
        parts: files.iter().map(part).collect(),
    })
}

fn part_stored(file: &FilmFile) -> Stored {
    Stored {
        key: file.object_key.clone(),
        bytes: file.bytes as u64,
        width: file.width.map(|width| width as u32),
        height: file.height.map(|height| height as u32),
    }
}
