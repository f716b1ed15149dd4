//! Does `media.rendition`: fetch, decode once, put every rung, and store the rows with the result.

use std::path::PathBuf;

use base64::{Engine, prelude::BASE64_STANDARD};
use blob::Key;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jobs::{
    Classify, Failure, FocalPoint, Outcome, RenditionId,
    kinds::media_rendition::{MediaRendition, RenditionMade, Renditions},
    preset::{self, PictureFormat, Preset},
};
use store::{
    brands::{self, Brand},
    logs::Level,
    media::{self, Asset, Made, NewRendition, NewRenditions},
    verdict::Write,
};

use crate::{
    cx::Cx,
    faults::Point,
    media_pool::MediaFailure,
    originals::{IMMUTABLE, fetch, need_clean, stored},
    picture_child::{BrandRequest, LIMITS, Ladders, Picture, PictureRequest},
    registry::Handle,
};

/// Objects put at once by one job.
const PUTS_AT_ONCE: usize = 4;

impl Handle for MediaRendition {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Renditions> {
        let preset = preset::find(&self.preset).ok_or_else(|| {
            Failure::discard("unknown_preset", format!("there is no preset {}", self.preset))
        })?;
        let asset = media::asset(&cx.deps.db, cx.tenant(), self.asset).await?.ok_or_else(|| {
            Failure::discard("asset_not_found", "the photograph was deleted or never existed")
        })?;
        need_clean(&asset)?;
        let brand = if self.branded { Some(brand(cx).await?) } else { None };
        let focal_point = asset.focal_point().filter(|_| preset.shape.is_some());
        let made_as = focal_point.map_or_else(|| self.preset.clone(), |point| point.on(&self.preset));
        let made_as = brand.as_ref().map_or_else(|| made_as.clone(), |brand| brand.on(&made_as));
        if let Some(made) = media::made_before(&cx.deps.db, cx.tenant(), &asset.sha256, &made_as).await?
            && made.renditions.len() == preset.rungs.len() * preset.formats.len()
        {
            return reuse(cx, &asset, &made_as, made);
        }
        let room = cx.deps.scratch.room().retry("scratch")?;
        let source = room.path().join("source");
        cx.progress(1, "fetching the photograph");
        fetch(cx, &asset, &source, LIMITS.bytes_max).await?;
        let brand = match brand {
            Some(brand) => Some(mark(cx, &brand, room.path().join("mark")).await?),
            None => None,
        };
        let (folder, ladder) = (room.path().to_path_buf(), ladder(preset, focal_point));
        let request = PictureRequest { source, folder, ladder, brand };
        let ladders = cx
            .deps
            .media
            .render(request, |percent, message| cx.progress((u16::from(percent) * 4 / 5) as u8, message))
            .await;
        let ladders = ladders.map_err(MediaFailure::into_failure)?;
        if let Some(degraded) = &ladders.degraded {
            cx.log(Level::Warn, format!("the photograph is damaged: {degraded}"));
        }
        let made = put_all(cx, &asset, &made_as, &ladders).await?;
        finish(cx, &asset, &made_as, &ladders, made)
    }
}

async fn brand(cx: &Cx<'_>) -> Outcome<Brand> {
    let brand = brands::brand(&cx.deps.db, cx.tenant()).await?;
    brand.ok_or_else(|| Failure::discard("no_brand", "the tenant has no mark: PUT /v1/brand sets one"))
}

/// Fetches the mark.
async fn mark(cx: &Cx<'_>, brand: &Brand, path: PathBuf) -> Outcome<BrandRequest> {
    let asset = media::asset(&cx.deps.db, cx.tenant(), brand.asset()).await?;
    let asset = asset.ok_or_else(|| Failure::discard("no_brand", "the tenant's mark was deleted"))?;
    need_clean(&asset)?;
    fetch(cx, &asset, &path, LIMITS.bytes_max).await?;
    Ok(BrandRequest {
        mark: path,
        corner: serde_json::from_value(brand.corner.clone().into())?,
        width_percent: brand.width_percent as u8,
        opacity_percent: brand.opacity_percent as u8,
    })
}

fn ladder(preset: &Preset, around: Option<FocalPoint>) -> ::media::Ladder {
    let formats: Vec<_> = preset.formats.iter().map(|format| encoder(*format)).collect();
    let rung = |rung: &preset::RungPreset| ::media::Rung {
        name: rung.name.to_owned(),
        long_edge_px: rung.long_edge_px,
        formats: formats.clone(),
        quality: rung.quality,
    };
    let crop = preset.shape.map(|shape| ::media::Crop {
        width: shape.width,
        height: shape.height,
        focal_point: around.map_or_else(::media::FocalPoint::default, |point| ::media::FocalPoint {
            x_permille: point.x_permille,
            y_permille: point.y_permille,
        }),
    });
    ::media::Ladder { rungs: preset.rungs.iter().map(rung).collect(), crop }
}

fn encoder(format: PictureFormat) -> ::media::Format {
    match format {
        PictureFormat::Jpeg => ::media::Format::Jpeg,
        PictureFormat::Webp => ::media::Format::WebP,
        PictureFormat::Avif => ::media::Format::Avif,
    }
}

