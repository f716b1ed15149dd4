//! `media.contact_sheet`: many small pictures on pages to print or to send.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AssetId, Backoff, Invalid, Job, Policy, Priority, Queue};

/// Most pictures on one contact sheet.
const PICTURES_MAX: usize = 500;
/// Longest title, in characters.
const TITLE_CHARS_MAX: usize = 100;

/// Puts many photographs small on A4 pages, each with its name under it. Each page is a JPEG and an asset of its own, which
/// is listed, delivered and deleted like an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MediaContactSheet {
    /// The photographs, in order; at most 500.
    #[schemars(length(min = 1, max = 500))]
    pub assets: Vec<AssetId>,
    /// Stands above every page; up to 100 characters.
    #[serde(default = "MediaContactSheet::default_title")]
    #[schemars(length(min = 1, max = 100))]
    pub title: String,
    /// Pictures side by side, 1 to 8.
    #[serde(default = "MediaContactSheet::default_columns")]
    #[schemars(range(min = 1, max = 8))]
    pub columns: u8,
}

impl MediaContactSheet {
    /// What stands above pages when nothing is given.
    pub fn default_title() -> String {
        "Contact sheet".to_owned()
    }

    /// Pictures side by side when nothing is given.
    pub const fn default_columns() -> u8 {
        4
    }
}

/// The pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContactSheet {
    /// One asset for each page, in order.
    pub pages: Vec<SheetPage>,
    /// Photographs whose place stayed gray, because they could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unreadable: Vec<AssetId>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SheetPage {
    /// The asset that it became.
    pub asset: AssetId,
    /// Its size.
    pub bytes: u64,
    /// Object key in the bucket.
    pub key: String,
}

impl Job for MediaContactSheet {
    const KIND: &'static str = "media.contact_sheet";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Many small pictures on pages to print or to send";
    const QUEUE: Queue = Queue::MediaBulk;
    const POLICY: Policy = Policy {
        max_attempts: 5,
        timeout_s: 900,
        backoff: Backoff { base_ms: 2_000, cap_s: 300 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = ContactSheet;

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless((1..=PICTURES_MAX).contains(&self.assets.len()), "/assets", "takes 1 to 500 assets")?;
        Invalid::unless((1..=8).contains(&self.columns), "/columns", "takes 1 to 8")?;
        let is_line = (1..=TITLE_CHARS_MAX).contains(&self.title.trim().chars().count())
            && !self.title.chars().any(char::is_control);
        Invalid::unless(is_line, "/title", "takes 1 to 100 characters on one line")
    }

    fn example() -> Self {
        Self { assets: vec![AssetId::new()], title: Self::default_title(), columns: Self::default_columns() }
    }
}
