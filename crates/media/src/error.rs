//! What can go wrong, in words for the person who uploaded the file.

/// Why an image could not be probed or rendered.
///
/// `Display` is a sentence for a photographer; [`MediaError::code`] is for programs and never changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// Not an image, or an image of a kind that is not read here.
    #[error(
        "This file is not a picture we can read ({detail}): send a JPEG, PNG, WebP, GIF, TIFF, HEIC or AVIF"
    )]
    UnsupportedFormat {
        /// What was found instead, or which variant is not supported.
        detail: String,
    },
    /// The bytes stop before the picture does, usually an upload that broke off.
    #[error("The file ends in the middle of the picture: upload it again")]
    Truncated,
    /// The bytes contradict themselves beyond what a tolerant reading can save.
    #[error("The file is damaged and cannot be opened ({detail}): export it again and upload the new copy")]
    Corrupt {
        /// What the decoder said.
        detail: String,
    },
    /// The file itself is larger than allowed.
    #[error("The file is {bytes} bytes, and at most {bytes_max} are accepted: export a smaller copy")]
    TooLarge {
        /// Size of the file.
        bytes: u64,
        /// The limit it exceeds.
        bytes_max: u64,
    },
    /// The picture has more pixels, or a longer side, than allowed.
    #[error(
        "The picture is {width} x {height} pixels; at most {side_px_max} on a side and {pixels_max} in all are accepted: \
         export it smaller"
    )]
    TooManyPixels {
        /// Width the header claims.
        width: u32,
        /// Height the header claims.
        height: u32,
        /// Longest side allowed.
        side_px_max: u32,
        /// Most pixels allowed.
        pixels_max: u64,
    },
    /// Decoding would need more memory or work than this job may use.
    #[error(
        "The picture needs more work to open than one job may spend ({detail}): export it as a plain JPEG"
    )]
    OutOfBudget {
        /// Which budget, and by how much where that is known.
        detail: String,
    },
    /// The ladder asks for something no encoder can do.
    #[error("The requested sizes cannot be made: {detail}")]
    BadLadder {
        /// Which rung, and what is wrong with it.
        detail: String,
    },
    /// The mark that is to be laid over the pictures cannot be.
    #[error("The brand's mark cannot be laid over pictures ({detail}): set another one")]
    BadBrand {
        /// What is wrong with it.
        detail: String,
    },
    /// An encoder failed on a picture that was read well; our fault, not the photographer's.
    #[error("The picture was read, but writing the {format} copy failed ({detail}): try again")]
    Encode {
        /// Output format.
        format: &'static str,
        /// What the encoder said.
        detail: String,
    },
    /// The stop flag was raised.
    #[error("The work was stopped before it finished")]
    Cancelled,
}

impl MediaError {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnsupportedFormat { .. } => "unsupported_format",
            Self::Truncated => "truncated",
            Self::Corrupt { .. } => "corrupt",
            Self::TooLarge { .. } => "too_large",
            Self::TooManyPixels { .. } => "too_many_pixels",
            Self::OutOfBudget { .. } => "out_of_budget",
            Self::BadLadder { .. } => "bad_ladder",
            Self::BadBrand { .. } => "bad_brand",
            Self::Encode { .. } => "encode_failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// True where the same bytes would fail the same way again, so a retry is wasted.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::Cancelled | Self::Encode { .. })
    }

    pub(crate) fn corrupt(detail: impl std::fmt::Display) -> Self {
        Self::Corrupt { detail: detail.to_string() }
    }

    pub(crate) fn unsupported(detail: impl std::fmt::Display) -> Self {
        Self::UnsupportedFormat { detail: detail.to_string() }
    }
}

/// Runs third-party parsing of hostile bytes so that a panic in it is a damaged file, not a dead worker.
///
/// The decoders are fuzzed by their authors and still find new ways; a picture is never worth a process.
pub(crate) fn contained<T>(work: impl FnOnce() -> Result<T, MediaError>) -> Result<T, MediaError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(MediaError::corrupt("the decoder gave up")))
}
