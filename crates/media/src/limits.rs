//! The bounds a source has to stay within, checked from the header.

use crate::MediaError;

/// Bounds on one source image. There is no default: whoever runs the work says what it may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest accepted file, in bytes.
    pub bytes_max: u64,
    /// Longest accepted side of the source, in pixels.
    pub side_px_max: u32,
    /// Most accepted pixels of the source (width times height).
    pub pixels_max: u64,
    /// Most memory the decode may take, in bytes: pixel buffers, and a progressive JPEG's coefficients.
    pub alloc_bytes_max: u64,
    /// Most scans a progressive JPEG may have; cameras and editors write about 10.
    pub jpeg_scans_max: u32,
}

impl Limits {
    pub(crate) fn check_bytes(&self, source: &[u8]) -> Result<(), MediaError> {
        let bytes = source.len() as u64;
        if bytes > self.bytes_max {
            return Err(MediaError::TooLarge { bytes, bytes_max: self.bytes_max });
        }
        Ok(())
    }

    pub(crate) fn check_size(&self, width: u32, height: u32) -> Result<(), MediaError> {
        if width == 0 || height == 0 {
            return Err(MediaError::corrupt("the header says the picture has no pixels"));
        }
        let pixels = u64::from(width) * u64::from(height);
        if width.max(height) > self.side_px_max || pixels > self.pixels_max {
            let (side_px_max, pixels_max) = (self.side_px_max, self.pixels_max);
            return Err(MediaError::TooManyPixels { width, height, side_px_max, pixels_max });
        }
        Ok(())
    }

    pub(crate) fn check_alloc(&self, bytes: u64) -> Result<(), MediaError> {
        if bytes > self.alloc_bytes_max {
            let detail = format!("{bytes} bytes of memory, at most {}", self.alloc_bytes_max);
            return Err(MediaError::OutOfBudget { detail });
        }
        Ok(())
    }

    /// The same bounds in `image`'s terms.
    pub(crate) fn for_image(&self) -> image::Limits {
        let mut limits = image::Limits::no_limits();
        limits.max_image_width = Some(self.side_px_max);
        limits.max_image_height = Some(self.side_px_max);
        limits.max_alloc = Some(self.alloc_bytes_max);
        limits
    }
}
