//! What a delivery holds, as it was when it was published.

use jobs::{AssetId, Variant};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Everything that a link shows and an archive packs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// In the order in which they were put in.
    pub files: Vec<File>,
    /// What may be had of each photograph, `mls` among it. Pages, archives and downloads of others are not there.
    pub variants: Vec<Variant>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// What it was made from.
    pub asset: AssetId,
    /// What it is called.
    pub name: String,
    /// What the original is, by its bytes.
    pub media_type: String,
    /// The upload itself.
    pub original: Stored,
    /// What it is played from; of films only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub film: Option<Playable>,
    /// For listing services; of photographs only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mls: Option<Stored>,
    /// For printing; of photographs only, and where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print: Option<Stored>,
    /// As `mls`, with the tenant's mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mls_branded: Option<Stored>,
    /// As `print`, with the tenant's mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print_branded: Option<Stored>,
    /// For looking at on a screen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen: Option<Stored>,
    /// For a grid of pictures; of a film a still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<Stored>,
    /// Red, green and blue in its upper left, its middle and its lower right, to show until it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colours: Option<[[u8; 3]; 3]>,
    /// Nobody may have it any more: it was removed since, or the scanner holds it.
    #[serde(skip)]
    pub is_withheld: bool,
}

/// What a film is played from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playable {
    /// How long it plays.
    pub duration_ms: u64,
    /// Picture and sound in one file, for whoever plays no streams and for downloads.
    pub progressive: Stored,
    /// Streams, playlists and stills. They name one another, so they are served side by side.
    pub parts: Vec<Part>,
}

/// One of the files that a film is played from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// By which others name it.
    pub name: String,
    /// What it is for, such as `master`.
    pub kind: String,
    /// What it is.
    pub media_type: String,
    /// Its key in the bucket.
    pub key: String,
}

/// An object in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// In pixels, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// In pixels, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

impl File {
    /// The file that stands for this one in `variant`, where it was made.
    pub fn in_variant(&self, variant: Variant) -> Option<&Stored> {
        let picture = match variant {
            Variant::Original => return Some(&self.original),
            Variant::Mls => &self.mls,
            Variant::Print => &self.print,
            Variant::MlsBranded => &self.mls_branded,
            Variant::PrintBranded => &self.print_branded,
        };
        picture.as_ref().or(self.film.as_ref().map(|film| &film.progressive))
    }

    /// What its name ends with in `variant`, if not with what the upload's ends with.
    pub fn extension(&self, variant: Variant) -> Option<&'static str> {
        match variant {
            Variant::Original => None,
            _ if self.film.is_some() => Some("mp4"),
            _ => Some("jpg"),
        }
    }

    /// Whether nothing was made of this yet for `variant`.
    pub fn lacks(&self, variant: Variant) -> bool {
        self.in_variant(variant).is_none()
    }
}

impl Manifest {
    /// Keeps back what is not served any more. Places stay as they were: links and notes name them.
    pub(super) fn withhold(&mut self, is_served: impl Fn(AssetId) -> bool) {
        for file in &mut self.files {
            file.is_withheld = !is_served(file.asset);
        }
    }

    /// Whether `variant` was asked for when it was published.
    pub fn offers(&self, variant: Variant) -> bool {
        self.variants.contains(&variant)
    }

    /// Whether anything of it is kept back. Then its archives are too, since they hold it.
    pub fn lacks_files(&self) -> bool {
        self.files.iter().any(|file| file.is_withheld)
    }

    /// SHA-256 of it, hexadecimal: the same files under the same names give the same.
    pub fn sha256(&self) -> Result<String, serde_json::Error> {
        Ok(hex::encode(Sha256::digest(serde_json::to_vec(self)?)))
    }
}
