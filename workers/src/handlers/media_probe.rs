//! Does `media.probe`: fetches the original and lets a decoding child look at its header.

use jobs::{
    Classify, Failure, Outcome,
    kinds::media_probe::{MediaProbe, Moving, Probed, Shot, Sound},
};
use store::{
    media as originals,
    probes::{NewProbe, Position},
    verdict::Write,
};

use crate::{
    cx::Cx,
    film_child,
    media_pool::MediaFailure,
    originals::{fetch, need_clean},
    picture_child,
    registry::Handle,
};

impl Handle for MediaProbe {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Probed> {
        let asset = originals::asset(&cx.deps.db, cx.tenant(), self.asset)
            .await?
            .ok_or_else(|| Failure::discard("asset_not_found", "the file was deleted or never existed"))?;
        need_clean(&asset)?;
        let room = cx.deps.scratch.room().retry("scratch")?;
        let source = room.path().join("source");
        cx.progress(1, "fetching the file");
        // Its type was told by its first bytes when it came in.
        let (probed, position) = if let Some(kind) = asset.media_type.strip_prefix("video/") {
            fetch(cx, &asset, &source, film_child::LIMITS.bytes_max).await?;
            let inspected = cx.deps.films.inspect_film(source).await;
            film(kind, inspected.map_err(MediaFailure::into_failure)?)?
        } else {
            fetch(cx, &asset, &source, picture_child::LIMITS.bytes_max).await?;
            let inspected = cx.deps.media.inspect_picture(source).await;
            picture(inspected.map_err(MediaFailure::into_failure)?)?
        };
        cx.write(Write::Probe(Box::new(NewProbe {
            asset: asset.id(),
            width: probed.width,
            height: probed.height,
            probe: serde_json::to_value(&probed)?,
            position,
        })));
        Ok(probed)
    }
}

/// The word that JSON has for it.
fn word(value: impl serde::Serialize) -> Outcome<String> {
    Ok(serde_json::to_value(value)?.as_str().unwrap_or_default().to_owned())
}

/// What may be told of a picture, and where it was taken.
fn picture(
    media::Inspected { probe, shot, position }: media::Inspected,
) -> Outcome<(Probed, Option<Position>)> {
    let probed = Probed {
        kind: word(probe.kind)?,
        width: probe.width,
        height: probe.height,
        orientation: probe.orientation,
        has_alpha: probe.has_alpha,
        color: probe.color,
        color_profile: probe.icc,
        copyright: probe.copyright,
        credit: probe.credit,
        shot: Shot {
            make: shot.make,
            model: shot.model,
            lens: shot.lens,
            exposure_s: shot.exposure_s,
            f_number: shot.f_number,
            iso: shot.iso,
            focal_length_mm: shot.focal_length_mm,
            taken_at: shot.taken_at,
        },
        film: None,
    };
    let position = position.map(|media::Position { latitude, longitude, altitude_m }| Position {
        latitude,
        longitude,
        altitude_m,
    });
    Ok((probed, position))
}

/// What may be told of a film, and where it was recorded.
fn film(
    kind: &str,
    video::Inspected { probe, recorded, position }: video::Inspected,
) -> Outcome<(Probed, Option<Position>)> {
    let kind = kind.strip_prefix("x-").unwrap_or(kind);
    let probed = Probed {
        kind: if kind == "msvideo" { "avi" } else { kind }.to_owned(),
        width: probe.width,
        height: probe.height,
        orientation: probe.turn.orientation(),
        has_alpha: false,
        color: probe.pixel_format,
        color_profile: None,
        copyright: None,
        credit: None,
        shot: Shot {
            make: recorded.make,
            model: recorded.model,
            taken_at: recorded.taken_at,
            ..Shot::default()
        },
        film: Some(Moving {
            duration_ms: probe.duration_ms,
            frame_rate: probe.frame_rate,
            variable_frame_rate: probe.variable_frame_rate,
            codec: probe.codec,
            interlaced: probe.interlaced,
            dynamic_range: word(probe.transfer)?,
            sound: probe.audio.map(|audio| Sound {
                codec: audio.codec,
                channels: audio.channels,
                sample_rate: audio.sample_rate,
            }),
        }),
    };
    let position = position.map(|video::Position { latitude, longitude, altitude_m }| Position {
        latitude,
        longitude,
        altitude_m,
    });
    Ok((probed, position))
}