fn decided(format: ::media::Format) -> (PictureFormat, &'static str) {
    match format {
        ::media::Format::Jpeg => (PictureFormat::Jpeg, "jpeg"),
        ::media::Format::WebP => (PictureFormat::Webp, "webp"),
        ::media::Format::Avif => (PictureFormat::Avif, "avif"),
    }
}

async fn put_all(cx: &Cx<'_>, asset: &Asset, preset: &str, ladders: &Ladders) -> Outcome<Vec<RenditionMade>> {
    cx.progress(82, "storing the pictures");
    cx.reach(Point::BeforePut);
    let puts: Vec<_> =
        ladders.pictures.iter().map(|picture| put(cx, asset, preset, picture).boxed()).collect();
    stream::iter(puts).buffered(PUTS_AT_ONCE).try_collect().await
}

async fn put(cx: &Cx<'_>, asset: &Asset, preset: &str, picture: &Picture) -> Outcome<RenditionMade> {
    let (tenant, extension) = (cx.tenant().to_string(), picture.format.extension());
    let key = Key::rendition(&tenant, &asset.sha256, preset, &picture.rung, extension).discard("bad_key")?;
    cx.deps.blobs.put_file(&key, &picture.path, picture.format.mime(), IMMUTABLE).await.map_err(stored)?;
    cx.reach(Point::AfterPut);
    Ok(RenditionMade {
        id: RenditionId::new(),
        rung: picture.rung.clone(),
        format: decided(picture.format).0,
        width: picture.width,
        height: picture.height,
        bytes: picture.bytes,
        key: key.to_string(),
    })
}

fn finish(
    cx: &Cx<'_>,
    asset: &Asset,
    preset: &str,
    ladders: &Ladders,
    made: Vec<RenditionMade>,
) -> Outcome<Renditions> {
    let (width, height) = (ladders.probe.width, ladders.probe.height);
    cx.write(Write::Renditions(Box::new(NewRenditions {
        asset: asset.id(),
        source_sha256: asset.sha256.clone(),
        preset: preset.to_owned(),
        width,
        height,
        thumbhash: BASE64_STANDARD.decode(&ladders.thumbhash)?,
        details: serde_json::json!({ "probe": ladders.probe, "degraded": ladders.degraded }),
        renditions: made.iter().map(row).collect(),
    })));
    cx.log(Level::Info, format!("made {} pictures from {width}×{height} px", made.len()));
    Ok(Renditions {
        asset: asset.id(),
        preset: preset.to_owned(),
        width,
        height,
        thumbhash: ladders.thumbhash.clone(),
        degraded: ladders.degraded.clone(),
        reused: false,
        renditions: made,
    })
}

fn row(made: &RenditionMade) -> NewRendition {
    NewRendition {
        id: made.id,
        rung: made.rung.clone(),
        format: decided(encoder(made.format)).1,
        width: made.width,
        height: made.height,
        bytes: made.bytes,
        object_key: made.key.clone(),
    }
}

/// The pictures are there, made for this asset or for another with the same bytes: only rows may be missing.
fn reuse(cx: &Cx<'_>, asset: &Asset, preset: &str, made: Made) -> Outcome<Renditions> {
    let same = made.asset.id() == asset.id();
    let renditions: Vec<RenditionMade> =
        made.renditions.iter().map(|old| remade(old, same)).collect::<Outcome<_>>()?;
    let thumbhash = made.asset.thumbhash.unwrap_or_default();
    let side = |side: Option<i32>| side.unwrap_or_default().unsigned_abs();
    let (width, height) = (side(made.asset.width), side(made.asset.height));
    let details = made.asset.details.map(|details| details.0).unwrap_or_default();
    let degraded = details["degraded"].as_str().map(str::to_owned);
    if !same {
        cx.write(Write::Renditions(Box::new(NewRenditions {
            asset: asset.id(),
            source_sha256: asset.sha256.clone(),
            preset: preset.to_owned(),
            width,
            height,
            thumbhash: thumbhash.clone(),
            details,
            renditions: renditions.iter().map(row).collect(),
        })));
    }
    cx.log(Level::Info, "these pictures were made before; nothing was rendered");
    Ok(Renditions {
        asset: asset.id(),
        preset: preset.to_owned(),
        width,
        height,
        thumbhash: BASE64_STANDARD.encode(thumbhash),
        degraded,
        reused: true,
        renditions,
    })
}

fn remade(old: &media::Rendition, same: bool) -> Outcome<RenditionMade> {
    let format: PictureFormat =
        serde_json::from_value(old.format.clone().into()).retry("unreadable_format")?;
    Ok(RenditionMade {
        id: if same { old.id() } else { RenditionId::new() },
        rung: old.rung.clone(),
        format,
        width: old.width.unsigned_abs(),
        height: old.height.unsigned_abs(),
        bytes: old.bytes.unsigned_abs(),
        key: old.object_key.clone(),
    })
}
