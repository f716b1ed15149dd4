//! What a delivery holds, as it was when it was published.

use jobs::{AssetId, Variant};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Everything that a link shows and an archive packs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// In the order in which they were put in.
    pub files: Vec<File>,
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
    /// For listing services; of photographs only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mls: Option<Stored>,
    /// For printing; of photographs only, and where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print: Option<Stored>,
    /// For looking at on a screen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen: Option<Stored>,
    /// For a grid of pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<Stored>,
    /// Red, green and blue in its upper left, its middle and its lower right, to show until it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colours: Option<[[u8; 3]; 3]>,
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
    /// The file that stands for this one in `variant`; what is no photograph stands for itself.
    pub fn in_variant(&self, variant: Variant) -> &Stored {
        let made = match variant {
            Variant::Mls => &self.mls,
            Variant::Print => &self.print,
            Variant::Original => &None,
        };
        made.as_ref().unwrap_or(&self.original)
    }

    /// Whether this is a photograph for which nothing was made in `variant`.
    pub fn lacks(&self, variant: Variant) -> bool {
        let made = match variant {
            Variant::Mls => &self.mls,
            Variant::Print => &self.print,
            Variant::Original => return false,
        };
        made.is_none() && self.media_type.starts_with("image/")
    }
}

impl Manifest {
    /// SHA-256 of it, hexadecimal: the same files under the same names give the same.
    pub fn sha256(&self) -> Result<String, serde_json::Error> {
        Ok(hex::encode(Sha256::digest(serde_json::to_vec(self)?)))
    }
}
