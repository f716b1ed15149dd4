//! What is asked for when a delivery is made, and the jobs that follow from it.

use ::jobs::{
    AssetId, DeliveryId, Variant,
    kinds::{
        delivery_publish::DeliveryPublish, media_rendition::MediaRendition, video_transcode::VideoTranscode,
    },
};
use serde::{Deserialize, Serialize};
use store::enqueue::NewJob;
use utoipa::ToSchema;

use crate::{
    limits::{DELIVERY_DAYS_MAX, DELIVERY_FILES_MAX, DELIVERY_NAME_CHARS_MAX, DELIVERY_TITLE_CHARS_MAX},
    problem::{FieldError, Problem},
};

/// Files to hand over.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewDelivery)]
pub(crate) struct DeliveryBody {
    /// What it is called, on its page and in names of archives.
    #[schema(example = "12 Elm Street", max_length = 200)]
    pub(super) title: String,
    /// The files, in the order in which they are shown; at most 500.
    pub(super) files: Vec<FileBody>,
    /// Days until its link ends, 1 to 365; 30 unless given.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 365)]
    pub(super) expires_in_days: Option<u16>,
    /// The archives to pack: `mls`, `print`, `mls_branded`, `print_branded`, `original`; `mls` and `original` unless
    /// given.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, example = json!(["mls", "original"]))]
    pub(super) archives: Option<Vec<Variant>>,
}

/// A file to hand over.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewDeliveryFile)]
pub(crate) struct FileBody {
    /// The asset.
    #[schema(value_type = String, example = "ast_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    pub(super) asset: AssetId,
    /// What it is called; as it was uploaded unless given.
    #[serde(default)]
    #[schema(example = "Kitchen.jpg", max_length = 255)]
    pub(super) name: Option<String>,
}

impl DeliveryBody {
    pub(super) fn check(&self) -> Result<(), Problem> {
        let mut errors = Vec::new();
        let mut unless = |holds: bool, pointer: &str, detail: String| {
            if !holds {
                errors.push(FieldError::new(pointer, detail));
            }
        };
        let is_line = |text: &str, max: usize| {
            (1..=max).contains(&text.trim().chars().count()) && !text.chars().any(char::is_control)
        };
        unless(
            is_line(&self.title, DELIVERY_TITLE_CHARS_MAX),
            "/title",
            format!("takes 1 to {DELIVERY_TITLE_CHARS_MAX} characters on one line"),
        );
        unless(
            (1..=DELIVERY_FILES_MAX).contains(&self.files.len()),
            "/files",
            format!("takes 1 to {DELIVERY_FILES_MAX} files"),
        );
        unless(
            self.expires_in_days.is_none_or(|days| (1..=DELIVERY_DAYS_MAX).contains(&days)),
            "/expires_in_days",
            format!("takes 1 to {DELIVERY_DAYS_MAX} days"),
        );
        let archives = self.archives.as_deref().unwrap_or_default();
        unless(
            archives.iter().enumerate().all(|(at, archive)| !archives[..at].contains(archive)),
            "/archives",
            "takes each of mls, print, mls_branded, print_branded and original once".to_owned(),
        );
        for (at, file) in self.files.iter().enumerate() {
            unless(
                file.name.as_deref().is_none_or(|name| is_line(name, DELIVERY_NAME_CHARS_MAX)),
                &format!("/files/{at}/name"),
                format!("takes 1 to {DELIVERY_NAME_CHARS_MAX} characters on one line"),
            );
        }
        if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
    }

    /// What has to be done for it: the pictures and films that are not there yet, and then to publish it.
    pub(super) fn jobs(&self, delivery: DeliveryId, media_types: &[String]) -> Result<Vec<NewJob>, Problem> {
        let archives = self.archives.clone().unwrap_or_else(DeliveryPublish::default_archives);
        let mut ladders: Vec<(&str, bool)> = [Variant::Mls]
            .iter()
            .chain(&archives)
            .filter_map(|variant| Some((variant.rung()?.0, variant.is_branded())))
            .collect();
        ladders.sort_unstable();
        ladders.dedup();
        let mut jobs = Vec::new();
        for (file, media_type) in self.files.iter().zip(media_types) {
            let asset = file.asset;
            if media_type.starts_with("video/") {
                let wanted = VideoTranscode { asset, preset: VideoTranscode::default_preset() };
                jobs.push(NewJob::of(&wanted).map_err(Problem::internal)?);
                continue;
            }
            for (preset, branded) in ladders.iter().copied() {
                let wanted = MediaRendition { asset, preset: preset.to_owned(), branded };
                jobs.push(NewJob::of(&wanted).map_err(Problem::internal)?);
            }
        }
        let publish = DeliveryPublish { delivery, archives };
        jobs.push(NewJob::of(&publish).map_err(Problem::internal)?);
        Ok(jobs)
    }
}
