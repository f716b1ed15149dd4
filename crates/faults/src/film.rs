//! Films that nobody has sent before.

use std::process::Command;

use anyhow::Context;
use serde_json::{Value, json};

use crate::client::Client;

/// Uploads a film of a moving test picture in 1080p, so many seconds long; answers its asset.
pub(crate) async fn asset(client: &Client, seconds: u32) -> anyhow::Result<String> {
    let folder = tempfile::tempdir().context("no folder for a film")?;
    let path = folder.path().join("film.mp4");
    let pictures = format!("testsrc2=s=1920x1080:r=25:d={seconds}");
    // A title of its own makes it one that is not known yet.
    let title = format!("title={}", rand::random::<u64>());
    let said = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", &pictures, "-pix_fmt", "yuv420p"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-crf", "35", "-metadata", &title])
        .arg(&path)
        .output()
        .context("ffmpeg is not installed; ./dev faults installs it")?;
    anyhow::ensure!(said.status.success(), "no film: {}", String::from_utf8_lossy(&said.stderr));
    let upload = client.upload(std::fs::read(&path)?, "video/mp4").await?;
    client.complete(&upload).await
}

/// The job that makes its streams.
pub(crate) fn job(asset: &str) -> Value {
    json!({ "kind": "video.transcode", "args": { "asset": asset } })
}
