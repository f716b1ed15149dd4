//! Pictures that nobody has sent before.

use std::time::Duration;

use anyhow::Context;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{client::Client, stage::until, world::World};

/// Pictures that a ladder may have, of which a small original gets those that are not larger than itself.
const LISTING: &str = "listing@1";
/// Longest wait for a picture to be scanned and probed.
const LOOKED_INTO_MAX: Duration = Duration::from_mins(1);

/// A PNG of noise, `side` pixels wide and high.
pub(crate) fn png(side: u32) -> anyhow::Result<Vec<u8>> {
    let mut pixels = vec![0; (side * side * 3) as usize];
    StdRng::from_rng(&mut rand::rng()).fill(&mut pixels[..]);
    encoded(&pixels, side)
}

/// A PNG that is small as a file and takes long to make pictures of: noise in its first row, and nothing below.
pub(crate) fn plain_png(side: u32) -> anyhow::Result<Vec<u8>> {
    let mut pixels = vec![0x80; (side * side * 3) as usize];
    StdRng::from_rng(&mut rand::rng()).fill(&mut pixels[..(side * 3) as usize]);
    encoded(&pixels, side)
}

fn encoded(pixels: &[u8], side: u32) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(bytes)
}

/// Uploads a picture that is new; answers its asset.
pub(crate) async fn asset(client: &Client, png: Vec<u8>) -> anyhow::Result<String> {
    let upload = client.upload(png, "image/png").await?;
    client.complete(&upload).await
}

/// Waits until nothing works on a new picture any more by itself.
pub(crate) async fn looked_into(client: &Client, asset: &str) -> anyhow::Result<()> {
    until("a picture to be looked into", LOOKED_INTO_MAX, || async {
        let shown = client.get(&format!("/v1/assets/{asset}")).await.ok()?;
        shown["probe"].is_object().then_some(())
    })
    .await
}

/// The job that makes its ladder.
pub(crate) fn job(asset: &str) -> Value {
    json!({ "kind": "media.rendition", "args": { "asset": asset, "preset": LISTING }, "max_attempts": 20 })
}

/// What is wrong with the pictures that completed jobs claim to have made, fetched as a client would.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    /// Pictures that were fetched.
    pub(crate) pictures: usize,
    /// Pictures that are missing, of another length, or no picture.
    pub(crate) wrong: usize,
    /// Jobs that completed without any.
    pub(crate) empty: usize,
}

/// Fetches every picture of every completed job.
pub(crate) async fn verify(world: &World, client: &Client) -> anyhow::Result<Verified> {
    let done = world
        .database
        .json(
            "select coalesce(json_agg(distinct args ->> 'asset'), '[]') from attempt
             where kind = 'media.rendition' and final_state = 'completed'",
        )
        .await?;
    let mut verified = Verified::default();
    for asset in done.as_array().into_iter().flatten().filter_map(Value::as_str) {
        let shown = client.get(&format!("/v1/assets/{asset}")).await?;
        let pictures = shown["renditions"].as_array().context("an asset has renditions")?;
        verified.empty += usize::from(pictures.is_empty());
        for picture in pictures {
            verified.pictures += 1;
            let fetched = client.fetch(picture["url"].as_str().unwrap_or_default()).await;
            let is_whole = fetched.is_ok_and(|bytes| {
                Some(bytes.len() as u64) == picture["bytes"].as_u64() && looks_like_a_picture(&bytes)
            });
            verified.wrong += usize::from(!is_whole);
        }
    }
    Ok(verified)
}

/// A whole JPEG, or a WebP as long as it says it is.
fn looks_like_a_picture(bytes: &[u8]) -> bool {
    let is_jpeg = bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9]);
    let says = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize + 8);
    is_jpeg || (bytes.starts_with(b"RIFF") && says(4) == Some(bytes.len()))
}

/// Pictures that the ledger has twice.
pub(crate) const TWICE: &str = "select count(*) from (
    select from rendition group by asset_id, preset, rung, format having count(*) > 1) twice";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_picture_does_not_look_like_one() {
        let mut webp = b"RIFF\x0c\0\0\0WEBPVP8 ....".to_vec();
        assert!(looks_like_a_picture(&webp));
        webp.pop();
        assert!(!looks_like_a_picture(&webp));
        assert!(
            looks_like_a_picture(&[0xff, 0xd8, 0, 0xff, 0xd9]) && !looks_like_a_picture(&[0xff, 0xd8, 0])
        );
    }
}
