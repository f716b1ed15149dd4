//! `crewline upload`, and files as arguments.

use std::path::Path;

use client::{Client, types};

use super::usage;
use crate::follow;

/// What a file is called when it is announced, by the end of its name.
const CONTENT_TYPES: [(&str, &str); 17] = [
    ("avi", "video/x-msvideo"),
    ("avif", "image/avif"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heic"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpeg"),
    ("png", "image/png"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
];

/// Uploads the file at `path`, with a bar on a terminal.
pub(crate) async fn upload(client: &Client, path: &Path) -> anyhow::Result<types::Asset> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let known = CONTENT_TYPES.iter().find(|(known, _)| *known == ending);
    let Some((_, content_type)) = known else {
        let endings: Vec<&str> = CONTENT_TYPES.iter().map(|(ending, _)| *ending).collect();
        let shown = path.display();
        return Err(usage(format!(
            "{shown} is neither an asset nor a file that ends in one of {}",
            endings.join(", ")
        )));
    };
    let bytes = std::fs::metadata(path).map_or(0, |about| about.len());
    let bar = follow::bar(bytes, "{msg} {bar:30} {bytes}/{total_bytes}");
    bar.set_message(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    let asset = client.upload(path, content_type, |done| bar.set_position(done)).await?;
    bar.finish_and_clear();
    Ok(asset)
}
