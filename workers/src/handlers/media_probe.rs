//! Does `media.probe`: fetches the original and lets a decoding child look at its header.

use jobs::{
    Classify, Failure, Outcome,
    kinds::media_probe::{MediaProbe, Probed, Shot},
};
use media::Inspected;
use store::{
    media as originals,
    probes::{NewProbe, Position},
    verdict::Write,
};

use crate::{
    cx::Cx,
    originals::{fetch, need_clean, refusal},
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
        fetch(cx, &asset, &source).await?;
        let inspected = cx.deps.media.inspect(source).await.map_err(refusal)?;
        let position = inspected.position.map(|position| Position {
            latitude: position.latitude,
            longitude: position.longitude,
            altitude_m: position.altitude_m,
        });
        let probed = probed(inspected)?;
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

/// Everything but where it was taken.
fn probed(Inspected { probe, shot, position: _ }: Inspected) -> Outcome<Probed> {
    let kind = serde_json::to_value(probe.kind)?;
    Ok(Probed {
        kind: kind.as_str().unwrap_or_default().to_owned(),
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
    })
}
