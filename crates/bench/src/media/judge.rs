//! The judge: SSIMULACRA2 of a picture beside what it should look like, everybody's decoded by the same decoder.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};
use ssimulacra2::{ColorPrimaries, LinearRgb, Rgb, TransferCharacteristic, compute_frame_ssimulacra2};

use super::{hand::Hand, makers::python, studio::Studio};

/// Bytes of a pixel as the decoder shows it.
const PIXEL_BYTES: usize = 3;

/// Judges.
pub(crate) struct Judge {
    decoder: Hand,
    target: PathBuf,
}

impl Judge {
    /// With a decoder among `peers`.
    pub(crate) fn start(studio: &Studio, peers: &Path) -> anyhow::Result<Self> {
        let decoder = Hand::start(python(peers, "judge.py"), "judge", &studio.logs)?;
        Ok(Self { decoder, target: studio.folder("judge")?.join("pixels") })
    }

    /// What the rung of a photograph should look like.
    pub(crate) async fn ideal(&mut self, photograph: &Path, long_edge_px: u32) -> anyhow::Result<LinearRgb> {
        let target = &self.target;
        let request =
            json!({"ideal": {"source": photograph, "long_edge_px": long_edge_px, "target": target}});
        self.seen(&request).await
    }

    /// How close a picture comes to it: 100 is the same.
    pub(crate) async fn points(&mut self, picture: &Path, ideal: &LinearRgb) -> anyhow::Result<f64> {
        let seen = self.seen(&json!({"decode": {"source": picture, "target": self.target}})).await?;
        compute_frame_ssimulacra2(ideal.clone(), seen).map_err(|error| {
            anyhow::anyhow!("{} could not be held beside what it should be: {error}", picture.display())
        })
    }

    async fn seen(&mut self, request: &Value) -> anyhow::Result<LinearRgb> {
        let answer = self.decoder.ask(request).await?;
        let side = |name: &str| answer["picture"][name].as_u64().map(|side| side as usize);
        let (width, height) = side("width").zip(side("height")).context("a picture without a size")?;
        let bytes = std::fs::read(&self.target).context("could not read what was decoded")?;
        let pixel = |pixel: &[u8]| [pixel[0], pixel[1], pixel[2]].map(|part| f32::from(part) / 255.0);
        let pixels = bytes.chunks_exact(PIXEL_BYTES).map(pixel).collect();
        let (curve, primaries) = (TransferCharacteristic::SRGB, ColorPrimaries::BT709);
        let seen = Rgb::new(pixels, width, height, curve, primaries)
            .map_err(|error| anyhow::anyhow!("a picture of another size: {error}"))?;
        LinearRgb::try_from(seen).map_err(|error| anyhow::anyhow!("pixels that are no colours: {error}"))
    }
}
