//! What can go wrong, in words for the person who uploaded the film.

use ffmpeg_next as ffmpeg;

/// Why a film could not be probed or transcoded.
///
/// `Display` is a sentence for whoever filmed; [`VideoError::code`] is for programs and never changes.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VideoError {
    /// Not a film, or a film of a kind that is not read here.
    #[error("This file is not a film we can read ({detail}): send an MP4, MOV, MKV, WebM, AVI or MPEG")]
    UnsupportedFormat {
        /// What was found instead, or which variant is not supported.
        detail: String,
    },
    /// Sound alone, or sound with a cover.
    #[error("There is no moving picture in this file")]
    NoPicture,
    /// The bytes contradict themselves, or end before anything could be shown.
    #[error("The film is damaged and cannot be opened ({detail}): export it again and upload the new copy")]
    Damaged {
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
    /// The film is longer than allowed.
    #[error("The film is {seconds} s long, and at most {seconds_max} s are accepted: cut it")]
    TooLong {
        /// How long it is, or how far it was followed.
        seconds: u64,
        /// The limit it exceeds.
        seconds_max: u64,
    },
    /// The picture has more pixels, or a longer side, than allowed.
    #[error(
        "The film is {width} x {height} pixels; at most {side_px_max} on a side and {pixels_max} in all are accepted: \
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
    /// Decoding would need more work than this job may use.
    #[error("The film needs more work than one job may spend ({detail}): export it as a plain MP4")]
    OutOfBudget {
        /// Which budget, and by how much where that is known.
        detail: String,
    },
    /// The order asks for something no encoder can do.
    #[error("The requested streams cannot be made: {detail}")]
    BadOrder {
        /// What is wrong with it.
        detail: String,
    },
    /// Filtering, encoding or writing failed on a film that was read well; our fault, not the uploader's.
    #[error("The film was read, but the step \"{step}\" failed ({detail}): try again")]
    Encode {
        /// Which step.
        step: &'static str,
        /// What libav said.
        detail: String,
    },
    /// Parts of a film do not lie one behind the other, or were made by a version that made other ones.
    #[error("The parts of the film cannot be joined ({detail}): they have to be made anew")]
    Unjoinable {
        /// What is wrong with them.
        detail: String,
    },
    /// A file of our own could not be written or read, most often because the disk is full.
    #[error("There was no room to work: {step} ({detail})")]
    Scratch {
        /// Which step.
        step: &'static str,
        /// What the system said.
        detail: String,
    },
    /// The stop flag was raised.
    #[error("The work was stopped before it finished")]
    Cancelled,
}

impl VideoError {
    /// The word for parts that have to be made anew.
    pub const UNJOINABLE: &'static str = "parts_do_not_meet";

    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnsupportedFormat { .. } => "unsupported_format",
            Self::NoPicture => "no_picture",
            Self::Damaged { .. } => "corrupt",
            Self::TooLarge { .. } => "too_large",
            Self::TooLong { .. } => "too_long",
            Self::TooManyPixels { .. } => "too_many_pixels",
            Self::OutOfBudget { .. } => "out_of_budget",
            Self::BadOrder { .. } => "bad_order",
            Self::Encode { .. } => "encode_failed",
            Self::Unjoinable { .. } => Self::UNJOINABLE,
            Self::Scratch { .. } => "scratch",
            Self::Cancelled => "cancelled",
        }
    }

    /// True where the same bytes would fail the same way again, so a retry is wasted.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        !matches!(
            self,
            Self::Cancelled | Self::Encode { .. } | Self::Unjoinable { .. } | Self::Scratch { .. }
        )
    }

    pub(crate) fn unsupported(detail: impl std::fmt::Display) -> Self {
        Self::UnsupportedFormat { detail: detail.to_string() }
    }

    pub(crate) fn damaged(detail: impl std::fmt::Display) -> Self {
        Self::Damaged { detail: detail.to_string() }
    }

    /// A step that had too little memory.
    #[must_use]
    pub fn out_of_memory(step: &str) -> Self {
        Self::OutOfBudget { detail: format!("{step} ran out of memory") }
    }

    pub(crate) fn scratch(step: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Scratch { step, detail: error.to_string() }
    }
}

/// What libav said, as a failure of one of our steps. A full disk is told apart, because another machine may have room, and
/// so is memory, because this film would have too little of it everywhere.
pub(crate) fn failed(step: &'static str) -> impl FnOnce(ffmpeg::Error) -> VideoError {
    move |error| match error {
        ffmpeg::Error::Other {
            errno: ffmpeg::error::ENOSPC | ffmpeg::error::EACCES | ffmpeg::error::EIO | ffmpeg::error::EFBIG,
        } => VideoError::Scratch { step, detail: error.to_string() },
        ffmpeg::Error::Other { errno: ffmpeg::error::ENOMEM } => VideoError::out_of_memory(step),
        _ => VideoError::Encode { step, detail: error.to_string() },
    }
}
