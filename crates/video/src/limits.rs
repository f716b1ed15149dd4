//! The bounds a source has to stay within, checked from the header and again while it is read.

use crate::VideoError;

/// Bounds on one source film. There is no default: whoever runs the work says what it may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest accepted file, in bytes.
    pub bytes_max: u64,
    /// Longest accepted film, in seconds.
    pub duration_s_max: u64,
    /// Longest accepted side of the source, in pixels.
    pub side_px_max: u32,
    /// Most accepted pixels of a frame (width times height).
    pub pixels_max: u64,
    /// Most streams a file may have.
    pub streams_max: u32,
    /// Most frames that are decoded, whatever the header said.
    pub frames_max: u64,
}

impl Limits {
    pub(crate) fn check_bytes(&self, bytes: u64) -> Result<(), VideoError> {
        if bytes > self.bytes_max {
            return Err(VideoError::TooLarge { bytes, bytes_max: self.bytes_max });
        }
        if bytes == 0 {
            return Err(VideoError::unsupported("the file is empty"));
        }
        Ok(())
    }

    pub(crate) fn check_size(&self, width: u32, height: u32) -> Result<(), VideoError> {
        if width == 0 || height == 0 {
            return Err(VideoError::damaged("the header says the picture has no pixels"));
        }
        let (side_px_max, pixels_max) = (self.side_px_max, self.pixels_max);
        if width.max(height) > side_px_max || u64::from(width) * u64::from(height) > pixels_max {
            return Err(VideoError::TooManyPixels { width, height, side_px_max, pixels_max });
        }
        Ok(())
    }

    pub(crate) fn check_duration(&self, seconds: f64) -> Result<(), VideoError> {
        if seconds > self.duration_s_max as f64 {
            let (seconds, seconds_max) = (seconds as u64, self.duration_s_max);
            return Err(VideoError::TooLong { seconds, seconds_max });
        }
        Ok(())
    }

    pub(crate) fn check_frames(&self, frames: u64) -> Result<(), VideoError> {
        if frames > self.frames_max {
            let detail = format!("more than {} frames", self.frames_max);
            return Err(VideoError::OutOfBudget { detail });
        }
        Ok(())
    }
}
